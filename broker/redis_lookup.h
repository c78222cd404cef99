/* redis_lookup.h: the ids of one request, kept until its answer comes. One block of memory. */
#ifndef BROKER_REDIS_LOOKUP_H
#define BROKER_REDIS_LOOKUP_H

#include "broker/backend.h"
#include "broker/resp.h"

#define REDIS_LOOKUP_COUNT                                                                                   \
    64 /* ids of one MGET: results may be large, and others want to be served in between */

struct redis_lookup {
    uint64_t token;
    uint32_t count;
    umbel_str ids[];
};

/* Copies ids; NULL when memory is out. Free with free(). */
struct redis_lookup *redis_lookup_new(const umbel_str *ids, uint32_t count, uint64_t token);
void redis_lookup_write(const struct redis_lookup *lookup, struct buffer *out, umbel_str key_prefix);
/* Calls events->found for each id. `reply` is the MGET's, or NULL when none came: UMBEL_BACKEND_AWAY. */
void redis_lookup_answer(const struct redis_lookup *lookup, const struct resp_reply *reply,
                         const struct backend_events *events, void *self);

#endif
