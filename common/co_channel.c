/* co_channel.c: see co_channel.h. Senders wait only while it is full and receivers only while it is empty, so
 * at most one of the two lines has somebody in it. */
#include "common/co_channel.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <umbel/error.h>
#include "common/co_line.h"

struct co_channel {
    size_t item_size, room;
    size_t first, count;
    struct co_line senders, receivers;
    bool closed;
    char items[];
};

struct co_channel *co_channel_new(size_t item_size, size_t room)
{
    size_t bytes;
    if (__builtin_mul_overflow(item_size, room, &bytes) || bytes > SIZE_MAX - sizeof(struct co_channel))
        return NULL;
    struct co_channel *channel = calloc(1, sizeof *channel + bytes);
    if (!channel)
        return NULL;
    channel->item_size = item_size;
    channel->room = room;
    return channel;
}

void co_channel_free(struct co_channel *channel)
{
    free(channel);
}

static void put(struct co_channel *channel, const void *item)
{
    size_t at = (channel->first + channel->count++) % channel->room;
    memcpy(channel->items + at * channel->item_size, item, channel->item_size);
}

static void take(struct co_channel *channel, void *item)
{
    memcpy(item, channel->items + channel->first * channel->item_size, channel->item_size);
    channel->first = (channel->first + 1) % channel->room;
    channel->count--;
}

int co_channel_send(struct co_channel *channel, const void *item, double deadline)
{
    if (channel->closed)
        return UMBEL_CLOSED;
    if (channel->receivers.first) {
        memcpy(co_line_serve(&channel->receivers, UMBEL_OK), item, channel->item_size);
        return UMBEL_OK;
    }
    if (channel->count == channel->room)
        return co_line_wait(&channel->senders, (void *)(uintptr_t)item, deadline);
    put(channel, item);
    return UMBEL_OK;
}

int co_channel_receive(struct co_channel *channel, void *item, double deadline)
{
    if (channel->count) {
        take(channel, item);
        if (channel->senders.first)
            put(channel, co_line_serve(&channel->senders, UMBEL_OK));
        return UMBEL_OK;
    }
    if (channel->senders.first) { /* without room */
        memcpy(item, co_line_serve(&channel->senders, UMBEL_OK), channel->item_size);
        return UMBEL_OK;
    }
    return channel->closed ? UMBEL_CLOSED : co_line_wait(&channel->receivers, item, deadline);
}

void co_channel_close(struct co_channel *channel)
{
    channel->closed = true;
    co_line_serve_all(&channel->senders, UMBEL_CLOSED);
    co_line_serve_all(&channel->receivers, UMBEL_CLOSED);
}
