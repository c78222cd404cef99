/* redis_connection.c: see redis_connection.h.
 *
 * A connection is usable after AUTH, SELECT and a PING were answered, all three sent at once; the PING tells
 * a server that is still loading its data. One timer serves the pause before the next attempt and, while
 * connected, the pulse: a request unanswered past its deadline, or an idle connection that answers no PING,
 * is a dead connection.
 *
 * What Redis says to AUTH is never shown: servers that do not know the command repeat its arguments. */
#include "broker/redis_connection.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/str.h"

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 2000
#define RETRY_FAILED_MS 5000 /* when somebody must change something first */
#define PULSE_MAX_MS 1000
#define REPLY_MAX ((size_t)256 << 20) /* results of one MGET */

/* Kinds of our own requests; an owner's are below. */
enum { EXPECT_AUTH = 0x10000, EXPECT_SELECT, EXPECT_HELLO, EXPECT_PING };

enum step { STEP_IDLE, STEP_WAITING, STEP_CONNECTING, STEP_GREETING, STEP_UP, STEP_CLOSED };

struct redis_connection {
    struct loop *loop;
    struct redis_connection_options options;
    struct redis_connection_events events;
    void *self;
    struct stream *stream;
    struct resp_reader reader;
    struct redis_fifo fifo;
    uv_timer_t timer;
    enum step step;
    uint64_t retry_ms;  /* the next pause */
    uint64_t pulsed_at; /* loop milliseconds */
    uint64_t random;
    int told; /* the last `down` that was logged as news: its code, or -1 */
    void (*gone)(void *self);
    void *gone_self;
};

static void on_timer(uv_timer_t *timer);

/* ---- attempts ---- */

static uint64_t jitter(struct redis_connection *conn, uint64_t span)
{
    conn->random ^= conn->random << 13;
    conn->random ^= conn->random >> 7;
    conn->random ^= conn->random << 17;
    return span ? conn->random % span : 0;
}

static void set_timer(struct redis_connection *conn, uint64_t after, uint64_t repeat)
{
    uv_timer_start(&conn->timer, on_timer, after, repeat);
}

static uint64_t pulse_ms(const struct redis_connection *conn)
{
    double quarter = conn->options.request_timeout * 1000 / 4;
    return quarter > PULSE_MAX_MS ? PULSE_MAX_MS : quarter < 10 ? 10 : (uint64_t)quarter;
}

static void plan_attempt(struct redis_connection *conn, int code)
{
    uint64_t pause = code == UMBEL_BACKEND_AWAY ? conn->retry_ms : RETRY_FAILED_MS;
    conn->retry_ms = conn->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : conn->retry_ms * 2;
    conn->step = STEP_WAITING;
    set_timer(conn, pause / 2 + jitter(conn, pause / 2 + 1), 0);
}

static void attempt(struct redis_connection *conn)
{
    if (resp_reader_reset(&conn->reader)) {
        plan_attempt(conn, UMBEL_BACKEND_AWAY);
        return;
    }
    conn->step = STEP_CONNECTING;
    stream_connect(conn->stream, &conn->options.address->stream, conn->options.connect_timeout);
}

/* ---- the end of a connection ---- */

static bool is_ours(const struct redis_expect *expect)
{
    return expect->kind >= EXPECT_AUTH;
}

static void lose_replies(struct redis_connection *conn)
{
    struct redis_expect expect;
    while (redis_fifo_pop(&conn->fifo, &expect)) {
        if (!is_ours(&expect))
            conn->events.reply(conn->self, &expect, NULL);
    }
}

static void log_down(struct redis_connection *conn, int code, const char *why)
{
    const char *name = conn->options.address->name;
    umbel_level level = conn->told == code ? UMBEL_DEBUG : UMBEL_WARNING;
    conn->told = code;
    log_line(conn->options.log, level, "redis", "%s (%s): %s; trying again", name, conn->options.role, why);
}

/* The stream is closed already. */
static void ended(struct redis_connection *conn, int code, const char *why)
{
    char text[768];
    snprintf(text, sizeof text, "redis %s: %s", conn->options.address->name, why);
    conn->step = STEP_WAITING; /* so that what the answers cause is not written to it */
    lose_replies(conn);
    log_down(conn, code, why);
    plan_attempt(conn, code);
    conn->events.down(conn->self, code, text);
}

void redis_connection_drop(struct redis_connection *conn, int code, const char *why)
{
    if (conn->step != STEP_GREETING && conn->step != STEP_UP)
        return;
    stream_close(conn->stream);
    ended(conn, code, why);
}

static void on_down(void *self, int code, const char *why)
{
    struct redis_connection *conn = self;
    ended(conn, code == UMBEL_TLS ? UMBEL_TLS : UMBEL_BACKEND_AWAY, why);
}

/* ---- the pulse ---- */

/* A connection that is silent for so long is asked whether it lives, with half a request's patience. */
static uint64_t silence_ms(const struct redis_connection *conn)
{
    return (uint64_t)(conn->options.request_timeout * 400);
}

static void pulse(struct redis_connection *conn)
{
    uint64_t now = loop_now(conn->loop), period = pulse_ms(conn);
    bool late =
        now - conn->pulsed_at > 3 * period; /* we were stopped: what came meanwhile must be read first */
    conn->pulsed_at = now;
    const struct redis_expect *oldest = redis_fifo_head(&conn->fifo);
    if (late)
        return;
    if (oldest && oldest->deadline < now) {
        redis_connection_drop(conn, UMBEL_BACKEND_AWAY, "it does not answer");
    } else if (!oldest && conn->step == STEP_UP && now - stream_last_read(conn->stream) > silence_ms(conn)) {
        struct buffer *out = redis_request(conn, &(struct redis_expect){.kind = EXPECT_PING});
        if (out)
            resp_words(out, "PING", NULL);
        redis_sent(conn);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct redis_connection *conn = timer->data;
    if (conn->step == STEP_WAITING)
        attempt(conn);
    else if (conn->step == STEP_GREETING || conn->step == STEP_UP)
        pulse(conn);
}

/* ---- greeting ---- */

static void greet(struct redis_connection *conn)
{
    const struct redis_address *address = conn->options.address;
    struct buffer *out = stream_output(conn->stream);
    if (address->password.data) {
        redis_request(conn, &(struct redis_expect){.kind = EXPECT_AUTH});
        resp_array(out, address->user.size ? 3 : 2);
        resp_word(out, STR("AUTH"));
        if (address->user.size)
            resp_word(out, address->user);
        resp_word(out, address->password);
    }
    if (address->database) {
        redis_request(conn, &(struct redis_expect){.kind = EXPECT_SELECT});
        resp_array(out, 2);
        resp_word(out, STR("SELECT"));
        resp_number(out, address->database);
    }
    redis_request(conn, &(struct redis_expect){.kind = EXPECT_HELLO});
    resp_words(out, "PING", NULL);
    redis_sent(conn);
}

static void on_up(void *self)
{
    struct redis_connection *conn = self;
    conn->step = STEP_GREETING;
    conn->pulsed_at = loop_now(conn->loop);
    set_timer(conn, pulse_ms(conn), pulse_ms(conn));
    greet(conn);
}

static void usable(struct redis_connection *conn)
{
    conn->step = STEP_UP;
    conn->retry_ms = RETRY_FIRST_MS;
    log_line(conn->options.log, conn->told == -1 ? UMBEL_DEBUG : UMBEL_INFO, "redis", "%s (%s): connected",
             conn->options.address->name, conn->options.role);
    conn->told = -1;
    conn->events.up(conn->self);
}

static void on_auth(struct redis_connection *conn, const struct resp_reply *reply)
{
    static const char full[] = "ERR max number of clients";
    if (reply->kind != RESP_ERROR)
        return;
    if (str_starts(reply->text, STR(full)))
        redis_connection_drop(conn, UMBEL_BACKEND_AWAY, "it has too many clients");
    else
        redis_connection_drop(conn, UMBEL_AUTH, "it refuses the user name or password of the URL");
}

/* What an error at greeting means. Errors not listed here come with single commands too and are no obstacle.
 */
static const struct {
    const char *word;
    int code;
} obstacles[] = {
    {"NOAUTH", UMBEL_AUTH},
    {"LOADING", UMBEL_BACKEND_AWAY},
    {"DENIED", UMBEL_BACKEND_REFUSED},
};

static void on_hello(struct redis_connection *conn, const struct resp_reply *reply)
{
    for (size_t i = 0; i < sizeof obstacles / sizeof *obstacles; i++) {
        if (resp_is_error(reply, obstacles[i].word)) {
            redis_connection_drop(conn, obstacles[i].code, reply->text.data);
            return;
        }
    }
    if (reply->kind == RESP_ERROR && str_starts(reply->text, STR("ERR max number of clients")))
        redis_connection_drop(conn, UMBEL_BACKEND_AWAY, reply->text.data);
    else
        usable(conn);
}

static void on_own_reply(struct redis_connection *conn, uint32_t kind, const struct resp_reply *reply)
{
    if (kind == EXPECT_AUTH) {
        on_auth(conn, reply);
    } else if (kind == EXPECT_SELECT) {
        if (resp_is_error(reply, "ERR"))
            redis_connection_drop(conn, UMBEL_BAD_URL, reply->text.data);
    } else if (kind == EXPECT_HELLO) {
        on_hello(conn, reply);
    }
}

/* ---- replies ---- */

/* RESP2 marks pushes only by their first word. */
static bool is_push(const struct redis_connection *conn, const struct resp_reply *reply)
{
    if (!conn->events.pushed || reply->kind != RESP_ARRAY || reply->count != 3)
        return false;
    umbel_str word = reply->items[0].text;
    return str_equal(word, STR("message")) || str_equal(word, STR("subscribe")) ||
           str_equal(word, STR("unsubscribe"));
}

static bool on_reply(void *self, const struct resp_reply *reply)
{
    struct redis_connection *conn = self;
    struct redis_expect expect;
    if (is_push(conn, reply)) {
        conn->events.pushed(conn->self, reply);
    } else if (conn->events.pushed && conn->step == STEP_UP && reply->kind == RESP_ERROR) {
        redis_connection_drop(conn, UMBEL_BACKEND_REFUSED, reply->text.data); /* a SUBSCRIBE that failed */
    } else if (!redis_fifo_pop(&conn->fifo, &expect)) {
        redis_connection_drop(conn, UMBEL_PROTOCOL, "it answers what was not asked");
    } else if (is_ours(&expect)) {
        on_own_reply(conn, expect.kind, reply);
    } else {
        conn->events.reply(conn->self, &expect, reply);
    }
    return conn->step == STEP_GREETING || conn->step == STEP_UP;
}

static size_t on_data(void *self, const uint8_t *data, size_t size)
{
    struct redis_connection *conn = self;
    const char *why = NULL;
    int code = resp_reader_feed(&conn->reader, data, size, on_reply, conn, &why);
    if (code) {
        char text[160];
        snprintf(text, sizeof text, "this is not Redis' protocol: %s", why);
        redis_connection_drop(conn, code, text);
    }
    return size;
}

/* ---- requests ---- */

bool redis_connection_is_up(const struct redis_connection *conn)
{
    return conn->step == STEP_UP;
}

size_t redis_connection_outstanding(const struct redis_connection *conn)
{
    return conn->fifo.count;
}

size_t redis_connection_pending(const struct redis_connection *conn)
{
    return stream_pending(conn->stream);
}

struct buffer *redis_request(struct redis_connection *conn, const struct redis_expect *expect)
{
    struct redis_expect timed = *expect;
    double patience = conn->options.request_timeout * (expect->kind == EXPECT_PING ? 0.5 : 1);
    timed.deadline = loop_now(conn->loop) + (uint64_t)(patience * 1000);
    if (conn->step != STEP_UP && !(conn->step == STEP_GREETING && is_ours(expect)))
        return NULL;
    return redis_fifo_push(&conn->fifo, &timed) ? stream_output(conn->stream) : NULL;
}

struct buffer *redis_push(struct redis_connection *conn)
{
    return conn->step == STEP_UP ? stream_output(conn->stream) : NULL;
}

void redis_sent(struct redis_connection *conn)
{
    stream_wrote(conn->stream);
}

/* ---- birth and death ---- */

struct redis_connection *redis_connection_new(struct loop *loop,
                                              const struct redis_connection_options *options,
                                              const struct redis_connection_events *events, void *self)
{
    static const struct stream_events stream_events = {.up = on_up, .data = on_data, .down = on_down};
    struct redis_connection *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->stream = stream_new(loop, &stream_events, conn);
    if (!conn->stream || resp_reader_init(&conn->reader, REPLY_MAX)) {
        stream_free(conn->stream);
        free(conn);
        return NULL;
    }
    conn->loop = loop;
    conn->options = *options;
    conn->events = *events;
    conn->self = self;
    conn->retry_ms = RETRY_FIRST_MS;
    conn->random = clock_mono_ns() | 1;
    conn->told = -1;
    uv_timer_init(&loop->uv, &conn->timer);
    conn->timer.data = conn;
    return conn;
}

void redis_connection_start(struct redis_connection *conn)
{
    if (conn->step == STEP_IDLE)
        attempt(conn);
}

static void timer_gone(uv_handle_t *handle)
{
    struct redis_connection *conn = handle->data;
    resp_reader_fini(&conn->reader);
    redis_fifo_fini(&conn->fifo);
    conn->gone(conn->gone_self);
    free(conn);
}

void redis_connection_free(struct redis_connection *conn, void (*gone)(void *self), void *self)
{
    conn->step = STEP_CLOSED;
    conn->gone = gone;
    conn->gone_self = self;
    stream_free(conn->stream);
    lose_replies(conn);
    uv_close((uv_handle_t *)&conn->timer, timer_gone);
}
