/* redis_revoked.h: ids that are not to be run, as a sorted set in Redis: the score is when they run out. */
#ifndef BROKER_REDIS_REVOKED_H
#define BROKER_REDIS_REVOKED_H

#include "broker/backend.h"
#include "broker/resp.h"

/* One request: what has run out goes, what is over the maximum goes, these come. */
void redis_revoked_write(struct buffer *out, umbel_str key, const struct backend_revocation *list,
                         size_t count);
/* One request: which have not run out? */
void redis_revoked_ask(struct buffer *out, umbel_str key);
/* Calls events->revoked with what was answered; `reply` NULL: UMBEL_BACKEND_AWAY. */
void redis_revoked_answer(const struct resp_reply *reply, uint64_t token, const struct backend_events *events,
                          void *self);

#endif
