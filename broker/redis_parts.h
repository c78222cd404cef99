/* redis_parts.h: parts of results in Redis: a list beside the result, whose first element names the run. */
#ifndef BROKER_REDIS_PARTS_H
#define BROKER_REDIS_PARTS_H

#include "broker/backend.h"
#include "broker/resp.h"

struct redis_names {
    umbel_str results, parts, channels; /* prefixes */
    const char *ttl;                    /* milliseconds; "" = for ever */
};

/* One request: the part is kept and published, or not. */
void redis_part_write(struct buffer *out, const struct redis_names *names, const struct backend_part *part);
/* What the reply to that means; NULL: UMBEL_BACKEND_AWAY. */
int redis_part_verdict(const struct resp_reply *reply, const char **why);
/* One request: some parts from that number on. */
void redis_parts_ask(struct buffer *out, const struct redis_names *names, umbel_str id, uint32_t from);
/* One request: they are kept as long as a result that is stored now. */
void redis_parts_keep(struct buffer *out, const struct redis_names *names, umbel_str id);
/* Calls events->parts with what was answered; `reply` NULL: UMBEL_BACKEND_AWAY. */
void redis_parts_answer(const struct resp_reply *reply, uint64_t token, umbel_str id,
                        const struct backend_events *events, void *self);

#endif
