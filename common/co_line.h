/* co_line.h: coroutines of one thread that wait in line, first come, first served. What they wait for is
 * handed over: whoever serves the first settles its answer, so nobody can slip in before it. */
#ifndef COMMON_CO_LINE_H
#define COMMON_CO_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include "common/co.h"

/* In the frame of who waits. */
struct co_waiter {
    struct co *co;
    void *item; /* what is to be handed over, or where to */
    int code;
    bool served;
    struct co_waiter *before, *after;
};

struct co_line { /* all zero: empty */
    struct co_waiter *first, *last;
};

/* Parks until served: the code it was served with. UMBEL_TIMEOUT: it left the line. */
int co_line_wait(struct co_line *line, void *item, double deadline);
/* Serves the first, which must exist; answers its item, good until the next park. */
void *co_line_serve(struct co_line *line, int code);
void co_line_serve_all(struct co_line *line, int code);

#endif
