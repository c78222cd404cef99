/* spin.h: looking for a moment before going to sleep.
 *
 * A processor that sleeps takes 10 to 30 us to wake, more on a virtual machine, and a call that goes through
 * two or three threads pays that at each. Who looks instead keeps one processor awake, on which the others
 * then begin at once. It pays where the answer is a matter of microseconds, and only there: so it ends after
 * SPIN_NS, about what the sleeps would have cost, and when it has found nothing SPIN_MISSES times in a row
 * only one wait in SPIN_REST tries, until one finds something. Waiting for long tasks costs next to nothing.
 *
 * Threads may share one: then a count may be lost, which does no harm. */
#ifndef CLIENT_SPIN_H
#define CLIENT_SPIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SPIN_NS = 50000, SPIN_MISSES = 4, SPIN_REST = 16 };

/* Zeroed: it will be tried. */
struct spin {
    atomic_uint misses; /* in a row */
    atomic_uint rest;   /* so many waits do not try */
};

/* Is this wait one that tries? Then spin_tried follows. */
static inline bool spin_try(struct spin *spin)
{
    unsigned rest = atomic_load_explicit(&spin->rest, memory_order_relaxed);
    if (rest)
        atomic_store_explicit(&spin->rest, rest - 1, memory_order_relaxed);
    return rest == 0;
}

static inline void spin_tried(struct spin *spin, bool found)
{
    unsigned misses = found ? 0 : atomic_load_explicit(&spin->misses, memory_order_relaxed) + 1;
    atomic_store_explicit(&spin->misses, misses, memory_order_relaxed);
    if (misses >= SPIN_MISSES)
        atomic_store_explicit(&spin->rest, SPIN_REST - 1, memory_order_relaxed);
}

#endif
