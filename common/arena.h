/* arena.h: memory that is given back all at once.
 *
 * One arena per decoded message: everything a decoder makes lives until arena_reset or arena_fini. Not locked. */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include <stddef.h>
#include <umbel/value.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunk; /* the one being filled; older ones hang behind it */
    size_t total;              /* bytes handed out since the last reset */
    size_t limit;              /* past it arena_alloc answers NULL; 0 = none */
};

void arena_init(struct arena *arena, size_t limit);
void arena_fini(struct arena *arena);
/* Forgets everything, keeps one chunk (at most 64 KiB) so that a steady state does not call malloc. */
void arena_reset(struct arena *arena);
/* `size` bytes, aligned for any type, not cleared; NULL when memory or the limit is out. */
void *arena_alloc(struct arena *arena, size_t size);
/* A NUL-terminated copy. */
char *arena_copy(struct arena *arena, const void *data, size_t size);
umbel_str arena_str(struct arena *arena, umbel_str text);

#endif
