/* cmd_worker.h: the row of `umbel worker` for the program's table. */
#ifndef WORKER_CMD_WORKER_H
#define WORKER_CMD_WORKER_H

#include "common/command.h"

extern const struct command cmd_worker;

#endif
