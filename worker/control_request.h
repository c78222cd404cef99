/* control_request.h: one control message, taken apart. Pure, and hostile input throughout. */
#ifndef WORKER_CONTROL_REQUEST_H
#define WORKER_CONTROL_REQUEST_H

#include "common/message.h"

#define CONTROL_BODY_MAX ((size_t)4 << 20)

struct control_request {
    umbel_str method;
    const umbel_value *arguments;   /* a map, or NULL */
    const umbel_value *destination; /* a list of node names, or NULL */
    umbel_str pattern, matcher;     /* empty: none */
    umbel_str ticket;
    umbel_str reply_exchange, reply_key; /* the key is empty when no reply is wanted */
    uint64_t clock;                      /* 0: not said, or not to be believed */
};

/* Everything lives in the arena or is borrowed from `msg`. UMBEL_OK, or UMBEL_BAD_MESSAGE with `why`
 * (static). */
int control_request_read(struct arena *arena, const struct message *msg, struct control_request *request,
                         const char **why);
/* Is it meant for the node of that name? */
bool control_request_concerns(const struct control_request *request, const char *node);
/* The shell's patterns as Python's fnmatch has them: * ? [abc] [!a-c]. Takes no longer than the product of
 * the two sizes. */
bool control_glob(umbel_str pattern, umbel_str name);
/* An extended regular expression that matches from the name's beginning; back references, counted repeats and
 * anything longer than 200 bytes match nothing, because they can take for ever. */
bool control_regex(umbel_str pattern, const char *name);

#endif
