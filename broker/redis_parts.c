/* redis_parts.c: see redis_parts.h. Parts are rare beside results, so their script travels whole. */
#include "broker/redis_parts.h"

#include "broker/redis_scripts.h"
#include "common/str.h"

void redis_part_write(struct buffer *out, const struct redis_names *names, const struct backend_part *part)
{
    resp_array(out, 11);
    resp_word(out, STR("EVAL"));
    resp_word(out, str_of(redis_script_part));
    resp_word(out, STR("2"));
    resp_pair(out, names->parts, part->id);
    resp_pair(out, names->results, part->id);
    resp_word(out, str_of(names->ttl));
    resp_word(out, part->overwrite_terminal ? STR("1") : STR("0"));
    resp_word(out, part->run);
    resp_number(out, part->number);
    resp_word(out, part->payload);
    if (part->reply_channel.size)
        resp_pair(out, names->channels, part->reply_channel);
    else
        resp_word(out, STR(""));
}

int redis_part_verdict(const struct resp_reply *reply, const char **why)
{
    *why = "";
    if (reply && reply->kind == RESP_INTEGER && reply->integer >= 0)
        return reply->integer == 1 ? UMBEL_OK : UMBEL_ALREADY_DONE;
    if (reply && reply->kind == RESP_INTEGER) {
        *why = "the part before it was refused";
        return UMBEL_BACKEND_REFUSED;
    }
    *why = reply && reply->kind == RESP_ERROR ? reply->text.data : "the connection to Redis was lost";
    return reply && reply->kind == RESP_ERROR ? UMBEL_BACKEND_REFUSED : UMBEL_BACKEND_AWAY;
}

void redis_parts_ask(struct buffer *out, const struct redis_names *names, umbel_str id, uint32_t from)
{
    resp_array(out, 4);
    resp_word(out, STR("LRANGE"));
    resp_pair(out, names->parts, id);
    resp_number(out, (int64_t)from + 1); /* behind the run's name */
    resp_number(out, (int64_t)from + BACKEND_PARTS_READ);
}

void redis_parts_keep(struct buffer *out, const struct redis_names *names, umbel_str id)
{
    resp_array(out, names->ttl[0] ? 3 : 2);
    resp_word(out, names->ttl[0] ? STR("PEXPIRE") : STR("PERSIST"));
    resp_pair(out, names->parts, id);
    if (names->ttl[0])
        resp_word(out, str_of(names->ttl));
}

void redis_parts_answer(const struct resp_reply *reply, uint64_t token, umbel_str id,
                        const struct backend_events *events, void *self)
{
    umbel_str payloads[BACKEND_PARTS_READ];
    size_t count = 0;
    bool good = reply && reply->kind == RESP_ARRAY && reply->count <= BACKEND_PARTS_READ;
    int code = good ? UMBEL_OK : UMBEL_BACKEND_AWAY;
    if (reply && reply->kind == RESP_ERROR)
        code = UMBEL_BACKEND_REFUSED;
    for (; good && count < reply->count; count++)
        payloads[count] = reply->items[count].text;
    if (events->parts)
        events->parts(self, token, code, id, payloads, count);
}
