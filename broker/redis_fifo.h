/* redis_fifo.h: what the next replies of a pipelined connection are the answers to, oldest first. A ring that
 * grows. */
#ifndef BROKER_REDIS_FIFO_H
#define BROKER_REDIS_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_expect {
    uint32_t kind;     /* the owner's */
    uint32_t count;    /* the owner's */
    uint64_t token;    /* the owner's */
    void *data;        /* the owner's: taken back with the reply */
    uint64_t deadline; /* loop milliseconds past which the connection counts as dead */
};

struct redis_fifo {
    struct redis_expect *ring;
    size_t size; /* a power of two, or 0 */
    size_t head;
    size_t count;
};

/* A struct redis_fifo of zeros is empty. */
void redis_fifo_fini(struct redis_fifo *fifo);
/* false when memory is out. */
bool redis_fifo_push(struct redis_fifo *fifo, const struct redis_expect *expect);
/* The oldest, or NULL. */
const struct redis_expect *redis_fifo_head(const struct redis_fifo *fifo);
/* Takes the oldest; false when there is none. */
bool redis_fifo_pop(struct redis_fifo *fifo, struct redis_expect *out);

#endif
