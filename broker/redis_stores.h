/* redis_stores.h: results on their way into Redis: the batch of this turn, and those that were sent and wait
 * for their answer. Part of backend_redis.c, which owns the connection. */
#ifndef BROKER_REDIS_STORES_H
#define BROKER_REDIS_STORES_H

#include "broker/redis_batch.h"
#include "broker/redis_connection.h"

#define REDIS_HELD_MAX ((size_t)32 << 20) /* bytes that wait for Redis before no more are taken */
#define REDIS_DIGEST_SIZE 40

/* Kinds of its requests; an owner's own begin behind them. */
enum { REDIS_EXPECT_STORE = 1, REDIS_EXPECT_STORE_AGAIN, REDIS_EXPECT_OTHERS };

struct redis_stores {
    /* Set by the owner, and constant. */
    struct redis_connection *conn;
    const struct backend_events *events; /* `stored` is called */
    void *self;
    const struct log *log;
    umbel_str key_prefix, channel_prefix;
    const char *ttl;
    /* Could not be sent: its answer, UMBEL_BACKEND_AWAY, must come from the loop. */
    void (*unsent)(void *owner, uint64_t token);
    void *owner;
    /* Ours. */
    char
        digest[REDIS_DIGEST_SIZE + 1]; /* of the script, as Redis told it; set by the owner at each connect */
    struct redis_batch *batch;         /* of this turn, or NULL */
    struct redis_batch_pool pool;
    size_t held; /* bytes in batches not yet answered */
};

void redis_stores_fini(struct redis_stores *stores);
/* Copies; redis_stores_send must follow before the turn ends. May send what is full. */
void redis_stores_add(struct redis_stores *stores, const struct backend_store *store, uint64_t token);
/* The turn's end, or something that must come behind them. */
void redis_stores_send(struct redis_stores *stores);
/* The reply to a request of ours, or NULL. */
void redis_stores_reply(struct redis_stores *stores, const struct redis_expect *expect,
                        const struct resp_reply *reply);

#endif
