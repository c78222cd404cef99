/* co.h: coroutines with stacks of their own, on a libuv loop.
 *
 * A scheduler belongs to one thread and one loop. Its coroutines run on that thread, one at a time, between
 * two polls of the loop; each runs until it parks. So what they share among themselves needs no lock, and a
 * coroutine that computes for long holds up the others and the loop.
 *
 *     struct co_scheduler *scheduler = co_scheduler_new(&loop->uv);
 *     co_start(scheduler, 0, serve, self);           runs `serve(self)` in the loop's next turn
 *     ...
 *     co_scheduler_free(scheduler);                  when every coroutine has returned; then run the loop
 * once more
 *
 * Waiting is parking: a coroutine says where it can be found (a list, a field), and parks; whoever changes
 * what it waits for wakes it. A wake-up is a permit: one given before the park is not lost, and several count
 * as one. A park may end without reason, so look at the condition again:
 *
 *     while (!ready(thing))
 *         if (co_park(deadline))
 *             break;                                 UMBEL_TIMEOUT: take yourself off the list and give up
 *
 * Who parks with co_park is also ended by the limits that lie on it: its timeout scopes, and its owner's
 * limit and interruption (the task it belongs to). Then every further co_park answers UMBEL_TIMEOUT at once.
 */
#ifndef COMMON_CO_H
#define COMMON_CO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct co;
struct co_scheduler;

/* Of a coroutine that names no size. Memory is taken page by page, as deep as the coroutine really went. */
#define CO_STACK_SIZE (256u << 10)
/* For one that runs what was written for a thread's stack. */
#define CO_STACK_BIG (8u << 20)
#define CO_STACK_MIN (64u << 10)

/* ---- scheduler: all on its thread
 * ------------------------------------------------------------------------------- */

/* On a loop that this thread runs. NULL: out of memory or descriptors. The loop belongs to the caller and
 * must outlive it. Its handles keep the loop alive. */
struct co_scheduler *co_scheduler_new(uv_loop_t *loop);
/* UMBEL_BUSY while a coroutine has not returned: nothing was done. Otherwise its memory goes once the loop,
 * which must still turn, has closed its handles. Not from a coroutine. */
int co_scheduler_free(struct co_scheduler *scheduler);
/* Coroutines that have not returned. */
size_t co_scheduler_count(const struct co_scheduler *scheduler);
uv_loop_t *co_scheduler_loop(const struct co_scheduler *scheduler);

/* Runs run(self) on a stack of `stack_size` bytes (0 = CO_STACK_SIZE), from the loop's next turn on; the
 * scheduler forgets it when it returns. NULL: no memory for a stack. On the scheduler's thread only, from
 * anywhere there. */
struct co *co_start(struct co_scheduler *scheduler, size_t stack_size, void (*run)(void *self), void *self);

/* ---- the running one
 * -------------------------------------------------------------------------------------------- */

/* The coroutine that runs on this thread: one that was started, or the root of a thread that entered (below).
 * NULL where parking is impossible: a plain thread, a callback of the loop. */
struct co *co_self(void);
struct co_scheduler *co_scheduler_of(const struct co *co);
/* Gives the thread away until co_wake or `deadline` (clock_mono; INFINITY = none). UMBEL_OK: woken, perhaps
 * for nothing. UMBEL_TIMEOUT: the deadline, or a limit that lies on this coroutine, has passed. */
int co_park(double deadline);
/* The same, but only `deadline` counts: for what must be seen to its end although the task is over. */
int co_park_firmly(double deadline);
/* Lets the others and the loop have a turn; UMBEL_TIMEOUT as co_park(INFINITY) would. */
int co_pass(void);
/* UMBEL_OK once the time has come; UMBEL_TIMEOUT when a limit came first. */
int co_sleep_until(double deadline);

/* ---- waking
 * ----------------------------------------------------------------------------------------------------- */

/* On the scheduler's thread, from a coroutine or a callback of the loop. `co` has not returned. */
void co_wake(struct co *co);
/* From any thread. `co` has not returned and cannot meanwhile: it is found under a lock which it must take to
 * go off the list, and which the caller holds. */
void co_wake_from(struct co *co);
/* From any thread, or from a signal handler: every parked coroutine looks at its condition again. */
void co_poke(struct co_scheduler *scheduler);

/* ---- limits
 * ----------------------------------------------------------------------------------------------------- */

/* What coroutines belong to: all those of one task. In the caller's memory, set on the running coroutine by
 * co_own; one that is started by a coroutine inherits its owner. */
struct co_owner {
    bool (*interrupted)(void *self); /* asked before and after each park; NULL = never */
    void *self;
    double limit;      /* clock_mono; INFINITY = none */
    struct co *keeper; /* who called co_own */
    size_t others;     /* started under this owner and not returned */
    bool closing;      /* the others' waits end */
};
/* The running coroutine belongs to `owner` from now on. */
void co_own(struct co_owner *owner);
/* Ends the waits of all that were started under the owner, waits until they have returned, and frees the
 * running coroutine of its owner. By the keeper. */
void co_disown(struct co_owner *owner);
/* `self` of the running coroutine's owner; NULL: it has none, or nothing runs that could. */
void *co_owner_self(void);

/* From now on the waits of the running coroutine end at `deadline` at the latest. Answers what the limit was,
 * to be given to co_limit_restore; so limits nest. */
double co_limit_narrow(double deadline);
void co_limit_restore(double before);
/* The earliest of `deadline` and all limits of the running coroutine (`deadline` where there is none). */
double co_deadline(double deadline);
/* Every later co_park of `co` answers UMBEL_TIMEOUT. On its thread. */
void co_cancel(struct co *co);
bool co_is_cancelled(const struct co *co);
/* Would a co_park of the running coroutine answer UMBEL_TIMEOUT at once? */
bool co_stopping(void);

/* ---- a plain thread
 * --------------------------------------------------------------------------------------------- */

/* Makes the thread's own stack a coroutine, the root of a scheduler with a loop of its own: when the root
 * parks, that loop runs. Both are made at a thread's first call and kept until it ends. NULL: no memory or
 * descriptors. Not where co_self() is something already, nor from inside another scheduler's loop. */
struct co *co_thread_enter(void);
/* The thread is a plain one again. */
void co_thread_leave(void);

/* ---- overflow
 * --------------------------------------------------------------------------------------------------- */

/* For a handler of SIGSEGV, on the thread that got it: the size of the stack that the running coroutine has
 * overflowed by touching `address`; 0: it was something else. */
size_t co_overflow_at(const void *address);
/* This thread gets an alternate stack for signals, if it has none; nothing is done where it has. */
int co_overflow_thread(void);

#endif
