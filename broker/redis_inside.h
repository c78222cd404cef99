/* redis_inside.h: the Redis backend, for the files that make it up. */
#ifndef BROKER_REDIS_INSIDE_H
#define BROKER_REDIS_INSIDE_H

#include "broker/backend.h"
#include "broker/redis_lookup.h"
#include "broker/redis_stores.h"
#include "broker/redis_subscription.h"

/* Kinds of requests besides the stores'; also what an answer that we owe is (struct redis.owed). */
enum {
    EXPECT_SCRIPT = REDIS_EXPECT_OTHERS,
    EXPECT_LOOKUP,
    EXPECT_PART,
    EXPECT_PARTS,
    EXPECT_BEGIN,
    EXPECT_REVOKED,
    EXPECT_NOTHING
};

struct redis {
    struct backend base;
    struct loop *loop;
    struct backend_events events;
    void *self;
    struct redis_address address;
    struct redis_connection_options connection;
    umbel_str prefix, key_prefix, mark_prefix, parts_prefix, revoked_key; /* in address.arena */
    char ttl[24];

    struct redis_connection *conn;
    struct redis_subscription *sub; /* NULL until somebody listens */
    bool ready;                     /* the connection is up and knows the script */
    enum backend_state told_state;
    int told_code; /* last state event; -1 = none */

    struct redis_stores stores;
    struct redis_fifo owed; /* answers to what could not be sent */
    uv_timer_t soon;        /* gives them */
    struct turn_hook hook;  /* sends the stores */

    bool closing, ended;
    uv_timer_t grace;
    int handles; /* to be gone before the memory may go */
    void (*closed)(void *self);
    void *closed_self;
};

/* Where the next command goes, behind this turn's stores; NULL: it cannot be sent now. redis_sent must
 * follow. */
struct buffer *redis_command(struct redis *r, const struct redis_expect *expect);
/* The answer to what could not be sent comes from the loop. */
void redis_owe(struct redis *r, uint32_t kind, uint64_t token, void *data);

/* ---- redis_beside.c: calls of the contract ---- */

void redis_add_part(struct backend *backend, const struct backend_part *part, uint64_t token);
void redis_read_parts(struct backend *backend, umbel_str id, uint32_t from, uint64_t token);
void redis_begin(struct backend *backend, umbel_str id, uint64_t token);
void redis_end_mark(struct backend *backend, umbel_str id);
void redis_forget(struct backend *backend, umbel_str id);
void redis_revoke(struct backend *backend, const struct backend_revocation *list, size_t count);
void redis_list_revoked(struct backend *backend, uint64_t token);
/* The parts of a result that is stored now are kept as long as it is. */
void redis_keep_parts(struct redis *r, umbel_str id);

/* ---- and what becomes of them; `reply` NULL: none came ---- */

void redis_on_part(struct redis *r, uint64_t token, const struct resp_reply *reply);
void redis_on_parts(struct redis *r, struct redis_lookup *asked, const struct resp_reply *reply);
void redis_on_begin(struct redis *r, uint64_t token, const struct resp_reply *reply);

#endif
