/* arena.c: chunks that double in size, filled from the front.
 *
 * A request larger than the next chunk would be gets a chunk of its own size. Nothing fails but malloc and
 * the limit; both answer NULL and leave the arena usable. */
#include "common/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 16, CHUNK_FIRST = 4096 - 64, CHUNK_KEPT = 64 * 1024 };

struct arena_chunk {
    alignas(ALIGN) struct arena_chunk *older;
    size_t size, used; /* of data */
    alignas(ALIGN) char data[];
};

void arena_init(struct arena *arena, size_t limit)
{
    *arena = (struct arena){.limit = limit};
}

static void free_chunks(struct arena_chunk *chunk)
{
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
}

void arena_fini(struct arena *arena)
{
    free_chunks(arena->chunk);
    arena->chunk = NULL;
    arena->total = 0;
}

/* Chunks grow, so the newest that is small enough is the best to keep. */
void arena_reset(struct arena *arena)
{
    struct arena_chunk *kept = NULL;
    while (arena->chunk && !kept) {
        struct arena_chunk *chunk = arena->chunk;
        arena->chunk = chunk->older;
        if (chunk->size <= CHUNK_KEPT)
            kept = chunk;
        else
            free(chunk);
    }
    free_chunks(arena->chunk);
    if (kept) {
        kept->older = NULL;
        kept->used = 0;
    }
    arena->chunk = kept;
    arena->total = 0;
}

static void *take(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = arena->chunk;
    void *memory = chunk->data + chunk->used;
    chunk->used += size;
    arena->total += size;
    return memory;
}

/* Seldom, and out of line: arena_alloc is short without it. */
static __attribute__((noinline)) void *take_from_new_chunk(struct arena *arena, size_t size)
{
    size_t room = arena->chunk ? arena->chunk->size * 2 : CHUNK_FIRST;
    if (room > 1024 * 1024)
        room = 1024 * 1024;
    if (room < size)
        room = size;
    struct arena_chunk *chunk = malloc(sizeof *chunk + room);
    if (!chunk)
        return NULL;
    chunk->older = arena->chunk;
    chunk->size = room;
    chunk->used = 0;
    arena->chunk = chunk;
    return take(arena, size);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 4)
        return NULL;
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (arena->limit && (size > arena->limit || arena->total > arena->limit - size))
        return NULL;
    const struct arena_chunk *chunk = arena->chunk;
    if (!chunk || chunk->size - chunk->used < size)
        return take_from_new_chunk(arena, size);
    return take(arena, size);
}

char *arena_copy(struct arena *arena, const void *data, size_t size)
{
    char *copy = size < SIZE_MAX ? arena_alloc(arena, size + 1) : NULL;
    if (!copy)
        return NULL;
    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

umbel_str arena_str(struct arena *arena, umbel_str text)
{
    char *copy = arena_copy(arena, text.data, text.size);
    return (umbel_str){copy, copy ? text.size : 0};
}
