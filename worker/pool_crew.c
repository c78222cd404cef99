/* pool_crew.c: the rows of the pools that run several jobs at once in one process. */
#include "worker/pool_local.h"
#include "worker/pool_table.h"

static int threads_open(struct pool **out, struct loop *loop, const struct pool_options *options,
                        const struct pool_events *events, void *self)
{
    if (options->in_process)
        return pool_local_open(CREW_THREADS, out, loop, options, events, self);
    return UMBEL_NOT_SUPPORTED;
}

static int coroutines_open(struct pool **out, struct loop *loop, const struct pool_options *options,
                           const struct pool_events *events, void *self)
{
    if (options->in_process)
        return pool_local_open(CREW_COROUTINES, out, loop, options, events, self);
    return UMBEL_NOT_SUPPORTED;
}

const struct pool_ops pool_threads_ops = {.name = "threads", .open = threads_open};
const struct pool_ops pool_coroutines_ops = {.name = "coroutines", .open = coroutines_open};
