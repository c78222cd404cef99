/* loop.h: libuv's loop plus one thing it lacks: hooks at the end of a turn.
 *
 * What one turn produced leaves in one write per connection: a producer marks its hook, and the hook runs
 * once just before the loop would wait. One loop belongs to one thread; only loop_wake may be called from
 * others. */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct turn_hook {
    void (*call)(void *self);
    void *self;
    struct turn_hook *next; /* in the list of marked hooks */
    bool marked;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_async_t async;
    struct turn_hook *first, **last;
    void (*woken)(void *self); /* runs on the loop's thread after loop_wake */
    void *woken_self;
};

/* The calling thread gives way: when it wakes it takes no core from a thread that is running (SCHED_BATCH,
 * which needs no privilege). On a machine with a free core nothing changes. On a full one the broker finishes
 * its turn first, and a wake-up of ours finds ten messages instead of one; docs/performance.md has the figures.
 * Threads and processes made later inherit it. Where it is forbidden, or somebody has chosen another policy,
 * nothing happens. */
void loop_give_way(void);

/* UMBEL_OK or UMBEL_SYSTEM. */
int loop_init(struct loop *loop);
/* Closes the loop; every other handle must have been closed before. Runs the loop until that is so. */
void loop_fini(struct loop *loop);
/* False: not done in that time, because the system looks up a name, which nothing can take back. Then the
 * loop's memory must stay until the process is over. */
bool loop_fini_within(struct loop *loop, double seconds);
/* Runs until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* From any thread, coalesced: `woken` runs once soon. */
void loop_on_wake(struct loop *loop, void (*woken)(void *self), void *self);
void loop_wake(struct loop *loop);
/* Asks for hook->call at the end of this turn; a hook marked while hooks run is run in the same pass. */
void loop_mark(struct loop *loop, struct turn_hook *hook);
/* Takes a mark back (its owner is about to die). */
void loop_unmark(struct loop *loop, struct turn_hook *hook);
/* Milliseconds of the turn's cached monotonic clock. */
static inline uint64_t loop_now(const struct loop *loop)
{
    return uv_now(&loop->uv);
}

#endif
