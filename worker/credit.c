/* credit.c: the policy of credit.h. Between the two thresholds nothing changes, so a mixed load does not
 * flap. */
#include "worker/credit.h"

#define SAMPLES 16       /* finished tasks before a judgement */
#define GROW_BELOW 1.0   /* seconds in which a boost would be worked off */
#define SHRINK_ABOVE 2.0 /* likewise */
#define STALL 0.5        /* seconds without a finished task: they have turned long */
#define GROW_AGAIN 1.0   /* seconds between two changes, when growing */
#define FEW 4u
#define PREFETCH_MAX 65535u /* the wire's 16 bits */

uint32_t credit_base(uint32_t slots, uint32_t multiplier)
{
    uint64_t wanted =
        multiplier ? (uint64_t)slots * multiplier : (uint64_t)slots + (slots < FEW ? slots : FEW);
    if (wanted == 0)
        return 1;
    return wanted > PREFETCH_MAX ? PREFETCH_MAX : (uint32_t)wanted;
}

void credit_finished(struct credit *credit, double runtime, double now)
{
    if (credit->samples < SAMPLES)
        credit->samples++;
    credit->mean += (runtime - credit->mean) / credit->samples;
    credit->last_finished = now;
}

void credit_changed(struct credit *credit, bool boosted, double now)
{
    credit->boosted = boosted;
    credit->last_change = now;
}

/* Seconds in which the slots would work off one boost. */
static double drain_time(const struct credit *credit, uint32_t slots)
{
    return credit->mean * CREDIT_BOOST / (slots ? slots : 1);
}

static bool stalled(const struct credit *credit, const struct credit_facts *facts)
{
    return facts->in_hand > facts->slots && facts->now - credit->last_finished > STALL &&
           facts->now - credit->last_change > STALL;
}

enum credit_action credit_decide(const struct credit *credit, const struct credit_facts *facts)
{
    if (facts->fixed)
        return CREDIT_KEEP;
    double drain = drain_time(credit, facts->slots);
    if (credit->boosted)
        return drain > SHRINK_ABOVE || stalled(credit, facts) ? CREDIT_SHRINK : CREDIT_KEEP;
    bool known = credit->samples >= SAMPLES && facts->now - credit->last_finished < STALL;
    bool wanted = facts->in_hand + 1 >= facts->base; /* the base consumer is used up */
    bool settled = credit->last_change == 0 || facts->now - credit->last_change > GROW_AGAIN;
    return known && wanted && settled && drain < GROW_BELOW ? CREDIT_GROW : CREDIT_KEEP;
}
