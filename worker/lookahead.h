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

/* What a run teaches about the next: the first sample counts whole, later ones an eighth. */
uint64_t lookahead_learn(uint64_t mean_ns, uint64_t sample_ns);
/* What a job is taken to need before it has run. */
uint64_t lookahead_cost(uint64_t mean_ns);
/* May one more be given to a child that has `count` jobs of together `queued_ns`? `max` waiting ones are
 * allowed. */
bool lookahead_allows(uint32_t max, uint32_t count, uint64_t queued_ns);
/* Is a job of this cost better put behind `count` jobs of together `queued_ns` than given to an idle child?
 */
bool lookahead_packs(uint32_t max, uint32_t count, uint64_t queued_ns, uint64_t cost_ns);
/* How many may wait behind one job where all need `mean_ns`. */
uint32_t lookahead_depth(uint32_t max, uint64_t mean_ns);

#endif
