/* message.h: a task message, Celery's protocol 2, taken apart as far as routing needs.
 *
 * The body stays bytes. Every umbel_str is borrowed from whoever made the message (a connection's buffer, an
 * arena, a row); message_copy makes it own its bytes. An absent or void header is {NULL, 0}. */
#ifndef COMMON_MESSAGE_H
#define COMMON_MESSAGE_H

#include "common/value.h"

struct message_header { /* a header that message.h has no field for; kept and sent on as it came */
    umbel_str name;
    umbel_value value;
};

enum { MESSAGE_TEXTS = 21 };

struct message {
    union {
        struct {
            umbel_str queue; /* where it was consumed, or is to be sent (anonymous exchange, key = queue) */
            umbel_str exchange, routing_key; /* as delivered, for logs and for retry */
            /* properties */
            umbel_str content_type, content_encoding, correlation_id, reply_to;
            /* headers of protocol 2; `task` is empty in a v1 or foreign message */
            umbel_str lang, task, id, root_id, parent_id, group, eta, expires, shadow, argsrepr, kwargsrepr,
                origin, compression;
            umbel_str body;
        };
        umbel_str
            texts[MESSAGE_TEXTS]; /* all of them. The order is the packed form's: new ones go to the end */
    };

    /* properties */
    int64_t expiration_ms; /* -1: none */
    uint8_t priority;
    bool transient; /* delivery mode 1 */
    bool redelivered;
    bool republished; /* our header `umbel-republished`: a client or worker sent it twice, it may have run */

    /* headers */
    int8_t ignore_result; /* -1 absent, 0, 1 */
    int32_t deaths;       /* our header `umbel-deaths` */
    int64_t retries;
    int64_t group_index;           /* -1: none */
    double hard_limit, soft_limit; /* 0: none */

    const struct message_header *extra;
    size_t extra_count;
};

void message_init(struct message *msg);
/* Copies everything borrowed into the arena. UMBEL_OK or UMBEL_NO_MEMORY. */
int message_copy(struct arena *arena, struct message *to, const struct message *from);
const umbel_value *message_extra(const struct message *msg, const char *name);
/* Keeps one header in an arena-owned list (replaces one of that name). */
int message_set_extra(struct arena *arena, struct message *msg, umbel_str name, const umbel_value *value);

/* A compact, versioned form of the whole message, for rows of a database and frames to children. Unpacking
 * borrows from `bytes` and puts extras into the arena; UMBEL_BAD_MESSAGE for anything not written by
 * message_pack. */
int message_pack(struct buffer *out, const struct message *msg);
/* A copy that is packed already: as message_copy (but without memory *to is void), and its texts lie (without
 * a NUL behind each) in *kept, which message_pack_kept makes the packed form of. Since then its flags and
 * extras may have changed, nothing else. */
int message_keep(struct arena *arena, struct message *to, const struct message *from, umbel_str *kept);
int message_pack_kept(struct buffer *out, const struct message *msg, umbel_str kept);
int message_unpack(struct arena *arena, umbel_str bytes, struct message *msg);
/* The delivery's shortest way to pass a header value of the wire into a message: known names fill their field
 * (checking kinds; a void leaves it absent), others become extras. UMBEL_BAD_MESSAGE when a known one has an
 * impossible kind. */
int message_read_header(struct arena *arena, struct message *msg, umbel_str name, const umbel_value *value);
/* Calls `emit` for every header that is not void or default, in a fixed order: what goes on the wire. */
typedef int message_emit(void *to, umbel_str name, const umbel_value *value);
int message_each_header(const struct message *msg, message_emit *emit, void *to);

#endif
