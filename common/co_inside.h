/* co_inside.h: what the files of the coroutine runtime share. Everybody else uses co.h. */
#ifndef COMMON_CO_INSIDE_H
#define COMMON_CO_INSIDE_H

#include <stdatomic.h>
#include "common/co.h"
#include "common/co_fiber.h"
#include "common/co_heap.h"
#include "common/co_stack.h"
#include "common/co_switch.h"

enum co_state { CO_READY, CO_RUNNING, CO_PARKED, CO_RETURNED };

/* Two words that the C++ runtime keeps per thread for exceptions in flight; they belong to the stack that
 * threw. */
struct co_exceptions {
    void *caught;
    size_t uncaught;
};

/* Lies at the top of its own stack; the root's in its scheduler. */
struct co {
    struct co_context context;
    struct co_scheduler *scheduler;
    enum co_state state;
    bool permit;    /* woken since it last looked */
    bool cancelled; /* co_cancel */
    struct co *next_ready;
    double deadline;
    size_t heap_place; /* 0: not in the heap */
    struct co_owner *owner;
    double limit; /* co_limit_narrow */
    struct co_exceptions exceptions;

    struct co *next_far; /* woken from another thread; under the scheduler's lock */
    bool far;
    struct co *before, *after; /* all of the scheduler */

    struct co_fiber fiber;
    struct co_stack stack;
    void (*run)(void *self);
    void *self;
};

struct co_list {
    struct co *first, **last;
};

struct co_poller;

struct co_scheduler {
    uv_loop_t *loop;
    struct co_context home; /* the loop's stack */
    struct co_fiber home_fiber;
    struct co_exceptions home_exceptions;
    struct co_exceptions *exceptions; /* the thread's; NULL: no C++ here */
    struct co root;
    bool has_root;

    struct co_list ready;
    struct co_list later; /* ready in the next turn */
    struct co *all;
    size_t count;
    struct co *returned; /* its stack is to be given back */
    struct co_stacks stacks;
    struct co_heap heap;
    struct co_poller *poller; /* made at the first wait for a descriptor */
    int eager;                /* operations in a row that found the kernel ready */
    double armed;             /* what the timer is set to */

    uv_prepare_t prepare; /* runs who is ready, before the loop waits */
    uv_idle_t idle;       /* keeps it from waiting */
    uv_timer_t timer;
    uv_async_t async;
    int open_handles;
    bool closing;

    uv_mutex_t lock; /* of `far` */
    struct co *far;
    atomic_bool poked;
};

/* ---- co.c ---- */
void co_make_ready(struct co *co);
/* The running one goes behind everybody who is ready and one poll of the loop. */
void co_give_turn(void);
/* On the loop's stack: runs it until it parks or returns. */
void co_resume(struct co *co);
/* Who runs on this thread, for the scheduler's files. */
void co_set_self(struct co *co);

/* ---- co_poll.c ---- */
void co_poller_free(struct co_poller *poller);

/* ---- co_scheduler.c ---- */
/* The turn that is under way must not wait. */
void co_scheduler_stir(struct co_scheduler *scheduler);
/* The root parks: runs the loop until it is ready. */
void co_scheduler_run_root(struct co_scheduler *scheduler);
/* The root gives the others a turn: runs the loop once, without waiting. */
void co_scheduler_turn(struct co_scheduler *scheduler);
void co_scheduler_forget_far(struct co_scheduler *scheduler, struct co *co);

#endif
