/* record.h: one task message on its way out, kept until the broker has confirmed it. */
#ifndef CLIENT_RECORD_H
#define CLIENT_RECORD_H

#include <umbel/client.h>
#include <umbel/executor.h>
#include "client/nested.h"
#include "common/arena.h"
#include "common/buffer.h"
#include "common/codec.h"
#include "common/message.h"

struct record {
    struct record *next;          /* in the list it is in: free, submitted, to be sent, settled */
    struct record *older, *newer; /* among all that are not settled; background thread */
    umbel_future *future;         /* counted */
    struct message msg;           /* points into `bytes`, `extras` and static text */
    struct buffer bytes;          /* the body, then the strings; kept when the record is used again */
    struct arena extras;          /* headers of the caller's own */
    uint64_t sequence;
    uint64_t deadline_ms; /* of being accepted, on the monotonic clock */
    double due;           /* when it may run, clock_mono; 0 = at once */
    size_t charge;        /* what it counts against the buffer's limit */
    int flags;            /* enum publish_flags */
    bool ignored;         /* its caller wants no result */
    bool sent;            /* the transport owes a `published` for it */
    bool given_up;        /* its future was told; only `published` is awaited */
};

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
/* Encodes a checked call. Everything is copied but the strings of the future, which it must outlive.
 * UMBEL_OK, UMBEL_BAD_VALUE, UMBEL_TOO_DEEP, UMBEL_TOO_LARGE (more than `max` bytes), UMBEL_NO_MEMORY. `wall`
 * and `mono` are now. */
int record_fill(struct record *record, const char *id, const char *task, const struct record_call *call,
                const umbel_submit_options *options, enum codec codec, size_t max, double wall, double mono);

/* Makes a filled record a call out of a task: whose it is. UMBEL_OK or UMBEL_NO_MEMORY. */
int record_descend(struct record *record, const struct nested_origin *origin);

#endif
