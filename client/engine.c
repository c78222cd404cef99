/* engine.c: see engine.h. Its turn: take what other threads left, carry out what is due, and at the end hand
 * back what was settled and wake who waits. */
#include "client/engine.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include "client/waiter.h"
#include "common/clock.h"

static const double LAST_MOMENT = 0.05;

/* ---- the loop's thread ---- */

static void arm(struct engine *engine, uint64_t least_ms);

/* Timed calls run here, or where the application dispatches: then it is told once and looks for itself. */
static void run_timers(struct engine *engine)
{
    double now = clock_mono();
    if (timers_due(&engine->timers) > now)
        return;
    if (engine->callbacks->fd < 0)
        timers_run(&engine->timers, now);
    else if (!atomic_exchange(&engine->rung, true))
        callbacks_ring(engine->callbacks);
}

int engine_run_timers(struct engine *engine)
{
    atomic_store(&engine->rung, false);
    int ran = timers_run(&engine->timers, clock_mono());
    timers_wake(&engine->timers);
    return ran;
}

/* In milliseconds of the loop's clock, which is the same one cut off. */
static uint64_t timers_due_ms(struct engine *engine)
{
    double due = atomic_load(&engine->rung) ? INFINITY : timers_due(&engine->timers);
    return isfinite(due) ? (uint64_t)ceil(fmax(due, 0) * 1e3) : UINT64_MAX;
}

static void on_timer(uv_timer_t *timer)
{
    struct engine *engine = timer->data;
    uint64_t now = loop_now(&engine->loop);
    engine->timer_at = UINT64_MAX;
    inbox_tick(&engine->inbox, now);
    outbox_tick(&engine->outbox, now);
    run_timers(engine);
    arm(engine, 1);
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* Out of the timer's own call it must not be due at once: some versions of libuv would call it again and
 * again before they look at anything else. */
static void arm(struct engine *engine, uint64_t least_ms)
{
    uint64_t due = earlier(inbox_due(&engine->inbox), outbox_due(&engine->outbox));
    due = earlier(due, timers_due_ms(engine));
    if (due >= engine->timer_at)
        return; /* it rings in time, and looks again then */
    uint64_t now = loop_now(&engine->loop);
    engine->timer_at = due;
    uv_timer_start(&engine->timer, on_timer, due > now + least_ms ? due - now : least_ms, 0);
}

static void on_turn(void *self)
{
    struct engine *engine = self;
    outbox_resume(&engine->outbox);
    outbox_turn(&engine->outbox);
    inbox_turn(&engine->inbox);
    if (atomic_load(&engine->drainers))
        engine_look_drained(engine);
    arm(engine, 0);
}

static void begin_stop(struct engine *engine);

/* What is asked of all that is outstanding. */
struct wishes {
    enum engine_cancels cancels;
    bool stop;
};

static struct wishes take_wishes(struct engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    struct wishes wishes = {engine->cancels, engine->stop};
    engine->cancels = CANCEL_NOTHING;
    engine->stop = false;
    pthread_mutex_unlock(&engine->lock);
    return wishes;
}

/* The wishes are read before anything is taken: what was submitted before a wish is then among what is taken.
 * One that comes later wakes us once more. */
static void on_wake(void *self)
{
    struct engine *engine = self;
    struct wishes wishes = take_wishes(engine);
    direct_take(&engine->direct);
    outbox_take(&engine->outbox);
    outbox_send(&engine->outbox);
    inbox_take_orders(&engine->inbox);
    run_timers(engine);
    if (timers_due_ms(engine) < engine->timer_at)
        loop_mark(&engine->loop, &engine->turn); /* it sets the timer */
    if (atomic_load(&engine->drainers))
        loop_mark(&engine->loop, &engine->turn); /* it looks whether all is drained */
    engine_carry_out_cancels(engine, wishes.cancels);
    if (wishes.stop)
        begin_stop(engine);
}

/* Which engine's thread this is; set once by each such thread, so nothing is shared. */
static _Thread_local const struct engine *here;

static void *run(void *self)
{
    struct engine *engine = self;
    here = engine;
    loop_give_way();
    loop_run(&engine->loop);
    waker_settle(&engine->waker);
    loop_fini(&engine->loop);
    pthread_mutex_lock(&engine->lock);
    engine->finished = true;
    bool alone = engine->alone;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    if (alone)
        engine->release(engine->owner);
    return NULL;
}

void engine_shut(struct engine *engine)
{
    outbox_shut(&engine->outbox);
    direct_shut(&engine->direct);
}

bool engine_is_here(const struct engine *engine)
{
    return here == engine;
}

bool engine_has_pool(const struct engine *engine)
{
    return engine->local_works;
}

/* ---- closing ---- */

static void end_turns(struct engine *engine)
{
    inbox_close(&engine->inbox);
    engine->transport = engine->outbox.transport = NULL;
    while (engine->turn.marked) {
        loop_unmark(&engine->loop, &engine->turn);
        outbox_turn(&engine->outbox);
        inbox_turn(&engine->inbox);
    }
    uv_close((uv_handle_t *)&engine->timer, NULL);
    loop_stop(&engine->loop);
    pthread_mutex_lock(&engine->lock);
    engine->ended = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

static void end_closed(void *self)
{
    struct engine *engine = self;
    if (--engine->open_ends == 0)
        end_turns(engine);
}

/* The count starts one too high, so that an end that closes at once is not taken for the last. The two need
 * not close together, and between them nobody may reach the one that has gone: from here on the inbox has no
 * backend. */
static void close_ends(void *self)
{
    struct engine *engine = self;
    struct backend *backend = engine->backend;
    engine->backend = engine->inbox.backend = NULL;
    engine->inbox.closing = true;
    engine->open_ends = 1 + (backend != NULL);
    if (engine->transport) {
        engine->open_ends++;
        engine->transport->ops->close(engine->transport, engine->grace, end_closed, engine);
    }
    if (backend)
        backend->ops->close(backend, engine->grace, end_closed, engine);
    end_closed(engine);
}

/* A worker of our own ends first: what runs there may still be answered. */
static void begin_stop(struct engine *engine)
{
    outbox_close(&engine->outbox);
    direct_close(&engine->direct);
    timers_close(&engine->timers);
    if (engine->local_works)
        local_close(engine->local, engine->grace, close_ends, engine);
    else
        close_ends(engine);
}

void engine_fini(struct engine *engine)
{
    local_free(engine->local);
    timers_fini(&engine->timers);
    outbox_fini(&engine->outbox);
    direct_fini(&engine->direct);
    inbox_fini(&engine->inbox);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
}

/* The end of everything that callers can notice is awaited; the thread's own end only for a moment, because a
 * name that is being looked up cannot be taken back. True: the thread goes on alone. */
static bool await_end(struct engine *engine)
{
    bool time_left = true;
    pthread_mutex_lock(&engine->lock);
    while (!engine->ended)
        pthread_cond_wait(&engine->changed, &engine->lock);
    double deadline = clock_mono() + LAST_MOMENT;
    while (!engine->finished && time_left)
        time_left = waiter_cond_wait(&engine->changed, &engine->lock, deadline);
    bool alone = engine->alone = !engine->finished;
    pthread_mutex_unlock(&engine->lock);
    return alone;
}

static bool close_thread(struct engine *engine)
{
    pthread_t thread = engine->thread;
    pthread_mutex_lock(&engine->lock);
    engine->stop = true;
    pthread_mutex_unlock(&engine->lock);
    loop_wake(&engine->loop);
    bool alone = await_end(engine);
    if (alone)
        pthread_detach(thread);
    else
        pthread_join(thread, NULL);
    return alone;
}

/* Its children end with the client, not with the last future that is held. */
static void end_local(struct engine *engine)
{
    local_free(engine->local);
    engine->local = NULL;
}

/* Without a thread the caller's own carries out the closing. */
bool engine_close(struct engine *engine, double grace)
{
    engine_shut(engine);
    engine->grace = grace;
    if (engine->running && close_thread(engine))
        return true;
    if (!engine->running) {
        begin_stop(engine);
        loop_run(&engine->loop);
        waker_settle(&engine->waker);
        loop_fini(&engine->loop);
    }
    end_local(engine);
    return false;
}

/* ---- opening ---- */

static void local_started(void *self, umbel_str id)
{
    struct engine *engine = self;
    inbox_started(&engine->inbox, id);
}

static void local_ended(void *self)
{
    struct engine *engine = self;
    engine->local_ended++;
    if (atomic_load(&engine->drainers))
        loop_mark(&engine->loop, &engine->turn);
}

/* A call that went straight to it goes on as any task. */
static void local_leaves(void *self)
{
    struct engine *engine = self;
    engine->local_sent++;
}

static void serve(void *self, umbel_str queue)
{
    local_serve(self, queue);
}

/* The worker of our own, before anything else that a fork would copy. `ours` are the options with the URLs of
 * its hub. */
static int make_local(struct engine *engine, const struct engine_options *options,
                      struct engine_options *ours, struct buffer *why)
{
    *ours = *options;
    if (!local_is_meant(options->broker))
        return UMBEL_OK;
    struct local_options local = {.url = options->broker,
                                  .module = options->module,
                                  .log = options->log,
                                  .started = local_started,
                                  .ended = local_ended,
                                  .calls = &direct_call_events,
                                  .self = engine,
                                  .calls_self = &engine->direct,
                                  .client = options->owner};
    int code = local_new(&engine->local, &local, why);
    if (code != UMBEL_OK)
        return code;
    ours->broker = local_url(engine->local);
    if (options->backend &&
        (strcmp(options->backend, options->broker) == 0 || strcmp(options->backend, "memory://") == 0))
        ours->backend = NULL;
    return UMBEL_OK;
}

static int open_local(struct engine *engine, const struct engine_options *options, struct buffer *why)
{
    if (!engine->local)
        return UMBEL_OK;
    int code = local_open(engine->local, &engine->loop, options->backend, why);
    if (code != UMBEL_OK)
        return code;
    engine->local_works = true;
    engine->outbox.serve = serve;
    engine->outbox.serve_self = engine->local;
    engine->inbox.keeps_revoked = false;
    if (local_takes_calls(engine->local))
        engine->direct.local = engine->local;
    return UMBEL_OK;
}

static int init(struct engine *engine, const struct engine_options *options)
{
    engine->log = options->log;
    engine->timer_at = UINT64_MAX;
    engine->callbacks = options->callbacks;
    engine->release = options->release;
    engine->owner = options->owner;
    engine->waker.loop = &engine->loop;
    engine->turn = (struct turn_hook){.call = on_turn, .self = engine};
    engine->broker.code = UMBEL_BROKER_AWAY;
    engine->results.code = UMBEL_BACKEND_AWAY;
    pthread_mutex_init(&engine->lock, NULL);
    waiter_cond_init(&engine->changed);
    timers_init(&engine->timers, &engine->waker);
    outbox_init(&engine->outbox, &engine->loop, &engine->turn, &engine->inbox, options->buffer_bytes);
    direct_init(&engine->direct, &engine->loop, &engine->turn, &engine->inbox);
    engine->direct.leaves = local_leaves;
    engine->direct.self = engine;
    int code = inbox_init(&engine->inbox, &engine->loop, &engine->waker, &engine->turn, options->callbacks,
                          options->log);
    engine->inbox.direct = &engine->direct;
    engine->direct.channel = str_of(engine->inbox.channel);
    if (code == UMBEL_OK)
        code = loop_init(&engine->loop);
    if (code != UMBEL_OK) {
        engine_fini(engine);
        return code;
    }
    loop_on_wake(&engine->loop, on_wake, engine);
    uv_timer_init(&engine->loop.uv, &engine->timer);
    engine->timer.data = engine;
    return UMBEL_OK;
}

/* The application's signals are the application's: none is taken on this thread. */
static int start_thread(struct engine *engine)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    engine->running = pthread_create(&engine->thread, NULL, run, engine) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return engine->running ? UMBEL_OK : UMBEL_SYSTEM;
}

int engine_open(struct engine *engine, const struct engine_options *asked, struct buffer *why)
{
    struct engine_options ours, *options = &ours;
    *engine = (struct engine){.timer_at = UINT64_MAX};
    int code = make_local(engine, asked, options, why);
    if (code != UMBEL_OK)
        return code;
    code = init(engine, options);
    if (code != UMBEL_OK) {
        buffer_text(why, umbel_strerror(code));
        return code;
    }
    code = open_local(engine, options, why);
    if (code == UMBEL_OK)
        code = engine_open_ends(engine, options, why);
    if (code == UMBEL_OK)
        code = start_thread(engine);
    if (code != UMBEL_OK) {
        engine_close(engine, 0);
        engine_fini(engine);
    }
    return code;
}
