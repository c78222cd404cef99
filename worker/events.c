/* events.c: see events.h. Python workers die of an event without type or host name, and of a field called id
 * or alive; every event made here begins in `open_event`, which writes the first two. There is no utcoffset,
 * because receivers shift times by it although they are absolute. */
#include "worker/events.h"

#include <stdlib.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/json.h"
#include "common/str.h"

#define BATCH_MAX ((size_t)64 * 1024) /* what is longer leaves before the turn ends */
#define TEXT_MAX 1024                 /* bytes of a repr */
#define TRACEBACK_MAX (16 * 1024)

/* ---- one event
 * -------------------------------------------------------------------------------------------------- */

/* Bytes that are not text are shown as question marks: an event that cannot be decoded would harm its
 * readers. */
static void put_text(struct events *events, struct buffer *out, umbel_str text, size_t limit)
{
    if (text.size > limit)
        text.size = limit;
    if (!str_utf8(text)) {
        char *copy = arena_copy(&events->arena, text.data, text.size);
        for (size_t i = 0; copy && i < text.size; i++)
            if ((unsigned char)copy[i] >= 0x80)
                copy[i] = '?';
        text = copy ? (umbel_str){copy, text.size} : STR("");
    }
    json_text(out, text);
}

static void key(struct buffer *out, const char *name)
{
    buffer_format(out, ", \"%s\": ", name);
}

static void text_field(struct events *events, struct buffer *out, const char *name, umbel_str text)
{
    key(out, name);
    if (text.data)
        put_text(events, out, text, TRACEBACK_MAX);
    else
        json_null(out);
}

static void integer_field(struct buffer *out, const char *name, int64_t value)
{
    key(out, name);
    json_integer(out, value);
}

static void real_field(struct buffer *out, const char *name, double value)
{
    key(out, name);
    json_real(out, value);
}

static void bool_field(struct buffer *out, const char *name, bool value)
{
    key(out, name);
    json_boolean(out, value);
}

static void open_event(struct events *events, struct buffer *out, const char *type)
{
    buffer_format(out, "{\"type\": \"%s\", \"hostname\": ", type);
    put_text(events, out, str_of(events->node), MAILBOX_NAME_MAX);
    integer_field(out, "pid", getpid());
    integer_field(out, "clock", (int64_t)++ * events->clock);
    real_field(out, "timestamp", clock_now());
}

static void send_event(struct events *events, const char *routing_key, const struct buffer *body)
{
    umbel_value hostname = {.kind = UMBEL_STRING, .as.str = str_of(events->node)};
    struct message msg;
    if (!events->mailbox || body->failed)
        return;
    message_init(&msg);
    msg.routing_key = str_of(routing_key);
    msg.content_type = STR("application/json");
    msg.content_encoding = STR("utf-8");
    msg.transient = true;
    msg.body = (umbel_str){(const char *)buffer_head(body), buffer_length(body)};
    if (message_set_extra(&events->arena, &msg, STR("hostname"), &hostname) == UMBEL_OK)
        events->mailbox->ops->send(events->mailbox, MAILBOX_REPORTS, &msg);
}

/* ---- the worker's own
 * ------------------------------------------------------------------------------------------ */

static void send_worker_event(struct events *events, const char *type, const char *routing_key)
{
    const struct consumer_counts *counts = &events->consumer->counts;
    struct buffer *out = &events->one;
    double load[3] = {0, 0, 0};
    uv_loadavg(load);
    buffer_clear(out);
    open_event(events, out, type);
    real_field(out, "freq", events->interval);
    integer_field(out, "active", (int64_t)consumer_count(events->consumer, REQUEST_RUNNING));
    integer_field(out, "processed",
                  (int64_t)(counts->succeeded + counts->failed + counts->retried + counts->revoked));
    key(out, "loadavg");
    for (int i = 0; i < 3; i++) {
        buffer_text(out, i ? ", " : "[");
        json_real(out, load[i]);
    }
    buffer_text(out, "], \"sw_ident\": \"umbel\", \"sw_ver\": \"" UMBEL_VERSION "\", \"sw_sys\": \"Linux\"}");
    send_event(events, routing_key, out);
    arena_reset(&events->arena);
}

void events_heartbeat(struct events *events)
{
    if (events->interval > 0)
        send_worker_event(events, "worker-heartbeat", "worker.heartbeat");
}

static void on_beat(uv_timer_t *timer)
{
    events_heartbeat(timer->data);
}

void events_online(struct events *events, struct mailbox *mailbox)
{
    uint64_t pause = (uint64_t)(events->interval * 1000);
    events->mailbox = mailbox;
    if (!(events->interval > 0))
        return;
    send_worker_event(events, "worker-online", "worker.online");
    uv_timer_start(&events->beat, on_beat, pause, pause);
}

/* ---- of tasks
 * --------------------------------------------------------------------------------------------------- */

static void flush(void *self)
{
    struct events *events = self;
    if (!events->count)
        return;
    buffer_text(&events->batch, "]");
    send_event(events, "task.multi", &events->batch);
    buffer_clear(&events->batch);
    events->batch.failed = false;
    events->count = 0;
    arena_reset(&events->arena);
}

void events_offline(struct events *events)
{
    uv_timer_stop(&events->beat);
    flush(events);
    if (events->interval > 0 && events->mailbox)
        send_worker_event(events, "worker-offline", "worker.offline");
    events->mailbox = NULL;
}

static void put_received(struct events *events, struct buffer *out, const struct message *msg)
{
    text_field(events, out, "name", msg->task);
    text_field(events, out, "args", msg->argsrepr.data ? msg->argsrepr : STR(""));
    text_field(events, out, "kwargs", msg->kwargsrepr.data ? msg->kwargsrepr : STR(""));
    text_field(events, out, "root_id", msg->root_id.size ? msg->root_id : msg->id);
    text_field(events, out, "parent_id", msg->parent_id);
    integer_field(out, "retries", msg->retries);
    text_field(events, out, "eta", msg->eta);
    text_field(events, out, "expires", msg->expires);
}

/* Python's repr of the result. */
static void put_succeeded(struct events *events, struct buffer *out, const struct request *req,
                          const struct outcome *outcome)
{
    umbel_value *value;
    buffer_clear(&events->one);
    if (outcome && outcome->value.size &&
        codec_row(req->job.result_codec)->decode(&events->arena, outcome->value, &value, NULL) == UMBEL_OK)
        value_repr(&events->one, value, TEXT_MAX);
    else
        buffer_text(&events->one, "None");
    key(out, "result");
    put_text(events, out, (umbel_str){(const char *)buffer_head(&events->one), buffer_length(&events->one)},
             TEXT_MAX);
    real_field(out, "runtime", outcome ? outcome->runtime : 0);
}

/* As Python shows an exception: ValueError('bad'). */
static void put_exception(struct events *events, struct buffer *out, const struct verdict *verdict)
{
    umbel_str type = verdict->error_type, message = verdict->error_message;
    if (message.size > TEXT_MAX)
        message.size = TEXT_MAX;
    umbel_value value = {.kind = str_utf8(message) ? UMBEL_STRING : UMBEL_BYTES, .as.str = message};
    buffer_clear(&events->one);
    buffer_str(&events->one, type);
    buffer_text(&events->one, "(");
    value_repr(&events->one, &value, TEXT_MAX);
    buffer_text(&events->one, ")");
    key(out, "exception");
    put_text(events, out, (umbel_str){(const char *)buffer_head(&events->one), buffer_length(&events->one)},
             2 * TEXT_MAX);
    text_field(events, out, "traceback", verdict->traceback.data ? verdict->traceback : STR(""));
}

static void put_revoked(struct buffer *out, const struct request *req, const struct verdict *verdict,
                        const struct outcome *outcome)
{
    bool terminated = outcome != NULL;
    bool_field(out, "terminated", terminated);
    key(out, "signum");
    if (terminated && req->terminated)
        json_integer(out, req->terminated);
    else
        json_null(out);
    bool_field(out, "expired", str_equal(verdict->error_message, STR("expired")));
}

static const char *const types[] = {
    [NEWS_RECEIVED] = "task-received", [NEWS_STARTED] = "task-started", [NEWS_SUCCEEDED] = "task-succeeded",
    [NEWS_FAILED] = "task-failed",     [NEWS_RETRIED] = "task-retried", [NEWS_REVOKED] = "task-revoked",
};

static void put_news(struct events *events, struct buffer *out, enum task_news news,
                     const struct request *req, const struct verdict *verdict, const struct outcome *outcome)
{
    switch (news) {
    case NEWS_RECEIVED:
        put_received(events, out, &req->msg);
        break;
    case NEWS_STARTED:
        break;
    case NEWS_SUCCEEDED:
        put_succeeded(events, out, req, outcome);
        break;
    case NEWS_FAILED:
    case NEWS_RETRIED:
        put_exception(events, out, verdict);
        break;
    case NEWS_REVOKED:
        put_revoked(out, req, verdict, outcome);
        break;
    case NEWS_SUPERSEDED:
        break;
    }
}

void events_task(struct events *events, enum task_news news, const struct request *req,
                 const struct verdict *verdict, const struct outcome *outcome)
{
    struct buffer *out = &events->batch;
    if (!events->mailbox || news == NEWS_SUPERSEDED) /* Celery has no word for it */
        return;
    buffer_text(out, events->count++ ? ", " : "[");
    open_event(events, out, types[news]);
    text_field(events, out, "uuid", req->msg.id);
    put_news(events, out, news, req, verdict, outcome);
    buffer_text(out, "}");
    if (buffer_length(out) >= BATCH_MAX)
        flush(events);
    else
        loop_mark(events->loop, &events->hook);
}

/* ---- life
 * ------------------------------------------------------------------------------------------------------- */

void events_init(struct events *events, struct loop *loop, const struct consumer *consumer, const char *node,
                 uint64_t *clock, double interval)
{
    *events = (struct events){
        .loop = loop, .consumer = consumer, .node = node, .clock = clock, .interval = interval};
    events->hook = (struct turn_hook){.call = flush, .self = events};
    uv_timer_init(&loop->uv, &events->beat);
    events->beat.data = events;
    buffer_init(&events->batch, (size_t)1 << 20);
    buffer_init(&events->one, (size_t)1 << 20);
    arena_init(&events->arena, (size_t)64 << 20);
}

void events_fini(struct events *events)
{
    loop_unmark(events->loop, &events->hook);
    uv_close((uv_handle_t *)&events->beat, NULL);
    buffer_fini(&events->batch);
    buffer_fini(&events->one);
    arena_fini(&events->arena);
}
