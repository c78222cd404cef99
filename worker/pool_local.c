/* pool_local.c: threads or coroutines of this very process as a pool: for programs that are their own worker.
 *
 * What happens on the members crosses to the loop's thread as one queue and one uv_async, in order. Nothing
 * can be killed here: a task that does not end at its hard limit, or when it was cancelled or the pool
 * stopped, is *left behind*: its outcome is reported, its place is given to another member, and it goes on
 * until it returns by itself, without anybody listening. That is why each job has its message copied. A crash
 * is the program's.
 */
#include "worker/pool_local_inside.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/registry.h"

#define LOOK_AHEAD_DEFAULT 64
#define CONCURRENCY_MAX 100000
#define TICK_MS 10
#define LAST_WORD_SECONDS 0.1 /* between being asked to end and being left behind, at a stop */
#define CLOSE_SECONDS 5       /* threads that have nothing to do need moments */

/* ---- jobs that end without their task's word ---- */

static umbel_str verdict_text(enum outcome_kind verdict)
{
    if (verdict == OUTCOME_BAD_BODY)
        return STR("the body is over the limit of 64 MiB");
    return verdict == OUTCOME_CANCELLED ? STR("cancelled before it started")
                                        : STR("the pool was stopped before the task started");
}

void local_refuse(struct note *note, enum outcome_kind verdict)
{
    note->refused = true;
    note->verdict = verdict;
    note->pool->refused_due = true;
    loop_mark(note->pool->loop, &note->pool->turn);
}

static void finish_refused(struct local *pool)
{
    struct note *note = pool->first, *next;
    if (!pool->refused_due)
        return;
    pool->refused_due = false;
    for (; note; note = next) {
        next = note->next;
        if (!note->refused)
            continue;
        struct outcome outcome = {.kind = note->verdict, .error_message = verdict_text(note->verdict)};
        if (note->verdict != OUTCOME_DIED)
            outcome.error_type =
                note->verdict == OUTCOME_BAD_BODY ? STR("DecodeError") : STR("TaskRevokedError");
        local_finish(note, &outcome);
        local_note_spare(pool, note);
    }
}

static bool is_posted(struct note *note)
{
    pthread_mutex_lock(&note->pool->lock);
    bool posted = note->posted;
    pthread_mutex_unlock(&note->pool->lock);
    return posted;
}

/* Its outcome is decided without it; its member has no place any more, so another one gets it. */
static void leave_behind(struct note *note, enum outcome_kind kind, umbel_str why)
{
    struct local *pool = note->pool;
    if (is_posted(note)) /* it has just ended by itself */
        return;
    struct outcome outcome = {
        .kind = kind, .error_message = why, .runtime = (double)(clock_mono_ns() - note->began) * 1e-9};
    local_tell_started(note);
    pool->left_behind++;
    crew_cancel(pool->crew, &note->run);
    local_set_limit(pool);
    log_line(pool->options.log, UMBEL_WARNING, "pool", "a task is left behind: %.*s", (int)why.size,
             why.data);
    local_finish(note, &outcome);
}

/* ---- the tick ---- */

static bool passed(double limit, double ran)
{
    return limit > 0 && ran >= limit;
}

static void watch_running(struct note *note, uint64_t now_ns)
{
    const struct job *job = note->job;
    double ran = (double)(now_ns - note->began) * 1e-9;
    local_tell_started(note);
    if (passed(job->soft_time_limit, ran) && !note->told_soft) {
        note->told_soft = true;
        crew_nudge(note->pool->crew, &note->run);
    }
    if (passed(job->time_limit, ran))
        leave_behind(note, OUTCOME_TIMED_OUT, STR("it ran over its time limit and does not end"));
    else if (note->kill_at > 0 && clock_mono() >= note->kill_at)
        leave_behind(note, OUTCOME_CANCELLED, STR("it was cancelled and does not end"));
}

/* The grace of a stop is over: what runs is asked to end, and a moment later left behind. */
static void watch_stop(struct local *pool)
{
    struct note *note, *next;
    if (!pool->stopping || clock_mono() < pool->stop_at)
        return;
    bool last = clock_mono() >= pool->stop_at + LAST_WORD_SECONDS;
    for (note = pool->first; note; note = next) {
        next = note->next;
        if (note->refused)
            continue;
        if (note->kept || crew_withdraw(pool->crew, &note->run))
            local_refuse(note, OUTCOME_DIED);
        else if (last)
            leave_behind(note, OUTCOME_DIED, STR("the pool was stopped and it does not end"));
        else
            crew_cancel(pool->crew, &note->run);
    }
}

static bool end_pool(struct local *pool)
{
    if (!pool->stopping || pool->stopped || pool->held)
        return false;
    pool->stopped = true;
    uv_timer_stop(&pool->tick);
    pool->events->stopped(pool->self);
    return true;
}

static bool needs_watch(const struct note *note)
{
    const struct job *job = note->job;
    return !note->told_started || job->time_limit > 0 || job->soft_time_limit > 0 || note->kill_at > 0;
}

static void on_tick(uv_timer_t *timer)
{
    struct local *pool = timer->data;
    struct note *note, *next;
    bool more = pool->stopping;
    if (end_pool(pool))
        return;
    local_deliver(pool);
    uint64_t now = clock_mono_ns();
    for (note = pool->first; note; note = next) {
        next = note->next;
        if (!note->refused && note->began)
            watch_running(note, now > note->began ? now : note->began);
    }
    watch_stop(pool);
    for (note = pool->first; note && !more; note = note->next)
        more = needs_watch(note);
    if (!more)
        uv_timer_stop(&pool->tick);
}

static void watch(struct local *pool)
{
    if (!uv_is_active((uv_handle_t *)&pool->tick))
        uv_timer_start(&pool->tick, on_tick, TICK_MS, TICK_MS);
}

/* ---- contract ---- */

static uint32_t room(const struct pool *base)
{
    const struct local *pool = (const struct local *)base;
    uint32_t most = (uint32_t)pool->options.concurrency + pool->options.look_ahead;
    return pool->stopping || pool->held >= most ? 0 : most - pool->held;
}

static uint32_t slots(const struct pool *base)
{
    return (uint32_t)((const struct local *)base)->options.concurrency;
}

static void settle(void *self)
{
    struct local *pool = self;
    finish_refused(pool);
    local_place(pool);
    if (pool->room_due && !pool->stopping && (room(&pool->base) || pool->lanes.waiting > 0)) {
        pool->room_due = false;
        pool->events->room(pool->self);
    }
    /* Told by the tick: whoever runs the loop turn by turn until it is told must not wait once more. */
    if (pool->stopping && !pool->stopped && !pool->held)
        uv_timer_start(&pool->tick, on_tick, 0, 0);
}

static void start_note(struct note *note)
{
    const struct job *job = note->job;
    note->run.owner = note;
    note->run.call = (struct task_call){.def = job->reader ? NULL : job->def,
                                        .msg = &note->msg,
                                        .result_codec = job->result_codec,
                                        .time_limit = job->time_limit,
                                        .soft_time_limit = job->soft_time_limit,
                                        .deaths = job->deaths};
    if (job->msg->body.size > TASK_BODY_MAX)
        local_refuse(note, OUTCOME_BAD_BODY);
    else if (message_pack(&note->packed, job->msg) || note->packed.failed)
        local_refuse(note, OUTCOME_DIED);
    else
        local_begin(note);
    watch(note->pool);
}

static int dispatch(struct pool *base, struct job *job)
{
    struct local *pool = (struct local *)base;
    bool taken = job->depth > 0 ? !pool->stopping : room(base) > 0;
    struct note *note = taken ? local_note_make(pool) : NULL;
    if (!note) {
        pool->room_due = true;
        return UMBEL_BUSY;
    }
    note->job = job;
    job->pool_private = note;
    local_note_link(pool, note);
    start_note(note);
    return UMBEL_OK;
}

static bool take_back(struct pool *base, struct job *job)
{
    struct local *pool = (struct local *)base;
    struct note *note = job->pool_private;
    if (note->refused || (!note->kept && !crew_withdraw(pool->crew, &note->run)))
        return false;
    local_leave_lane(pool, note);
    job->pool_private = NULL;
    local_note_unlink(pool, note);
    local_note_spare(pool, note);
    pool->room_due = true;
    loop_mark(pool->loop, &pool->turn);
    return true;
}

static void cancel(struct pool *base, struct job *job, double kill_after)
{
    struct local *pool = (struct local *)base;
    struct note *note = job->pool_private;
    if (!note || note->refused)
        return;
    if (note->kept || crew_withdraw(pool->crew, &note->run)) {
        local_refuse(note, OUTCOME_CANCELLED);
        return;
    }
    double when = clock_mono() + (kill_after > 0 ? kill_after : 0);
    if (note->kill_at == 0 || when < note->kill_at)
        note->kill_at = when;
    crew_cancel(pool->crew, &note->run);
    watch(pool);
}

static void part_taken(struct pool *base, uint64_t source, size_t size)
{
    (void)source;
    atomic_fetch_add(&((struct local *)base)->parts_taken, size);
}

static int resize(struct pool *base, int concurrency)
{
    struct local *pool = (struct local *)base;
    if (concurrency < 1 || concurrency > CONCURRENCY_MAX)
        return UMBEL_BAD_ARGUMENT;
    pool->options.concurrency = concurrency;
    pool->lanes.width = concurrency;
    local_set_limit(pool);
    pool->room_due = true;
    loop_mark(pool->loop, &pool->turn);
    return UMBEL_OK;
}

static void stats(const struct pool *base, struct pool_stats *out)
{
    const struct local *pool = (const struct local *)base;
    uint32_t running = 0;
    for (const struct note *note = pool->first; note; note = note->next)
        running += !note->refused && note->began;
    *out = (struct pool_stats){.children = 1,
                               .busy = (int)running,
                               .waiting = pool->lanes.waiting,
                               .wanted = 1,
                               .queued = pool->held - running,
                               .pids = {pool->pid},
                               .pid_count = 1};
}

static void stop(struct pool *base, double grace)
{
    struct local *pool = (struct local *)base;
    double when = clock_mono() + (grace > 0 ? grace : 0);
    if (!pool->stopping || when < pool->stop_at)
        pool->stop_at = when;
    pool->stopping = true;
    watch(pool);
    loop_mark(pool->loop, &pool->turn);
}

/* ---- open and free ---- */

static void release(struct local *pool)
{
    struct note *note;
    while ((note = pool->spare) != NULL) {
        pool->spare = note->next;
        buffer_fini(&note->packed);
        free(note);
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static void on_closed(uv_handle_t *handle)
{
    struct local *pool = handle->data;
    if (--pool->open_handles == 0 && !pool->leaks)
        release(pool);
}

static void go_deaf(struct local *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->deaf = true;
    pthread_mutex_unlock(&pool->lock);
}

/* Those kept to the end of the program, so that a leak checker finds them although their last thread has
 * ended. */
static struct local *_Atomic kept;

static void keep(struct local *pool)
{
    task_client_keep(&pool->client);
    registry_keep((struct registry *)(uintptr_t)pool->options.registry);
    pool->kept_before = atomic_load(&kept);
    while (!atomic_compare_exchange_weak(&kept, &pool->kept_before, pool))
        ;
}

/* With a task left behind, what it uses stays: there is no moment at which it could be freed. */
static void pool_free(struct pool *base)
{
    struct local *pool = (struct local *)base;
    local_deliver(pool);
    loop_unmark(pool->loop, &pool->turn);
    pool->leaks = !crew_close(pool->crew, pool->left_behind ? 0 : CLOSE_SECONDS);
    if (pool->leaks)
        keep(pool);
    go_deaf(pool);
    if (!pool->leaks)
        local_discard(pool);
    if (!pool->leaks)
        registry_child_end(pool->options.registry, pool->user);
    uv_close((uv_handle_t *)&pool->async, on_closed);
    uv_close((uv_handle_t *)&pool->tick, on_closed);
}

static int start_hooks(struct local *pool)
{
    char why[200];
    if (registry_child_start(pool->options.registry, &pool->user, why) == UMBEL_OK)
        return UMBEL_OK;
    log_line(pool->options.log, UMBEL_ERROR, "pool", "a start hook failed: %s", why);
    return UMBEL_FAILED;
}

static int open_crew(struct local *pool, enum crew_kind kind)
{
    struct crew_options options = {.kind = kind,
                                   .limit = (uint32_t)pool->options.concurrency,
                                   .registry = pool->options.registry,
                                   .worker_name = pool->options.worker_name,
                                   .user = pool->user,
                                   .client = &pool->client,
                                   .loop = pool->loop};
    return crew_open(&pool->crew, &options, &local_crew_events, pool);
}

static void open_handles(struct local *pool)
{
    uv_async_init(&pool->loop->uv, &pool->async, local_on_async);
    uv_timer_init(&pool->loop->uv, &pool->tick);
    pool->async.data = pool->tick.data = pool;
    pool->open_handles = 2;
    pool->turn = (struct turn_hook){.call = settle, .self = pool};
}

#define LOCAL_OPS(kind)                                                                                      \
    {                                                                                                        \
        .name = kind, .room = room, .slots = slots, .dispatch = dispatch, .take_back = take_back,            \
        .cancel = cancel, .part_taken = part_taken, .resize = resize, .stats = stats, .stop = stop,          \
        .free = pool_free                                                                                    \
    }

static const struct pool_ops threads_ops = LOCAL_OPS("threads");
static const struct pool_ops coroutines_ops = LOCAL_OPS("coroutines");

static struct local *make(struct loop *loop, const struct pool_options *options,
                          const struct pool_events *events, void *self)
{
    struct local *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->loop = loop;
    pool->options = *options;
    pool->events = events;
    pool->self = self;
    pool->pid = getpid();
    pool->posts_end = &pool->posts;
    if (pool->options.look_ahead == 0)
        pool->options.look_ahead = LOOK_AHEAD_DEFAULT;
    pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

int pool_local_open(enum crew_kind kind, struct pool **out, struct loop *loop,
                    const struct pool_options *options, const struct pool_events *events, void *self)
{
    if (!options->registry || options->concurrency < 1 || options->concurrency > CONCURRENCY_MAX)
        return UMBEL_BAD_ARGUMENT;
    struct local *pool = make(loop, options, events, self);
    if (!pool)
        return UMBEL_NO_MEMORY;
    pool->base.ops = kind == CREW_THREADS ? &threads_ops : &coroutines_ops;
    local_lend_open(pool, kind);
    int code = start_hooks(pool);
    if (!code && (code = open_crew(pool, kind)) != UMBEL_OK)
        registry_child_end(options->registry, pool->user);
    if (code) {
        release(pool);
        return code;
    }
    open_handles(pool);
    *out = &pool->base;
    return UMBEL_OK;
}
