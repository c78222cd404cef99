/* redis_subscription.c: see redis_subscription.h. The set of channels is what we want; the connection is made
 * to agree with it whenever it is up. Tokens wait in order in one ring, whether a fence for them is on its
 * way or not, so a lost connection loses none. */
#include "broker/redis_subscription.h"

#include <stdlib.h>

#include "broker/redis_channels.h"
#include "common/str.h"

#define CHUNK 1000 /* channels of one command: Redis serves others in between */

enum { FENCE, FENCE_ALL };

struct redis_subscription {
    struct loop *loop;
    struct redis_connection *conn;
    struct redis_subscription_events events;
    void *self;
    const struct log *log;
    struct redis_channels channels;
    struct redis_fifo tokens; /* not yet answered, oldest first */
    uint32_t unfenced;        /* the youngest so many of them have no PING behind them */
    struct turn_hook hook;
    bool was_up;
    void (*gone)(void *self);
    void *gone_self;
};

/* ---- commands ---- */

static void fence(struct redis_subscription *sub, uint32_t kind, uint32_t tokens)
{
    struct buffer *out = redis_request(sub->conn, &(struct redis_expect){.kind = kind, .count = tokens});
    if (!out)
        return;
    resp_words(out, "PING", NULL);
    redis_sent(sub->conn);
}

static void on_turn(void *self)
{
    struct redis_subscription *sub = self;
    if (!sub->unfenced || !redis_connection_is_up(sub->conn))
        return;
    fence(sub, FENCE, sub->unfenced);
    sub->unfenced = 0;
}

/* SUBSCRIBE or UNSUBSCRIBE of head + each of tails, when connected. */
static void send_names(struct redis_subscription *sub, umbel_str verb, umbel_str head, const umbel_str *tails,
                       size_t count)
{
    struct buffer *out = redis_push(sub->conn);
    for (size_t i = 0; out && i < count; i++) {
        if (i % CHUNK == 0) {
            resp_array(out, 1 + (count - i < CHUNK ? count - i : CHUNK));
            resp_word(out, verb);
        }
        resp_pair(out, head, tails[i]);
    }
    if (out)
        redis_sent(sub->conn);
}

static void subscribe_all(struct redis_subscription *sub)
{
    umbel_str names[CHUNK], name;
    size_t at = 0, count = 0;
    while ((name = redis_channels_next(&sub->channels, &at)).data) {
        names[count++] = name;
        if (count == CHUNK) {
            send_names(sub, STR("SUBSCRIBE"), STR_NONE, names, count);
            count = 0;
        }
    }
    send_names(sub, STR("SUBSCRIBE"), STR_NONE, names, count);
}

/* ---- what comes back ---- */

static void on_up(void *self)
{
    struct redis_subscription *sub = self;
    subscribe_all(sub);
    fence(sub, FENCE_ALL, (uint32_t)sub->tokens.count);
    sub->unfenced = 0;
}

static void on_reply(void *self, const struct redis_expect *expect, const struct resp_reply *reply)
{
    struct redis_subscription *sub = self;
    struct redis_expect token;
    if (!reply)
        return; /* the tokens stay */
    for (uint32_t i = 0; i < expect->count && redis_fifo_pop(&sub->tokens, &token); i++)
        sub->events.subscribed(sub->self, token.token);
    if (expect->kind != FENCE_ALL)
        return;
    if (sub->was_up)
        sub->events.resubscribed(sub->self);
    sub->was_up = true;
}

static void on_pushed(void *self, const struct resp_reply *reply)
{
    struct redis_subscription *sub = self;
    if (str_equal(reply->items[0].text, STR("message")) && reply->items[2].kind == RESP_STRING)
        sub->events.notice(sub->self, reply->items[1].text, reply->items[2].text);
}

static void on_down(void *self, int code, const char *why)
{
    (void)self, (void)code, (void)why; /* the connection has logged it and comes back */
}

/* ---- verbs ---- */

void redis_subscription_add(struct redis_subscription *sub, umbel_str head, const umbel_str *tails,
                            size_t count, uint64_t token)
{
    for (size_t i = 0; i < count; i++) {
        if (redis_channels_add(&sub->channels, head, tails[i]) == UMBEL_NO_MEMORY)
            log_line(sub->log, UMBEL_ERROR, "redis", "out of memory: a result may be seen late");
    }
    send_names(sub, STR("SUBSCRIBE"), head, tails, count);
    if (!redis_fifo_push(&sub->tokens, &(struct redis_expect){.token = token}))
        return; /* the waiter reads at its own pace */
    sub->unfenced++;
    loop_mark(sub->loop, &sub->hook);
}

void redis_subscription_remove(struct redis_subscription *sub, umbel_str head, const umbel_str *tails,
                               size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++)
        any |= redis_channels_remove(&sub->channels, head, tails[i]);
    if (any)
        send_names(sub, STR("UNSUBSCRIBE"), head, tails, count);
}

struct redis_subscription *redis_subscription_new(struct loop *loop,
                                                  const struct redis_connection_options *options,
                                                  const struct redis_subscription_events *events, void *self)
{
    static const struct redis_connection_events connection_events = {
        .up = on_up, .reply = on_reply, .pushed = on_pushed, .down = on_down};
    struct redis_subscription *sub = calloc(1, sizeof *sub);
    if (!sub)
        return NULL;
    sub->conn = redis_connection_new(loop, options, &connection_events, sub);
    if (!sub->conn) {
        free(sub);
        return NULL;
    }
    sub->loop = loop;
    sub->events = *events;
    sub->self = self;
    sub->log = options->log;
    sub->hook = (struct turn_hook){.call = on_turn, .self = sub};
    redis_connection_start(sub->conn);
    return sub;
}

static void connection_gone(void *self)
{
    struct redis_subscription *sub = self;
    redis_channels_fini(&sub->channels);
    redis_fifo_fini(&sub->tokens);
    sub->gone(sub->gone_self);
    free(sub);
}

void redis_subscription_free(struct redis_subscription *sub, void (*gone)(void *self), void *self)
{
    sub->gone = gone;
    sub->gone_self = self;
    loop_unmark(sub->loop, &sub->hook);
    redis_connection_free(sub->conn, connection_gone, sub);
}
