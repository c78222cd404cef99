/* lookahead.c: the rule of lookahead.h. */
#include "worker/lookahead.h"

uint32_t lookahead_depth(uint32_t max, uint64_t mean_ns)
{
    if (mean_ns >= LOOKAHEAD_NS)
        return 0;
    uint64_t fits = LOOKAHEAD_NS / (mean_ns ? mean_ns : 1);
    return fits < max ? (uint32_t)fits : max;
}
