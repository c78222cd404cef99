/* redis_channels.h: the set of channels a connection is subscribed to, so that all can be subscribed again
 * after a reconnect and each is subscribed once. 100,000 of them are ordinary. */
#ifndef BROKER_REDIS_CHANNELS_H
#define BROKER_REDIS_CHANNELS_H

#include <umbel/value.h>

struct channel {
    uint32_t hash;
    uint32_t size;
    char name[]; /* NUL-terminated past its size */
};

struct redis_channels {
    struct channel **slots; /* open addressing, linear probing; NULL = free */
    size_t size;            /* a power of two, or 0 */
    size_t count;
};

/* A struct redis_channels of zeros is empty. A name is given in two pieces, so that nobody has to join them.
 */
void redis_channels_fini(struct redis_channels *set);
/* UMBEL_OK: added. UMBEL_ALREADY_DONE: it was there. UMBEL_NO_MEMORY. */
int redis_channels_add(struct redis_channels *set, umbel_str head, umbel_str tail);
/* false when it was not there. */
bool redis_channels_remove(struct redis_channels *set, umbel_str head, umbel_str tail);
/* Walks: start with *at = 0; {NULL, 0} at the end. */
umbel_str redis_channels_next(const struct redis_channels *set, size_t *at);

#endif
