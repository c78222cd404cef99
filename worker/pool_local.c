/* pool_local.c: threads or coroutines of this very process as a pool: for programs that are their own worker.
 *
 * What happens on the members crosses to the loop's thread as one queue and one uv_async, in order. Nothing
 * can be killed here: a task that does not end at its hard limit, or when it was cancelled or the pool
 * stopped, is *left behind*: its outcome is reported, its place is given to another member, and it goes on
 * until it returns by itself, without anybody listening. That is why each job has its message copied. A crash
 * is the program's.
 */
#include "worker/pool_local.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/part_window.h"
#include "worker/registry.h"

#define LOOK_AHEAD_DEFAULT 64
#define CONCURRENCY_MAX 100000
#define PACKED_MAX (TASK_BODY_MAX + (16u << 20))
#define TICK_MS 10
#define LAST_WORD_SECONDS 0.1 /* between being asked to end and being left behind, at a stop */
#define CLOSE_SECONDS 5       /* threads that have nothing to do need moments */

enum post_kind { POST_FINISHED, POST_SAID, POST_PROGRESS, POST_PART };

/* Something a member tells the loop. */
struct post {
    enum post_kind kind;
    struct note *note;
    umbel_level level;
    umbel_str text; /* of SAID, PROGRESS and PART: behind this struct, which is then malloc's */
    struct post *next;
};

struct note {
    struct crew_job run;
    struct local *pool;
    struct job *job; /* NULL: nobody listens any more */
    struct buffer packed;
    struct message msg; /* unpacked, on the member */
    struct outcome outcome;
    struct post end;
    _Atomic uint64_t began; /* monotonic ns; 0 = not yet */
    bool posted;            /* under the posts' lock: `end` is on its way */
    bool told_started, told_soft, refused;
    enum outcome_kind verdict;
    double kill_at; /* monotonic seconds; 0 = not cancelled */
    struct note *next, *prev;
};

struct local {
    struct pool base;
    struct loop *loop;
    struct pool_options options;
    const struct pool_events *events;
    void *self;
    struct crew *crew;
    void *user;
    int pid;

    struct note *first, *last; /* dispatched, not finished */
    struct note *spare;
    uint32_t held, left_behind;
    bool room_due, refused_due, stopping, last_word, stopped;
    double stop_at;

    _Atomic uint64_t parts_given, parts_taken; /* bytes, of partial results */

    pthread_mutex_t lock; /* of posts */
    struct post *posts, **posts_end;
    bool deaf; /* the pool is gone, threads are not */

    uv_async_t async;
    uv_timer_t tick;
    struct turn_hook turn;
    int open_handles;
    bool leaks; /* a member is left behind and uses this */
};

/* ---- on the members ---- */

static void post(struct local *pool, struct post *item)
{
    item->next = NULL;
    pthread_mutex_lock(&pool->lock);
    bool first = pool->posts == NULL, deaf = pool->deaf;
    if (!deaf) {
        *pool->posts_end = item;
        pool->posts_end = &item->next;
        if (item->kind == POST_FINISHED)
            item->note->posted = true;
        if (first) /* under the lock, or the handle could be closed in between */
            uv_async_send(&pool->async);
    }
    pthread_mutex_unlock(&pool->lock);
    if (deaf && item->kind != POST_FINISHED)
        free(item);
}

/* False: out of memory. */
static bool post_text(struct crew_job *run, enum post_kind kind, umbel_level level, umbel_str text)
{
    struct note *note = run->owner;
    struct post *item = malloc(sizeof *item + text.size);
    if (!item)
        return false;
    *item = (struct post){.kind = kind, .note = note, .level = level};
    item->text = (umbel_str){(const char *)(item + 1), text.size};
    if (text.size)
        memcpy(item + 1, text.data, text.size);
    post(note->pool, item);
    return true;
}

static bool on_claim(void *self, struct crew_job *run, uint64_t now_ns)
{
    struct note *note = run->owner;
    (void)self;
    atomic_store(&note->began, now_ns);
    return true;
}

static bool on_open(void *self, struct crew_job *run, struct arena *arena)
{
    struct note *note = run->owner;
    umbel_str packed = {(const char *)buffer_head(&note->packed), buffer_length(&note->packed)};
    (void)self;
    return message_unpack(arena, packed, &note->msg) == UMBEL_OK;
}

static void on_done(void *self, struct crew_job *run, const struct outcome *outcome)
{
    struct note *note = run->owner;
    note->outcome = *outcome;
    note->end = (struct post){.kind = POST_FINISHED, .note = note};
    post(self, &note->end);
}

static void on_say(void *self, struct crew_job *run, umbel_level level, umbel_str line)
{
    (void)self;
    post_text(run, POST_SAID, level, line);
}

static void on_progress(void *self, struct crew_job *run, umbel_str value)
{
    (void)self;
    post_text(run, POST_PROGRESS, UMBEL_INFO, value);
}

static int on_part(void *self, struct crew_job *run, umbel_str value)
{
    struct local *pool = self;
    if (!part_window_enter(&pool->parts_given, &pool->parts_taken, value.size, PART_WINDOW))
        return UMBEL_BUSY;
    if (post_text(run, POST_PART, UMBEL_INFO, value))
        return UMBEL_OK;
    atomic_fetch_add(&pool->parts_taken, value.size);
    return UMBEL_NO_MEMORY;
}

static const struct crew_events crew_calls = {.claim = on_claim,
                                              .open = on_open,
                                              .done = on_done,
                                              .say = on_say,
                                              .progress = on_progress,
                                              .part = on_part};

/* ---- notes, on the loop's thread from here on ---- */

static struct note *note_make(struct local *pool)
{
    struct note *note = pool->spare;
    if (note) {
        pool->spare = note->next;
        struct buffer packed = note->packed;
        *note = (struct note){.pool = pool, .packed = packed};
        buffer_clear(&note->packed);
        return note;
    }
    note = calloc(1, sizeof *note);
    if (note) {
        note->pool = pool;
        buffer_init(&note->packed, PACKED_MAX);
    }
    return note;
}

static void note_spare(struct local *pool, struct note *note)
{
    note->next = pool->spare;
    pool->spare = note;
}

static void link_note(struct local *pool, struct note *note)
{
    note->next = NULL;
    note->prev = pool->last;
    *(pool->last ? &pool->last->next : &pool->first) = note;
    pool->last = note;
    pool->held++;
}

static void unlink_note(struct local *pool, struct note *note)
{
    *(note->prev ? &note->prev->next : &pool->first) = note->next;
    *(note->next ? &note->next->prev : &pool->last) = note->prev;
    note->next = note->prev = NULL;
    pool->held--;
}

/* ---- telling the consumer ---- */

static void tell_started(struct note *note)
{
    struct local *pool = note->pool;
    if (note->told_started)
        return;
    note->told_started = true;
    pool->events->started(pool->self, note->job, pool->pid);
}

/* The note stays the caller's. */
static void finish(struct note *note, struct outcome *outcome)
{
    struct local *pool = note->pool;
    struct job *job = note->job;
    note->job = NULL;
    job->pool_private = NULL;
    unlink_note(pool, note);
    outcome->pid = pool->pid;
    pool->room_due = true;
    loop_mark(pool->loop, &pool->turn);
    pool->events->finished(pool->self, job, outcome);
}

static void deliver_end(struct local *pool, struct note *note)
{
    if (note->job) {
        tell_started(note);
        finish(note, &note->outcome);
    } else {
        pool->left_behind--;
        crew_limit(pool->crew, (uint32_t)pool->options.concurrency + pool->left_behind);
    }
    crew_release(pool->crew, &note->run);
    note_spare(pool, note);
}

static void deliver_part(struct local *pool, struct note *note, umbel_str value)
{
    if (note->job)
        pool->events->part(pool->self, note->job, value, 0);
    else
        atomic_fetch_add(&pool->parts_taken, value.size);
}

static void deliver_text(struct local *pool, struct post *item)
{
    struct note *note = item->note;
    if (note->job)
        tell_started(note);
    if (item->kind == POST_SAID)
        pool->events->said(pool->self, note->job, pool->pid, item->level, item->text);
    else if (item->kind == POST_PART)
        deliver_part(pool, note, item->text);
    else if (note->job)
        pool->events->progress(pool->self, note->job, item->text);
    free(item);
}

static struct post *take_posts(struct local *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct post *all = pool->posts;
    pool->posts = NULL;
    pool->posts_end = &pool->posts;
    pthread_mutex_unlock(&pool->lock);
    return all;
}

static void deliver(struct local *pool)
{
    struct post *item = take_posts(pool);
    while (item) {
        struct post *next = item->next;
        if (item->kind == POST_FINISHED)
            deliver_end(pool, item->note);
        else
            deliver_text(pool, item);
        item = next;
    }
}

static void on_async(uv_async_t *async)
{
    deliver(async->data);
}

/* ---- jobs that end without their task's word ---- */

static umbel_str verdict_text(enum outcome_kind verdict)
{
    if (verdict == OUTCOME_BAD_BODY)
        return STR("the body is over the limit of 64 MiB");
    return verdict == OUTCOME_CANCELLED ? STR("cancelled before it started")
                                        : STR("the pool was stopped before the task started");
}

static void refuse(struct note *note, enum outcome_kind verdict)
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
        finish(note, &outcome);
        note_spare(pool, note);
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
    tell_started(note);
    pool->left_behind++;
    crew_cancel(pool->crew, &note->run);
    crew_limit(pool->crew, (uint32_t)pool->options.concurrency + pool->left_behind);
    log_line(pool->options.log, UMBEL_WARNING, "pool", "a task is left behind: %.*s", (int)why.size,
             why.data);
    finish(note, &outcome);
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
    tell_started(note);
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
        if (crew_withdraw(pool->crew, &note->run))
            refuse(note, OUTCOME_DIED);
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
    deliver(pool);
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
    if (pool->room_due && room(&pool->base)) {
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
        refuse(note, OUTCOME_BAD_BODY);
    else if (message_pack(&note->packed, job->msg) || note->packed.failed ||
             crew_give(note->pool->crew, &note->run))
        refuse(note, OUTCOME_DIED);
    else
        watch(note->pool);
}

static int dispatch(struct pool *base, struct job *job)
{
    struct local *pool = (struct local *)base;
    struct note *note = room(base) ? note_make(pool) : NULL;
    if (!note) {
        pool->room_due = true;
        return UMBEL_BUSY;
    }
    note->job = job;
    job->pool_private = note;
    link_note(pool, note);
    start_note(note);
    return UMBEL_OK;
}

static bool take_back(struct pool *base, struct job *job)
{
    struct local *pool = (struct local *)base;
    struct note *note = job->pool_private;
    if (note->refused || !crew_withdraw(pool->crew, &note->run))
        return false;
    job->pool_private = NULL;
    unlink_note(pool, note);
    note_spare(pool, note);
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
    if (crew_withdraw(pool->crew, &note->run)) {
        refuse(note, OUTCOME_CANCELLED);
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
    crew_limit(pool->crew, (uint32_t)concurrency + pool->left_behind);
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

/* With a task left behind, what it uses stays: there is no moment at which it could be freed. */
static void pool_free(struct pool *base)
{
    struct local *pool = (struct local *)base;
    deliver(pool);
    loop_unmark(pool->loop, &pool->turn);
    pool->leaks = !crew_close(pool->crew, pool->left_behind ? 0 : CLOSE_SECONDS);
    go_deaf(pool);
    deliver(pool); /* ends of those that were left behind and have made it */
    loop_unmark(pool->loop, &pool->turn);
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
                                   .loop = pool->loop};
    return crew_open(&pool->crew, &options, &crew_calls, pool);
}

static void open_handles(struct local *pool)
{
    uv_async_init(&pool->loop->uv, &pool->async, on_async);
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
