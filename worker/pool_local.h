/* pool_local.h: a pool whose jobs run in this process (pool_options.in_process), on a crew. */
#ifndef WORKER_POOL_LOCAL_H
#define WORKER_POOL_LOCAL_H

#include "worker/crew.h"
#include "worker/pool.h"

/* As pool_open. Uses options->registry; the modules' start hooks run here, once. */
int pool_local_open(enum crew_kind kind, struct pool **out, struct loop *loop,
                    const struct pool_options *options, const struct pool_events *events, void *self);

#endif
