/* buffer.c: one block of memory that doubles; the taken front is reused before the block grows. */
#include "common/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_FIRST = 256, SIZE_KEPT = 256 * 1024 };

void buffer_init(struct buffer *buffer, size_t max)
{
    *buffer = (struct buffer){.max = max};
}

void buffer_fini(struct buffer *buffer)
{
    if (!buffer->lent)
        free(buffer->data);
    *buffer = (struct buffer){.max = buffer->max};
}

void buffer_clear(struct buffer *buffer)
{
    if (buffer->size > SIZE_KEPT)
        buffer_fini(buffer);
    buffer->start = buffer->end = 0;
    buffer->failed = false;
}

/* Moving is only worth it when at least half of what would be copied was taken: so each byte moves once on
 * average. */
static bool reclaim_front(struct buffer *buffer, size_t size)
{
    size_t length = buffer_length(buffer);
    if (buffer->start < length || buffer->size - length < size)
        return false;
    if (length)
        memmove(buffer->data, buffer_head(buffer), length);
    buffer->start = 0;
    buffer->end = length;
    return true;
}

static bool grow(struct buffer *buffer, size_t size)
{
    size_t need = buffer->end + size; /* cannot wrap: both are at most max, or of one block of memory */
    size_t wanted = buffer->size ? buffer->size : SIZE_FIRST;
    while (wanted < need)
        wanted = wanted > SIZE_MAX / 2 ? need : wanted * 2;
    uint8_t *data = realloc(buffer->lent ? NULL : buffer->data, wanted);
    if (!data)
        return false;
    if (buffer->lent)
        memcpy(data, buffer->data, buffer->end);
    buffer->data = data;
    buffer->size = wanted;
    buffer->lent = false;
    return true;
}

uint8_t *buffer_make_room(struct buffer *buffer, size_t size)
{
    if (buffer->failed)
        return NULL;
    size_t length = buffer_length(buffer);
    if (size > buffer->max || length > buffer->max - size || size > SIZE_MAX / 4) {
        buffer->failed = true;
        return NULL;
    }
    if (buffer->size - buffer->end < size || !buffer->data) {
        if (!reclaim_front(buffer, size) && !grow(buffer, size)) {
            buffer->failed = true;
            return NULL;
        }
    }
    return buffer->data + buffer->end;
}

void buffer_take(struct buffer *buffer, size_t size)
{
    buffer->start += size;
    if (buffer->start >= buffer->end)
        buffer->start = buffer->end = 0;
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    uint8_t *room = size < 0 ? NULL : buffer_room(buffer, (size_t)size + 1);
    if (room) {
        vsnprintf((char *)room, (size_t)size + 1, format, again);
        buffer->end += (size_t)size;
    } else {
        buffer->failed = true;
    }
    va_end(again);
}
