/* redis_stores.c: see redis_stores.h. A batch is sent by the script's digest. When Redis has forgotten the
 * script, the same bytes are sent with its text; a batch is answered once, whatever happens. */
#include "broker/redis_stores.h"

#include "broker/redis_scripts.h"
#include "common/str.h"

void redis_stores_fini(struct redis_stores *stores)
{
    redis_batch_pool_fini(&stores->pool);
}

static void answered(struct redis_stores *stores, struct redis_batch *batch)
{
    stores->held -= redis_batch_bytes(batch);
    redis_batch_give(&stores->pool, batch);
}

static bool send_batch(struct redis_stores *stores, struct redis_batch *batch, uint32_t kind)
{
    bool again = kind == REDIS_EXPECT_STORE_AGAIN;
    struct buffer *out = redis_request(stores->conn, &(struct redis_expect){.kind = kind, .data = batch});
    if (!out)
        return false;
    redis_batch_write(batch, out, again ? "EVAL" : "EVALSHA", again ? redis_script_store : stores->digest,
                      stores->ttl);
    redis_sent(stores->conn);
    return true;
}

void redis_stores_send(struct redis_stores *stores)
{
    struct redis_batch *batch = stores->batch;
    stores->batch = NULL;
    if (!batch || send_batch(stores, batch, REDIS_EXPECT_STORE))
        return;
    for (uint32_t i = 0; i < batch->count; i++)
        stores->unsent(stores->owner, batch->tokens[i]);
    answered(stores, batch);
}

/* The batch that the next store goes into. */
static struct redis_batch *batch_for(struct redis_stores *stores, bool overwrite)
{
    struct redis_batch *batch = stores->batch;
    if (batch && (redis_batch_full(batch) || batch->overwrite != overwrite))
        redis_stores_send(stores);
    if (!stores->batch)
        stores->batch = redis_batch_take(&stores->pool, overwrite);
    return stores->batch;
}

static bool add(struct redis_stores *stores, const struct backend_store *store, uint64_t token)
{
    struct redis_batch *batch = NULL;
    if (stores->held < REDIS_HELD_MAX)
        batch = batch_for(stores, store->overwrite_terminal);
    if (!batch)
        return false;
    stores->held -= redis_batch_bytes(batch);
    bool added = redis_batch_add(batch, stores->key_prefix, stores->channel_prefix, store, token);
    stores->held += redis_batch_bytes(batch);
    return added;
}

void redis_stores_add(struct redis_stores *stores, const struct backend_store *store, uint64_t token)
{
    if (!add(stores, store, token))
        stores->unsent(stores->owner, token);
}

static void lost(struct redis_stores *stores, struct redis_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        stores->events->stored(stores->self, batch->tokens[i], UMBEL_BACKEND_AWAY,
                               "the connection to Redis was lost");
    answered(stores, batch);
}

static void judged(struct redis_stores *stores, struct redis_batch *batch, const struct resp_reply *reply)
{
    bool complains = reply->kind == RESP_STRING && reply->text.size > batch->count;
    if (complains)
        log_line(stores->log, UMBEL_WARNING, "redis", "%s", reply->text.data + batch->count);
    for (uint32_t i = 0; i < batch->count; i++) {
        const char *why;
        int code = redis_batch_verdict(reply, batch->count, i, &why);
        stores->events->stored(stores->self, batch->tokens[i], code, why);
    }
    answered(stores, batch);
}

void redis_stores_reply(struct redis_stores *stores, const struct redis_expect *expect,
                        const struct resp_reply *reply)
{
    struct redis_batch *batch = expect->data;
    if (!reply)
        lost(stores, batch);
    else if (expect->kind == REDIS_EXPECT_STORE && resp_is_error(reply, "NOSCRIPT") &&
             send_batch(stores, batch, REDIS_EXPECT_STORE_AGAIN))
        log_line(stores->log, UMBEL_INFO, "redis", "Redis has forgotten our script; it is sent again");
    else
        judged(stores, batch, reply);
}
