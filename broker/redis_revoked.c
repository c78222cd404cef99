/* redis_revoked.c: see redis_revoked.h. The clock is Redis' own, so that all workers agree. */
#include "broker/redis_revoked.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/number.h"
#include "common/str.h"

/* KEYS: the set. ARGV: the maximum, then pairs of score and id. */
static const char script_revoke[] =
    "local now = redis.call('TIME')[1]\n"
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)\n"
    "for i = 2, #ARGV - 1, 2 do redis.call('ZADD', KEYS[1], 'GT', ARGV[i], ARGV[i + 1]) end\n"
    "redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[1])\n"
    "local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]\n"
    "if last then redis.call('EXPIREAT', KEYS[1], math.ceil(last)) end\n"
    "return redis.status_reply('OK')\n";

static const char script_list[] =
    "local now = redis.call('TIME')[1]\n"
    "return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf', 'WITHSCORES')\n";

static void put_maximum(struct buffer *out)
{
    char text[NUMBER_SIZE];
    size_t size = number_integer(text, BACKEND_REVOKED_MAX);
    resp_word(out, (umbel_str){text, size});
}

void redis_revoked_write(struct buffer *out, umbel_str key, const struct backend_revocation *list,
                         size_t count)
{
    resp_array(out, 5 + 2 * count);
    resp_word(out, STR("EVAL"));
    resp_word(out, str_of(script_revoke));
    resp_word(out, STR("1"));
    resp_word(out, key);
    put_maximum(out);
    for (size_t i = 0; i < count; i++) {
        char text[NUMBER_SIZE];
        size_t size = number_integer(text, (int64_t)ceil(list[i].until));
        resp_word(out, (umbel_str){text, size});
        resp_word(out, list[i].id);
    }
}

void redis_revoked_ask(struct buffer *out, umbel_str key)
{
    resp_array(out, 4);
    resp_word(out, STR("EVAL"));
    resp_word(out, str_of(script_list));
    resp_word(out, STR("1"));
    resp_word(out, key);
}

static void answer(const struct resp_reply *reply, uint64_t token, const struct backend_events *events,
                   void *self)
{
    size_t count = reply->count / 2;
    struct backend_revocation *list = calloc(count + 1, sizeof *list);
    if (!list) {
        events->revoked(self, token, UMBEL_BACKEND_REFUSED, NULL, 0);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        umbel_str score = reply->items[2 * i + 1].text;
        char text[NUMBER_SIZE];
        snprintf(text, sizeof text, "%.*s", (int)(score.size < 31 ? score.size : 31), score.data);
        list[i] = (struct backend_revocation){reply->items[2 * i].text, number_parse(text)};
    }
    events->revoked(self, token, UMBEL_OK, list, count);
    free(list);
}

void redis_revoked_answer(const struct resp_reply *reply, uint64_t token, const struct backend_events *events,
                          void *self)
{
    if (!events->revoked)
        return;
    if (reply && reply->kind == RESP_ARRAY)
        answer(reply, token, events, self);
    else
        events->revoked(self, token, reply ? UMBEL_BACKEND_REFUSED : UMBEL_BACKEND_AWAY, NULL, 0);
}
