/* chunk.h: calls of one task on their way into one message: Celery's celery.starmap. */
#ifndef CLIENT_CHUNK_H
#define CLIENT_CHUNK_H

#include <umbel/client.h>
#include "common/buffer.h"
#include "common/codec.h"

#define CHUNK_TASK "celery.starmap"

struct umbel_chunk {
    umbel_client *client; /* counted */
    char *task;
    enum codec codec;
    struct buffer calls; /* the elements of the list, without its head and end */
    uint32_t count;
};

/* Appends the body of the message. UMBEL_OK, UMBEL_BAD_VALUE (the task's name is not UTF-8), UMBEL_NO_MEMORY.
 */
int chunk_write_body(const struct umbel_chunk *chunk, struct buffer *out);
/* Takes its calls away. */
void chunk_empty(struct umbel_chunk *chunk);

#endif
