/* redis_connection.h: one connection to Redis that logs in, pipelines, and comes back by itself.
 *
 * Caller's steps: redis_connection_new, redis_connection_start; when `up` came, redis_request + encode +
 * redis_sent as often as there is something to ask; redis_connection_free. Each request is answered exactly
 * once: by `reply` with Redis' reply, or with NULL when the connection was lost before. Nothing is called
 * back from inside a call.
 *
 * A subscriber uses redis_push for SUBSCRIBE and its like, which are not answered one by one, and a PING by
 * redis_request as a fence behind them. */
#ifndef BROKER_REDIS_CONNECTION_H
#define BROKER_REDIS_CONNECTION_H

#include "broker/redis_address.h"
#include "broker/redis_fifo.h"
#include "broker/resp.h"
#include "common/log.h"

struct redis_connection;

struct redis_connection_events {
    void (*up)(void *self);
    /* `reply` is borrowed, and NULL when it will never come. `expect` is what was given with the request. */
    void (*reply)(void *self, const struct redis_expect *expect, const struct resp_reply *reply);
    /* A subscriber got a message or a confirmation. Borrowed. NULL for connections that never subscribe. */
    void (*pushed)(void *self, const struct resp_reply *reply);
    /* Lost, or an attempt failed; `reply` was called for all that was outstanding. UMBEL_BACKEND_AWAY: it
     * comes back soon. UMBEL_AUTH, UMBEL_TLS, UMBEL_BAD_URL, UMBEL_BACKEND_REFUSED, UMBEL_PROTOCOL: only
     * after something is changed; it is tried every few seconds. */
    void (*down)(void *self, int code, const char *why);
};

struct redis_connection_options {
    const struct redis_address *address; /* must outlive the connection */
    const struct log *log;
    const char *role; /* "commands", for logs */
    double connect_timeout, request_timeout;
};

/* NULL when memory is out. */
struct redis_connection *redis_connection_new(struct loop *loop,
                                              const struct redis_connection_options *options,
                                              const struct redis_connection_events *events, void *self);
/* The first attempt. */
void redis_connection_start(struct redis_connection *conn);
/* Answers all that is outstanding with NULL, closes, and calls `gone` from the loop once nothing of it is
 * left. */
void redis_connection_free(struct redis_connection *conn, void (*gone)(void *self), void *self);

bool redis_connection_is_up(const struct redis_connection *conn);
/* Requests not yet answered. */
size_t redis_connection_outstanding(const struct redis_connection *conn);
/* Bytes Redis has not taken yet. */
size_t redis_connection_pending(const struct redis_connection *conn);

/* Where to encode one request whose reply will be called `expect`, to be followed by redis_sent. NULL when
 * not up or out of memory: then there will be no reply. */
struct buffer *redis_request(struct redis_connection *conn, const struct redis_expect *expect);
/* The same for what is answered by pushes only. */
struct buffer *redis_push(struct redis_connection *conn);
void redis_sent(struct redis_connection *conn);
/* Gives the connection up as useless, from inside `reply`, `pushed` or `up`; `down` follows at once. */
void redis_connection_drop(struct redis_connection *conn, int code, const char *why);

#endif
