/* control_stats.h: the answer to `stats`. */
#ifndef WORKER_CONTROL_STATS_H
#define WORKER_CONTROL_STATS_H

#include "worker/control.h"

control_run control_stats;

#endif
