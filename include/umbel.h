/* umbel.h: the one header a program includes.
 *
 * Umbel is a distributed task queue that speaks Celery's wire protocol. A program is a client (client.h), a module of
 * tasks (task.h), or a worker of its own (worker.h). Values (value.h) and errors (error.h) are common to all three. */
#ifndef UMBEL_H
#define UMBEL_H

#include <umbel/abi.h>
#include <umbel/error.h>
#include <umbel/value.h>
#include <umbel/task.h>
#include <umbel/coroutine.h>
#include <umbel/client.h>
#include <umbel/timer.h>
#include <umbel/executor.h>
#include <umbel/worker.h>

#endif
