/* redis_batch.c: keys and arguments are collected apart, because EVALSHA wants all keys first and their
 * number before them, which is known only when the turn ends. */
#include "broker/redis_batch.h"

#include <stdlib.h>

#include "common/str.h"

#define POOL_MAX 16

static void batch_free(struct redis_batch *batch)
{
    buffer_fini(&batch->keys);
    buffer_fini(&batch->args);
    free(batch);
}

void redis_batch_pool_fini(struct redis_batch_pool *pool)
{
    for (struct redis_batch *batch; (batch = pool->first);) {
        pool->first = batch->next;
        batch_free(batch);
    }
    pool->count = 0;
}

static struct redis_batch *batch_new(void)
{
    struct redis_batch *batch = malloc(sizeof *batch);
    if (!batch)
        return NULL;
    buffer_init(&batch->keys, SIZE_MAX / 8);
    buffer_init(&batch->args, SIZE_MAX / 8);
    return batch;
}

struct redis_batch *redis_batch_take(struct redis_batch_pool *pool, bool overwrite)
{
    struct redis_batch *batch = pool->first;
    if (batch) {
        pool->first = batch->next;
        pool->count--;
    } else {
        batch = batch_new();
    }
    if (batch) {
        batch->next = NULL;
        batch->count = 0;
        batch->overwrite = overwrite;
    }
    return batch;
}

void redis_batch_give(struct redis_batch_pool *pool, struct redis_batch *batch)
{
    if (pool->count >= POOL_MAX) {
        batch_free(batch);
        return;
    }
    buffer_clear(&batch->keys);
    buffer_clear(&batch->args);
    batch->next = pool->first;
    pool->first = batch;
    pool->count++;
}

bool redis_batch_add(struct redis_batch *batch, umbel_str key_prefix, umbel_str channel_prefix,
                     const struct backend_store *store, uint64_t token)
{
    size_t keys_end = batch->keys.end, args_end = batch->args.end;
    resp_pair(&batch->keys, key_prefix, store->id);
    resp_word(&batch->args, store->payload);
    if (store->reply_channel.size)
        resp_pair(&batch->args, channel_prefix, store->reply_channel);
    else
        resp_word(&batch->args, STR_NONE);
    if (batch->keys.failed || batch->args.failed) {
        batch->keys.end = keys_end;
        batch->args.end = args_end;
        batch->keys.failed = batch->args.failed = false;
        return false;
    }
    batch->tokens[batch->count++] = token;
    return true;
}

size_t redis_batch_bytes(const struct redis_batch *batch)
{
    return buffer_length(&batch->keys) + buffer_length(&batch->args);
}

bool redis_batch_full(const struct redis_batch *batch)
{
    return batch->count == REDIS_BATCH_COUNT || redis_batch_bytes(batch) >= REDIS_BATCH_BYTES;
}

void redis_batch_write(const struct redis_batch *batch, struct buffer *out, const char *verb,
                       const char *script, const char *ttl)
{
    resp_array(out, 5 + 3 * (size_t)batch->count);
    resp_word(out, str_of(verb));
    resp_word(out, str_of(script));
    resp_number(out, batch->count);
    buffer_add(out, buffer_head(&batch->keys), buffer_length(&batch->keys));
    resp_word(out, str_of(ttl));
    resp_word(out, batch->overwrite ? STR("1") : STR("0"));
    buffer_add(out, buffer_head(&batch->args), buffer_length(&batch->args));
}

int redis_batch_verdict(const struct resp_reply *reply, uint32_t count, uint32_t index, const char **why)
{
    *why = "";
    if (reply->kind == RESP_ERROR) {
        *why = reply->text.data;
        return UMBEL_BACKEND_REFUSED;
    }
    if (reply->kind != RESP_STRING || reply->text.size < count) {
        *why = "Redis' answer to a store cannot be understood";
        return UMBEL_BACKEND_AWAY;
    }
    switch (reply->text.data[index]) {
    case '1':
        return UMBEL_OK;
    case '0':
        *why = "a terminal state is stored already";
        return UMBEL_ALREADY_DONE;
    default:
        *why = reply->text.data + count;
        return UMBEL_BACKEND_REFUSED;
    }
}
