/* crew.c: the queue, the seats and the run of one job; who runs it is in crew_threads.c and
 * crew_coroutines.c.
 *
 * One lock guards the queue and the seats. A job is claimed under it, so jobs start in the order in which
 * they were given, which is what makes a claim word with one number enough (child_page.h). */
#include "worker/crew_parts.h"

#include <stdlib.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/task_client.h"

/* ---- the task's port ---- */

static void port_say(void *self, umbel_level level, umbel_str line)
{
    struct crew_seat *seat = self;
    seat->crew->events.say(seat->crew->self, seat->job, level, line);
}

static void port_progress(void *self, umbel_str value)
{
    struct crew_seat *seat = self;
    seat->crew->events.progress(seat->crew->self, seat->job, value);
}

static int port_part(void *self, umbel_str value)
{
    struct crew_seat *seat = self;
    return seat->crew->events.part(seat->crew->self, seat->job, value);
}

static bool port_cancelled(void *self)
{
    const struct crew_seat *seat = self;
    return atomic_load_explicit(&seat->job->cancelled, memory_order_relaxed);
}

/* ---- seats ---- */

static struct crew_seat *seat_make(struct crew *crew)
{
    struct crew_seat *seat = calloc(1, sizeof *seat);
    if (!seat)
        return NULL;
    seat->crew = crew;
    seat->port = (struct task_port){.say = port_say,
                                    .progress = port_progress,
                                    .part = port_part,
                                    .cancelled = port_cancelled,
                                    .self = seat,
                                    .doze = crew->ops->doze,
                                    .client = crew->options.client};
    task_init(&seat->task, &seat->port, crew->options.registry, crew->options.worker_name,
              crew->options.user);
    seat->next = crew->seats;
    crew->seats = seat;
    return seat;
}

static struct crew_seat *seat_take(struct crew *crew)
{
    struct crew_seat *seat = crew->free;
    if (!seat)
        return seat_make(crew);
    crew->free = seat->next_free;
    return seat;
}

/* ---- queue ---- */

static void enqueue(struct crew *crew, struct crew_job *job)
{
    job->next = NULL;
    job->prev = crew->last;
    *(crew->last ? &crew->last->next : &crew->first) = job;
    crew->last = job;
    crew->waiting++;
    job->waiting = true;
}

static void dequeue(struct crew *crew, struct crew_job *job)
{
    *(job->prev ? &job->prev->next : &crew->first) = job->next;
    *(job->next ? &job->next->prev : &crew->last) = job->prev;
    job->next = job->prev = NULL;
    crew->waiting--;
    job->waiting = false;
}

static bool claimed(struct crew *crew, struct crew_job *job)
{
    uint64_t now = clock_mono_ns();
    job->call.started_ns = now;
    return !crew->events.claim || crew->events.claim(crew->self, job, now);
}

struct crew_job *crew_next(struct crew *crew, void *member)
{
    while (crew->first && crew->running < crew->options.limit) {
        struct crew_job *job = crew->first;
        struct crew_seat *seat = seat_take(crew);
        if (!seat) /* out of memory: it waits for a seat that comes back */
            return NULL;
        dequeue(crew, job);
        if (claimed(crew, job)) {
            seat->job = job;
            seat->member = member;
            job->seat = seat;
            crew->running++;
            return job;
        }
        seat->next_free = crew->free;
        crew->free = seat;
    }
    return NULL;
}

/* ---- running ---- */

static void end_run(struct crew *crew, struct crew_seat *seat)
{
    pthread_mutex_lock(&crew->lock);
    seat->member = NULL;
    crew->running--;
    pthread_mutex_unlock(&crew->lock);
}

void crew_run(struct crew *crew, struct crew_job *job)
{
    struct crew_seat *seat = job->seat;
    struct outcome outcome = {.kind = OUTCOME_BAD_BODY,
                              .error_type = STR("DecodeError"),
                              .error_message = STR("the message could not be unpacked")};
    uint64_t started = job->call.started_ns;
    bool open = !crew->events.open || crew->events.open(crew->self, job, &seat->task.arena);
    job->call.started_ns = started;
    if (open)
        task_run(&seat->task, &job->call, &outcome);
    if (crew->options.client)
        task_client_settle(crew->options.client, &seat->task);
    if (crew->events.returned)
        crew->events.returned(crew->self);
    end_run(crew, seat);
    crew->events.done(crew->self, job, &outcome);
}

/* ---- contract ---- */

int crew_open(struct crew **out, const struct crew_options *options, const struct crew_events *events,
              void *self)
{
    struct crew *crew = calloc(1, sizeof *crew);
    if (!crew)
        return UMBEL_NO_MEMORY;
    crew->ops = options->kind == CREW_THREADS ? &crew_threads_ops : &crew_coroutines_ops;
    crew->options = *options;
    crew->events = *events;
    crew->self = self;
    pthread_mutex_init(&crew->lock, NULL);
    int code = crew->ops->open(crew);
    if (code) {
        pthread_mutex_destroy(&crew->lock);
        free(crew);
        return code;
    }
    *out = crew;
    return UMBEL_OK;
}

int crew_give(struct crew *crew, struct crew_job *job)
{
    job->seat = NULL;
    atomic_store_explicit(&job->cancelled, false, memory_order_relaxed);
    pthread_mutex_lock(&crew->lock);
    enqueue(crew, job);
    int code = crew->ops->call(crew);
    if (code)
        dequeue(crew, job);
    pthread_mutex_unlock(&crew->lock);
    return code;
}

struct crew_job *crew_job_of(struct umbel_task *task)
{
    return ((struct crew_seat *)((char *)task - offsetof(struct crew_seat, task)))->job;
}

bool crew_withdraw(struct crew *crew, struct crew_job *job)
{
    pthread_mutex_lock(&crew->lock);
    bool waited = job->waiting;
    if (waited)
        dequeue(crew, job);
    pthread_mutex_unlock(&crew->lock);
    return waited;
}

void crew_nudge(struct crew *crew, struct crew_job *job)
{
    pthread_mutex_lock(&crew->lock);
    if (job->seat && job->seat->member)
        crew->ops->interrupt(job->seat);
    pthread_mutex_unlock(&crew->lock);
}

void crew_cancel(struct crew *crew, struct crew_job *job)
{
    atomic_store_explicit(&job->cancelled, true, memory_order_relaxed);
    crew_nudge(crew, job);
}

void crew_release(struct crew *crew, struct crew_job *job)
{
    struct crew_seat *seat = job->seat;
    task_reset(&seat->task);
    pthread_mutex_lock(&crew->lock);
    seat->job = NULL;
    job->seat = NULL;
    seat->next_free = crew->free;
    crew->free = seat;
    pthread_mutex_unlock(&crew->lock);
}

void crew_limit(struct crew *crew, uint32_t limit)
{
    pthread_mutex_lock(&crew->lock);
    crew->options.limit = limit;
    for (uint32_t i = 0; i == 0 || (i < crew->waiting && i < limit); i++)
        crew->ops->call(crew);
    pthread_mutex_unlock(&crew->lock);
}

bool crew_close(struct crew *crew, double seconds)
{
    struct crew_seat *seat;
    pthread_mutex_lock(&crew->lock);
    while (crew->first)
        dequeue(crew, crew->first);
    crew->closing = true;
    pthread_mutex_unlock(&crew->lock);
    if (!crew->ops->close(crew, seconds))
        return false;
    while ((seat = crew->seats) != NULL) {
        crew->seats = seat->next;
        task_fini(&seat->task);
        free(seat);
    }
    pthread_mutex_destroy(&crew->lock);
    free(crew);
    return true;
}
