/* worker_told.c: what the consumer tells its worker: how broker and back end are, when tasks can be had, when
 * nothing is left to do. At the start a refusal ends the worker; later it is an outage, which ends by itself.
 */
#include "worker/worker.h"

#include "worker/notify.h"

/* At the start a refusal is the operator's mistake and ends the worker; later it is an outage like others. */
static void refused_by(struct worker *worker, const char *who, bool was_up, int code, const char *why)
{
    if (!was_up && worker->stop.stage != STOP_NOT)
        return; /* it ends already, for a reason that was told */
    log_line(&worker->sink.log, UMBEL_ERROR, "worker", "%s refuses this worker: %s%s", who,
             why && *why ? why : umbel_strerror(code), was_up ? "; it is asked again" : "");
    if (!was_up)
        stop_request(&worker->stop, NULL, EXIT_AWAY);
}

static void on_transport_state(void *self, enum transport_state state, int code, const char *why)
{
    struct worker *worker = self;
    if (state == worker->broker_state)
        return;
    if (state == TRANSPORT_FAILED)
        refused_by(worker, "the broker", worker->broker_was_up, code, why);
    if (state == TRANSPORT_BLOCKED)
        log_line(&worker->sink.log, UMBEL_WARNING, "worker",
                 "the broker takes no messages for now (%s): free its memory or disk; tasks still run",
                 why ? why : "");
    if (state == TRANSPORT_UP && worker->broker_state == TRANSPORT_BLOCKED)
        log_line(&worker->sink.log, UMBEL_INFO, "worker", "the broker takes messages again");
    worker->broker_state = state;
    worker->broker_was_up |= state == TRANSPORT_UP;
}

/* An outage later only fills the credit. */
static void on_backend_state(void *self, enum backend_state state, int code, const char *why)
{
    struct worker *worker = self;
    if (state == worker->backend_state)
        return;
    if (state == BACKEND_FAILED)
        refused_by(worker, "the result backend", worker->backend_was_up, code, why);
    if (state == BACKEND_UP) {
        consumer_load_revoked(&worker->consumer);
        control_backend_up(&worker->control);
    }
    worker->backend_state = state;
    worker->backend_was_up |= state == BACKEND_UP;
}

/* Queues are consumed once results can be stored and it is known what is not to be run. */
static void on_revoked(void *self, int code)
{
    struct worker *worker = self;
    if (code == UMBEL_BACKEND_REFUSED)
        log_line(
            &worker->sink.log, UMBEL_WARNING, "worker",
            "the result backend does not tell which tasks were revoked; those revoked before now are run");
    if (code == UMBEL_BACKEND_AWAY || worker->started || worker->stop.stage != STOP_NOT)
        return;
    worker->started = true;
    consumer_start(&worker->consumer);
}

static void on_task(void *self, enum task_news news, const struct request *req, const struct verdict *verdict,
                    const struct outcome *outcome)
{
    control_task(&((struct worker *)self)->control, news, req, verdict, outcome);
}

static void on_consuming(void *self)
{
    struct worker *worker = self;
    notify_send("READY=1\nSTATUS=consuming");
    log_line(&worker->sink.log, UMBEL_INFO, "worker", "%s ready.", worker->name);
}

static void on_idle(void *self)
{
    struct worker *worker = self;
    stop_idle(&worker->stop);
}

static void on_pool_stopped(void *self)
{
    struct worker *worker = self;
    worker->pool_stopped = true;
    if (worker->ending)
        loop_stop(&worker->loop);
}

/* Nothing can be run any more: what is in hand is settled, the rest goes back, somebody starts the worker
 * anew. */
static void on_pool_lost(void *self, const char *why)
{
    struct worker *worker = self;
    if (worker->stop.stage == STOP_NOT)
        stop_request(&worker->stop, why && *why ? why : "the pool is lost", EXIT_SOFTWARE);
}

const struct consumer_events worker_consumer_events = {
    .transport_state = on_transport_state,
    .backend_state = on_backend_state,
    .consuming = on_consuming,
    .task = on_task,
    .revoked = on_revoked,
    .idle = on_idle,
    .pool_stopped = on_pool_stopped,
    .pool_lost = on_pool_lost,
};
