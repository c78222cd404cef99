/* pool_solo.c: tasks run in the worker itself, one at a time. For debuggers and for small places.
 *
 * A task runs on a coroutine with a stack as large as a thread's, so while it waits for tasks that it has
 * called, or sleeps, the worker's loop goes on, and what it waits for runs on another coroutine (lanes.h, one
 * lane). A task that computes holds up the whole worker, which does not answer its broker meanwhile.
 *
 * Nothing here can stop a task that does not wait: a crash takes the worker along, a hard time limit is
 * reported when the task is over. One that waits is told to end. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/co.h"
#include "common/str.h"
#include "worker/lanes.h"
#include "worker/nest.h"
#include "worker/part_window.h"
#include "worker/pool_table.h"
#include "worker/registry.h"
#include "worker/task.h"
#include "worker/task_client.h"

#define SOLO_PARTS_MAX ((size_t)64 << 20) /* bytes of partial results that wait for the back end */
#define STOP_TICK_MS 10
#define SHARE_NS 100000 /* what tasks may take of the thread before the loop has its turn */

/* A job that has not started. */
struct ticket {
    struct job *job;
    struct ticket *next, *prev;
    bool cancelled;
};

/* A coroutine that runs one job after another. Without a job it is about to look for one, or idle. */
struct act {
    struct solo *solo;
    struct act *next;
    struct co *co; /* NULL: it has returned */
    struct job *job;
    struct umbel_task task;
    struct task_port port;
    struct lane_seat seat;
    bool cancelled, idle;
    bool evicted; /* by the end of the grace: what it did not finish is handed back, as if it had been killed
                   */
};

struct solo {
    struct pool base;
    struct loop *loop;
    struct pool_options options;
    const struct pool_events *events;
    void *self;
    void *user;
    struct co_scheduler *scheduler; /* made with the first job, on the thread that runs the loop */
    struct act *acts;
    struct lanes lanes;
    struct ticket *first, *spare;
    struct task_client client;
    struct task_lender lender;
    struct nest_guest *guest;
    uv_timer_t timer;                          /* the next turn */
    _Atomic uint64_t parts_given, parts_taken; /* bytes, of partial results */
    uint32_t plain;                            /* jobs in hand that no task has called */
    uint32_t running;
    int pid;
    uint64_t turned_ns; /* when the loop had its last turn, as far as is known */
    double stop_at;
    bool stopping, leaving, stopped;
};

static void on_turn(uv_timer_t *timer);

static void next_turn(struct solo *solo)
{
    uv_timer_start(&solo->timer, on_turn, 0, 0);
}

/* ---- the task's port ---- */

static void port_say(void *self, umbel_level level, umbel_str line)
{
    const struct act *act = self;
    act->solo->events->said(act->solo->self, act->job, act->solo->pid, level, line);
}

static void port_progress(void *self, umbel_str value)
{
    const struct act *act = self;
    act->solo->events->progress(act->solo->self, act->job, value);
}

/* Nothing is taken while a task computes, so it cannot wait for room. */
static int port_part(void *self, umbel_str value)
{
    const struct act *act = self;
    struct solo *solo = act->solo;
    if (!part_window_enter(&solo->parts_given, &solo->parts_taken, value.size, SOLO_PARTS_MAX))
        return UMBEL_NO_MEMORY;
    solo->events->part(solo->self, act->job, value, 0);
    return UMBEL_OK;
}

static void part_taken(struct pool *base, uint64_t source, size_t size)
{
    (void)source;
    atomic_fetch_add(&((struct solo *)base)->parts_taken, size);
}

static bool port_cancelled(void *self)
{
    return ((const struct act *)self)->cancelled;
}

/* ---- while a task waits for others ---- */

static struct act *act_of(struct umbel_task *task)
{
    return (struct act *)((char *)task - offsetof(struct act, task));
}

static int lend(void *self, struct umbel_task *task)
{
    struct solo *solo = self;
    struct act *act = act_of(task);
    if (solo->lanes.waiting >= solo->lanes.most)
        return UMBEL_BUSY;
    lanes_wait(&solo->lanes, &act->seat, act->job->depth, true);
    next_turn(solo);
    return UMBEL_OK;
}

static void take_lane_back(void *self, struct umbel_task *task)
{
    struct solo *solo = self;
    struct act *act = act_of(task);
    lanes_wait(&solo->lanes, &act->seat, act->seat.depth, false);
}

/* ---- jobs that have not started ---- */

/* The deepest first. */
static bool wait_turn(struct solo *solo, struct job *job)
{
    struct ticket *ticket = solo->spare, **at = &solo->first, *before = NULL;
    if (ticket)
        solo->spare = ticket->next;
    else if (!(ticket = malloc(sizeof *ticket)))
        return false;
    while (*at && (*at)->job->depth >= job->depth) {
        before = *at;
        at = &before->next;
    }
    *ticket = (struct ticket){.job = job, .next = *at, .prev = before};
    if (*at)
        (*at)->prev = ticket;
    *at = ticket;
    job->pool_private = ticket;
    return true;
}

static void leave_queue(struct solo *solo, struct ticket *ticket)
{
    *(ticket->prev ? &ticket->prev->next : &solo->first) = ticket->next;
    if (ticket->next)
        ticket->next->prev = ticket->prev;
    ticket->job->pool_private = NULL;
    ticket->next = solo->spare;
    solo->spare = ticket;
}

/* ---- running ---- */

static void note_limit(const struct job *job, struct outcome *outcome)
{
    if (job->time_limit > 0 && outcome->runtime > job->time_limit && outcome->kind != OUTCOME_READ)
        *outcome = (struct outcome){.kind = OUTCOME_TIMED_OUT,
                                    .runtime = outcome->runtime,
                                    .error_message =
                                        STR("the task ran over its time limit (solo: it was not stopped)")};
}

static void note_eviction(const struct act *act, struct outcome *outcome)
{
    if (act->evicted && outcome->kind == OUTCOME_CANCELLED)
        *outcome = (struct outcome){.kind = OUTCOME_DIED, .runtime = outcome->runtime, .innocent = true};
}

static void finish(struct solo *solo, struct job *job, const struct outcome *outcome)
{
    solo->plain -= job->depth == 0;
    solo->events->finished(solo->self, job, outcome);
    if (!solo->stopping && (solo->plain == 0 || solo->lanes.waiting > 0))
        solo->events->room(solo->self);
}

/* Answers when it was over. `now_ns` 0: the clock tells when it begins. */
static uint64_t run(struct act *act, struct job *job, uint64_t now_ns)
{
    struct solo *solo = act->solo;
    struct outcome outcome;
    struct task_call call = {.def = job->reader ? NULL : job->def,
                             .msg = job->msg,
                             .result_codec = job->result_codec,
                             .time_limit = job->time_limit,
                             .soft_time_limit = job->soft_time_limit,
                             .deaths = job->deaths};
    act->job = job;
    act->cancelled = act->evicted = false;
    solo->running++;
    solo->events->started(solo->self, job, solo->pid);
    task_reset(&act->task);
    call.started_ns = now_ns ? now_ns : clock_mono_ns();
    now_ns = task_run(&act->task, &call, &outcome);
    if (act->task.called) { /* until that is confirmed; the next task has not begun meanwhile */
        task_client_settle(&solo->client, &act->task);
        now_ns = clock_mono_ns();
    }
    note_eviction(act, &outcome);
    note_limit(job, &outcome);
    outcome.pid = solo->pid;
    solo->running--;
    act->job = NULL;
    lanes_leave(&solo->lanes, &act->seat);
    finish(solo, job, &outcome);
    return now_ns;
}

/* The next job that may begin; its lane is taken. */
static struct job *take_job(struct solo *solo, struct act *act)
{
    struct lane_seat *below;
    struct ticket *ticket = solo->first;
    if (!ticket || ticket->cancelled || !lanes_may_begin(&solo->lanes, ticket->job->depth, &below))
        return NULL;
    struct job *job = ticket->job;
    leave_queue(solo, ticket);
    lanes_take(&solo->lanes, &act->seat, job->depth, below);
    return job;
}

/* Between two tasks the loop has its turn, but not for each of many short ones. */
static bool give_way(struct solo *solo, uint64_t now_ns)
{
    if (now_ns - solo->turned_ns < SHARE_NS)
        return false;
    solo->turned_ns = now_ns;
    co_pass();
    return true;
}

static void live(void *self)
{
    struct act *act = self;
    struct solo *solo = act->solo;
    uint64_t now_ns = 0; /* the end of the job before, when nothing has happened since */
    while (!solo->leaving) {
        struct job *job = take_job(solo, act);
        act->idle = !job;
        if (job) {
            now_ns = run(act, job, now_ns);
            now_ns = give_way(solo, now_ns) ? 0 : now_ns;
        } else {
            co_park_firmly(INFINITY);
            solo->turned_ns = clock_mono_ns();
            now_ns = 0;
        }
    }
    act->co = NULL;
    next_turn(solo);
}

static struct act *act_new(struct solo *solo)
{
    struct act *act = calloc(1, sizeof *act);
    if (!act)
        return NULL;
    act->solo = solo;
    act->port = (struct task_port){.say = port_say,
                                   .progress = port_progress,
                                   .part = port_part,
                                   .cancelled = port_cancelled,
                                   .self = act,
                                   .client = &solo->client};
    act->co = co_start(solo->scheduler, CO_STACK_BIG, live, act);
    if (!act->co) {
        free(act);
        return NULL;
    }
    task_init(&act->task, &act->port, solo->options.registry, solo->options.worker_name, solo->user);
    act->next = solo->acts;
    solo->acts = act;
    return act;
}

static bool has_scheduler(struct solo *solo)
{
    if (!solo->scheduler)
        solo->scheduler = co_scheduler_new(&solo->loop->uv);
    return solo->scheduler != NULL;
}

/* Somebody is there for the first job, if it may begin. Out of memory: it waits for one that runs. */
static void place(struct solo *solo)
{
    struct lane_seat *below;
    if (!solo->first || !lanes_may_begin(&solo->lanes, solo->first->job->depth, &below) ||
        !has_scheduler(solo))
        return;
    for (struct act *act = solo->acts; act; act = act->next) {
        if (act->job)
            continue;
        if (act->idle)
            co_wake(act->co);
        act->idle = false;
        return;
    }
    act_new(solo);
}

/* ---- a turn ---- */

static void finish_cancelled(struct solo *solo, enum outcome_kind kind)
{
    struct outcome outcome = {.kind = kind,
                              .error_type = STR("TaskRevokedError"),
                              .error_message = STR("cancelled before it started")};
    for (struct ticket *ticket = solo->first, *next; ticket; ticket = next) {
        next = ticket->next;
        if (!ticket->cancelled && kind != OUTCOME_DIED)
            continue;
        struct job *job = ticket->job;
        leave_queue(solo, ticket);
        finish(solo, job, &outcome);
        next = solo->first; /* whoever heard of it may have changed the queue */
    }
}

/* The grace is over: what waits is told to end, what has not begun will not. */
static void end_grace(struct solo *solo)
{
    finish_cancelled(solo, OUTCOME_DIED);
    for (struct act *act = solo->acts; act; act = act->next) {
        if (!act->job || act->cancelled)
            continue;
        act->cancelled = act->evicted = true;
        task_poke(&act->task);
    }
}

static bool anybody_left(const struct solo *solo)
{
    for (const struct act *act = solo->acts; act; act = act->next)
        if (act->co)
            return true;
    return false;
}

static void finish_stop(struct solo *solo)
{
    solo->stopped = true;
    uv_timer_stop(&solo->timer);
    registry_child_end(solo->options.registry, solo->user);
    solo->events->stopped(solo->self);
}

static void go_on_stopping(struct solo *solo)
{
    if (clock_mono() >= solo->stop_at)
        end_grace(solo);
    if (!solo->first && !solo->running && !solo->leaving) {
        solo->leaving = true;
        for (struct act *act = solo->acts; act; act = act->next)
            if (act->co)
                co_wake(act->co);
    }
    if (solo->leaving && !anybody_left(solo))
        finish_stop(solo);
    else
        uv_timer_start(&solo->timer, on_turn, STOP_TICK_MS, 0);
}

static void on_turn(uv_timer_t *timer)
{
    struct solo *solo = timer->data;
    finish_cancelled(solo, OUTCOME_CANCELLED);
    place(solo);
    if (solo->lanes.waiting > 0 && !solo->stopping)
        solo->events->room(solo->self);
    if (solo->stopping && !solo->stopped)
        go_on_stopping(solo);
}

/* ---- contract ---- */

static uint32_t room(const struct pool *base)
{
    const struct solo *solo = (const struct solo *)base;
    return solo->plain || solo->running || solo->stopping ? 0 : 1;
}

static uint32_t slots(const struct pool *base)
{
    (void)base;
    return 1;
}

static int dispatch(struct pool *base, struct job *job)
{
    struct solo *solo = (struct solo *)base;
    bool taken = job->depth > 0 ? !solo->stopping : room(base) > 0;
    if (!taken || !wait_turn(solo, job))
        return UMBEL_BUSY;
    solo->plain += job->depth == 0;
    if (solo->acts)
        place(solo);
    else
        next_turn(solo);
    return UMBEL_OK;
}

static bool take_back(struct pool *base, struct job *job)
{
    struct solo *solo = (struct solo *)base;
    struct ticket *ticket = job->pool_private;
    if (!ticket || ticket->cancelled)
        return false;
    leave_queue(solo, ticket);
    solo->plain -= job->depth == 0;
    return true;
}

static void cancel(struct pool *base, struct job *job, double kill_after)
{
    struct solo *solo = (struct solo *)base;
    struct ticket *ticket = job->pool_private;
    (void)kill_after;
    if (ticket) {
        ticket->cancelled = true;
        next_turn(solo);
        return;
    }
    for (struct act *act = solo->acts; act; act = act->next) {
        if (act->job != job)
            continue;
        act->cancelled = true;
        task_poke(&act->task);
    }
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
                               .busy = (int)solo->running,
                               .waiting = solo->lanes.waiting,
                               .pids = {solo->pid},
                               .pid_count = 1};
    for (const struct ticket *ticket = solo->first; ticket; ticket = ticket->next)
        out->queued++;
}

static void stop(struct pool *base, double grace)
{
    struct solo *solo = (struct solo *)base;
    double when = clock_mono() + (grace > 0 ? grace : 0);
    if (!solo->stopping || when < solo->stop_at)
        solo->stop_at = when;
    solo->stopping = true;
    if (!solo->stopped)
        next_turn(solo);
}

/* ---- open and free ---- */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void free_lists(struct solo *solo)
{
    while (solo->acts) {
        struct act *act = solo->acts;
        solo->acts = act->next;
        task_fini(&act->task);
        free(act);
    }
    while (solo->spare) {
        struct ticket *ticket = solo->spare;
        solo->spare = ticket->next;
        free(ticket);
    }
}

static void pool_free(struct pool *base)
{
    struct solo *solo = (struct solo *)base;
    task_client_fini(&solo->client, 0);
    if (solo->guest)
        nest_leave(solo->guest);
    if (solo->scheduler)
        co_scheduler_free(solo->scheduler);
    free_lists(solo);
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

/* What its tasks call goes over a line to the nest, although both ends are here. */
static void open_client(struct solo *solo)
{
    int ends[2] = {-1, -1};
    solo->lender = (struct task_lender){lend, take_lane_back, solo};
    if (solo->options.client) {
        task_client_borrow(&solo->client, solo->options.client, &solo->lender);
        return;
    }
    if (solo->options.nest && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0) {
        solo->guest = nest_enter(solo->options.nest, ends[0]);
        if (!solo->guest) {
            close(ends[1]);
            ends[1] = -1;
        }
    }
    task_client_init(&solo->client, ends[1], &solo->lender);
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
    solo->pid = getpid();
    solo->events = events;
    solo->self = self;
    solo->lanes = (struct lanes){
        .width = 1, .most = options->max_waiting ? (int)options->max_waiting : POOL_WAITING_DEFAULT};
    if (start(solo)) {
        free(solo);
        return UMBEL_FAILED;
    }
    open_client(solo);
    uv_timer_init(&loop->uv, &solo->timer);
    solo->timer.data = solo;
    *out = &solo->base;
    return UMBEL_OK;
}
