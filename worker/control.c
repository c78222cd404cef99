/* control.c: see control.h. The mailbox has a connection of its own (broker/mailbox_amqp.c), so a worker
 * answers while its deliveries are held up, and its tasks go on while the mailbox is in trouble. */
#include "worker/control.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "common/clock.h"
#include "common/codec.h"
#include "common/str.h"
#include "worker/worker.h"

#define ARENA_MAX ((size_t)32 << 20)
#define REPLY_MAX ((size_t)16 << 20)

static const struct log *log_of(const struct control *control)
{
    return &control->worker->sink.log;
}

/* ---- answers
 * ---------------------------------------------------------------------------------------------------- */

static bool answer_text(umbel_value *answer, const char *key, const char *word, const char *format,
                        va_list list)
{
    char text[1024];
    umbel_value *map = umbel_add_map(answer, key);
    vsnprintf(text, sizeof text, format, list);
    if (map)
        umbel_add_str(map, word, text);
    return true;
}

bool control_ok(umbel_value *answer, const char *key, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    answer_text(answer, key, "ok", format, list);
    va_end(list);
    return true;
}

bool control_error(umbel_value *answer, const char *key, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    answer_text(answer, key, "error", format, list);
    va_end(list);
    return true;
}

static int add_header(struct control *control, struct message *msg, const char *name, umbel_value value)
{
    return message_set_extra(&control->arena, msg, str_of(name), &value);
}

static void reply(struct control *control, const struct control_request *request, const umbel_value *answer)
{
    struct message msg;
    buffer_clear(&control->body);
    control->body.failed = false;
    if (codec_row(CODEC_JSON)->encode(&control->body, answer) != UMBEL_OK || control->body.failed) {
        log_line(log_of(control), UMBEL_WARNING, "control", "the reply to '%.*s' cannot be encoded",
                 (int)request->method.size, request->method.data);
        return;
    }
    message_init(&msg);
    msg.exchange = request->reply_exchange;
    msg.routing_key = request->reply_key;
    msg.content_type = STR("application/json");
    msg.content_encoding = STR("utf-8");
    msg.transient = true;
    msg.body = (umbel_str){(const char *)buffer_head(&control->body), buffer_length(&control->body)};
    add_header(control, &msg, "ticket", (umbel_value){.kind = UMBEL_STRING, .as.str = request->ticket});
    add_header(control, &msg, "clock",
               (umbel_value){.kind = UMBEL_INT, .as.integer = (int64_t)++control->clock});
    control->mailbox->ops->send(control->mailbox, MAILBOX_REPLIES, &msg);
}

/* ---- requests
 * --------------------------------------------------------------------------------------------------- */

static const struct control_row *find_in(const struct control_row *rows, umbel_str method)
{
    for (; rows->name; rows++)
        if (str_equal(str_of(rows->name), method) || (rows->alias && str_equal(str_of(rows->alias), method)))
            return rows;
    return NULL;
}

const struct control_row *control_find(umbel_str method)
{
    const struct control_row *row = find_in(control_inspect_rows, method);
    return row ? row : find_in(control_change_rows, method);
}

/* As Celery words it: the repr of Python's KeyError. */
static bool refuse(const struct control_request *request, umbel_value *answer, const char *key)
{
    umbel_value method = {.kind = UMBEL_STRING, .as.str = request->method};
    struct buffer text;
    buffer_init(&text, 1024);
    value_repr(&text, &method, 200);
    control_error(answer, key, "KeyError(%.*s)", (int)buffer_length(&text), (const char *)buffer_head(&text));
    buffer_fini(&text);
    return true;
}

static void carry_out(struct control *control, const struct control_request *request)
{
    const struct control_row *row = control_find(request->method);
    umbel_value *answer = umbel_map_new();
    if (!answer)
        return;
    log_line(log_of(control), UMBEL_DEBUG, "control", "request '%.*s'", (int)request->method.size,
             request->method.data);
    bool wanted = row ? row->run(control, request->arguments, answer, control->node)
                      : refuse(request, answer, control->node);
    if (umbel_value_count(answer) == 0)
        umbel_add_null(answer, control->node);
    if (wanted && request->reply_key.size)
        reply(control, request, answer);
    umbel_value_free(answer);
}

static void on_letter(void *self, const struct message *msg)
{
    struct control *control = self;
    struct control_request request;
    const char *why = "";
    arena_reset(&control->arena);
    if (control_request_read(&control->arena, msg, &request, &why) != UMBEL_OK) {
        log_line(log_of(control), UMBEL_DEBUG, "control", "a control message is dropped: %s", why);
        return;
    }
    control->clock = (request.clock > control->clock ? request.clock : control->clock) + 1;
    if (control_request_concerns(&request, control->node))
        carry_out(control, &request);
}

/* ---- the mailbox
 * ------------------------------------------------------------------------------------------------ */

/* What was broadcast while nobody listened is in the back end. */
static void on_up(void *self, const char *name)
{
    struct control *control = self;
    if (strcmp(name, control->worker->name) != 0 && strcmp(name, control->node) != 0)
        log_line(log_of(control), UMBEL_WARNING, "control",
                 "the name %s is taken by another worker; commands and events call this one %s",
                 control->worker->name, name);
    snprintf(control->node, sizeof control->node, "%s", name);
    if (control->worker->consumer.backend_up)
        consumer_load_revoked(&control->worker->consumer);
    events_online(&control->events, control->mailbox);
}

static void on_down(void *self, int code, const char *why)
{
    struct control *control = self;
    log_line(log_of(control), UMBEL_DEBUG, "control", "the mailbox is away: %s",
             why && *why ? why : umbel_strerror(code));
}

int control_open(struct control *control, struct buffer *why)
{
    static const struct mailbox_events events = {on_up, on_down, on_letter};
    struct worker *worker = control->worker;
    struct mailbox_options options = {
        .log = &worker->sink.log, .kind = MAILBOX_NODE, .name = worker->name, .client_name = worker->name};
    int code = mailbox_open(&control->mailbox, &worker->loop, worker->globals->broker, &options, &events,
                            control, why);
    if (code != UMBEL_NOT_SUPPORTED)
        return code;
    log_line(log_of(control), UMBEL_DEBUG, "control", "%.*s", (int)buffer_length(why),
             (const char *)buffer_head(why));
    buffer_clear(why);
    return UMBEL_OK;
}

void control_close(struct control *control, double grace, void (*closed)(void *self), void *self)
{
    struct mailbox *mailbox = control->mailbox;
    events_offline(&control->events);
    control->mailbox = NULL;
    if (mailbox)
        mailbox->ops->close(mailbox, grace, closed, self);
    else
        closed(self);
}

/* ---- facts from the consumer
 * ------------------------------------------------------------------------------------ */

void control_task(struct control *control, enum task_news news, const struct request *req,
                  const struct verdict *verdict, const struct outcome *outcome)
{
    events_task(&control->events, news, req, verdict, outcome);
}

/* ---- revoked ids
 * ------------------------------------------------------------------------------------------------ */

struct gathering {
    struct backend_revocation *list;
    size_t count;
};

static void gather(void *self, const struct backend_revocation *what)
{
    struct gathering *gathering = self;
    gathering->list[gathering->count++] = *what;
}

static void save(struct control *control, const struct backend_revocation *list, size_t count)
{
    struct consumer *consumer = &control->worker->consumer;
    if (count && consumer->backend_up)
        consumer->backend->ops->revoke(consumer->backend, list, count);
    else
        control->unsaved = count > 0 && consumer->backend;
}

/* What could not be told then is told now. */
void control_backend_up(struct control *control)
{
    const struct revoked *revoked = &control->worker->consumer.revoked;
    struct gathering gathering = {.count = 0};
    if (!control->unsaved)
        return;
    arena_reset(&control->arena);
    gathering.list = arena_alloc(&control->arena, revoked_count(revoked) * sizeof *gathering.list);
    if (!gathering.list)
        return;
    revoked_each(revoked, gather, &gathering);
    control->unsaved = false;
    save(control, gathering.list, gathering.count);
}

static void revoke_one(struct control *control, const struct backend_revocation *what, int signal,
                       umbel_value *ended)
{
    enum revoke_effect effect = consumer_revoke(&control->worker->consumer, what, signal);
    if ((effect == REVOKE_TERMINATES || effect == REVOKE_ENDED) && ended)
        umbel_add_strn(ended, NULL, what->id);
}

void control_revoke(struct control *control, const umbel_value *ids, int signal, umbel_value *ended)
{
    size_t count = umbel_value_kind(ids) == UMBEL_LIST ? umbel_value_count(ids) : 1, kept = 0;
    double until = clock_now() + control->worker->settings.revoke_expires;
    if (count > BACKEND_REVOKED_MAX)
        count = BACKEND_REVOKED_MAX;
    struct backend_revocation *list = arena_alloc(&control->arena, (count + 1) * sizeof *list);
    revoked_tidy(&control->worker->consumer.revoked, clock_now());
    for (size_t i = 0; list && i < count; i++) {
        const umbel_value *id = umbel_value_kind(ids) == UMBEL_LIST ? umbel_value_at(ids, i) : ids;
        list[kept] = (struct backend_revocation){.until = until};
        if (umbel_value_kind(id) != UMBEL_STRING || umbel_value_str(id, &list[kept].id) != UMBEL_OK ||
            list[kept].id.size == 0 || list[kept].id.size > REVOKED_ID_MAX)
            continue;
        revoke_one(control, &list[kept++], signal, ended);
    }
    save(control, list, kept);
}

/* ---- life
 * ------------------------------------------------------------------------------------------------------- */

void control_init(struct control *control, struct worker *worker)
{
    const struct settings *settings = &worker->settings;
    *control = (struct control){.worker = worker, .started_at = clock_mono()};
    snprintf(control->node, sizeof control->node, "%s", worker->name);
    arena_init(&control->arena, ARENA_MAX);
    buffer_init(&control->body, REPLY_MAX);
    events_init(&control->events, &worker->loop, &worker->consumer, control->node, &control->clock,
                settings->without_heartbeat ? 0 : settings->heartbeat_interval);
    worker->consumer.watched = settings->task_events;
}

void control_fini(struct control *control)
{
    events_fini(&control->events);
    arena_fini(&control->arena);
    buffer_fini(&control->body);
}
