/* unsettled.h: the deliveries of one transport that its owner has not settled, by tag.
 *
 * A tag names a place and how often that place was used before, so a tag that is stale, made up or settled
 * twice fits nothing. Not locked. */
#ifndef BROKER_UNSETTLED_H
#define BROKER_UNSETTLED_H

#include "broker/transport.h"

struct unsettled_slot {
    uint64_t id; /* the transport's own name of the message */
    size_t size; /* its bytes, for budgets */
    uint32_t consumer;
    uint32_t generation, next_free;
    bool used;
};

struct unsettled {
    struct unsettled_slot *slots;
    uint32_t count, first_free; /* first_free == count: none */
    uint32_t epoch;
};

/* Every opened one has an epoch of its own within the process. */
void unsettled_init(struct unsettled *unsettled);
void unsettled_fini(struct unsettled *unsettled);
/* UMBEL_OK or UMBEL_NO_MEMORY. */
int unsettled_add(struct unsettled *unsettled, uint64_t id, uint32_t consumer, size_t size, struct tag *tag);
/* Takes it out into *slot; false for a tag that fits nothing. */
bool unsettled_take(struct unsettled *unsettled, struct tag tag, struct unsettled_slot *slot);

#endif
