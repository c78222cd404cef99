/* pool_prefork.c: the pool of child processes: the contract of pool.h on top of slots.
 *
 * See pool_prefork.h for the files. Callbacks that must not come from inside a call of the contract (a
 * cancelled job's end, room, stopped) come from the hook at the end of the turn. */
#include <signal.h>
#include <stdlib.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/lookahead.h"
#include "worker/pool_local.h"
#include "worker/pool_prefork.h"
#include "worker/pool_table.h"
#include "worker/task.h"

#define LOOK_AHEAD_DEFAULT 64
#define CREW_SLOTS_MAX 100000

/* ---- notes ---- */

static struct note *note_make(struct prefork *pool, struct job *job)
{
    struct note *note = pool->spare;
    if (note)
        pool->spare = note->next;
    else if (!(note = malloc(sizeof *note)))
        return NULL;
    *note = (struct note){.job = job};
    job->pool_private = note;
    return note;
}

static void note_spare(struct prefork *pool, struct note *note)
{
    note->job->pool_private = NULL;
    note->job = NULL;
    note->next = pool->spare;
    pool->spare = note;
}

void prefork_finish(struct prefork *pool, struct note *note, const struct outcome *outcome)
{
    struct job *job = note->job;
    note_spare(pool, note);
    pool->room_due = true;
    prefork_settle_soon(pool);
    pool->events->finished(pool->self, job, outcome);
}

void prefork_refuse(struct prefork *pool, struct note *note, enum outcome_kind verdict)
{
    note->refused = true;
    note->verdict = verdict;
    note_push(&pool->refused, note);
    prefork_settle_soon(pool);
}

/* ---- the end of a turn ---- */

static void finish_refused(struct prefork *pool)
{
    struct note *note;
    while ((note = pool->refused.first) != NULL) {
        struct outcome outcome = {.kind = note->verdict};
        note_remove(&pool->refused, note);
        switch (note->verdict) {
        case OUTCOME_BAD_BODY:
            outcome.error_type = STR("DecodeError");
            outcome.error_message = STR("the body is over the limit of 64 MiB");
            break;
        case OUTCOME_CANCELLED:
            outcome.error_type = STR("TaskRevokedError");
            outcome.error_message = STR("cancelled before it started");
            break;
        default:
            outcome.error_message = STR("the pool was stopped before the task started");
            break;
        }
        prefork_finish(pool, note, &outcome);
    }
}

static bool all_gone(const struct prefork *pool)
{
    return pool->stopping && !pool->stopped && !pool->children && !prefork_waiting(pool) &&
           !pool->refused.count;
}

bool prefork_end(struct prefork *pool)
{
    if (!all_gone(pool))
        return false;
    pool->stopped = true;
    uv_timer_stop(&pool->tick);
    uv_timer_stop(&pool->brake);
    uv_timer_stop(&pool->thrift);
    pool->events->stopped(pool->self);
    return true;
}

uint32_t prefork_waiting(const struct prefork *pool)
{
    return pool->backlog.count + pool->suspects.count;
}

struct note_list *prefork_list(struct prefork *pool, const struct note *note)
{
    return pool->crew && note->job->alone ? &pool->suspects : &pool->backlog;
}

static uint32_t room(const struct pool *base);

/* Jobs that were dispatched are still run while there is time; then the children are told to go. */
static void send_home(struct prefork *pool)
{
    for (int i = 0; i < pool->used; i++)
        slot_retire(&pool->slots[i]);
}

static void settle(void *self)
{
    struct prefork *pool = self;
    finish_refused(pool);
    place_backlog(pool);
    if (pool->room_due && !pool->stopping && (room(&pool->base) || pool->lanes.waiting > 0)) {
        pool->room_due = false;
        pool->events->room(pool->self);
    }
    if (pool->stopping && prefork_waiting(pool) == 0)
        send_home(pool);
    /* Told by the tick: whoever runs the loop turn by turn until it is told must not wait once more. */
    if (all_gone(pool))
        uv_timer_start(&pool->tick, watch_on_tick, 0, 0);
}

void prefork_settle_soon(struct prefork *pool)
{
    loop_mark(pool->loop, &pool->turn);
}

/* ---- contract: jobs ---- */

static uint32_t room(const struct pool *base)
{
    const struct prefork *pool = (const struct prefork *)base;
    if (pool->stopping || pool->lost)
        return 0;
    int quick = pool->wanted > pool->overdue ? pool->wanted - pool->overdue : 0;
    uint32_t depth = lookahead_depth(pool->options.look_ahead, pool->mean);
    uint32_t most = (uint32_t)pool->options.concurrency + (uint32_t)quick * depth;
    uint32_t held = pool->outstanding + prefork_waiting(pool) + pool->refused.count;
    return most > held ? most - held : 0;
}

static uint32_t slots(const struct pool *base)
{
    const struct prefork *pool = (const struct prefork *)base;
    return pool->lost ? 0 : (uint32_t)pool->options.concurrency;
}

static int dispatch(struct pool *base, struct job *job)
{
    struct prefork *pool = (struct prefork *)base;
    bool taken = job->depth > 0 ? !pool->stopping && !pool->lost : room(base) > 0;
    struct note *note = taken ? note_make(pool, job) : NULL;
    if (!note) {
        pool->room_due = true;
        return UMBEL_BUSY;
    }
    if (job->msg->body.size > TASK_BODY_MAX) {
        prefork_refuse(pool, note, OUTCOME_BAD_BODY);
        return UMBEL_OK;
    }
    place_wait(pool, note, false);
    place_backlog(pool);
    return UMBEL_OK;
}

/* Out of whatever list it is in, unless it has started. What else was taken back with it is given again at
 * the end of the turn, so that many can be taken back one after the other. */
static bool withdraw(struct prefork *pool, struct note *note)
{
    if (note->refused)
        return false;
    if (note->slot) {
        slot_take_back(note->slot);
        prefork_settle_soon(pool);
    }
    if (note->slot)
        return false;
    note_remove(prefork_list(pool, note), note);
    return true;
}

static bool take_back(struct pool *base, struct job *job)
{
    struct prefork *pool = (struct prefork *)base;
    struct note *note = job->pool_private;
    if (!withdraw(pool, note))
        return false;
    note_spare(pool, note);
    prefork_settle_soon(pool);
    return true;
}

static void cancel(struct pool *base, struct job *job, double kill_after)
{
    struct prefork *pool = (struct prefork *)base;
    struct note *note = job->pool_private;
    if (!note || note->refused)
        return;
    if (withdraw(pool, note)) {
        prefork_refuse(pool, note, OUTCOME_CANCELLED);
        return;
    }
    double when = clock_mono() + (kill_after > 0 ? kill_after : 0);
    if (note->kill_at == 0 || when < note->kill_at)
        note->kill_at = when;
    if (pool->crew) {
        crew_tell(note->slot, note, true);
    } else {
        atomic_store(&note->slot->page->cancelled, note->number);
        slot_signal(note->slot, SIGUSR1);
    }
    watch_within(pool, 1);
}

/* ---- contract: children ---- */

static bool allowed(enum crew_kind crew, int concurrency)
{
    return concurrency >= 1 && concurrency <= (crew ? CREW_SLOTS_MAX : FORK_SERVER_SLOTS);
}

static void set_wanted(struct prefork *pool)
{
    int processes = pool->options.processes > 0 ? pool->options.processes : 1;
    pool->wanted = pool->options.concurrency;
    if (pool->crew && processes < pool->wanted)
        pool->wanted = processes;
    pool->width = 1;
    if (pool->crew)
        crew_set_width(pool);
}

static void part_taken(struct pool *base, uint64_t source, size_t size)
{
    slot_part_taken((struct prefork *)base, source, size);
}

static int resize(struct pool *base, int concurrency)
{
    struct prefork *pool = (struct prefork *)base;
    if (!allowed(pool->crew, concurrency))
        return UMBEL_BAD_ARGUMENT;
    pool->options.concurrency = pool->lanes.width = concurrency;
    set_wanted(pool);
    births_check(pool);
    pool->room_due = true;
    prefork_settle_soon(pool);
    return UMBEL_OK;
}

static void stats(const struct pool *base, struct pool_stats *out)
{
    const struct prefork *pool = (const struct prefork *)base;
    *out = (struct pool_stats){
        .children = pool->children, .wanted = pool->wanted, .waiting = pool->lanes.waiting};
    for (int i = 0; i < pool->used; i++) {
        const struct slot *slot = &pool->slots[i];
        if (slot->pid && out->pid_count < (int)(sizeof out->pids / sizeof *out->pids))
            out->pids[out->pid_count++] = slot->pid;
    }
    bool ahead = !pool->crew || pool->lanes.waiting == 0; /* else all that was given has started */
    out->busy = (int)(ahead ? pool->occupied : pool->outstanding);
    out->queued = prefork_waiting(pool) + pool->outstanding - (uint32_t)out->busy;
}

static void stop(struct pool *base, double grace)
{
    struct prefork *pool = (struct prefork *)base;
    double when = clock_mono() + (grace > 0 ? grace : 0);
    if (!pool->stopping || when < pool->stop_at)
        pool->stop_at = when;
    pool->stopping = true;
    watch_within(pool, 1);
    prefork_settle_soon(pool);
}

/* ---- open and free ---- */

static void release(struct prefork *pool)
{
    struct note *note;
    while ((note = pool->spare) != NULL) {
        pool->spare = note->next;
        free(note);
    }
    free(pool->slots);
    free(pool->task_mean);
    free(pool);
}

void prefork_handle_closed(struct prefork *pool)
{
    if (--pool->open_handles == 0 && pool->freeing)
        release(pool);
}

static void on_timer_closed(uv_handle_t *handle)
{
    prefork_handle_closed(handle->data);
}

static void pool_free(struct pool *base)
{
    struct prefork *pool = (struct prefork *)base;
    fork_server_attach(pool->options.fork_server, NULL, NULL, NULL);
    loop_unmark(pool->loop, &pool->turn);
    pool->freeing = true;
    uv_close((uv_handle_t *)&pool->tick, on_timer_closed);
    uv_close((uv_handle_t *)&pool->brake, on_timer_closed);
    uv_close((uv_handle_t *)&pool->thrift, on_timer_closed);
}

static bool allocate(struct prefork *pool)
{
    size_t tasks = registry_count(pool->registry);
    pool->slots = calloc(FORK_SERVER_SLOTS, sizeof *pool->slots);
    pool->task_mean = malloc((tasks ? tasks : 1) * sizeof *pool->task_mean);
    if (!pool->slots || !pool->task_mean)
        return false;
    for (size_t i = 0; i < tasks; i++)
        pool->task_mean[i] = LOOKAHEAD_UNKNOWN;
    pool->mean = LOOKAHEAD_UNKNOWN;
    return true;
}

static void open_handles(struct prefork *pool)
{
    uv_timer_init(&pool->loop->uv, &pool->tick);
    uv_timer_init(&pool->loop->uv, &pool->brake);
    uv_timer_init(&pool->loop->uv, &pool->thrift);
    pool->tick.data = pool->brake.data = pool->thrift.data = pool;
    pool->open_handles = 3;
    pool->turn = (struct turn_hook){.call = settle, .self = pool};
}

/* Children that wait come on top, and all must have a slot. */
static void open_lanes(struct prefork *pool)
{
    uint32_t most = pool->options.max_waiting ? pool->options.max_waiting : POOL_WAITING_DEFAULT;
    uint32_t left = FORK_SERVER_SLOTS - (uint32_t)pool->wanted;
    pool->options.max_waiting = most < left ? most : left;
    pool->lanes = (struct lanes){.width = pool->options.concurrency,
                                 .most = pool->crew == CREW_COROUTINES ? 0 : (int)pool->options.max_waiting};
    pool->board = fork_server_board(pool->options.fork_server);
    atomic_store(&pool->board->most, pool->options.max_waiting);
}

static int open_plain(struct pool **out, struct loop *loop, const struct pool_options *options,
                      const struct pool_events *events, void *self);
static int open_threads(struct pool **out, struct loop *loop, const struct pool_options *options,
                        const struct pool_events *events, void *self);
static int open_coroutines(struct pool **out, struct loop *loop, const struct pool_options *options,
                           const struct pool_events *events, void *self);

#define ROW(title, opener)                                                                                   \
    {                                                                                                        \
        .name = title, .open = opener, .room = room, .slots = slots, .dispatch = dispatch,                   \
        .take_back = take_back, .cancel = cancel, .part_taken = part_taken, .resize = resize,                \
        .stats = stats, .stop = stop, .free = pool_free,                                                     \
    }

const struct pool_ops pool_prefork_ops = ROW("prefork", open_plain);
const struct pool_ops pool_threads_ops = ROW("threads", open_threads);
const struct pool_ops pool_coroutines_ops = ROW("coroutines", open_coroutines);

static const struct pool_ops *const rows[] = {[CREW_NONE] = &pool_prefork_ops,
                                              [CREW_THREADS] = &pool_threads_ops,
                                              [CREW_COROUTINES] = &pool_coroutines_ops};

static int open_pool(struct pool **out, struct loop *loop, const struct pool_options *options,
                     const struct pool_events *events, void *self, enum crew_kind crew)
{
    if (!options->fork_server || !allowed(crew, options->concurrency) ||
        options->processes > FORK_SERVER_SLOTS / 4)
        return UMBEL_BAD_ARGUMENT;
    struct prefork *pool = calloc(1, sizeof *pool);
    if (!pool)
        return UMBEL_NO_MEMORY;
    pool->base.ops = rows[crew];
    pool->crew = crew;
    pool->loop = loop;
    pool->options = *options;
    pool->events = events;
    pool->self = self;
    pool->registry = fork_server_registry(options->fork_server);
    set_wanted(pool);
    open_lanes(pool);
    if (pool->options.look_ahead == 0)
        pool->options.look_ahead = LOOK_AHEAD_DEFAULT;
    if (!allocate(pool) || fork_server_attach(options->fork_server, loop, &slot_events, pool)) {
        release(pool);
        return UMBEL_NO_MEMORY;
    }
    open_handles(pool);
    births_check(pool);
    *out = &pool->base;
    return UMBEL_OK;
}

static int open_plain(struct pool **out, struct loop *loop, const struct pool_options *options,
                      const struct pool_events *events, void *self)
{
    return open_pool(out, loop, options, events, self, CREW_NONE);
}

static int open_threads(struct pool **out, struct loop *loop, const struct pool_options *options,
                        const struct pool_events *events, void *self)
{
    if (options->in_process)
        return pool_local_open(CREW_THREADS, out, loop, options, events, self);
    return open_pool(out, loop, options, events, self, CREW_THREADS);
}

static int open_coroutines(struct pool **out, struct loop *loop, const struct pool_options *options,
                           const struct pool_events *events, void *self)
{
    if (options->in_process)
        return pool_local_open(CREW_COROUTINES, out, loop, options, events, self);
    return open_pool(out, loop, options, events, self, CREW_COROUTINES);
}
