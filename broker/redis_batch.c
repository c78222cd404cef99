/* redis_batch.c: keys, payloads and channels are collected apart, because EVALSHA wants all keys first and
 * their number before them, which is known only when the turn ends.
 *
 * The results of a turn mostly go to one client. Its channel is one word then, which spares Redis an argument
 * a result; with the first result for another, all that came before get theirs, and it is a word for each. */
#include "broker/redis_batch.h"

#include <stdlib.h>

#include "common/str.h"

#define POOL_MAX 16
#define SHARED_SIZE_MAX 255 /* a longer channel would be long to repeat for each */

static void batch_free(struct redis_batch *batch)
{
    buffer_fini(&batch->keys);
    buffer_fini(&batch->payloads);
    buffer_fini(&batch->channels);
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
    buffer_init(&batch->payloads, SIZE_MAX / 8);
    buffer_init(&batch->channels, SIZE_MAX / 8);
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
        batch->count = batch->channel_words = 0;
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
    buffer_clear(&batch->payloads);
    buffer_clear(&batch->channels);
    batch->next = pool->first;
    pool->first = batch;
    pool->count++;
}

static bool is_shared(const struct redis_batch *batch, umbel_str channel)
{
    const struct buffer *word = &batch->channels;
    if (batch->channel_words != 1 || batch->channel_size != channel.size || channel.size > SHARED_SIZE_MAX)
        return false;
    const uint8_t *text =
        buffer_head(word) + buffer_length(word) - 2 - channel.size; /* before its line end */
    return channel.size == 0 || memcmp(text, channel.data, channel.size) == 0;
}

/* One word for each result there is, out of the one they share. */
static void spread(struct redis_batch *batch)
{
    size_t size = buffer_length(&batch->channels), more = batch->count - 1;
    uint8_t *at = more ? buffer_room(&batch->channels, more * size) : NULL;
    if (!at)
        return; /* nothing to do, or `failed` */
    for (size_t i = 0; i < more; i++)
        memcpy(at + i * size, buffer_head(&batch->channels), size);
    buffer_grew(&batch->channels, more * size);
}

static void add_channel(struct redis_batch *batch, umbel_str prefix, umbel_str channel)
{
    if (batch->channel_words == 1)
        spread(batch);
    resp_pair(&batch->channels, channel.size ? prefix : STR_NONE, channel);
}

bool redis_batch_add(struct redis_batch *batch, umbel_str key_prefix, umbel_str channel_prefix,
                     const struct backend_store *store, uint64_t token)
{
    struct buffer *keys = &batch->keys, *payloads = &batch->payloads, *channels = &batch->channels;
    size_t keys_end = keys->end, payloads_end = payloads->end, channels_end = channels->end;
    bool shared = is_shared(batch, store->reply_channel);
    resp_pair(keys, key_prefix, store->id);
    resp_word(payloads, store->payload);
    if (!shared)
        add_channel(batch, channel_prefix, store->reply_channel);
    if (keys->failed || payloads->failed || channels->failed) {
        keys->end = keys_end;
        payloads->end = payloads_end;
        channels->end = channels_end;
        keys->failed = payloads->failed = channels->failed = false;
        return false;
    }
    if (batch->count == 0)
        batch->channel_size = store->reply_channel.size;
    batch->tokens[batch->count++] = token;
    batch->channel_words = shared ? 1 : batch->count;
    return true;
}

size_t redis_batch_bytes(const struct redis_batch *batch)
{
    return buffer_length(&batch->keys) + buffer_length(&batch->payloads) + buffer_length(&batch->channels);
}

bool redis_batch_full(const struct redis_batch *batch)
{
    return batch->count == REDIS_BATCH_COUNT || redis_batch_bytes(batch) >= REDIS_BATCH_BYTES;
}

void redis_batch_write(const struct redis_batch *batch, struct buffer *out, const char *verb,
                       const char *script, const char *ttl)
{
    const struct buffer *keys = &batch->keys, *payloads = &batch->payloads, *channels = &batch->channels;
    resp_array(out, 5 + 2 * (size_t)batch->count + batch->channel_words);
    resp_word(out, str_of(verb));
    resp_word(out, str_of(script));
    resp_number(out, batch->count);
    buffer_add(out, buffer_head(keys), buffer_length(keys));
    resp_word(out, str_of(ttl));
    resp_word(out, batch->overwrite ? STR("1") : STR("0"));
    buffer_add(out, buffer_head(payloads), buffer_length(payloads));
    buffer_add(out, buffer_head(channels), buffer_length(channels));
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
