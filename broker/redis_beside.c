/* redis_beside.c: what lies beside the results in Redis: their parts, start marks, ids that are not to be
 * run.
 *
 * Each call is one command behind the stores of its turn. What cannot be sent is answered UMBEL_BACKEND_AWAY
 * from the loop, or, where there is no answer, lost. */
#include <stdlib.h>

#include "broker/redis_inside.h"
#include "broker/redis_parts.h"
#include "broker/redis_revoked.h"
#include "broker/redis_scripts.h"
#include "common/str.h"

#define MARK_SECONDS "86400"

/* ---- parts ---- */

static struct redis_names names_of(const struct redis *r)
{
    return (struct redis_names){r->key_prefix, r->parts_prefix, r->prefix, r->ttl};
}

void redis_keep_parts(struct redis *r, umbel_str id)
{
    struct redis_names names = names_of(r);
    struct buffer *out = redis_command(r, &(struct redis_expect){.kind = EXPECT_NOTHING});
    if (!out)
        return;
    redis_parts_keep(out, &names, id);
    redis_sent(r->conn);
}

void redis_add_part(struct backend *backend, const struct backend_part *part, uint64_t token)
{
    struct redis *r = (struct redis *)backend;
    struct redis_names names = names_of(r);
    struct buffer *out = redis_command(r, &(struct redis_expect){.kind = EXPECT_PART, .token = token});
    if (!out) {
        redis_owe(r, EXPECT_PART, token, NULL);
        return;
    }
    redis_part_write(out, &names, part);
    redis_sent(r->conn);
}

void redis_on_part(struct redis *r, uint64_t token, const struct resp_reply *reply)
{
    const char *why;
    int code = redis_part_verdict(reply, &why);
    r->events.stored(r->self, token, code, why);
}

void redis_read_parts(struct backend *backend, umbel_str id, uint32_t from, uint64_t token)
{
    struct redis *r = (struct redis *)backend;
    struct redis_names names = names_of(r);
    struct redis_lookup *asked = redis_lookup_new(&id, 1, token);
    if (!asked)
        return;
    struct buffer *out = redis_command(r, &(struct redis_expect){.kind = EXPECT_PARTS, .data = asked});
    if (!out) {
        redis_owe(r, EXPECT_PARTS, token, asked);
        return;
    }
    redis_parts_ask(out, &names, id, from);
    redis_sent(r->conn);
}

void redis_on_parts(struct redis *r, struct redis_lookup *asked, const struct resp_reply *reply)
{
    redis_parts_answer(reply, asked->token, asked->ids[0], &r->events, r->self);
    free(asked);
}

/* ---- start marks ---- */

/* Only a message that may have run before comes here: rare enough for the script to travel whole. */
void redis_begin(struct backend *backend, umbel_str id, uint64_t token)
{
    struct redis *r = (struct redis *)backend;
    struct buffer *out = redis_command(r, &(struct redis_expect){.kind = EXPECT_BEGIN, .token = token});
    if (!out) {
        redis_owe(r, EXPECT_BEGIN, token, NULL);
        return;
    }
    resp_array(out, 6);
    resp_word(out, STR("EVAL"));
    resp_word(out, str_of(redis_script_begin));
    resp_word(out, STR("2"));
    resp_pair(out, r->key_prefix, id);
    resp_pair(out, r->mark_prefix, id);
    resp_word(out, STR(MARK_SECONDS));
    redis_sent(r->conn);
}

void redis_on_begin(struct redis *r, uint64_t token, const struct resp_reply *reply)
{
    struct backend_history history = {0};
    int code = UMBEL_BACKEND_AWAY;
    if (reply && reply->kind == RESP_ERROR) {
        code = UMBEL_BACKEND_REFUSED;
    } else if (reply && reply->kind == RESP_ARRAY && reply->count == 2) {
        code = UMBEL_OK;
        history.terminal = reply->items[0].integer == 1;
        history.starts = reply->items[1].integer > 0 ? (uint32_t)reply->items[1].integer : 0;
    }
    r->events.begun(r->self, token, code, history);
}

static void delete_key(struct redis *r, umbel_str prefix, umbel_str id)
{
    struct buffer *out = redis_command(r, &(struct redis_expect){.kind = EXPECT_NOTHING});
    if (!out)
        return;
    resp_array(out, 2);
    resp_word(out, STR("DEL"));
    resp_pair(out, prefix, id);
    redis_sent(r->conn);
}

void redis_end_mark(struct backend *backend, umbel_str id)
{
    struct redis *r = (struct redis *)backend;
    delete_key(r, r->mark_prefix, id);
}

void redis_forget(struct backend *backend, umbel_str id)
{
    struct redis *r = (struct redis *)backend;
    delete_key(r, r->key_prefix, id);
    delete_key(r, r->parts_prefix, id);
}

/* ---- revoked ids ---- */

void redis_revoke(struct backend *backend, const struct backend_revocation *list, size_t count)
{
    struct redis *r = (struct redis *)backend;
    struct buffer *out = count ? redis_command(r, &(struct redis_expect){.kind = EXPECT_NOTHING}) : NULL;
    if (!out)
        return;
    redis_revoked_write(out, r->revoked_key, list, count);
    redis_sent(r->conn);
}

void redis_list_revoked(struct backend *backend, uint64_t token)
{
    struct redis *r = (struct redis *)backend;
    struct buffer *out = redis_command(r, &(struct redis_expect){.kind = EXPECT_REVOKED, .token = token});
    if (!out) {
        redis_owe(r, EXPECT_REVOKED, token, NULL);
        return;
    }
    redis_revoked_ask(out, r->revoked_key);
    redis_sent(r->conn);
}
