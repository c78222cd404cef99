/* lanes.h: which jobs may run beside which, where tasks call tasks and wait for them. Pure.
 *
 * A pool of concurrency n has n lanes. A job runs on a lane; when it waits for what it has called, its lane
 * may carry another job on top of it, but only one that is nested deeper. So
 *   - a lane is a stack of waiting jobs, each deeper than the one below: no more jobs wait than lanes times
 * the depth of the deepest call, however the calls arrive;
 *   - at most n jobs run that do not wait;
 *   - jobs that nobody called (depth 0) stand at the bottom: at most n of them are begun at once;
 *   - nothing stands still for ever: of all calls that have not begun, the deepest is deeper than every job
 * that waits for one of them, so where a lane's top waits, it may start there. When half of what may wait
 * does, only what is deeper than everything that waits is begun: the rest of the room is for one chain of
 * calls. docs/nesting.md has the reasoning. */
#ifndef WORKER_LANES_H
#define WORKER_LANES_H

#include <stdbool.h>

/* One that runs jobs, one after another; in memory of its owner's. */
struct lane_seat {
    struct lane_seat *below, *above;
    struct lane_seat *next, *prev; /* of all that are taken */
    int depth;                     /* of the job that runs here */
    bool taken, waits;
};

struct lanes {
    struct lane_seat *first;
    int width;   /* how many lanes */
    int stacks;  /* lanes in use */
    int waiting; /* seats whose job waits */
    int most;    /* that may wait, for the rule of the half; 0 = no such rule */
};

/* May a job of this depth begin on a seat of its own? On a free lane (*below NULL), or on top of *below. */
bool lanes_may_begin(const struct lanes *lanes, int depth, struct lane_seat **below);
/* May it go behind the job that runs on this seat? */
static inline bool lanes_may_follow(const struct lane_seat *seat, int depth)
{
    return !seat->waits && (!seat->below || seat->below->depth < depth);
}
/* The seat is taken by its first job, as lanes_may_begin has said. */
void lanes_take(struct lanes *lanes, struct lane_seat *seat, int depth, struct lane_seat *below);
/* No job is left there. Harmless when it is not taken. */
void lanes_leave(struct lanes *lanes, struct lane_seat *seat);
/* Its job, of this depth, begins to wait or goes on. */
void lanes_wait(struct lanes *lanes, struct lane_seat *seat, int depth, bool waits);

#endif
