/* run_parts.c: see run_parts.h. Fails by memory only. */
#include "worker/run_parts.h"

#include <stdlib.h>
#include <string.h>
#include <umbel/error.h>
#include "common/uuid.h"

/* The digits of a UUID that carry no version. */
static void name_it(char name[RUN_NAME_SIZE])
{
    char uuid[UUID_SIZE];
    uuid_make(uuid);
    memcpy(name, uuid, 8);
    memcpy(name + 8, uuid + UUID_SIZE - 9, 8);
    name[RUN_NAME_SIZE - 1] = '\0';
}

void run_parts_init(struct run_parts *parts)
{
    *parts = (struct run_parts){.count = 0};
    parts->last = &parts->oldest;
    name_it(parts->name);
}

bool run_parts_add(struct run_parts *parts, umbel_str payload, uint64_t source, size_t taken)
{
    struct run_part *part = malloc(sizeof *part + payload.size);
    if (!part)
        return false;
    *part =
        (struct run_part){.source = source, .taken = taken, .payload = {(char *)(part + 1), payload.size}};
    memcpy(part + 1, payload.data, payload.size);
    *parts->last = part;
    parts->last = &part->next;
    if (!parts->unsent) {
        parts->unsent = part;
        parts->unsent_number = parts->count;
    }
    parts->count++;
    return true;
}

const struct run_part *run_parts_next(struct run_parts *parts, uint32_t *number)
{
    struct run_part *part = parts->unsent;
    if (!part || parts->failed || parts->superseded)
        return NULL;
    *number = parts->unsent_number++;
    parts->unsent = part->next;
    parts->under_way++;
    return part;
}

bool run_parts_answered(struct run_parts *parts, int code)
{
    parts->under_way--;
    if (code == UMBEL_ALREADY_DONE)
        parts->superseded = true;
    else if (code != UMBEL_OK)
        parts->failed = true;
    return code == UMBEL_OK && !parts->failed && !parts->superseded;
}

struct run_part *run_parts_take(struct run_parts *parts)
{
    struct run_part *part = parts->oldest;
    if (!part)
        return NULL;
    if (parts->unsent == part) {
        parts->unsent = part->next;
        parts->unsent_number++;
    }
    parts->oldest = part->next;
    if (!parts->oldest)
        parts->last = &parts->oldest;
    return part;
}

static uint32_t waiting(const struct run_parts *parts)
{
    uint32_t count = 0;
    for (const struct run_part *part = parts->oldest; part; part = part->next)
        count++;
    return count;
}

bool run_parts_again(struct run_parts *parts)
{
    if (!parts->failed || parts->under_way)
        return false;
    parts->failed = false;
    parts->unsent = parts->oldest;
    parts->unsent_number = parts->count - waiting(parts);
    return true;
}
