/* backend_parent.h: results for a task that waits for its calls, brought by the worker that runs it. It reads
 * only: what a task makes is stored by its worker. */
#ifndef BROKER_BACKEND_PARENT_H
#define BROKER_BACKEND_PARENT_H

#include "broker/backend.h"

extern const struct backend_ops backend_parent;

#endif
