/* stop.c: see stop.h. */
#include "worker/stop.h"

#include "worker/notify.h"
#include "worker/worker.h"

#define COLD_SECONDS                                                                                         \
    1.2 /* for what was killed to be handed back; closing takes the rest of the two seconds */

static const struct log *log_of(const struct stop *stop)
{
    return &stop->worker->sink.log;
}

static void end_loop(struct stop *stop)
{
    uv_timer_stop(&stop->deadline);
    loop_stop(&stop->worker->loop);
}

void stop_init(struct stop *stop, struct worker *worker)
{
    *stop = (struct stop){.worker = worker};
    uv_timer_init(&worker->loop.uv, &stop->deadline);
    stop->deadline.data = stop;
}

void stop_fini(struct stop *stop)
{
    uv_close((uv_handle_t *)&stop->deadline, NULL);
}

/* ---- cold
 * ------------------------------------------------------------------------------------------------------- */

static void on_cold_deadline(uv_timer_t *timer)
{
    struct stop *stop = timer->data;
    log_line(log_of(stop), UMBEL_WARNING, "worker",
             "tasks still unsettled, handed back with the connection: %zu",
             consumer_in_hand(&stop->worker->consumer));
    end_loop(stop);
}

void stop_cold(struct stop *stop, const char *cause)
{
    struct worker *worker = stop->worker;
    if (stop->stage == STOP_COLD)
        return;
    bool drained = stop->stage == STOP_WARM;
    stop->stage = STOP_COLD;
    notify_send("STOPPING=1\nSTATUS=cold stop");
    log_line(log_of(stop), UMBEL_WARNING, "worker",
             "cold stop (%s): running tasks killed and handed back: %zu", cause,
             consumer_count(&worker->consumer, REQUEST_RUNNING));
    if (!drained)
        consumer_drain(&worker->consumer);
    consumer_kill(&worker->consumer);
    worker->pool->ops->stop(worker->pool, 0);
    uv_timer_start(&stop->deadline, on_cold_deadline, (uint64_t)(COLD_SECONDS * 1000), 0);
}

/* ---- warm
 * ------------------------------------------------------------------------------------------------------- */

static void on_warm_deadline(uv_timer_t *timer)
{
    stop_cold(timer->data, "the stop timeout is over");
}

static void stop_warm(struct stop *stop, const char *cause)
{
    struct worker *worker = stop->worker;
    stop->stage = STOP_WARM;
    notify_send("STOPPING=1\nSTATUS=warm stop");
    size_t back = consumer_drain(&worker->consumer), left = consumer_in_hand(&worker->consumer);
    if (back + left > 0)
        log_line(log_of(stop), UMBEL_WARNING, "worker",
                 "warm stop (%s): tasks not started and handed back: %zu; running, for at most %g s: %zu; "
                 "a second signal stops at once",
                 cause ? cause : "it cannot begin", back, worker->settings.stop_timeout, left);
    else if (cause)
        log_line(log_of(stop), UMBEL_WARNING, "worker", "warm stop (%s): nothing is running", cause);
    uv_timer_start(&stop->deadline, on_warm_deadline, (uint64_t)(worker->settings.stop_timeout * 1000), 0);
}

void stop_request(struct stop *stop, const char *cause, int exit_code)
{
    if (stop->stage == STOP_WARM) {
        stop_cold(stop, cause);
    } else if (stop->stage == STOP_NOT) {
        stop->exit_code = exit_code;
        stop_warm(stop, cause);
    }
}

void stop_idle(struct stop *stop)
{
    if (stop->stage != STOP_NOT)
        end_loop(stop);
}
