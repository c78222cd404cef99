/* lookahead.c: the rule of lookahead.h. */
#include "worker/lookahead.h"

uint64_t lookahead_learn(uint64_t mean_ns, uint64_t sample_ns)
{
    if (mean_ns == LOOKAHEAD_UNKNOWN)
        return sample_ns;
    return mean_ns - mean_ns / 8 + sample_ns / 8;
}

uint64_t lookahead_cost(uint64_t mean_ns)
{
    return mean_ns < LOOKAHEAD_NS ? mean_ns : LOOKAHEAD_NS;
}

bool lookahead_allows(uint32_t max, uint32_t count, uint64_t queued_ns)
{
    return count == 0 || (count <= max && queued_ns < LOOKAHEAD_NS);
}

bool lookahead_packs(uint32_t max, uint32_t count, uint64_t queued_ns, uint64_t cost_ns)
{
    uint64_t work = queued_ns + cost_ns + (uint64_t)(count + 1) * LOOKAHEAD_JOB_NS;
    return count > 0 && count <= max && cost_ns < LOOKAHEAD_PACK_NS && work <= LOOKAHEAD_PACK_NS;
}

uint32_t lookahead_depth(uint32_t max, uint64_t mean_ns)
{
    if (mean_ns >= LOOKAHEAD_NS)
        return 0;
    uint64_t fits = LOOKAHEAD_NS / (mean_ns ? mean_ns : 1);
    return fits < max ? (uint32_t)fits : max;
}
