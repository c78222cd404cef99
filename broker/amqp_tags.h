/* amqp_tags.h: deliveries of one channel that are not settled yet, and how the settled ones are told to the
 * broker. Pure.
 *
 * An acknowledgement "up to" covers everything before it, also what still runs; so it is used for the
 * finished prefix only, and whatever finished out of order is acknowledged by itself. Each acknowledgement
 * costs the broker as much as a message, so a few may wait until one covers them. */
#ifndef BROKER_AMQP_TAGS_H
#define BROKER_AMQP_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amqp_tag_entry;

struct amqp_tags {
    struct amqp_tag_entry *ring;
    size_t size;          /* a power of two, or 0 */
    uint64_t first, next; /* the oldest not told to the broker; the number the next delivery must have */
    uint64_t *settled;    /* settled and not told, in the order of settling; as many as `size` fit */
    size_t settled_count;
    size_t open; /* delivered and not settled */
};

void amqp_tags_init(struct amqp_tags *tags);
void amqp_tags_fini(struct amqp_tags *tags);
/* A new channel: everything is forgotten, numbers begin at 1. */
void amqp_tags_restart(struct amqp_tags *tags);
/* False without memory or when the number is not the next one. `cost` is kept for amqp_tags_settle. */
bool amqp_tags_add(struct amqp_tags *tags, uint64_t number, size_t cost);
/* False when it is not open; else its cost. */
bool amqp_tags_settle(struct amqp_tags *tags, uint64_t number, bool requeue, size_t *cost);

struct amqp_settlement {
    uint64_t number;
    bool multiple, requeue;
};
/* Gives what was settled, shortest form first found, in an order the broker accepts. Up to `may_wait`
 * acknowledgements are kept for a later call; answers how many are. */
size_t amqp_tags_tell(struct amqp_tags *tags, size_t may_wait,
                      void (*tell)(void *self, struct amqp_settlement settlement), void *self);

#endif
