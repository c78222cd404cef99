/* lanes.c: the rule of lanes.h. */
#include "worker/lanes.h"

#include <stddef.h>

static int deepest_waiting(const struct lanes *lanes)
{
    int deepest = -1;
    for (const struct lane_seat *seat = lanes->first; seat; seat = seat->next)
        if (seat->waits && seat->depth > deepest)
            deepest = seat->depth;
    return deepest;
}

/* The deepest top that waits and is less deep: the less deep ones are kept for those that fit nowhere else.
 */
static struct lane_seat *best_top(const struct lanes *lanes, int depth)
{
    struct lane_seat *best = NULL;
    for (struct lane_seat *seat = lanes->first; seat; seat = seat->next)
        if (seat->waits && !seat->above && seat->depth < depth && (!best || seat->depth > best->depth))
            best = seat;
    return best;
}

bool lanes_may_begin(const struct lanes *lanes, int depth, struct lane_seat **below)
{
    *below = NULL;
    if (lanes->waiting > 0) {
        bool crowded = lanes->most > 0 && lanes->waiting >= lanes->most / 2;
        if (crowded && depth <= deepest_waiting(lanes))
            return false;
        *below = best_top(lanes, depth);
    }
    return *below || lanes->stacks < lanes->width;
}

void lanes_take(struct lanes *lanes, struct lane_seat *seat, int depth, struct lane_seat *below)
{
    *seat = (struct lane_seat){.below = below, .next = lanes->first, .depth = depth, .taken = true};
    if (lanes->first)
        lanes->first->prev = seat;
    lanes->first = seat;
    if (below)
        below->above = seat;
    else
        lanes->stacks++;
}

void lanes_leave(struct lanes *lanes, struct lane_seat *seat)
{
    if (!seat->taken)
        return;
    lanes->waiting -= seat->waits;
    if (seat->below)
        seat->below->above = seat->above;
    else if (!seat->above)
        lanes->stacks--;
    if (seat->above)
        seat->above->below = seat->below;
    *(seat->prev ? &seat->prev->next : &lanes->first) = seat->next;
    if (seat->next)
        seat->next->prev = seat->prev;
    *seat = (struct lane_seat){0};
}

void lanes_wait(struct lanes *lanes, struct lane_seat *seat, int depth, bool waits)
{
    if (seat->waits != waits)
        lanes->waiting += waits ? 1 : -1;
    seat->waits = waits;
    seat->depth = depth;
}
