/* unsettled.c: places that are reused, each with a count of its uses. */
#include "broker/unsettled.h"

#include <stdlib.h>

void unsettled_init(struct unsettled *unsettled)
{
    static uint32_t epochs; /* a number nobody else has; it carries no state */
    *unsettled = (struct unsettled){.epoch = __atomic_add_fetch(&epochs, 1, __ATOMIC_RELAXED)};
}

void unsettled_fini(struct unsettled *unsettled)
{
    free(unsettled->slots);
    unsettled->slots = NULL;
    unsettled->count = unsettled->first_free = 0;
}

static bool grow(struct unsettled *unsettled)
{
    uint32_t count = unsettled->count ? unsettled->count * 2 : 64;
    struct unsettled_slot *slots = realloc(unsettled->slots, count * sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t i = unsettled->count; i < count; i++)
        slots[i] = (struct unsettled_slot){.generation = 1, .next_free = i + 1};
    unsettled->slots = slots;
    unsettled->count = count;
    return true;
}

int unsettled_add(struct unsettled *unsettled, uint64_t id, uint32_t consumer, size_t size, struct tag *tag)
{
    if (unsettled->first_free == unsettled->count && !grow(unsettled))
        return UMBEL_NO_MEMORY;
    uint32_t place = unsettled->first_free;
    struct unsettled_slot *slot = &unsettled->slots[place];
    unsettled->first_free = slot->next_free;
    slot->id = id;
    slot->size = size;
    slot->consumer = consumer;
    slot->used = true;
    *tag = (struct tag){(uint64_t)slot->generation << 32 | place, unsettled->epoch, consumer};
    return UMBEL_OK;
}

bool unsettled_take(struct unsettled *unsettled, struct tag tag, struct unsettled_slot *slot)
{
    uint32_t place = (uint32_t)tag.number;
    if (tag.epoch != unsettled->epoch || place >= unsettled->count)
        return false;
    struct unsettled_slot *at = &unsettled->slots[place];
    if (!at->used || at->generation != tag.number >> 32)
        return false;
    *slot = *at;
    at->used = false;
    at->generation++;
    at->next_free = unsettled->first_free;
    unsettled->first_free = place;
    return true;
}
