/* crew_threads.c: members that are threads. One is made when a job waits and no thread is idle; they stay.
 *
 * A thread that has run a job takes the next one itself, so a full crew costs no hand-over. The lock of the
 * crew is the only one. */
#include "worker/crew_parts.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include "common/clock.h"
#include "worker/child_crash.h"

struct threads {
    pthread_cond_t work; /* a job waits, the limit grew, or the end */
    pthread_cond_t gone; /* a thread has ended */
    uint32_t count, idle;
};

struct member {
    struct crew *crew;
    pthread_t thread;
    pthread_cond_t wake; /* ends a doze; with the crew's lock */
    bool woken;
};

static void cond_open(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

static struct timespec after(double seconds)
{
    double when = clock_mono() + (seconds < 3600 ? seconds : 3600);
    struct timespec at = {.tv_sec = (time_t)when};
    at.tv_nsec = (long)((when - (double)at.tv_sec) * 1e9);
    return at;
}

/* ---- a thread's life ---- */

/* Under the lock, also at its return. NULL: this thread is to end. */
static struct crew_job *next_job(struct crew *crew, struct member *member)
{
    struct threads *threads = crew->kind;
    for (;;) {
        struct crew_job *job = crew_next(crew, member);
        if (job || crew->closing || threads->count > crew->options.limit)
            return job;
        threads->idle++;
        pthread_cond_wait(&threads->work, &crew->lock);
        threads->idle--;
    }
}

static void serve(struct crew *crew, struct member *member)
{
    struct crew_job *job;
    pthread_mutex_lock(&crew->lock);
    while ((job = next_job(crew, member)) != NULL) {
        member->woken = false;
        pthread_mutex_unlock(&crew->lock);
        crew_run(crew, job);
        pthread_mutex_lock(&crew->lock);
    }
}

static void *live(void *self)
{
    struct member *member = self;
    struct crew *crew = member->crew;
    struct threads *threads = crew->kind;
    void *stack = crew->options.crash_stacks ? crash_stack_open() : NULL;
    serve(crew, member);
    pthread_cond_destroy(&member->wake);
    free(member);
    crash_stack_close(stack);
    threads->count--;
    pthread_cond_signal(&threads->gone);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* Signals of the process are for those who expect them: a thread of ours takes only its wake signal. */
static int create(struct member *member)
{
    sigset_t closed, before;
    pthread_attr_t attributes;
    sigfillset(&closed);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&closed, faults[i]);
    if (member->crew->options.wake_signal)
        sigdelset(&closed, member->crew->options.wake_signal);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &closed, &before);
    int code = pthread_create(&member->thread, &attributes, live, member);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return code;
}

/* Under the lock, so the new thread finds itself counted and its handle in place. */
static bool add_thread(struct crew *crew)
{
    struct threads *threads = crew->kind;
    struct member *member = calloc(1, sizeof *member);
    if (!member)
        return false;
    member->crew = crew;
    cond_open(&member->wake);
    if (create(member)) {
        pthread_cond_destroy(&member->wake);
        free(member);
        return false;
    }
    threads->count++;
    return true;
}

/* ---- for crew.c ---- */

static int threads_open(struct crew *crew)
{
    struct threads *threads = calloc(1, sizeof *threads);
    if (!threads)
        return UMBEL_NO_MEMORY;
    cond_open(&threads->work);
    cond_open(&threads->gone);
    crew->kind = threads;
    return UMBEL_OK;
}

/* A thread for each job there is, up to the limit. */
static int threads_call(struct crew *crew)
{
    struct threads *threads = crew->kind;
    uint32_t limit = crew->options.limit;
    while (threads->count < limit && threads->count < crew->waiting + crew->running && !crew->closing)
        if (!add_thread(crew))
            break;
    if (threads->count == 0 && crew->waiting)
        return UMBEL_SYSTEM;
    if (threads->count > limit) /* some are to end */
        pthread_cond_broadcast(&threads->work);
    else if (crew->waiting && threads->idle && crew->running < limit)
        pthread_cond_signal(&threads->work);
    return UMBEL_OK;
}

static void threads_interrupt(struct crew_seat *seat)
{
    struct member *member = seat->member;
    int wake_signal = seat->crew->options.wake_signal;
    member->woken = true;
    pthread_cond_signal(&member->wake);
    task_poke(&seat->task);
    if (wake_signal)
        pthread_kill(member->thread, wake_signal);
}

/* On the member: whoever interrupts it holds the lock, so no wake is missed between the look and the wait. */
static void threads_doze(void *self, double seconds)
{
    struct crew_seat *seat = self;
    struct crew *crew = seat->crew;
    struct member *member = seat->member;
    struct timespec until = after(seconds);
    pthread_mutex_lock(&crew->lock);
    while (!member->woken && pthread_cond_timedwait(&member->wake, &crew->lock, &until) != ETIMEDOUT)
        ;
    member->woken = false;
    pthread_mutex_unlock(&crew->lock);
}

static bool threads_close(struct crew *crew, double seconds)
{
    struct threads *threads = crew->kind;
    struct timespec until = after(seconds);
    int code = 0;
    pthread_mutex_lock(&crew->lock);
    pthread_cond_broadcast(&threads->work);
    while (threads->count && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&threads->gone, &crew->lock, &until);
    bool left = threads->count > 0;
    pthread_mutex_unlock(&crew->lock);
    if (left)
        return false;
    pthread_cond_destroy(&threads->work);
    pthread_cond_destroy(&threads->gone);
    free(threads);
    return true;
}

const struct crew_ops crew_threads_ops = {
    .name = "threads",
    .open = threads_open,
    .call = threads_call,
    .interrupt = threads_interrupt,
    .doze = threads_doze,
    .close = threads_close,
};
