/* board.h: what the tasks of one run do, counted exactly, in every process that runs them: a file that is
 * mapped (TREES_BOARD names it; without it nothing is counted). tests/nested/trees_test.py reads it. */
#ifndef BOARD_H
#define BOARD_H

#include <stdatomic.h>
#include <stdint.h>

struct board {
    _Atomic uint64_t now; /* tasks that have begun and not ended, above 32 bits; of these, those that wait */
    _Atomic uint32_t begun;   /* the most of the first there ever were */
    _Atomic uint32_t running; /* the most there were that did not wait */
    _Atomic uint32_t runs;    /* tasks that began */
};

void board_begin(void);
void board_end(void);
void board_wait(void);
void board_go_on(void);

#endif
