/* autoscale.h: how many tasks shall run at once, between two bounds, by what is in hand. The decision is
 * pure; the scaler at the end carries it out.
 *
 * Up at once, down late: a slot that is missing makes a task wait, an idle child costs a little memory. */
#ifndef WORKER_AUTOSCALE_H
#define WORKER_AUTOSCALE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct autoscale {
    int most, least; /* 1 <= least <= most; most 0: it is off */
    double idle;     /* seconds for which fewer would have done before it shrinks */
    double since;    /* monotonic: when all slots were last in use, or were made fewer */
    uint32_t peak;   /* the most that was in hand since then */
};

/* Asked about once a second: `slots` there are now, `in_hand` tasks run or could run. How many there shall
 * be. */
int autoscale_decide(struct autoscale *scale, int slots, uint32_t in_hand, double now);
/* "MAX,MIN" or "MAX" (MIN 1). False: it is neither, or not 1 <= MIN <= MAX <= limit. */
bool autoscale_read(const char *text, int limit, int *most, int *least);

/* ---- carried out on a worker ---- */

struct worker;

struct scaler {
    struct worker *worker;
    struct autoscale scale;
    uv_timer_t timer;
};

void scaler_init(struct scaler *scaler, struct worker *worker);
void scaler_fini(struct scaler *scaler);
/* New bounds, from now on. UMBEL_OK, UMBEL_BAD_ARGUMENT, or what the pool says when it must change at once.
 */
int scaler_set(struct scaler *scaler, int most, int least);

#endif
