/* memory_hub.h: what memory://NAME names: queues and results that all transports and backends of one process
 * with that name share, from any loop and thread.
 *
 * A hub lives as long as somebody has it open. Its lock is held for a few list operations at a time and never
 * while a callback of an owner runs. */
#ifndef BROKER_MEMORY_HUB_H
#define BROKER_MEMORY_HUB_H

#include <pthread.h>
#include "broker/memory_queue.h"
#include "common/url.h"

/* One that has the hub open and wants to know of new queues. */
struct memory_member {
    struct memory_member *next;
    uv_async_t *wake;
};

struct memory_hub {
    pthread_mutex_t lock;
    struct memory_hub *next;
    unsigned users;
    struct table queues;                   /* of struct memory_queue */
    struct table results;                  /* of struct memory_result */
    struct table revoked;                  /* of struct memory_revoked */
    size_t sweep;                          /* where the search for expired results goes on */
    struct memory_result *oldest, *newest; /* of those that are terminal */
    size_t ended;                          /* how many those are */
    uint64_t numbers;                      /* of messages */
    struct memory_member *transports;
    struct memory_backend *backends;
    char name[];
};

/* The hub of a URL, made when it is the first to ask. NULL when memory is out. */
struct memory_hub *memory_hub_open(const struct url *url);
void memory_hub_close(struct memory_hub *hub);

static inline void memory_hub_lock(struct memory_hub *hub)
{
    pthread_mutex_lock(&hub->lock);
}
static inline void memory_hub_unlock(struct memory_hub *hub)
{
    pthread_mutex_unlock(&hub->lock);
}

/* The rest under the lock. */
struct memory_queue *memory_hub_queue(struct memory_hub *hub, umbel_str name);
/* Finds or makes it, and tells the transports that wait for it. NULL when memory is out. */
struct memory_queue *memory_hub_make_queue(struct memory_hub *hub, umbel_str name, int max_priority);
void memory_hub_wake(struct memory_hub *hub);

#endif
