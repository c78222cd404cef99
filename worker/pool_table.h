/* pool_table.h: the rows of pool.c's table. */
#ifndef WORKER_POOL_TABLE_H
#define WORKER_POOL_TABLE_H

#include "worker/pool.h"

extern const struct pool_ops pool_prefork_ops, pool_solo_ops, pool_threads_ops, pool_coroutines_ops;

#endif
