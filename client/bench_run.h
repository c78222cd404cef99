/* bench_run.h: calls of one kind sent over and over, with so many outstanding, and how long each took. */
#ifndef CLIENT_BENCH_RUN_H
#define CLIENT_BENCH_RUN_H

#include <stdbool.h>
#include <umbel/client.h>
#include "common/histogram.h"

struct bench_plan {
    umbel_client *client;
    const char *task;
    umbel_arguments arguments;
    umbel_submit_options options;
    uint32_t chunk;    /* calls in one message; 1: each has its own */
    uint64_t messages; /* to be sent at most */
    uint64_t at_once;  /* outstanding at most */
    double seconds;    /* none is sent later than this; 0 = no limit */
    double patience;   /* without any answer for so long it gives up */
};

struct bench;

struct bench_result {
    uint64_t messages; /* answered */
    double seconds;    /* from the first to the last */
    struct histogram latency;
    umbel_future *failed; /* the first that failed or was not answered. NULL: all went well */
    struct bench *bench;
};

/* Blocks until all is answered, one has failed, or nothing was heard for `patience`. UMBEL_OK, UMBEL_TIMEOUT,
 * UMBEL_NO_MEMORY, or the code of the one that failed. What was stored under the ids is deleted. */
int bench_run(const struct bench_plan *plan, struct bench_result *result);
/* Only after umbel_close: until then a late answer may still be counted. */
void bench_result_fini(struct bench_result *result);

#endif
