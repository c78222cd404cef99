/* backend_redis.c: results in Redis, under Celery's keys and on Celery's channels.
 *
 * Two connections: one for commands, one that listens, opened when somebody listens first. The stores of a
 * turn are one script call (redis_batch.h, redis_scripts.h); it refuses to replace a terminal state, which is
 * how "the first terminal state stays" holds whoever else writes. A command that cannot be sent is not kept:
 * its answer is UMBEL_BACKEND_AWAY, and it comes from the loop like every other. The same when Redis takes
 * nothing and REDIS_HELD_MAX bytes wait. */
#include "broker/backend_redis.h"

#include <stdlib.h>

#include "broker/redis_inside.h"
#include "broker/redis_revoked.h"
#include "broker/redis_scripts.h"
#include "common/str.h"

#define KEY_NAME "celery-task-meta-"
#define MARK_NAME "umbel-start-"
#define PARTS_NAME "umbel-parts-"
#define REVOKED_NAME "umbel-revoked"
#define EXPIRES 86400.0

static void on_soon(uv_timer_t *timer);

/* ---- answers we owe ---- */

static void wake_soon(struct redis *r)
{
    if (!r->ended)
        uv_timer_start(&r->soon, on_soon, 0, 0);
}

void redis_owe(struct redis *r, uint32_t kind, uint64_t token, void *data)
{
    redis_fifo_push(&r->owed, &(struct redis_expect){.kind = kind, .token = token, .data = data});
    wake_soon(r);
}

static void answer_away(struct redis *r, const struct redis_expect *answer)
{
    switch (answer->kind) {
    case REDIS_EXPECT_STORE:
        r->events.stored(r->self, answer->token, UMBEL_BACKEND_AWAY, "Redis cannot be reached");
        break;
    case EXPECT_LOOKUP:
        redis_lookup_answer(answer->data, NULL, &r->events, r->self);
        free(answer->data);
        break;
    case EXPECT_PART:
        redis_on_part(r, answer->token, NULL);
        break;
    case EXPECT_PARTS:
        redis_on_parts(r, answer->data, NULL);
        break;
    case EXPECT_BEGIN:
        redis_on_begin(r, answer->token, NULL);
        break;
    case EXPECT_REVOKED:
        redis_revoked_answer(NULL, answer->token, &r->events, r->self);
        break;
    default:
        break;
    }
}

/* Only those there are now: an owner that asks again at once gets its answer in the next turn. */
static void pay(struct redis *r)
{
    struct redis_expect answer;
    for (size_t n = r->owed.count; n && redis_fifo_pop(&r->owed, &answer); n--)
        answer_away(r, &answer);
}

/* ---- storing ---- */

static void on_unsent(void *self, uint64_t token)
{
    redis_owe(self, REDIS_EXPECT_STORE, token, NULL);
}

static void on_turn(void *self)
{
    struct redis *r = self;
    redis_stores_send(&r->stores);
}

/* May one more command be sent? */
static bool room(const struct redis *r)
{
    return r->ready && !r->closing && redis_connection_pending(r->conn) < REDIS_HELD_MAX;
}

struct buffer *redis_command(struct redis *r, const struct redis_expect *expect)
{
    redis_stores_send(&r->stores);
    return room(r) ? redis_request(r->conn, expect) : NULL;
}

static void redis_store(struct backend *backend, const struct backend_store *store, uint64_t token)
{
    struct redis *r = (struct redis *)backend;
    if (!r->ready || r->closing) {
        redis_owe(r, REDIS_EXPECT_STORE, token, NULL);
        return;
    }
    if (store->has_parts)
        redis_keep_parts(r, store->id);
    redis_stores_add(&r->stores, store, token);
    loop_mark(r->loop, &r->hook);
}

/* ---- reading ---- */

static void lookup_some(struct redis *r, const umbel_str *ids, uint32_t count, uint64_t token)
{
    struct redis_lookup *lookup = redis_lookup_new(ids, count, token);
    if (!lookup) {
        log_line(r->connection.log, UMBEL_ERROR, "redis", "out of memory: results are not looked up");
        return;
    }
    struct redis_expect expect = {.kind = EXPECT_LOOKUP, .data = lookup};
    struct buffer *out = room(r) ? redis_request(r->conn, &expect) : NULL;
    if (!out) {
        redis_owe(r, EXPECT_LOOKUP, token, lookup);
        return;
    }
    redis_lookup_write(lookup, out, r->key_prefix);
    redis_sent(r->conn);
}

static void redis_lookup(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token)
{
    struct redis *r = (struct redis *)backend;
    redis_stores_send(&r->stores); /* so that this turn's own stores are seen */
    for (size_t at = 0; at < count; at += REDIS_LOOKUP_COUNT) {
        size_t some = count - at < REDIS_LOOKUP_COUNT ? count - at : REDIS_LOOKUP_COUNT;
        lookup_some(r, ids + at, (uint32_t)some, token);
    }
}

static void on_lookup(struct redis *r, struct redis_lookup *lookup, const struct resp_reply *reply)
{
    redis_lookup_answer(lookup, reply, &r->events, r->self);
    free(lookup);
}

/* ---- listening ---- */

static void on_subscribed(void *self, uint64_t token)
{
    struct redis *r = self;
    r->events.subscribed(r->self, token);
}

static void on_notice(void *self, umbel_str channel, umbel_str payload)
{
    struct redis *r = self;
    r->events.notice(r->self, payload, !str_starts(channel, r->key_prefix));
}

static void on_resubscribed(void *self)
{
    struct redis *r = self;
    r->events.resubscribed(r->self);
}

static void subscribe(struct redis *r, umbel_str head, const umbel_str *tails, size_t count, uint64_t token)
{
    static const struct redis_subscription_events events = {
        .subscribed = on_subscribed, .notice = on_notice, .resubscribed = on_resubscribed};
    struct redis_connection_options options = r->connection;
    options.role = "subscription";
    if (r->closing)
        return;
    if (!r->sub)
        r->sub = redis_subscription_new(r->loop, &options, &events, r);
    if (r->sub)
        redis_subscription_add(r->sub, head, tails, count, token);
    else
        log_line(r->connection.log, UMBEL_ERROR, "redis", "out of memory: results are not heard of");
}

static void redis_listen(struct backend *backend, umbel_str channel, uint64_t token)
{
    struct redis *r = (struct redis *)backend;
    subscribe(r, r->prefix, &channel, 1, token);
}

static void redis_watch(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token)
{
    struct redis *r = (struct redis *)backend;
    subscribe(r, r->key_prefix, ids, count, token);
}

static void redis_unwatch(struct backend *backend, const umbel_str *ids, size_t count)
{
    struct redis *r = (struct redis *)backend;
    if (r->sub && !r->closing)
        redis_subscription_remove(r->sub, r->key_prefix, ids, count);
}

/* ---- the connection for commands ---- */

static void tell(struct redis *r, enum backend_state state, int code, const char *why)
{
    if (r->closing || (r->told_state == state && r->told_code == code))
        return;
    r->told_state = state;
    r->told_code = code;
    r->events.state(r->self, state, code, why);
}

static void on_up(void *self)
{
    struct redis *r = self;
    struct buffer *out = redis_request(r->conn, &(struct redis_expect){.kind = EXPECT_SCRIPT});
    if (!out)
        return;
    resp_words(out, "SCRIPT", "LOAD", redis_script_store, NULL);
    redis_sent(r->conn);
}

static void on_script(struct redis *r, const struct resp_reply *reply)
{
    if (!reply)
        return;
    if (reply->kind == RESP_ERROR) {
        int code = resp_is_error(reply, "BUSY") ? UMBEL_BACKEND_AWAY : UMBEL_BACKEND_REFUSED;
        redis_connection_drop(r->conn, code, reply->text.data);
    } else if (reply->kind != RESP_STRING || reply->text.size != REDIS_DIGEST_SIZE) {
        redis_connection_drop(r->conn, UMBEL_PROTOCOL, "it answers SCRIPT LOAD with no digest");
    } else {
        memcpy(r->stores.digest, reply->text.data, REDIS_DIGEST_SIZE);
        r->ready = true;
        tell(r, BACKEND_UP, UMBEL_OK, "");
    }
}

/* Whether a store or a start mark was refused because the server has become a replica: then the URL's name
 * leads to another one by now, or will. The script answers a digit or letter for each store before the
 * complaint. */
static bool is_replica(const struct resp_reply *reply)
{
    if (!reply)
        return false;
    if (reply->kind == RESP_ERROR)
        return resp_is_error(reply, "READONLY");
    return reply->kind == RESP_STRING &&
           strncmp(reply->text.data + strspn(reply->text.data, "01e"), "READONLY", 8) == 0;
}

static void on_reply(void *self, const struct redis_expect *expect, const struct resp_reply *reply)
{
    struct redis *r = self;
    bool replica = expect->kind != EXPECT_LOOKUP && is_replica(reply);
    if (!reply)
        r->ready = false; /* so that what the owner asks for meanwhile is answered soon */
    switch (expect->kind) {
    case EXPECT_SCRIPT:
        on_script(r, reply);
        break;
    case REDIS_EXPECT_STORE:
    case REDIS_EXPECT_STORE_AGAIN:
        redis_stores_reply(&r->stores, expect, reply);
        break;
    case EXPECT_LOOKUP:
        on_lookup(r, expect->data, reply);
        break;
    case EXPECT_PART:
        redis_on_part(r, expect->token, reply);
        break;
    case EXPECT_PARTS:
        redis_on_parts(r, expect->data, reply);
        break;
    case EXPECT_BEGIN:
        redis_on_begin(r, expect->token, reply);
        break;
    case EXPECT_REVOKED:
        redis_revoked_answer(reply, expect->token, &r->events, r->self);
        break;
    default:
        break;
    }
    if (replica)
        redis_connection_drop(r->conn, UMBEL_BACKEND_AWAY,
                              "it is a replica and takes no results (READONLY); it is looked up anew");
    if (r->closing)
        wake_soon(r);
}

static void on_down(void *self, int code, const char *why)
{
    struct redis *r = self;
    r->ready = false;
    tell(r, code == UMBEL_BACKEND_AWAY ? BACKEND_CONNECTING : BACKEND_FAILED, code, why);
}

/* ---- closing ---- */

static void one_gone(struct redis *r)
{
    if (--r->handles)
        return;
    redis_stores_fini(&r->stores);
    redis_fifo_fini(&r->owed);
    redis_address_fini(&r->address);
    void (*closed)(void *self) = r->closed;
    void *closed_self = r->closed_self;
    free(r);
    closed(closed_self);
}

static void part_gone(void *self)
{
    one_gone(self);
}

static void timer_gone(uv_handle_t *handle)
{
    one_gone(handle->data);
}

/* Everything is answered, or the time for it is over. */
static void end(struct redis *r)
{
    r->ended = true;
    r->ready = false;
    r->handles = r->sub ? 4 : 3;
    redis_stores_send(&r->stores);
    redis_connection_free(r->conn, part_gone, r);
    if (r->sub)
        redis_subscription_free(r->sub, part_gone, r);
    pay(r);
    loop_unmark(r->loop, &r->hook);
    uv_close((uv_handle_t *)&r->soon, timer_gone);
    uv_close((uv_handle_t *)&r->grace, timer_gone);
}

static void on_soon(uv_timer_t *timer)
{
    struct redis *r = timer->data;
    pay(r);
    if (r->closing && !r->ended && !r->stores.batch && !r->owed.count &&
        !redis_connection_outstanding(r->conn))
        end(r);
}

static void on_grace(uv_timer_t *timer)
{
    struct redis *r = timer->data;
    if (!r->ended)
        end(r);
}

static void redis_close(struct backend *backend, double grace, void (*closed)(void *self), void *self)
{
    struct redis *r = (struct redis *)backend;
    redis_stores_send(&r->stores);
    r->closing = true;
    r->closed = closed;
    r->closed_self = self;
    uv_timer_start(&r->grace, on_grace, grace > 0 ? (uint64_t)(grace * 1000) : 0, 0);
    wake_soon(r);
}

/* ---- opening ---- */

static umbel_str join(struct redis *r, const char *prefix, const char *name)
{
    char *text = arena_alloc(&r->address.arena, strlen(prefix) + strlen(name) + 1);
    if (!text)
        return STR_NONE;
    strcpy(stpcpy(text, prefix), name);
    return str_of(text);
}

static int set_options(struct redis *r, const struct backend_options *options, const char **why)
{
    const char *prefix = options->key_prefix ? options->key_prefix : "";
    double expires = options->expires != 0 ? options->expires : EXPIRES;
    r->prefix = join(r, prefix, "");
    r->key_prefix = join(r, prefix, KEY_NAME);
    r->mark_prefix = join(r, prefix, MARK_NAME);
    r->parts_prefix = join(r, prefix, PARTS_NAME);
    r->revoked_key = join(r, prefix, REVOKED_NAME);
    if (!r->revoked_key.data || !r->prefix.data || !r->key_prefix.data || !r->mark_prefix.data ||
        !r->parts_prefix.data) {
        *why = "out of memory";
        return UMBEL_NO_MEMORY;
    }
    if (expires > 0)
        snprintf(r->ttl, sizeof r->ttl, "%.0f", expires < 1e9 ? expires * 1000 + 0.5 : 1e12);
    r->connection = (struct redis_connection_options){
        .address = &r->address,
        .log = options->log,
        .role = "commands",
        .connect_timeout = options->connect_timeout > 0 ? options->connect_timeout : 5,
        .request_timeout = options->request_timeout > 0 ? options->request_timeout : 10,
    };
    return UMBEL_OK;
}

static int redis_init(struct redis *r, const struct url *url, const struct backend_options *options,
                      const char **why)
{
    static const struct redis_connection_events events = {.up = on_up, .reply = on_reply, .down = on_down};
    int code = redis_address_init(&r->address, url, why);
    code = code ? code : set_options(r, options, why);
    if (code)
        return code;
    r->conn = redis_connection_new(r->loop, &r->connection, &events, r);
    *why = "out of memory";
    if (!r->conn)
        return UMBEL_NO_MEMORY;
    r->stores = (struct redis_stores){.conn = r->conn,
                                      .events = &r->events,
                                      .self = r->self,
                                      .log = options->log,
                                      .key_prefix = r->key_prefix,
                                      .channel_prefix = r->prefix,
                                      .ttl = r->ttl,
                                      .unsent = on_unsent,
                                      .owner = r};
    return UMBEL_OK;
}

static int redis_open(struct backend **out, struct loop *loop, const struct url *url,
                      const struct backend_options *options, const struct backend_events *events, void *self,
                      const char **why)
{
    struct redis *r = calloc(1, sizeof *r);
    *why = "out of memory";
    if (!r)
        return UMBEL_NO_MEMORY;
    *r = (struct redis){
        .base = {&backend_redis}, .loop = loop, .events = *events, .self = self, .told_code = -1};
    r->hook = (struct turn_hook){.call = on_turn, .self = r};
    int code = redis_init(r, url, options, why);
    if (code) {
        redis_address_fini(&r->address);
        free(r);
        return code;
    }
    uv_timer_init(&loop->uv, &r->soon);
    uv_timer_init(&loop->uv, &r->grace);
    r->soon.data = r->grace.data = r;
    if (r->address.stream.tls && !r->address.tls.verify)
        log_line(options->log, UMBEL_WARNING, "redis", "%s: the certificate is not verified (verify=none)",
                 r->address.name);
    redis_connection_start(r->conn);
    *out = &r->base;
    return UMBEL_OK;
}

const struct backend_ops backend_redis = {
    .scheme = "redis",
    .open = redis_open,
    .store = redis_store,
    .add_part = redis_add_part,
    .read_parts = redis_read_parts,
    .lookup = redis_lookup,
    .listen = redis_listen,
    .watch = redis_watch,
    .unwatch = redis_unwatch,
    .forget = redis_forget,
    .begin = redis_begin,
    .end_mark = redis_end_mark,
    .revoke = redis_revoke,
    .list_revoked = redis_list_revoked,
    .close = redis_close,
};
