/* histogram.c: the bin of a number is its highest bit and the five bits behind it. */
#include "common/histogram.h"

#include <string.h>

void histogram_init(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
    histogram->least = UINT64_MAX;
}

static size_t bin_of(uint64_t ns)
{
    if (ns < HISTOGRAM_STEPS)
        return (size_t)ns;
    int shift = 63 - __builtin_clzll(ns) - 5;
    size_t bin = (size_t)(shift + 1) * HISTOGRAM_STEPS + (size_t)(ns >> shift) - HISTOGRAM_STEPS;
    return bin < HISTOGRAM_BINS ? bin : HISTOGRAM_BINS - 1;
}

/* The largest number of a bin. */
static uint64_t bin_end(size_t bin)
{
    if (bin < HISTOGRAM_STEPS)
        return bin;
    size_t shift = bin / HISTOGRAM_STEPS - 1;
    return ((uint64_t)(HISTOGRAM_STEPS + bin % HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    histogram->count++;
    histogram->bin[bin_of(ns)]++;
    if (ns < histogram->least)
        histogram->least = ns;
    if (ns > histogram->most)
        histogram->most = ns;
}

static uint64_t between(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)((double)histogram->count * share), seen = 0;
    if (histogram->count == 0)
        return 0;
    for (size_t i = 0; i < HISTOGRAM_BINS; i++) {
        seen += histogram->bin[i];
        if (seen > wanted)
            return between(bin_end(i), histogram->least, histogram->most);
    }
    return histogram->most;
}

/* 10, 15, 20, 30, 50, 70, 100 ... */
static uint64_t next_bound(uint64_t bound)
{
    static const uint8_t steps[] = {10, 15, 20, 30, 50, 70, 100};
    uint64_t unit = 1;
    size_t step = 0;
    while (bound / unit >= 100)
        unit *= 10;
    while (steps[step] < bound / unit)
        step++;
    return steps[step + 1] * unit;
}

static uint64_t first_bound(const struct histogram *histogram)
{
    uint64_t bound = 1000, low = histogram_quantile(histogram, 0.001);
    while (bound < low)
        bound = next_bound(bound);
    return bound;
}

size_t histogram_rows(const struct histogram *histogram, struct histogram_row *rows, size_t max)
{
    if (histogram->count == 0 || max == 0)
        return 0;
    rows[0] = (struct histogram_row){first_bound(histogram), 0};
    size_t row = 0;
    for (size_t i = 0; i < HISTOGRAM_BINS; i++) {
        if (histogram->bin[i] == 0)
            continue;
        for (; bin_end(i) > rows[row].bound && row + 1 < max; row++)
            rows[row + 1] = (struct histogram_row){next_bound(rows[row].bound), 0};
        rows[row].count += histogram->bin[i];
    }
    if (rows[row].bound < histogram->most)
        rows[row].bound = histogram->most;
    return row + 1;
}
