/* redis_fifo.c: a ring of expected replies. It doubles when full and never shrinks: its peak is one turn's
 * commands. */
#include "broker/redis_fifo.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 64

void redis_fifo_fini(struct redis_fifo *fifo)
{
    free(fifo->ring);
    *fifo = (struct redis_fifo){0};
}

static bool grow(struct redis_fifo *fifo)
{
    size_t size = fifo->size ? fifo->size * 2 : FIRST_SIZE;
    struct redis_expect *ring = malloc(size * sizeof *ring);
    if (!ring)
        return false;
    size_t first = fifo->size - fifo->head; /* it is full: up to the old ring's end, then what had wrapped */
    if (fifo->count) {
        memcpy(ring, fifo->ring + fifo->head, first * sizeof *ring);
        memcpy(ring + first, fifo->ring, (fifo->count - first) * sizeof *ring);
    }
    free(fifo->ring);
    fifo->ring = ring;
    fifo->size = size;
    fifo->head = 0;
    return true;
}

bool redis_fifo_push(struct redis_fifo *fifo, const struct redis_expect *expect)
{
    if (fifo->count == fifo->size && !grow(fifo))
        return false;
    fifo->ring[(fifo->head + fifo->count) & (fifo->size - 1)] = *expect;
    fifo->count++;
    return true;
}

const struct redis_expect *redis_fifo_head(const struct redis_fifo *fifo)
{
    return fifo->count ? &fifo->ring[fifo->head] : NULL;
}

bool redis_fifo_pop(struct redis_fifo *fifo, struct redis_expect *out)
{
    if (!fifo->count)
        return false;
    *out = fifo->ring[fifo->head];
    fifo->head = (fifo->head + 1) & (fifo->size - 1);
    fifo->count--;
    return true;
}
