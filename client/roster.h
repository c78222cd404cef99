/* roster.h: the futures that wait for a result, by id. Several may wait for one id. Background thread only. */
#ifndef CLIENT_ROSTER_H
#define CLIENT_ROSTER_H

#include <umbel/client.h>

struct roster {
    umbel_future **buckets;
    size_t mask; /* buckets - 1 */
    size_t count;
};

/* UMBEL_OK or UMBEL_NO_MEMORY. */
int roster_init(struct roster *roster);
void roster_fini(struct roster *roster);
/* Never fails: when memory for more buckets is out, chains grow longer. future->hash is set here. */
void roster_add(struct roster *roster, umbel_future *future);
void roster_remove(struct roster *roster, umbel_future *future);
/* The first with that id, or the next one after `after`; NULL. */
umbel_future *roster_find(const struct roster *roster, umbel_str id, const umbel_future *after);
/* It is looked for soon. */
void roster_fetch(const struct roster *roster, const umbel_future *future);
/* Any one, for emptying it; NULL when empty. `from` is where to look on, 0 at first. */
umbel_future *roster_any(const struct roster *roster, size_t *from);

#endif
