/* clock.h: time, in one place so that tests can see it. Seconds are doubles, monotonic ones are for deadlines only. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <umbel/value.h>

double clock_now(void);       /* since the epoch */
uint64_t clock_mono_ns(void); /* since some start, never back */
static inline double clock_mono(void)
{
    return (double)clock_mono_ns() * 1e-9;
}
#define CLOCK_ISO_SIZE 40
/* "2026-11-21T09:11:35.050829" (naive UTC, as Celery 5.2's date_done) or with "+00:00" when `offset`. */
size_t clock_iso(char out[CLOCK_ISO_SIZE], double when, bool offset);
/* Parses ISO 8601 with offset, Z or naive (= UTC), with or without fraction. UMBEL_OK or UMBEL_BAD_VALUE. */
int clock_parse(umbel_str text, double *when);

#endif
