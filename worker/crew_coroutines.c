/* crew_coroutines.c: members that are coroutines of the loop's thread. */
#include "worker/crew_parts.h"

static int coroutines_open(struct crew *crew)
{
    (void)crew;
    return UMBEL_NOT_SUPPORTED;
}

static int coroutines_call(struct crew *crew)
{
    (void)crew;
    return UMBEL_SYSTEM;
}

static void coroutines_interrupt(struct crew_seat *seat)
{
    (void)seat;
}

static bool coroutines_close(struct crew *crew, double seconds)
{
    (void)crew, (void)seconds;
    return true;
}

const struct crew_ops crew_coroutines_ops = {
    .name = "coroutines",
    .open = coroutines_open,
    .call = coroutines_call,
    .interrupt = coroutines_interrupt,
    .close = coroutines_close,
};
