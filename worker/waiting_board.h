/* waiting_board.h: which children wait for tasks that their task has called. Shared memory, one bit per
 * child.
 *
 * A child counts itself in before it waits and out after; the parent counts out a child that died. A bit
 * belongs to one child, so nothing can be counted twice, and a death leaves nothing behind. The number is the
 * number of bits. */
#ifndef WORKER_WAITING_BOARD_H
#define WORKER_WAITING_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define WAITING_BOARD_SLOTS 1024

struct waiting_board {
    _Alignas(64) _Atomic uint32_t most; /* how many may wait at once; the parent's */
    _Alignas(64) _Atomic uint64_t bits[WAITING_BOARD_SLOTS / 64];
};

static inline uint32_t board_count(const struct waiting_board *board)
{
    uint32_t count = 0;
    for (int i = 0; i < WAITING_BOARD_SLOTS / 64; i++)
        count += (uint32_t)__builtin_popcountll(atomic_load(&board->bits[i]));
    return count;
}

/* False: as many as may wait do. Of those who enter at once and find too many, the last to step back sees
 * that there is room after all, and tries again; that they all step back over and over comes to an end. */
static inline bool board_enter(struct waiting_board *board, int slot)
{
    uint64_t bit = (uint64_t)1 << (slot % 64);
    for (int tries = 0; tries < 1000; tries++) {
        atomic_fetch_or(&board->bits[slot / 64], bit);
        if (board_count(board) <= atomic_load(&board->most))
            return true;
        atomic_fetch_and(&board->bits[slot / 64], ~bit);
        if (board_count(board) >= atomic_load(&board->most))
            return false;
    }
    return false;
}

static inline void board_leave(struct waiting_board *board, int slot)
{
    atomic_fetch_and(&board->bits[slot / 64], ~((uint64_t)1 << (slot % 64)));
}

static inline bool board_waits(const struct waiting_board *board, int slot)
{
    return atomic_load(&board->bits[slot / 64]) >> (slot % 64) & 1;
}

#endif
