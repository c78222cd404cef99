/* buffer.h: bytes that grow at the end and are taken from the front, with a maximum they were born with.
 *
 * Failure is sticky: after running out of memory or past the maximum, `failed` is set, later appends do
 * nothing, and the owner checks once at the end. */
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <umbel/value.h>

struct buffer {
    uint8_t *data;
    size_t start; /* first byte not yet taken */
    size_t end;   /* one past the last byte */
    size_t size;  /* allocated */
    size_t max;
    bool failed;
    bool lent; /* `data` is not its own */
};

void buffer_init(struct buffer *buffer, size_t max);
/* One that begins in somebody's memory, which stays theirs, and goes on in its own where that is full. With
 * `max` = `size` it fails instead, and needs no buffer_fini. */
static inline void buffer_begin(struct buffer *buffer, void *memory, size_t size, size_t max)
{
    *buffer = (struct buffer){.data = (uint8_t *)memory, .size = size, .max = max, .lent = true};
}
void buffer_fini(struct buffer *buffer);
/* Forgets the content, keeps the memory up to 256 KiB. */
void buffer_clear(struct buffer *buffer);
static inline size_t buffer_length(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}
static inline uint8_t *buffer_head(const struct buffer *buffer)
{
    return buffer->data ? buffer->data + buffer->start : NULL;
}
/* Takes `size` bytes away from the front. */
void buffer_take(struct buffer *buffer, size_t size);
/* buffer_room where the block has to grow, or must not. */
uint8_t *buffer_make_room(struct buffer *buffer, size_t size);

/* The rest is written in pieces of a few bytes, dozens a task: no calls where there is room. */

/* Room for `size` bytes at the end, to be followed by buffer_grew; NULL (and failed) when there is none. */
static inline uint8_t *buffer_room(struct buffer *buffer, size_t size)
{
    if (buffer->size - buffer->end <= size || buffer->failed || buffer->max - buffer_length(buffer) < size)
        return buffer_make_room(buffer, size);
    return buffer->data + buffer->end;
}
static inline void buffer_grew(struct buffer *buffer, size_t size)
{
    buffer->end += size;
}
static inline void buffer_add(struct buffer *buffer, const void *data, size_t size)
{
    uint8_t *room = size ? buffer_room(buffer, size) : NULL;
    if (!room)
        return;
    memcpy(room, data, size);
    buffer->end += size;
}
static inline void buffer_byte(struct buffer *buffer, uint8_t byte)
{
    uint8_t *room = buffer_room(buffer, 1);
    if (!room)
        return;
    *room = byte;
    buffer->end++;
}
static inline void buffer_str(struct buffer *buffer, umbel_str text)
{
    buffer_add(buffer, text.data, text.size);
}
static inline void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}
/* Writes over what was appended before, `at` bytes behind the head: a size that was not known then. */
static inline void buffer_patch(struct buffer *buffer, size_t at, const void *data, size_t size)
{
    if (!buffer->failed)
        memcpy(buffer->data + buffer->start + at, data, size);
}
void buffer_format(struct buffer *buffer, const char *format, ...) UMBEL_PRINTF(2, 3);

#endif
