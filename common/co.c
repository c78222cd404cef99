/* co.c: a coroutine's life: started, ready, running, parked, returned. See co.h.
 *
 * All switching is between the loop's stack (home) and one coroutine; they never switch to each other. So
 * home is the one place that gives back the stack of who has returned, which cannot do it itself. The root is
 * the exception: it shares home's stack, and parks by running the loop. */
#include "common/co_inside.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbel/error.h>
#include "common/clock.h"

/* initial-exec: a signal handler reads it, and must not make the linker allocate. */
static _Thread_local struct co *running __attribute__((tls_model("initial-exec")));

struct co *co_self(void)
{
    return running;
}

void co_set_self(struct co *co)
{
    running = co;
}

struct co_scheduler *co_scheduler_of(const struct co *co)
{
    return co->scheduler;
}

/* ---- switching ---- */

static void swap_exceptions(struct co_exceptions *thread, struct co_exceptions *from,
                            const struct co_exceptions *to)
{
    if (!thread)
        return;
    *from = *thread;
    *thread = *to;
}

static void go_home(struct co *co, bool for_good)
{
    struct co_scheduler *scheduler = co->scheduler;
    co_fiber_leave(&co->fiber, &scheduler->home_fiber, for_good);
    co_context_switch(&co->context, &scheduler->home);
    co_fiber_arrive(&co->fiber, &scheduler->home_fiber);
}

static void bury(struct co *co)
{
    struct co_scheduler *scheduler = co->scheduler;
    struct co_stack stack = co->stack;
    if (co->before)
        co->before->after = co->after;
    else
        scheduler->all = co->after;
    if (co->after)
        co->after->before = co->before;
    scheduler->count--;
    co_fiber_fini(&co->fiber);
    co_stacks_give(&scheduler->stacks, stack);
}

void co_resume(struct co *co)
{
    struct co_scheduler *scheduler = co->scheduler;
    running = co;
    co->state = CO_RUNNING;
    swap_exceptions(scheduler->exceptions, &scheduler->home_exceptions, &co->exceptions);
    co_fiber_leave(&scheduler->home_fiber, &co->fiber, false);
    co_context_switch(&scheduler->home, &co->context);
    co_fiber_arrive(&scheduler->home_fiber, &co->fiber);
    swap_exceptions(scheduler->exceptions, &co->exceptions, &scheduler->home_exceptions);
    running = NULL;
    if (co->state == CO_RETURNED)
        bury(co);
}

/* ---- beginning and end ---- */

static void leave_owner(struct co *co)
{
    struct co_owner *owner = co->owner;
    if (owner && owner->keeper != co && --owner->others == 0 && owner->closing)
        co_wake(owner->keeper);
}

static void live(void *self)
{
    struct co *co = self;
    co_fiber_arrive(&co->fiber, &co->scheduler->home_fiber);
    co->run(co->self);
    leave_owner(co);
    co_scheduler_forget_far(co->scheduler, co);
    co->state = CO_RETURNED;
    go_home(co, true);
    abort(); /* nobody comes back */
}

static void enlist(struct co_scheduler *scheduler, struct co *co)
{
    co->after = scheduler->all;
    if (co->after)
        co->after->before = co;
    scheduler->all = co;
    scheduler->count++;
}

/* The coroutine itself takes the top of its stack. */
static struct co *carve(struct co_stack stack)
{
    uintptr_t at = ((uintptr_t)co_stack_top(&stack) - sizeof(struct co)) & ~(uintptr_t)63;
    struct co *co = (struct co *)at;
    co_fiber_init(&co->fiber, co_stack_bottom(&stack), stack.size);
    struct co_fiber fiber = co->fiber;
    memset(co, 0, sizeof *co);
    co->fiber = fiber;
    co->stack = stack;
    return co;
}

struct co *co_start(struct co_scheduler *scheduler, size_t stack_size, void (*run)(void *self), void *self)
{
    struct co_stack stack;
    size_t size = stack_size ? stack_size : CO_STACK_SIZE;
    if (!co_heap_reserve(&scheduler->heap, scheduler->count + 2) || /* the root is not counted */
        !co_stacks_take(&scheduler->stacks, size < CO_STACK_MIN ? CO_STACK_MIN : size, &stack))
        return NULL;
    struct co *co = carve(stack);
    co->scheduler = scheduler;
    co->run = run;
    co->self = self;
    co->limit = INFINITY;
    co->owner = running ? running->owner : NULL;
    if (co->owner)
        co->owner->others++;
    co_context_make(&co->context, co, live, co);
    enlist(scheduler, co);
    co->state = CO_PARKED;
    co_make_ready(co);
    return co;
}

/* ---- parking ---- */

static bool take_permit(struct co *co)
{
    bool had = co->permit;
    co->permit = false;
    return had;
}

static void suspend(struct co *co)
{
    if (co == &co->scheduler->root)
        co_scheduler_run_root(co->scheduler);
    else
        go_home(co, false);
    co->state = CO_RUNNING;
}

int co_park_firmly(double deadline)
{
    struct co *self = running;
    assert(self && "parking needs a coroutine");
    if (take_permit(self))
        return UMBEL_OK;
    if (deadline < INFINITY) {
        if (deadline <= clock_mono())
            return UMBEL_TIMEOUT;
        self->deadline = deadline;
        co_heap_add(&self->scheduler->heap, self);
    }
    self->state = CO_PARKED;
    suspend(self);
    co_heap_remove(&self->scheduler->heap, self);
    return take_permit(self) ? UMBEL_OK : UMBEL_TIMEOUT;
}

static void push(struct co_list *list, struct co *co)
{
    co->next_ready = NULL;
    *list->last = co;
    list->last = &co->next_ready;
}

void co_make_ready(struct co *co)
{
    struct co_scheduler *scheduler = co->scheduler;
    if (co->state != CO_PARKED)
        return;
    co->state = CO_READY;
    if (co != &scheduler->root)
        push(&scheduler->ready, co);
    co_scheduler_stir(scheduler);
}

void co_give_turn(void)
{
    struct co *self = running;
    if (self == &self->scheduler->root) {
        co_scheduler_turn(self->scheduler);
        return;
    }
    self->state = CO_READY;
    push(&self->scheduler->later, self);
    co_scheduler_stir(self->scheduler);
    suspend(self);
}

void co_wake(struct co *co)
{
    co->permit = true;
    co_make_ready(co);
}
