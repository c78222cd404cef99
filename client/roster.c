/* roster.c: a chained hash table; links and hashes live in the futures. Ids are the caller's own: nobody
 * gains from collisions, so there is no seed. */
#include "client/roster.h"

#include <stdlib.h>
#include <string.h>
#include "client/future.h"
#include "common/hash.h"

enum { BUCKETS_FIRST = 256 };

int roster_init(struct roster *roster)
{
    *roster = (struct roster){.mask = BUCKETS_FIRST - 1};
    roster->buckets = calloc(BUCKETS_FIRST, sizeof *roster->buckets);
    return roster->buckets ? UMBEL_OK : UMBEL_NO_MEMORY;
}

void roster_fini(struct roster *roster)
{
    free(roster->buckets);
    roster->buckets = NULL;
}

static void grow(struct roster *roster)
{
    size_t mask = roster->mask * 2 + 1;
    umbel_future **buckets = calloc(mask + 1, sizeof *buckets);
    if (!buckets)
        return;
    for (size_t i = 0; i <= roster->mask; i++) {
        while (roster->buckets[i]) {
            umbel_future *future = roster->buckets[i];
            roster->buckets[i] = future->hash_next;
            future->hash_next = buckets[future->hash & mask];
            buckets[future->hash & mask] = future;
        }
    }
    free(roster->buckets);
    roster->buckets = buckets;
    roster->mask = mask;
}

void roster_add(struct roster *roster, umbel_future *future)
{
    if (roster->count > roster->mask / 4) /* what else is in the chain is in no cache either */
        grow(roster);
    future->hash = hash_name(str_of(future->id), 0);
    umbel_future **bucket = &roster->buckets[future->hash & roster->mask];
    future->hash_next = *bucket;
    *bucket = future;
    roster->count++;
}

void roster_remove(struct roster *roster, umbel_future *future)
{
    umbel_future **at = &roster->buckets[future->hash & roster->mask];
    while (*at && *at != future)
        at = &(*at)->hash_next;
    if (!*at)
        return;
    *at = future->hash_next;
    future->hash_next = NULL;
    roster->count--;
}

umbel_future *roster_find(const struct roster *roster, umbel_str id, const umbel_future *after)
{
    uint64_t hash = hash_name(id, 0);
    umbel_future *future = after ? after->hash_next : roster->buckets[hash & roster->mask];
    while (future && (future->hash != hash || !str_equal(str_of(future->id), id)))
        future = future->hash_next;
    return future;
}

void roster_fetch(const struct roster *roster, const umbel_future *future)
{
    __builtin_prefetch(&roster->buckets[future->hash & roster->mask], 1);
}

umbel_future *roster_any(const struct roster *roster, size_t *from)
{
    for (; *from <= roster->mask; (*from)++)
        if (roster->buckets[*from])
            return roster->buckets[*from];
    return NULL;
}
