/* redis_batch.h: the results one turn stores, as one call of redis_script_store.
 *
 * Only a script is one step, and only one script for all sends a payload once and answers with one byte.
 * Instructions of Redis 7.0.15 a result, 26 together, counted by callgrind: SET NX and two PUBLISH as
 * commands 22,100; the script 30,700, and 32,200 when the results go to different channels. The batch keeps
 * its bytes until it is answered, so that it can be sent again when Redis has forgotten the script. */
#ifndef BROKER_REDIS_BATCH_H
#define BROKER_REDIS_BATCH_H

#include "broker/backend.h"
#include "broker/resp.h"

#define REDIS_BATCH_COUNT 200
#define REDIS_BATCH_BYTES ((size_t)128 * 1024) /* so that its buffers are kept (buffer_clear) */

struct redis_batch {
    struct redis_batch *next;
    struct buffer keys, payloads, channels; /* encoded words */
    uint32_t count;
    uint32_t channel_words; /* 1 while all results share one, then `count` */
    size_t channel_size;    /* of the first, without its prefix */
    bool overwrite;         /* replaces terminal states: the same for all of a batch */
    uint64_t tokens[REDIS_BATCH_COUNT];
};

/* Batches that were answered and wait for their next use. */
struct redis_batch_pool {
    struct redis_batch *first;
    uint32_t count;
};

void redis_batch_pool_fini(struct redis_batch_pool *pool);
/* An empty batch, or NULL when memory is out. */
struct redis_batch *redis_batch_take(struct redis_batch_pool *pool, bool overwrite);
void redis_batch_give(struct redis_batch_pool *pool, struct redis_batch *batch);

/* `key_prefix` goes before the id, `channel_prefix` (the same for all of a batch) before the reply channel.
 * false when memory is out: then the batch is as it was. There must be room: redis_batch_full was false. */
bool redis_batch_add(struct redis_batch *batch, umbel_str key_prefix, umbel_str channel_prefix,
                     const struct backend_store *store, uint64_t token);
bool redis_batch_full(const struct redis_batch *batch);
size_t redis_batch_bytes(const struct redis_batch *batch);
/* The whole request. `verb` is EVALSHA or EVAL, `script` the digest or the text, `ttl` milliseconds or "". */
void redis_batch_write(const struct redis_batch *batch, struct buffer *out, const char *verb,
                       const char *script, const char *ttl);
/* What Redis answered for result number `index` of `count`: a code for backend_events.stored. */
int redis_batch_verdict(const struct resp_reply *reply, uint32_t count, uint32_t index, const char **why);

#endif
