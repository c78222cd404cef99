/* control_inspect.c: the requests that ask. Shapes and names are Celery's; what a parent process cannot know,
 * because it never opens a body, is shown as the caller wrote it into the headers. */
#include "worker/control.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/builtin.h"
#include "worker/control_stats.h"
#include "worker/registry.h"
#include "worker/worker.h"

static const struct consumer *consumer_of(const struct control *control)
{
    return &control->worker->consumer;
}

static bool ping(struct control *control, const umbel_value *arguments, umbel_value *answer, const char *key)
{
    (void)control, (void)arguments;
    return control_ok(answer, key, "pong");
}

/* Named `clock`, and so is a function of C's library. */
static bool tell_clock(struct control *control, const umbel_value *arguments, umbel_value *answer,
                       const char *key)
{
    (void)arguments;
    umbel_add_int(umbel_add_map(answer, key), "clock", (int64_t)control->clock);
    return true;
}

/* ---- requests in hand
 * ------------------------------------------------------------------------------------------- */

static void add_text(umbel_value *map, const char *key, umbel_str text)
{
    if (text.data && str_utf8(text))
        umbel_add_strn(map, key, text);
    else
        umbel_add_null(map, key);
}

static void add_repr(umbel_value *map, const char *key, umbel_str text)
{
    add_text(map, key, text.data ? text : STR(""));
}

static void add_delivery(umbel_value *map, const struct message *msg)
{
    umbel_value *info = umbel_add_map(map, "delivery_info");
    add_repr(info, "exchange", msg->exchange);
    add_repr(info, "routing_key", msg->routing_key.size ? msg->routing_key : msg->queue);
    umbel_add_int(info, "priority", msg->priority);
    umbel_add_bool(info, "redelivered", msg->redelivered);
}

static bool is_active(const struct request *req)
{
    return req->state == REQUEST_RUNNING && req->pid != 0;
}

static void fill_request(umbel_value *map, const struct request *req, const char *node)
{
    const struct message *msg = &req->msg;
    add_text(map, "id", msg->id);
    add_text(map, "name", msg->task);
    add_repr(map, "args", msg->argsrepr);
    add_repr(map, "kwargs", msg->kwargsrepr);
    add_text(map, "type", msg->task);
    umbel_add_str(map, "hostname", node);
    if (is_active(req))
        umbel_add_double(map, "time_start", req->started_at);
    else
        umbel_add_null(map, "time_start");
    umbel_add_bool(map, "acknowledged", req->settled);
    add_delivery(map, msg);
    if (is_active(req))
        umbel_add_int(map, "worker_pid", req->pid);
    else
        umbel_add_null(map, "worker_pid");
}

static bool is_reserved(const struct request *req)
{
    return req->state == REQUEST_READY || req->state == REQUEST_LOOKUP ||
           (req->state == REQUEST_RUNNING && req->pid == 0);
}

static bool list_requests(struct control *control, umbel_value *answer, const char *key,
                          bool (*chosen)(const struct request *req))
{
    const struct request_set *set = &consumer_of(control)->requests;
    umbel_value *list = umbel_add_list(answer, key);
    for (size_t i = 0; i < set->count; i++)
        if (chosen(set->all[i]))
            fill_request(umbel_add_map(list, NULL), set->all[i], control->node);
    return true;
}

static bool active(struct control *control, const umbel_value *arguments, umbel_value *answer,
                   const char *key)
{
    (void)arguments;
    return list_requests(control, answer, key, is_active);
}

static bool reserved(struct control *control, const umbel_value *arguments, umbel_value *answer,
                     const char *key)
{
    (void)arguments;
    return list_requests(control, answer, key, is_reserved);
}

/* Only those due within a second are held here; the others wait in the broker. */
static bool scheduled(struct control *control, const umbel_value *arguments, umbel_value *answer,
                      const char *key)
{
    (void)arguments;
    umbel_value *list = umbel_add_list(answer, key);
    for (const struct request *req = consumer_of(control)->held; req; req = req->next) {
        umbel_value *item = umbel_add_map(list, NULL);
        add_text(item, "eta", req->msg.eta);
        umbel_add_int(item, "priority", 6);
        fill_request(umbel_add_map(item, "request"), req, control->node);
    }
    return true;
}

static void query_one(struct control *control, umbel_value *map, umbel_str id)
{
    const struct request *req = request_set_find(&consumer_of(control)->requests, id);
    if (!req || !id.data)
        return;
    umbel_value *pair = umbel_add_list(map, id.data);
    umbel_add_str(pair, NULL, is_active(req) ? "active" : is_reserved(req) ? "reserved" : "ready");
    fill_request(umbel_add_map(pair, NULL), req, control->node);
}

static bool query_task(struct control *control, const umbel_value *arguments, umbel_value *answer,
                       const char *key)
{
    const umbel_value *ids = umbel_value_find(arguments, "ids");
    umbel_value *map = umbel_add_map(answer, key);
    umbel_str id;
    if (umbel_value_str(ids, &id) == UMBEL_OK)
        query_one(control, map, id);
    for (size_t i = 0; umbel_value_kind(ids) == UMBEL_LIST && i < umbel_value_count(ids); i++)
        if (umbel_value_str(umbel_value_at(ids, i), &id) == UMBEL_OK)
            query_one(control, map, id);
    return true;
}

/* ---- revoked ids
 * ------------------------------------------------------------------------------------------------ */

static void add_id(void *list, const struct backend_revocation *what)
{
    add_text(list, NULL, what->id);
}

static bool revoked(struct control *control, const umbel_value *arguments, umbel_value *answer,
                    const char *key)
{
    (void)arguments;
    revoked_each(&consumer_of(control)->revoked, add_id, umbel_add_list(answer, key));
    return true;
}

/* What another node knows is taken over; either form is understood, and only the ids count, because the times
 * are on a clock of its own. */
static void take_over(struct control *control, const umbel_value *ids)
{
    if (umbel_value_kind(ids) == UMBEL_LIST) {
        control_revoke(control, ids, 0, NULL);
        return;
    }
    umbel_value *list = umbel_value_count(ids) ? umbel_list_new() : NULL;
    for (size_t i = 0; list && i < umbel_value_count(ids); i++)
        umbel_add_strn(list, NULL, umbel_value_key(ids, i));
    if (list)
        control_revoke(control, list, 0, NULL);
    umbel_value_free(list);
}

static bool hello(struct control *control, const umbel_value *arguments, umbel_value *answer, const char *key)
{
    umbel_str from = value_text(arguments, "from_node");
    if (str_equal(from, str_of(control->node)))
        return true;
    take_over(control, umbel_value_find(arguments, "revoked"));
    umbel_value *map = umbel_add_map(answer, key);
    revoked_each(&consumer_of(control)->revoked, add_id, umbel_add_list(map, "revoked"));
    umbel_add_int(map, "clock", (int64_t)control->clock);
    return true;
}

/* ---- what it is
 * ------------------------------------------------------------------------------------------------- */

static bool registered(struct control *control, const umbel_value *arguments, umbel_value *answer,
                       const char *key)
{
    (void)arguments;
    const struct registry *registry = control->worker->registry;
    umbel_value *list = umbel_add_list(answer, key);
    for (size_t i = 0; i < registry_count(registry); i++)
        if (!builtin_is(registry_at(registry, i)))
            umbel_add_str(list, NULL, registry_at(registry, i)->name);
    return true;
}

static void fill_exchange(umbel_value *map, const char *name)
{
    umbel_add_str(map, "name", name);
    umbel_add_str(map, "type", "direct");
    umbel_add_null(map, "arguments");
    umbel_add_bool(map, "durable", true);
    umbel_add_bool(map, "passive", false);
    umbel_add_bool(map, "auto_delete", false);
    umbel_add_null(map, "delivery_mode");
    umbel_add_bool(map, "no_declare", false);
}

static void fill_queue(umbel_value *map, const char *name, int max_priority)
{
    static const char *const nulls[] = {"queue_arguments", "binding_arguments", "consumer_arguments",
                                        "alias",           "no_declare",        "expires",
                                        "message_ttl",     "max_length",        "max_length_bytes"};
    umbel_add_str(map, "name", name);
    fill_exchange(umbel_add_map(map, "exchange"), name);
    umbel_add_str(map, "routing_key", name);
    umbel_add_bool(map, "durable", true);
    umbel_add_bool(map, "exclusive", false);
    umbel_add_bool(map, "auto_delete", false);
    umbel_add_bool(map, "no_ack", false);
    umbel_add_list(map, "bindings");
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        umbel_add_null(map, nulls[i]);
    if (max_priority > 0)
        umbel_add_int(map, "max_priority", max_priority);
    else
        umbel_add_null(map, "max_priority");
}

static bool active_queues(struct control *control, const umbel_value *arguments, umbel_value *answer,
                          const char *key)
{
    (void)arguments;
    const struct flow *flow = &consumer_of(control)->flow;
    umbel_value *list = umbel_add_list(answer, key);
    for (size_t i = 0; i < flow->count; i++)
        fill_queue(umbel_add_map(list, NULL), flow->sources[i].queue, flow->options.max_priority);
    return true;
}

static void add_TEXT(umbel_value *map, const char *name, const char *value)
{
    if (value)
        umbel_add_str(map, name, value);
    else
        umbel_add_null(map, name);
}
static void add_COUNT(umbel_value *map, const char *name, uint64_t value)
{
    umbel_add_int(map, name, (int64_t)value);
}
static void add_SECONDS(umbel_value *map, const char *name, double value)
{
    umbel_add_double(map, name, value);
}
static void add_SWITCH(umbel_value *map, const char *name, bool value)
{
    umbel_add_bool(map, name, value);
}
static void add_LEVEL(umbel_value *map, const char *name, umbel_level value)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    umbel_add_str(map, name, names[value]);
}

static void add_url(umbel_value *map, const char *name, const char *url)
{
    struct buffer safe;
    if (!url) {
        umbel_add_null(map, name);
        return;
    }
    buffer_init(&safe, 4096);
    url_safe(&safe, url);
    umbel_add_strn(map, name, (umbel_str){(const char *)buffer_head(&safe), buffer_length(&safe)});
    buffer_fini(&safe);
}

static bool conf(struct control *control, const umbel_value *arguments, umbel_value *answer, const char *key)
{
    (void)arguments;
    const struct settings *settings = &control->worker->settings;
    umbel_value *map = umbel_add_map(answer, key);
    add_url(map, "broker_url", control->worker->globals->broker);
    add_url(map, "result_backend", control->worker->backend_url);
#define ADD_SETTING(member, type, shown, flag, environment, standard, least, most, parameter, help)          \
    add_##type(map, #member, settings->member);
    SETTINGS(ADD_SETTING)
#undef ADD_SETTING
    return true;
}

static bool report(struct control *control, const umbel_value *arguments, umbel_value *answer,
                   const char *key)
{
    (void)arguments;
    const struct worker *worker = control->worker;
    struct utsname host;
    memset(&host, 0, sizeof host);
    uname(&host);
    return control_ok(answer, key,
                      "\nsoftware -> umbel:%s libuv:%s\nplatform -> system:%s release:%s machine:%s\n"
                      "loader   -> %zu tasks\nsettings -> pool:%s concurrency:%d\n",
                      UMBEL_VERSION, uv_version_string(), host.sysname, host.release, host.machine,
                      builtin_others(worker->registry), worker->settings.pool, worker->concurrency);
}

const struct control_row control_inspect_rows[] = {
    {"ping", NULL, ping},
    {"stats", NULL, control_stats},
    {"active", "dump_active", active},
    {"reserved", "dump_reserved", reserved},
    {"scheduled", "dump_schedule", scheduled},
    {"revoked", "dump_revoked", revoked},
    {"registered", "dump_tasks", registered},
    {"registered_tasks", NULL, registered},
    {"active_queues", NULL, active_queues},
    {"conf", "dump_conf", conf},
    {"report", NULL, report},
    {"query_task", NULL, query_task},
    {"clock", NULL, tell_clock},
    {"hello", NULL, hello},
    {NULL, NULL, NULL},
};
