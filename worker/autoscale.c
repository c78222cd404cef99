/* autoscale.c: the decision of autoscale.h. Nothing here fails. */
#include "worker/autoscale.h"

#include <stdlib.h>

static int between(const struct autoscale *scale, uint32_t wanted)
{
    if (wanted > (uint32_t)scale->most)
        return scale->most;
    return wanted < (uint32_t)scale->least ? scale->least : (int)wanted;
}

int autoscale_decide(struct autoscale *scale, int slots, uint32_t in_hand, double now)
{
    if (in_hand > scale->peak)
        scale->peak = in_hand;
    int wanted = between(scale, in_hand);
    bool used = in_hand >= (uint32_t)slots;
    if (!used && now - scale->since < scale->idle && slots <= scale->most)
        return slots > scale->least ? slots : scale->least;
    if (!used)
        wanted = between(scale, scale->peak);
    scale->since = now;
    scale->peak = in_hand;
    return wanted;
}

static bool read_number(const char **text, int *number)
{
    char *end;
    long value = strtol(*text, &end, 10);
    bool good = end != *text && value >= 0 && value <= 1000000;
    *number = (int)value;
    *text = end;
    return good;
}

bool autoscale_read(const char *text, int limit, int *most, int *least)
{
    *least = 1;
    if (!read_number(&text, most) || (*text == ',' && (text++, !read_number(&text, least))))
        return false;
    return *text == '\0' && *least >= 1 && *least <= *most && *most <= limit;
}
