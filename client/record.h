/* record.h: one submitted call on its way: what differs from call to call, and no more.
 *
 * A client may hold hundreds of thousands of them, so a call that wants nothing special is its body alone,
 * and one of usual size needs no memory of its own. The message is made when it is sent (record_message). */
#ifndef CLIENT_RECORD_H
#define CLIENT_RECORD_H

#include <umbel/client.h>
#include <umbel/executor.h>
#include "client/nested.h"
#include "common/arena.h"
#include "common/buffer.h"
#include "common/codec.h"
#include "common/message.h"

enum { RECORD_HERE = 112 };

struct record {
    struct record *next;          /* in the list it is in: free, submitted, to be sent, settled */
    struct record *older, *newer; /* among all that are not settled; background thread */
    umbel_future *future;         /* counted */
    uint64_t sequence;
    uint64_t deadline_ms; /* of being accepted, on the monotonic clock */
    double due;           /* when it may run, clock_mono; 0 = at once */
    size_t charge;        /* what it counts against the buffer's limit */
    struct buffer bytes;  /* the body, then what else the message has, packed; begins in `here` */
    size_t body_size;
    uint8_t flags;    /* enum publish_flags */
    uint8_t codec;    /* enum codec */
    uint8_t priority; /* this and the next two as in struct message */
    int8_t ignore_result;
    bool transient;
    bool chunk;       /* the body is a chunk's */
    bool republished; /* it was sent before and may have arrived */
    bool sent;        /* the transport owes a `published` for it */
    bool given_up;    /* its future was told; only `published` is awaited */
    uint8_t here[RECORD_HERE];
};

/* Its caller wants no result. */
static inline bool record_ignored(const struct record *record)
{
    return record->ignore_result == 1;
}
/* A new one, empty; NULL when memory is out. */
struct record *record_new(void);
void record_free(struct record *record);
/* Empties it for the next use, keeping a modest buffer. */
void record_clear(struct record *record);
/* What is wrong with the call before anything is encoded: NULL, or half a sentence. */
const char *record_check(const char *task, const umbel_submit_options *options);
/* What is called: one call, or a chunk of them. */
struct record_call {
    umbel_arguments arguments;
    const struct umbel_chunk *chunk; /* NULL: `arguments` count */
    umbel_function *function;  /* of umbel.function, where no header names it; NULL: a task's name does */
    const char *function_name; /* static text or NULL */
};
/* Appends the body of a call. As record_fill. */
int record_write_body(struct buffer *out, const struct record_call *call, enum codec codec, size_t max);
/* Encodes a checked call; everything is copied. `origin`: of the task that makes it, or NULL. UMBEL_OK,
 * UMBEL_BAD_VALUE, UMBEL_TOO_DEEP, UMBEL_TOO_LARGE (more than `max` bytes), UMBEL_NO_MEMORY. */
int record_fill(struct record *record, const struct record_call *call, const umbel_submit_options *options,
                const struct nested_origin *origin, enum codec codec, size_t max);
/* The message of a filled record that has its future, from both of which it borrows; headers of the caller's
 * own go into the arena. UMBEL_OK or UMBEL_NO_MEMORY. */
int record_message(const struct record *record, struct arena *arena, struct message *msg);

#endif
