/* scaler.c: autoscale.h on a worker: a look each second, and a pool made larger or smaller. */
#include "common/clock.h"
#include "worker/settings.h"
#include "worker/worker.h"

#define LOOK_MS 1000

static uint32_t in_hand(const struct consumer *consumer)
{
    return (uint32_t)(consumer_count(consumer, REQUEST_RUNNING) + consumer_count(consumer, REQUEST_READY));
}

static int change(struct worker *worker, int wanted)
{
    int before = worker->concurrency;
    if (wanted == before)
        return UMBEL_OK;
    int code = consumer_resize(&worker->consumer, (uint32_t)wanted);
    if (code != UMBEL_OK) {
        log_line(&worker->sink.log, UMBEL_WARNING, "worker", "the %s pool cannot have %d slots",
                 worker->settings.pool, wanted);
        return code;
    }
    worker->concurrency = wanted;
    log_line(&worker->sink.log, UMBEL_INFO, "worker", "scaled %s from %d to %d tasks at once",
             wanted > before ? "up" : "down", before, wanted);
    return UMBEL_OK;
}

static void on_look(uv_timer_t *timer)
{
    struct scaler *scaler = timer->data;
    struct worker *worker = scaler->worker;
    if (worker->stop.stage != STOP_NOT) {
        uv_timer_stop(timer);
        return;
    }
    change(worker,
           autoscale_decide(&scaler->scale, worker->concurrency, in_hand(&worker->consumer), clock_mono()));
}

void scaler_init(struct scaler *scaler, struct worker *worker)
{
    *scaler = (struct scaler){.worker = worker, .scale.idle = worker->settings.autoscale_idle};
    uv_timer_init(&worker->loop.uv, &scaler->timer);
    scaler->timer.data = scaler;
}

void scaler_fini(struct scaler *scaler)
{
    uv_close((uv_handle_t *)&scaler->timer, NULL);
}

int scaler_set(struct scaler *scaler, int most, int least)
{
    struct worker *worker = scaler->worker;
    if (least < 1 || least > most || most > SETTINGS_SLOTS_MAX)
        return UMBEL_BAD_ARGUMENT;
    int now = worker->concurrency;
    int code = change(worker, now > most ? most : now < least ? least : now);
    if (code != UMBEL_OK)
        return code;
    scaler->scale.most = most;
    scaler->scale.least = least;
    scaler->scale.since = clock_mono();
    uv_timer_start(&scaler->timer, on_look, LOOK_MS, LOOK_MS);
    return UMBEL_OK;
}
