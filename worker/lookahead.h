/* lookahead.h: how many jobs may wait inside a child behind the one that runs. Pure.
 *
 * Jobs handed over ahead save a round trip each, but one that waits behind a long job could have run
 * elsewhere. So what is handed over is bounded by time, not only by number: about a millisecond of work, as
 * learned per task. */
#ifndef WORKER_LOOKAHEAD_H
#define WORKER_LOOKAHEAD_H

#include <stdbool.h>
#include <stdint.h>

#define LOOKAHEAD_NS 1000000u         /* work that may be queued in one child */
#define LOOKAHEAD_OVERDUE_NS 2000000u /* a job that runs longer loses those behind it */
#define LOOKAHEAD_UNKNOWN UINT64_MAX
/* Work that a child which is awake does sooner than another one could be woken: two context switches, a write
 * and a read there and back. */
#define LOOKAHEAD_PACK_NS 50000u
#define LOOKAHEAD_JOB_NS 1000u /* decoding and encoding, which no run time shows */

/* The first four are asked for every job, some for every child: no calls. */

/* What a run teaches about the next: the first sample counts whole, later ones an eighth. */
static inline uint64_t lookahead_learn(uint64_t mean_ns, uint64_t sample_ns)
{
    if (mean_ns == LOOKAHEAD_UNKNOWN)
        return sample_ns;
    return mean_ns - mean_ns / 8 + sample_ns / 8;
}

/* What a job is taken to need before it has run. */
static inline uint64_t lookahead_cost(uint64_t mean_ns)
{
    return mean_ns < LOOKAHEAD_NS ? mean_ns : LOOKAHEAD_NS;
}

/* May one more be given to a child that has `count` jobs of together `queued_ns`? `max` waiting ones are
 * allowed. */
static inline bool lookahead_allows(uint32_t max, uint32_t count, uint64_t queued_ns)
{
    return count == 0 || (count <= max && queued_ns < LOOKAHEAD_NS);
}

/* Is a job of this cost better put behind `count` jobs of together `queued_ns` than given to an idle child?
 */
static inline bool lookahead_packs(uint32_t max, uint32_t count, uint64_t queued_ns, uint64_t cost_ns)
{
    uint64_t work = queued_ns + cost_ns + (uint64_t)(count + 1) * LOOKAHEAD_JOB_NS;
    return count > 0 && count <= max && cost_ns < LOOKAHEAD_PACK_NS && work <= LOOKAHEAD_PACK_NS;
}

/* How many may wait behind one job where all need `mean_ns`. */
uint32_t lookahead_depth(uint32_t max, uint64_t mean_ns);

#endif
