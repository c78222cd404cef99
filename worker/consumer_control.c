/* consumer_control.c: what is asked of a consumer from outside while it works: by control messages, and by
 * what the back end keeps. */
#include "worker/consumer_path.h"

#include <signal.h>
#include "common/str.h"
#include "worker/nest_route.h"
#include "worker/registry.h"

#define KILL_AFTER 1.0 /* seconds a task that is told to end may take */

/* ---- revoking
 * --------------------------------------------------------------------------------------------------- */

static void take_out(struct request_list *list, const struct request *wanted)
{
    struct request_list old = *list;
    request_list_init(list);
    for (struct request *req; (req = request_list_take(&old));)
        if (req != wanted)
            request_list_add(list, req);
}

static enum revoke_effect end_running(struct consumer *consumer, struct request *req, int signal)
{
    if (!signal)
        return REVOKE_RUNS;
    req->terminated = signal;
    consumer->pool->ops->cancel(consumer->pool, &req->job, signal == SIGKILL ? 0 : KILL_AFTER);
    return REVOKE_TERMINATES;
}

/* What is looked up or held meets the table when that is over; what has an outcome keeps it. */
enum revoke_effect consumer_revoke(struct consumer *consumer, const struct backend_revocation *what,
                                   int signal)
{
    revoked_add(&consumer->revoked, what);
    struct request *req = consumer_find(consumer, what->id);
    if (!req || consumer->phase != PHASE_WORKING)
        return consumer_terminate(consumer, what->id, signal);
    if (req->state == REQUEST_READY) {
        take_out(&consumer->ready, req);
        consumer_admit(consumer, req);
        return REVOKE_ENDED;
    }
    if (req->state != REQUEST_RUNNING || req->job.reader)
        return REVOKE_NOT_HERE;
    if (!consumer->pool->ops->take_back(consumer->pool, &req->job))
        return end_running(consumer, req, signal);
    loop_mark(consumer->options.loop, &consumer->pump_hook); /* its place is another's now */
    consumer_admit(consumer, req);
    return REVOKE_ENDED;
}

enum revoke_effect consumer_terminate(struct consumer *consumer, umbel_str id, int signal)
{
    struct request *req = consumer_find(consumer, id);
    if (!req || req->state != REQUEST_RUNNING || req->job.reader)
        return REVOKE_NOT_HERE;
    return end_running(consumer, req, signal);
}

void consumer_load_revoked(struct consumer *consumer)
{
    if (consumer->backend)
        consumer->backend->ops->list_revoked(consumer->backend, 0);
}

/* ---- limits and counts per task
 * --------------------------------------------------------------------------------- */

struct task_note *consumer_note(struct consumer *consumer, const umbel_task_def *def)
{
    if (def != consumer->last_def || !consumer->last_note) {
        const struct registry *registry = consumer->options.registry;
        size_t index = def ? registry_index(registry, def) : registry_count(registry);
        consumer->last_def = def;
        consumer->last_note = &consumer->tasks[index];
    }
    return consumer->last_note;
}

int consumer_limit(struct consumer *consumer, umbel_str task, double hard, double soft)
{
    const umbel_task_def *def = registry_find(consumer->options.registry, task);
    if (!def)
        return UMBEL_NOT_REGISTERED;
    struct task_note *note = consumer_note(consumer, def);
    note->limited = consumer->limited = true;
    note->time_limit = hard;
    note->soft_time_limit = soft;
    return UMBEL_OK;
}

/* ---- queues and children
 * ---------------------------------------------------------------------------------------- */

int consumer_add_queue(struct consumer *consumer, umbel_str queue)
{
    if (consumer->phase != PHASE_WORKING)
        return UMBEL_OK;
    if (nest_is_nested(queue)) {
        nested_flow_make(&consumer->nested, nest_base(queue));
        return UMBEL_OK;
    }
    if (consumer->options.nests)
        nested_flow_add(&consumer->nested, queue);
    return flow_add(&consumer->flow, queue);
}

void consumer_drop_queue(struct consumer *consumer, umbel_str queue)
{
    if (consumer->phase != PHASE_WORKING)
        return;
    nested_flow_drop(&consumer->nested, queue);
    flow_drop(&consumer->flow, queue);
}

int consumer_resize(struct consumer *consumer, uint32_t concurrency)
{
    int code = consumer->pool->ops->resize(consumer->pool, (int)concurrency);
    if (code != UMBEL_OK)
        return code;
    consumer->options.concurrency = concurrency;
    flow_widen(&consumer->flow);
    return UMBEL_OK;
}
