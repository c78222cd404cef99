/* bars.h: a histogram of times on a terminal, and as JSON. Part of the program: it prints. */
#ifndef CLIENT_BARS_H
#define CLIENT_BARS_H

#include <umbel/value.h>
#include "common/histogram.h"

/* "p50 0.31 ms, ..." and a bar for each row, on stdout. */
void bars_print(const struct histogram *histogram);
/* The same into a map: p50_ms, p90_ms, p99_ms, max_ms, and histogram, a list of [up to ms, count]. */
void bars_json(umbel_value *map, const struct histogram *histogram);

#endif
