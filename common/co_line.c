/* co_line.c: see co_line.h. */
#include "common/co_line.h"

#include <umbel/error.h>

static void join(struct co_line *line, struct co_waiter *waiter)
{
    waiter->before = line->last;
    if (line->last)
        line->last->after = waiter;
    else
        line->first = waiter;
    line->last = waiter;
}

static void leave(struct co_line *line, struct co_waiter *waiter)
{
    if (waiter->before)
        waiter->before->after = waiter->after;
    else
        line->first = waiter->after;
    if (waiter->after)
        waiter->after->before = waiter->before;
    else
        line->last = waiter->before;
}

int co_line_wait(struct co_line *line, void *item, double deadline)
{
    struct co_waiter waiter = {.co = co_self(), .item = item};
    join(line, &waiter);
    while (!waiter.served) {
        if (co_park(deadline) == UMBEL_OK || waiter.served)
            continue;
        leave(line, &waiter);
        return UMBEL_TIMEOUT;
    }
    return waiter.code;
}

void *co_line_serve(struct co_line *line, int code)
{
    struct co_waiter *waiter = line->first;
    leave(line, waiter);
    waiter->served = true;
    waiter->code = code;
    co_wake(waiter->co);
    return waiter->item;
}

void co_line_serve_all(struct co_line *line, int code)
{
    while (line->first)
        co_line_serve(line, code);
}
