/* copies.c: see copies.h. */
#include "worker/copies.h"

#include <stdlib.h>
#include <string.h>
#include "common/hash.h"

#define BITS (1u << 20) /* 16 for each id: of a hundred unknown ones at most three are taken for known */
#define WORDS (BITS / 64)

void copies_init(struct copies *copies)
{
    *copies = (struct copies){.count = 0};
}

void copies_fini(struct copies *copies)
{
    free(copies->young);
    free(copies->old);
    copies_init(copies);
}

static bool allocate(struct copies *copies)
{
    copies->young = calloc(WORDS, sizeof *copies->young);
    copies->old = calloc(WORDS, sizeof *copies->old);
    if (!copies->young || !copies->old)
        copies_fini(copies);
    return copies_any(copies);
}

static void turn_old(struct copies *copies)
{
    uint64_t *forgotten = copies->old;
    copies->old = copies->young;
    copies->young = forgotten;
    memset(forgotten, 0, WORDS * sizeof *forgotten);
    copies->count = 0;
}

static void set(uint64_t *bits, uint32_t at)
{
    bits[at % BITS / 64] |= (uint64_t)1 << (at % 64);
}

static bool is_set(const uint64_t *bits, uint32_t at)
{
    return bits[at % BITS / 64] >> (at % 64) & 1;
}

void copies_add(struct copies *copies, umbel_str id)
{
    if (!copies_any(copies) && !allocate(copies))
        return;
    if (copies->count == COPIES_MAX)
        turn_old(copies);
    uint64_t hash = hash_name(id, 0);
    set(copies->young, (uint32_t)hash);
    set(copies->young, (uint32_t)(hash >> 32));
    copies->count++;
}

static bool holds(const uint64_t *bits, uint64_t hash)
{
    return is_set(bits, (uint32_t)hash) && is_set(bits, (uint32_t)(hash >> 32));
}

bool copies_holds(const struct copies *copies, umbel_str id)
{
    if (!copies_any(copies))
        return false;
    uint64_t hash = hash_name(id, 0);
    return holds(copies->young, hash) || holds(copies->old, hash);
}
