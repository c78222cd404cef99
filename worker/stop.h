/* stop.h: how a worker stops.
 *
 * Warm, on the first SIGTERM or SIGINT: queues are no longer consumed, what has not started goes back, what
 * runs may end within the stop timeout and its results are stored. Cold, on the second one, on SIGQUIT or
 * when that time is over: children are killed and their tasks go back, within two seconds. Nothing is lost in
 * either; each step says what it did. */
#ifndef WORKER_STOP_H
#define WORKER_STOP_H

#include "common/loop.h"

struct worker;

enum stop_stage { STOP_NOT, STOP_WARM, STOP_COLD };

struct stop {
    struct worker *worker;
    enum stop_stage stage;
    int exit_code;
    uv_timer_t deadline;
};

void stop_init(struct stop *stop, struct worker *worker);
void stop_fini(struct stop *stop);
/* The next stage after the present one; `cause` for the log, NULL when it was told already. `exit_code` counts when it is the first request.
 */
void stop_request(struct stop *stop, const char *cause, int exit_code);
void stop_cold(struct stop *stop, const char *cause);
/* Facts. */
void stop_idle(struct stop *stop); /* nothing is in hand any more */

#endif
