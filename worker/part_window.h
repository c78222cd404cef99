/* part_window.h: how many bytes of partial results may be between those who give them and the backend. Counts
 * up on both sides; what is between is the difference. Any thread. */
#ifndef WORKER_PART_WINDOW_H
#define WORKER_PART_WINDOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PART_WINDOW ((size_t)1 << 20)

/* Room for `size` more? One is always let in where none is between, however large. */
static inline bool part_window_enter(_Atomic uint64_t *given, const _Atomic uint64_t *taken, size_t size,
                                     size_t limit)
{
    uint64_t seen = atomic_load(given);
    do {
        uint64_t between = seen - atomic_load(taken);
        if (between && between + size > limit)
            return false;
    } while (!atomic_compare_exchange_weak(given, &seen, seen + size));
    return true;
}

#endif
