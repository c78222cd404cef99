/* redis_channels.c: an open-addressing hash set of names. It is at most half full, and removing moves later
 * entries of the same run up, so there are no tombstones to grow old. Names come from this process (ids of
 * its own tasks and futures), so the hash needs no secret. */
#include "broker/redis_channels.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64

static uint32_t mix(uint32_t hash, umbel_str text)
{
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (uint8_t)text.data[i]) * 16777619u;
    return hash;
}

static uint32_t hash_of(umbel_str head, umbel_str tail)
{
    uint32_t hash = mix(mix(2166136261u, head), tail);
    return hash ^ hash >> 15;
}

static bool is_it(const struct channel *channel, uint32_t hash, umbel_str head, umbel_str tail)
{
    return channel->hash == hash && channel->size == head.size + tail.size &&
           (!head.size || memcmp(channel->name, head.data, head.size) == 0) &&
           (!tail.size || memcmp(channel->name + head.size, tail.data, tail.size) == 0);
}

/* The slot it is in, or the free one where it belongs. */
static size_t find(const struct redis_channels *set, uint32_t hash, umbel_str head, umbel_str tail)
{
    size_t at = hash & (set->size - 1);
    while (set->slots[at] && !is_it(set->slots[at], hash, head, tail))
        at = (at + 1) & (set->size - 1);
    return at;
}

static bool grow(struct redis_channels *set)
{
    struct redis_channels bigger = {.size = set->size ? set->size * 2 : FIRST_SIZE, .count = set->count};
    bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < set->size; i++) {
        struct channel *channel = set->slots[i];
        if (!channel)
            continue;
        size_t at = channel->hash & (bigger.size - 1);
        while (bigger.slots[at])
            at = (at + 1) & (bigger.size - 1);
        bigger.slots[at] = channel;
    }
    free(set->slots);
    *set = bigger;
    return true;
}

void redis_channels_fini(struct redis_channels *set)
{
    for (size_t i = 0; i < set->size; i++)
        free(set->slots[i]);
    free(set->slots);
    *set = (struct redis_channels){0};
}

static struct channel *channel_new(uint32_t hash, umbel_str head, umbel_str tail)
{
    struct channel *channel = malloc(sizeof *channel + head.size + tail.size + 1);
    if (!channel)
        return NULL;
    channel->hash = hash;
    channel->size = (uint32_t)(head.size + tail.size);
    if (head.size)
        memcpy(channel->name, head.data, head.size);
    if (tail.size)
        memcpy(channel->name + head.size, tail.data, tail.size);
    channel->name[channel->size] = '\0';
    return channel;
}

int redis_channels_add(struct redis_channels *set, umbel_str head, umbel_str tail)
{
    if (set->count * 2 >= set->size && !grow(set))
        return UMBEL_NO_MEMORY;
    uint32_t hash = hash_of(head, tail);
    size_t at = find(set, hash, head, tail);
    if (set->slots[at])
        return UMBEL_ALREADY_DONE;
    set->slots[at] = channel_new(hash, head, tail);
    if (!set->slots[at])
        return UMBEL_NO_MEMORY;
    set->count++;
    return UMBEL_OK;
}

/* Closes the gap at `at`: whoever probed past it moves into it. */
static void close_gap(struct redis_channels *set, size_t at)
{
    size_t mask = set->size - 1;
    for (size_t next = (at + 1) & mask; set->slots[next]; next = (next + 1) & mask) {
        size_t home = set->slots[next]->hash & mask;
        if (((next - home) & mask) < ((next - at) & mask))
            continue; /* its home lies behind the gap */
        set->slots[at] = set->slots[next];
        set->slots[next] = NULL;
        at = next;
    }
}

bool redis_channels_remove(struct redis_channels *set, umbel_str head, umbel_str tail)
{
    if (!set->count)
        return false;
    size_t at = find(set, hash_of(head, tail), head, tail);
    if (!set->slots[at])
        return false;
    free(set->slots[at]);
    set->slots[at] = NULL;
    set->count--;
    close_gap(set, at);
    return true;
}

umbel_str redis_channels_next(const struct redis_channels *set, size_t *at)
{
    while (*at < set->size) {
        const struct channel *channel = set->slots[(*at)++];
        if (channel)
            return (umbel_str){channel->name, channel->size};
    }
    return (umbel_str){NULL, 0};
}
