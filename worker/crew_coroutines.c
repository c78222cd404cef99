/* crew_coroutines.c: members that are coroutines of the loop's thread: one for each job that runs or is about
 * to.
 *
 * The scheduler is made with the first job, on the thread that runs the loop. A coroutine that has run a job
 * takes the next one itself; its stack is kept warm by the scheduler. The lock of the crew is never waited
 * for here, everything is on one thread. */
#include "worker/crew_parts.h"

#include <stdlib.h>
#include "common/co.h"

struct coroutines {
    struct co_scheduler *scheduler; /* NULL until the first job */
    uint32_t count;
};

static void live(void *self)
{
    struct crew *crew = self;
    struct coroutines *coroutines = crew->kind;
    struct crew_job *job;
    pthread_mutex_lock(&crew->lock);
    while ((job = crew_next(crew, co_self())) != NULL) {
        pthread_mutex_unlock(&crew->lock);
        crew_run(crew, job);
        pthread_mutex_lock(&crew->lock);
    }
    coroutines->count--;
    pthread_mutex_unlock(&crew->lock);
}

static int coroutines_open(struct crew *crew)
{
    crew->kind = calloc(1, sizeof(struct coroutines));
    return crew->kind ? UMBEL_OK : UMBEL_NO_MEMORY;
}

static bool has_scheduler(struct crew *crew)
{
    struct coroutines *coroutines = crew->kind;
    if (!coroutines->scheduler)
        coroutines->scheduler = co_scheduler_new(&crew->options.loop->uv);
    return coroutines->scheduler != NULL;
}

static int coroutines_call(struct crew *crew)
{
    struct coroutines *coroutines = crew->kind;
    uint32_t limit = crew->options.limit;
    while (coroutines->count < limit && coroutines->count < crew->waiting + crew->running) {
        if (!has_scheduler(crew) || !co_start(coroutines->scheduler, crew->options.stack_size, live, crew))
            break;
        coroutines->count++;
    }
    return coroutines->count == 0 && crew->waiting ? UMBEL_SYSTEM : UMBEL_OK;
}

static void coroutines_interrupt(struct crew_seat *seat)
{
    struct coroutines *coroutines = seat->crew->kind;
    co_poke(coroutines->scheduler);
}

static bool coroutines_close(struct crew *crew, double seconds)
{
    struct coroutines *coroutines = crew->kind;
    (void)seconds;
    if (coroutines->scheduler && co_scheduler_free(coroutines->scheduler))
        return false;
    free(coroutines);
    return true;
}

const struct crew_ops crew_coroutines_ops = {
    .name = "coroutines",
    .open = coroutines_open,
    .call = coroutines_call,
    .interrupt = coroutines_interrupt,
    .close = coroutines_close,
};
