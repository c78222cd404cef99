/* task_co.c: see task_co.h; and the public calls that start and end coroutines. */
#include "worker/task_co.h"

#include <math.h>
#include <stdlib.h>
#include <umbel/coroutine.h>
#include "common/clock.h"
#include "common/co_line.h"
#include "worker/task.h"

struct umbel_coroutine {
    struct umbel_task *task;
    struct umbel_coroutine *before, *after; /* all of the task */
    struct co *co;                          /* NULL: it has returned */
    struct co_line joiners;
    int (*run)(umbel_task *task, void *argument);
    void *argument;
    int result;
};

/* ---- begin and end ---- */

static bool interrupted(void *self)
{
    return task_interrupted(self);
}

static double soft_end(const struct task_call *call)
{
    return call->soft_time_limit > 0 ? (double)call->started_ns * 1e-9 + call->soft_time_limit : INFINITY;
}

static void own(struct umbel_task *task, struct co *self)
{
    struct task_co *co = &task->co;
    co->owner = (struct co_owner){.interrupted = interrupted, .self = task, .limit = soft_end(task->call)};
    co_own(&co->owner);
    co->owning = true;
    atomic_store(&co->scheduler, co_scheduler_of(self));
}

void task_co_begin(struct umbel_task *task)
{
    struct co *self = co_self();
    if (self)
        own(task, self);
}

struct co *task_co_enter(struct umbel_task *task)
{
    struct co *self = co_self();
    if (task->co.owning)
        return self;
    if (!self) {
        self = co_thread_enter();
        if (!self)
            return NULL;
        task->co.entered = true;
    }
    own(task, self);
    return self;
}

void task_co_end(struct umbel_task *task)
{
    struct task_co *co = &task->co;
    if (!co->owning)
        return;
    co_disown(&co->owner);
    atomic_store(&co->scheduler, NULL);
    while (co->spawned) {
        struct umbel_coroutine *next = co->spawned->after;
        free(co->spawned);
        co->spawned = next;
    }
    if (co->entered)
        co_thread_leave();
    co->owning = co->entered = false;
}

void task_poke(struct umbel_task *task)
{
    struct co_scheduler *scheduler = atomic_load(&task->co.scheduler);
    if (scheduler)
        co_poke(scheduler);
}

int task_co_wait(struct umbel_task *task, double timeout, double *deadline)
{
    if (!task_co_enter(task))
        return UMBEL_NO_MEMORY;
    *deadline = timeout >= 0 ? clock_mono() + timeout : INFINITY;
    return co_stopping() ? UMBEL_TIMEOUT : UMBEL_OK;
}

int task_co_sleep(struct umbel_task *task, double seconds)
{
    double deadline;
    int code = task_co_wait(task, fmax(seconds, 0), &deadline);
    if (code == UMBEL_OK)
        code = seconds > 0 ? co_sleep_until(deadline) : co_pass();
    return code;
}

bool umbel_interrupted(const umbel_task *task)
{
    const struct co *self = co_self();
    return task_interrupted((struct umbel_task *)(uintptr_t)task) || (self && co_is_cancelled(self));
}

/* ---- coroutines of the task ---- */

static void live(void *self)
{
    struct umbel_coroutine *coroutine = self;
    coroutine->result = coroutine->run(coroutine->task, coroutine->argument);
    coroutine->co = NULL;
    co_line_serve_all(&coroutine->joiners, UMBEL_OK);
}

static void enlist(struct umbel_task *task, struct umbel_coroutine *coroutine)
{
    coroutine->after = task->co.spawned;
    if (coroutine->after)
        coroutine->after->before = coroutine;
    task->co.spawned = coroutine;
}

static void forget(struct umbel_task *task, struct umbel_coroutine *coroutine)
{
    if (coroutine->before)
        coroutine->before->after = coroutine->after;
    else
        task->co.spawned = coroutine->after;
    if (coroutine->after)
        coroutine->after->before = coroutine->before;
    free(coroutine);
}

umbel_coroutine *umbel_spawn(umbel_task *task, int (*run)(umbel_task *task, void *argument), void *argument)
{
    struct co *self = task_co_enter(task);
    struct umbel_coroutine *coroutine = self ? calloc(1, sizeof *coroutine) : NULL;
    if (!coroutine)
        return NULL;
    coroutine->task = task;
    coroutine->run = run;
    coroutine->argument = argument;
    coroutine->co = co_start(co_scheduler_of(self), 0, live, coroutine);
    if (!coroutine->co) {
        free(coroutine);
        return NULL;
    }
    enlist(task, coroutine);
    return coroutine;
}

int umbel_join(umbel_task *task, umbel_coroutine *coroutine, double timeout, int *result)
{
    double deadline;
    int code = coroutine ? UMBEL_OK : UMBEL_BAD_ARGUMENT;
    if (code == UMBEL_OK && coroutine->co)
        code = task_co_wait(task, timeout, &deadline);
    if (code == UMBEL_OK && coroutine->co)
        code = co_line_wait(&coroutine->joiners, NULL, deadline);
    if (code)
        return code;
    if (result)
        *result = coroutine->result;
    forget(task, coroutine);
    return UMBEL_OK;
}

void umbel_interrupt(umbel_task *task, umbel_coroutine *coroutine)
{
    (void)task;
    if (coroutine && coroutine->co)
        co_cancel(coroutine->co);
}

/* ---- timeout scopes ---- */

void umbel_timeout_begin(umbel_task *task, umbel_timeout *limit, double seconds)
{
    limit->deadline = clock_mono() + seconds;
    limit->outer = task_co_enter(task) ? co_limit_narrow(limit->deadline) : INFINITY;
}

bool umbel_timeout_end(umbel_task *task, umbel_timeout *limit)
{
    if (task_co_enter(task))
        co_limit_restore(limit->outer);
    return limit->deadline <= clock_mono();
}
