/* task_co.h: a task and the coroutines it runs on.
 *
 * A task that was started on a coroutine is that coroutine's; on a plain thread the thread becomes one
 * (co_thread_enter) at the task's first call that waits. Either way the task owns the coroutine, so that
 * every wait ends when the task is interrupted. */
#ifndef WORKER_TASK_CO_H
#define WORKER_TASK_CO_H

#include <stdatomic.h>
#include <stdbool.h>
#include "common/co.h"

struct umbel_task;
struct umbel_coroutine;

struct task_co {
    struct co_owner owner;
    bool owning;  /* between begin and end */
    bool entered; /* the thread became a coroutine for this task */
    struct umbel_coroutine *spawned;
    _Atomic(struct co_scheduler *) scheduler; /* to be poked; NULL: nothing can wait */
};

/* Before the task's function. Costs nothing on a plain thread. */
void task_co_begin(struct umbel_task *task);
/* After it: ends and awaits what the task has spawned. */
void task_co_end(struct umbel_task *task);
/* The running coroutine, of this task; NULL: the thread could not become one (no memory, no descriptors). */
struct co *task_co_enter(struct umbel_task *task);
/* What port->cancelled answers has changed, or a limit: the task's waits look again. From any thread or
 * signal handler, while the task's memory is there. */
void task_poke(struct umbel_task *task);

/* The beginning of every public call that waits: UMBEL_OK, UMBEL_TIMEOUT (the task's waits are over),
 * UMBEL_NO_MEMORY. *deadline is `timeout` from now. */
int task_co_wait(struct umbel_task *task, double timeout, double *deadline);
/* umbel_sleep on a coroutine. */
int task_co_sleep(struct umbel_task *task, double seconds);

#endif
