/* engine_drain.c: everything at once: cancelling all that is outstanding, waiting until nothing is.
 *
 * Outstanding is what is in the outbox or the inbox, and with a worker of our own also what was given to it
 * and nobody waits for. A worker elsewhere is only asked for results. */
#include "client/engine.h"
#include "client/waiter.h"
#include "common/clock.h"

void engine_carry_out_cancels(struct engine *engine, enum engine_cancels which)
{
    if (which == CANCEL_NOTHING)
        return;
    direct_cancel_all(&engine->direct, which == CANCEL_ALL);
    outbox_cancel_unsent(&engine->outbox);
    inbox_cancel_all(&engine->inbox, which == CANCEL_ALL);
    loop_mark(&engine->loop, &engine->turn);
}

static bool is_quiet(struct engine *engine)
{
    return direct_quiet(&engine->direct) && outbox_empty(&engine->outbox) &&
           engine->inbox.roster.count == 0 &&
           (!engine->local_works || engine->local_ended >= engine->local_sent);
}

void engine_look_drained(struct engine *engine)
{
    if (!is_quiet(engine))
        return;
    pthread_mutex_lock(&engine->lock);
    engine->drained++;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

void engine_cancel(struct engine *engine, enum engine_cancels which)
{
    pthread_mutex_lock(&engine->lock);
    bool wake = !engine->ended;
    if (which > engine->cancels)
        engine->cancels = which;
    if (wake)
        waker_promise(&engine->waker);
    pthread_mutex_unlock(&engine->lock);
    if (wake)
        waker_wake(&engine->waker);
}

int engine_drain(struct engine *engine, double seconds)
{
    double deadline = clock_mono() + seconds;
    bool time_left = true;
    if (engine_is_here(engine))
        return is_quiet(engine) ? UMBEL_OK : UMBEL_TIMEOUT;
    atomic_fetch_add(&engine->drainers, 1);
    pthread_mutex_lock(&engine->lock);
    uint64_t before = engine->drained;
    pthread_mutex_unlock(&engine->lock);
    engine_cancel(engine, CANCEL_NOTHING); /* it only wakes */
    pthread_mutex_lock(&engine->lock);
    while (engine->drained == before && !engine->ended && time_left)
        time_left = waiter_cond_wait(&engine->changed, &engine->lock, deadline);
    int code = engine->drained != before || engine->ended ? UMBEL_OK : UMBEL_TIMEOUT;
    pthread_mutex_unlock(&engine->lock);
    atomic_fetch_sub(&engine->drainers, 1);
    return code;
}
