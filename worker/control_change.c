/* control_change.c: the requests that change something, and those that this worker cannot carry out. */
#include "worker/control.h"

#include <signal.h>
#include <string.h>
#include "common/str.h"
#include "worker/worker.h"

#define QUEUE_NAME_MAX 240

static struct consumer *consumer_of(struct control *control)
{
    return &control->worker->consumer;
}

/* ---- tasks
 * ------------------------------------------------------------------------------------------------------ */

/* "SIGTERM", "term" or 15; anything else ends a task like SIGTERM. */
static int signal_of(const umbel_value *value)
{
    int64_t number;
    umbel_str name;
    if (umbel_value_int(value, &number) == UMBEL_OK)
        return number > 0 && number < 32 ? (int)number : SIGTERM;
    if (umbel_value_str(value, &name) != UMBEL_OK)
        return SIGTERM;
    size_t prefix = name.size > 3 && strncasecmp(name.data, "SIG", 3) == 0 ? 3 : 0;
    for (int i = 1; i < 32; i++) {
        const char *known = sigabbrev_np(i);
        if (known && strlen(known) == name.size - prefix &&
            strncasecmp(known, name.data + prefix, name.size - prefix) == 0)
            return i;
    }
    return SIGTERM;
}

/* "a, b" of a list of ids, or of one; cut where it would be long. */
static void join(struct buffer *out, const umbel_value *ids)
{
    umbel_str id;
    if (umbel_value_str(ids, &id) == UMBEL_OK)
        buffer_str(out, id);
    for (size_t i = 0; umbel_value_kind(ids) == UMBEL_LIST && i < umbel_value_count(ids); i++) {
        if (umbel_value_str(umbel_value_at(ids, i), &id) != UMBEL_OK)
            continue;
        if (buffer_length(out) > 800) {
            buffer_text(out, ", ...");
            return;
        }
        buffer_format(out, "%s%.*s", i ? ", " : "", (int)(id.size < 255 ? id.size : 255), id.data);
    }
}

static void answer_ids(umbel_value *answer, const char *key, const char *before, const umbel_value *ids,
                       const char *behind)
{
    struct buffer text;
    buffer_init(&text, 4096);
    join(&text, ids);
    control_ok(answer, key, "%s%.*s%s", before, (int)buffer_length(&text),
               text.data ? (const char *)buffer_head(&text) : "", behind);
    buffer_fini(&text);
}

static bool end_tasks(struct control *control, const umbel_value *ids, int signal, umbel_value *answer,
                      const char *key)
{
    umbel_value *ended = umbel_list_new();
    control_revoke(control, ids, signal, ended);
    if (umbel_value_count(ended))
        answer_ids(answer, key, "terminate: ", ended, "");
    else
        control_ok(answer, key, "terminate: tasks unknown");
    umbel_value_free(ended);
    return true;
}

static bool revoke_tasks(struct control *control, const umbel_value *arguments, umbel_value *answer,
                         const char *key)
{
    const umbel_value *ids = umbel_value_find(arguments, "task_id");
    bool terminate = false;
    umbel_value_bool(umbel_value_find(arguments, "terminate"), &terminate);
    if (terminate)
        return end_tasks(control, ids, signal_of(umbel_value_find(arguments, "signal")), answer, key);
    control_revoke(control, ids, 0, NULL);
    answer_ids(answer, key, "tasks ", ids, " flagged as revoked");
    return true;
}

static bool terminate_tasks(struct control *control, const umbel_value *arguments, umbel_value *answer,
                            const char *key)
{
    return end_tasks(control, umbel_value_find(arguments, "task_id"),
                     signal_of(umbel_value_find(arguments, "signal")), answer, key);
}

/* False: there is something, and it is no limit. */
static bool read_limit(const umbel_value *value, double *seconds)
{
    *seconds = 0;
    return umbel_value_kind(value) == UMBEL_NULL ||
           (umbel_value_double(value, seconds) == UMBEL_OK && *seconds >= 0 && *seconds <= 1e9);
}

static bool time_limit(struct control *control, const umbel_value *arguments, umbel_value *answer,
                       const char *key)
{
    double hard, soft;
    if (!read_limit(umbel_value_find(arguments, "hard"), &hard) ||
        !read_limit(umbel_value_find(arguments, "soft"), &soft))
        return control_error(answer, key, "hard and soft are numbers of seconds");
    if (consumer_limit(consumer_of(control), value_text(arguments, "task_name"), hard, soft) != UMBEL_OK)
        return control_error(answer, key, "unknown task");
    return control_ok(answer, key, "time limits set successfully");
}

/* ---- queues
 * ----------------------------------------------------------------------------------------------------- */

static bool good_queue(umbel_str name)
{
    return name.size > 0 && name.size <= QUEUE_NAME_MAX && !memchr(name.data, '\0', name.size);
}

static bool differs(const umbel_value *arguments, const char *name, umbel_str from)
{
    umbel_str text = value_text(arguments, name);
    return text.size > 0 && !str_equal(text, from);
}

static bool add_consumer(struct control *control, const umbel_value *arguments, umbel_value *answer,
                         const char *key)
{
    umbel_str queue = value_text(arguments, "queue");
    if (!good_queue(queue))
        return control_error(answer, key, "queue is a name of 1 to %d bytes", QUEUE_NAME_MAX);
    if (differs(arguments, "exchange", queue) || differs(arguments, "routing_key", queue) ||
        differs(arguments, "exchange_type", STR("direct")))
        return control_error(answer, key,
                             "this worker binds no exchanges: name a queue that is there already");
    if (consumer_of(control)->flow.count >= WORKER_QUEUES_MAX)
        return control_error(answer, key, "this worker consumes %d queues at most", WORKER_QUEUES_MAX);
    if (consumer_add_queue(consumer_of(control), queue) != UMBEL_OK)
        return control_error(answer, key, "out of memory");
    return control_ok(answer, key, "add consumer %.*s", (int)queue.size, queue.data);
}

static bool cancel_consumer(struct control *control, const umbel_value *arguments, umbel_value *answer,
                            const char *key)
{
    umbel_str queue = value_text(arguments, "queue");
    if (!good_queue(queue))
        return control_error(answer, key, "queue is a name of 1 to %d bytes", QUEUE_NAME_MAX);
    consumer_drop_queue(consumer_of(control), queue);
    return control_ok(answer, key, "no longer consuming from %.*s", (int)queue.size, queue.data);
}

/* ---- children
 * --------------------------------------------------------------------------------------------------- */

static bool resize(struct control *control, const umbel_value *arguments, int sign, umbel_value *answer,
                   const char *key)
{
    struct worker *worker = control->worker;
    const umbel_value *value = umbel_value_find(arguments, "n");
    int64_t n = 1;
    if (value && (umbel_value_int(value, &n) != UMBEL_OK || n < 0 || n > 100000))
        return control_error(answer, key, "n is a whole number");
    int64_t wanted = worker->concurrency + sign * n;
    if (wanted < 1)
        return control_error(answer, key, "ValueError('Can't shrink pool. All processes busy!')");
    if (wanted == worker->concurrency)
        return control_ok(answer, key, sign > 0 ? "pool will grow" : "pool will shrink");
    if (consumer_resize(consumer_of(control), (uint32_t)wanted) != UMBEL_OK)
        return control_error(answer, key, "the %s pool cannot have %lld slots", worker->settings.pool,
                             (long long)wanted);
    worker->concurrency = (int)wanted;
    return control_ok(answer, key, sign > 0 ? "pool will grow" : "pool will shrink");
}

static bool pool_grow(struct control *control, const umbel_value *arguments, umbel_value *answer,
                      const char *key)
{
    return resize(control, arguments, 1, answer, key);
}

static bool pool_shrink(struct control *control, const umbel_value *arguments, umbel_value *answer,
                        const char *key)
{
    return resize(control, arguments, -1, answer, key);
}

static bool autoscale(struct control *control, const umbel_value *arguments, umbel_value *answer,
                      const char *key)
{
    const struct autoscale *now = &control->worker->scaler.scale;
    int64_t most = now->most, least = now->least;
    const umbel_value *max = umbel_value_find(arguments, "max"), *min = umbel_value_find(arguments, "min");
    if ((max && umbel_value_kind(max) != UMBEL_NULL && umbel_value_int(max, &most) != UMBEL_OK) ||
        (min && umbel_value_kind(min) != UMBEL_NULL && umbel_value_int(min, &least) != UMBEL_OK))
        return control_error(answer, key, "max and min are whole numbers");
    if (least < 1 && most >= 1)
        least = 1; /* Celery's least may be 0 */
    else if (!min && least > most)
        least = most;
    if (least < 1 || least > most || most > SETTINGS_SLOTS_MAX ||
        scaler_set(&control->worker->scaler, (int)most, (int)least) != UMBEL_OK)
        return control_error(answer, key, "the %s pool takes 1 <= min <= max <= %d slots",
                             control->worker->settings.pool, SETTINGS_SLOTS_MAX);
    return control_ok(answer, key, "autoscale now max=%d min=%d", (int)most, (int)least);
}

/* ---- events
 * ----------------------------------------------------------------------------------------------------- */

static bool switch_events(struct control *control, bool on, umbel_value *answer, const char *key)
{
    bool was = consumer_of(control)->watched;
    consumer_of(control)->watched = on;
    return control_ok(answer, key, "task events %s%s", was == on ? "already " : "",
                      on ? "enabled" : "disabled");
}

static bool enable_events(struct control *control, const umbel_value *arguments, umbel_value *answer,
                          const char *key)
{
    (void)arguments;
    return switch_events(control, true, answer, key);
}

static bool disable_events(struct control *control, const umbel_value *arguments, umbel_value *answer,
                           const char *key)
{
    (void)arguments;
    return switch_events(control, false, answer, key);
}

static bool heartbeat(struct control *control, const umbel_value *arguments, umbel_value *answer,
                      const char *key)
{
    (void)arguments, (void)answer, (void)key;
    events_heartbeat(&control->events);
    return true;
}

/* ---- the worker
 * ------------------------------------------------------------------------------------------------- */

/* Not answered, as Celery does not. Asked again it changes nothing: only a signal makes a warm stop cold. */
static bool shut_down(struct control *control, const umbel_value *arguments, umbel_value *answer,
                      const char *key)
{
    (void)arguments, (void)answer, (void)key;
    if (control->worker->stop.stage == STOP_NOT)
        stop_request(&control->worker->stop, "shutdown command", EXIT_DONE);
    return false;
}

/* What Celery knows and Umbel has not. */
static bool cannot(struct control *control, const umbel_value *arguments, umbel_value *answer,
                   const char *key)
{
    (void)control, (void)arguments;
    return control_error(answer, key, "this worker (umbel %s) does not know that command", UMBEL_VERSION);
}

const struct control_row control_change_rows[] = {
    {"revoke", NULL, revoke_tasks},
    {"terminate", NULL, terminate_tasks},
    {"time_limit", NULL, time_limit},
    {"add_consumer", NULL, add_consumer},
    {"cancel_consumer", NULL, cancel_consumer},
    {"pool_grow", NULL, pool_grow},
    {"pool_shrink", NULL, pool_shrink},
    {"autoscale", NULL, autoscale},
    {"enable_events", NULL, enable_events},
    {"disable_events", NULL, disable_events},
    {"heartbeat", NULL, heartbeat},
    {"shutdown", NULL, shut_down},
    {"rate_limit", NULL, cannot},
    {"pool_restart", NULL, cannot},
    {"election", NULL, cannot},
    {"revoke_by_stamped_headers", NULL, cannot},
    {"memsample", NULL, cannot},
    {"memdump", NULL, cannot},
    {"objgraph", NULL, cannot},
    {NULL, NULL, NULL},
};
