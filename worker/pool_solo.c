/* pool_solo.c: tasks run in the worker itself, one per turn of the loop. For debuggers and for small places.
 *
 * Nothing here can stop a task: a crash takes the worker along, a hard time limit is reported when the task
 * is over, and a job that runs cannot be cancelled. While a task runs the worker does not answer its broker.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/part_window.h"
#include "worker/pool_table.h"
#include "worker/registry.h"
#include "worker/task.h"

#define SOLO_PARTS_MAX ((size_t)64 << 20) /* bytes of partial results that wait for the back end */

struct solo {
    struct pool base;
    struct loop *loop;
    struct pool_options options;
    const struct pool_events *events;
    void *self;
    struct umbel_task task;
    struct task_port port;
    void *user;
    uv_timer_t timer;                          /* the next turn */
    _Atomic uint64_t parts_given, parts_taken; /* bytes, of partial results */
    struct job *running;
    struct job *waiting; /* one at most */
    bool cancelled;      /* the waiting one is not to run */
    bool stopping, stopped;
};

static void on_turn(uv_timer_t *timer);

static void next_turn(struct solo *solo)
{
    uv_timer_start(&solo->timer, on_turn, 0, 0);
}

/* ---- the task's port ---- */

static void port_say(void *self, umbel_level level, umbel_str line)
{
    struct solo *solo = self;
    solo->events->said(solo->self, solo->running, getpid(), level, line);
}

static void port_progress(void *self, umbel_str value)
{
    struct solo *solo = self;
    solo->events->progress(solo->self, solo->running, value);
}

/* Nothing is taken while a task runs, so it cannot wait for room. */
static int port_part(void *self, umbel_str value)
{
    struct solo *solo = self;
    if (!part_window_enter(&solo->parts_given, &solo->parts_taken, value.size, SOLO_PARTS_MAX))
        return UMBEL_NO_MEMORY;
    solo->events->part(solo->self, solo->running, value, 0);
    return UMBEL_OK;
}

static void part_taken(struct pool *base, uint64_t source, size_t size)
{
    (void)source;
    atomic_fetch_add(&((struct solo *)base)->parts_taken, size);
}

static bool port_cancelled(void *self)
{
    (void)self; /* whoever could cancel it waits for it */
    return false;
}

/* ---- running ---- */

static void note_limit(const struct job *job, struct outcome *outcome)
{
    if (job->time_limit > 0 && outcome->runtime > job->time_limit && outcome->kind != OUTCOME_READ)
        *outcome = (struct outcome){.kind = OUTCOME_TIMED_OUT,
                                    .runtime = outcome->runtime,
                                    .error_message =
                                        STR("the task ran over its time limit (solo: it was not stopped)")};
    outcome->pid = getpid();
}

static void run(struct solo *solo, struct job *job, struct outcome *outcome)
{
    struct task_call call = {.def = job->reader ? NULL : job->def,
                             .msg = job->msg,
                             .result_codec = job->result_codec,
                             .time_limit = job->time_limit,
                             .soft_time_limit = job->soft_time_limit,
                             .deaths = job->deaths};
    solo->running = job;
    solo->events->started(solo->self, job, getpid());
    task_reset(&solo->task);
    call.started_ns = clock_mono_ns();
    task_run(&solo->task, &call, outcome);
    note_limit(job, outcome);
    solo->running = NULL;
}

static void finish_stop(struct solo *solo)
{
    solo->stopped = true;
    registry_child_end(solo->options.registry, solo->user);
    solo->events->stopped(solo->self);
}

static void on_turn(uv_timer_t *timer)
{
    struct solo *solo = timer->data;
    struct job *job = solo->waiting;
    struct outcome outcome = {.kind = OUTCOME_CANCELLED,
                              .error_type = STR("TaskRevokedError"),
                              .error_message = STR("cancelled before it started")};
    if (job) {
        solo->waiting = NULL;
        if (!solo->cancelled)
            run(solo, job, &outcome);
        solo->cancelled = false;
        solo->events->finished(solo->self, job, &outcome);
        if (!solo->stopping && !solo->waiting)
            solo->events->room(solo->self);
    }
    if (solo->waiting)
        next_turn(solo);
    else if (solo->stopping && !solo->stopped)
        finish_stop(solo);
}

/* ---- contract ---- */

static uint32_t room(const struct pool *base)
{
    const struct solo *solo = (const struct solo *)base;
    return solo->waiting || solo->running || solo->stopping ? 0 : 1;
}

static uint32_t slots(const struct pool *base)
{
    (void)base;
    return 1;
}

static int dispatch(struct pool *base, struct job *job)
{
    struct solo *solo = (struct solo *)base;
    if (!room(base))
        return UMBEL_BUSY;
    solo->waiting = job;
    next_turn(solo);
    return UMBEL_OK;
}

static bool take_back(struct pool *base, struct job *job)
{
    struct solo *solo = (struct solo *)base;
    if (solo->waiting != job || solo->cancelled)
        return false;
    solo->waiting = NULL;
    return true;
}

static void cancel(struct pool *base, struct job *job, double kill_after)
{
    struct solo *solo = (struct solo *)base;
    (void)kill_after;
    if (solo->waiting == job)
        solo->cancelled = true;
}

static int resize(struct pool *base, int concurrency)
{
    (void)base;
    return concurrency == 1 ? UMBEL_OK : UMBEL_NOT_SUPPORTED;
}

static void stats(const struct pool *base, struct pool_stats *out)
{
    const struct solo *solo = (const struct solo *)base;
    *out = (struct pool_stats){.wanted = 1,
                               .children = 1,
                               .busy = solo->running != NULL,
                               .queued = solo->waiting != NULL,
                               .pids = {getpid()},
                               .pid_count = 1};
}

static void stop(struct pool *base, double grace)
{
    struct solo *solo = (struct solo *)base;
    (void)grace; /* nothing runs between turns */
    solo->stopping = true;
    if (!solo->stopped)
        next_turn(solo);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void pool_free(struct pool *base)
{
    struct solo *solo = (struct solo *)base;
    task_fini(&solo->task);
    uv_close((uv_handle_t *)&solo->timer, on_closed);
}

static int solo_open(struct pool **out, struct loop *loop, const struct pool_options *options,
                     const struct pool_events *events, void *self);

const struct pool_ops pool_solo_ops = {
    .name = "solo",
    .open = solo_open,
    .room = room,
    .slots = slots,
    .dispatch = dispatch,
    .take_back = take_back,
    .cancel = cancel,
    .part_taken = part_taken,
    .resize = resize,
    .stats = stats,
    .stop = stop,
    .free = pool_free,
};

static int start(struct solo *solo)
{
    char why[200];
    if (registry_child_start(solo->options.registry, &solo->user, why) == UMBEL_OK)
        return UMBEL_OK;
    log_line(solo->options.log, UMBEL_ERROR, "pool", "a start hook failed: %s", why);
    return UMBEL_FAILED;
}

static int solo_open(struct pool **out, struct loop *loop, const struct pool_options *options,
                     const struct pool_events *events, void *self)
{
    if (!options->registry)
        return UMBEL_BAD_ARGUMENT;
    struct solo *solo = calloc(1, sizeof *solo);
    if (!solo)
        return UMBEL_NO_MEMORY;
    solo->base.ops = &pool_solo_ops;
    solo->loop = loop;
    solo->options = *options;
    solo->events = events;
    solo->self = self;
    solo->port = (struct task_port){.say = port_say,
                                    .progress = port_progress,
                                    .part = port_part,
                                    .cancelled = port_cancelled,
                                    .self = solo};
    if (start(solo)) {
        free(solo);
        return UMBEL_FAILED;
    }
    task_init(&solo->task, &solo->port, options->registry, options->worker_name, solo->user);
    uv_timer_init(&loop->uv, &solo->timer);
    solo->timer.data = solo;
    *out = &solo->base;
    return UMBEL_OK;
}
