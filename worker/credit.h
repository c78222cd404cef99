/* credit.h: how many unfinished deliveries a worker asks the broker for. Pure.
 *
 * A prefetch cannot be changed on a live consumer. Long tasks want few deliveries in hand (each one waits
 * while another worker may be free), short ones want many (the broker's round trip must not be felt). So each
 * queue has one base consumer for good, and a second one, the boost, while tasks are short. See docs on flow.
 */
#ifndef WORKER_CREDIT_H
#define WORKER_CREDIT_H

#include <stdbool.h>
#include <stdint.h>

#define CREDIT_BOOST 2000

struct credit {
    double mean;          /* of runtimes, seconds, recent ones weighing more */
    uint32_t samples;     /* finished so far, counted up to CREDIT_SAMPLES */
    double last_finished; /* monotonic seconds */
    double last_change;
    bool boosted;
};

struct credit_facts {
    double now;       /* monotonic seconds */
    uint32_t slots;   /* tasks that can run at once */
    uint32_t in_hand; /* the most deliveries that were unsettled at once since it was last asked */
    uint32_t base;    /* prefetch of all base consumers together */
    bool fixed;       /* a setting forbids the boost: --prefetch-multiplier, or priorities */
};

enum credit_action { CREDIT_KEEP, CREDIT_GROW, CREDIT_SHRINK };

/* Prefetch of a base consumer. `multiplier` as Celery's --prefetch-multiplier; 0 = slots and a few. */
uint32_t credit_base(uint32_t slots, uint32_t multiplier);
void credit_finished(struct credit *credit, double runtime, double now);
/* Asked a few times a second while deliveries are in hand. The caller carries it out and notes it with
 * credit_changed. */
enum credit_action credit_decide(const struct credit *credit, const struct credit_facts *facts);
void credit_changed(struct credit *credit, bool boosted, double now);

#endif
