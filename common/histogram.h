/* histogram.h: how often something took how long, in fixed memory: 32 steps for each doubling of a
 * nanosecond, so a quantile is off by 3 % at most. Not locked. */
#ifndef COMMON_HISTOGRAM_H
#define COMMON_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_STEPS = 32, HISTOGRAM_BINS = HISTOGRAM_STEPS * 40 };

struct histogram {
    uint64_t count;
    uint64_t least, most; /* ns, exact */
    uint64_t bin[HISTOGRAM_BINS];
};

void histogram_init(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t ns);
/* What a share (0 to 1) of all stayed under, in ns; 0 when it is empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double share);

/* The rows of a chart: bounds of 10, 15, 20, 30, 50, 70, 100 ... that hold all that was counted. Answers how many rows, at
 * most `max`; what would be below the first is in it, what would be above the last too. */
struct histogram_row {
    uint64_t bound; /* ns: up to here */
    uint64_t count;
};
size_t histogram_rows(const struct histogram *histogram, struct histogram_row *rows, size_t max);

#endif
