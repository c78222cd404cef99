/* transport.h: the contract of everything that carries task messages: amqp, sqlite, memory.
 *
 * A transport belongs to one loop and one thread. Nothing here blocks. It connects and reconnects by itself
 * and, after each reconnect, restores what was declared: confirms, consumers. Every outcome arrives through
 * struct transport_events, on the loop's thread, never from inside the call that caused it.
 *
 * Guarantees an implementation gives, and tests/conformance checks:
 *   - every accepted transport_publish ends in exactly one `published`, even over a lost connection;
 *   - a delivery that was not settled is delivered again, marked redelivered, after the connection is lost or
 * closed;
 *   - settling a delivery of a lost connection does nothing (its tag carries the connection's epoch);
 *   - a message is delivered to one consumer at a time.
 * To add one: a file transport_<name>.c that ends in its table, and a row in transport.c. Read
 * transport_memory.c first. */
#ifndef BROKER_TRANSPORT_H
#define BROKER_TRANSPORT_H

#include "common/log.h"
#include "common/loop.h"
#include "common/message.h"
#include "common/url.h"

struct transport;

enum transport_state {
    TRANSPORT_CONNECTING,
    TRANSPORT_UP,
    TRANSPORT_BLOCKED, /* up, but the broker takes no publishes now (alarm); deliveries go on */
    TRANSPORT_FAILED   /* will not come up by itself: bad credentials, bad URL; `code` says which. It still
                          retries slowly. */
};

/* Names one delivery. Copy it freely. */
struct tag {
    uint64_t number;
    uint32_t epoch;    /* of the connection; a stale one is ignored */
    uint32_t consumer; /* which consumer brought it */
};

struct transport_events {
    void (*state)(void *self, enum transport_state state, int code, const char *why);
    /* The end of one publish. UMBEL_OK: confirmed (or written, for an unconfirmed one). UMBEL_UNROUTABLE,
     * UMBEL_REFUSED, UMBEL_CONFLICT; UMBEL_BROKER_AWAY: the connection was lost, it may or may not have
     * arrived; publish again with msg->republished set. */
    void (*published)(void *self, uint64_t token, int code, const char *why);
    /* A message. It is borrowed until the call returns; the tag must be settled sooner or later. */
    void (*delivered)(void *self, struct tag tag, const struct message *msg);
    /* A message that could not be taken apart (hostile headers). `msg` holds what could be read, the body
     * included. The tag must be settled: the owner parks it. */
    void (*garbled)(void *self, struct tag tag, const struct message *msg, const char *why);
    /* A consumer ended from the other side (queue deleted). The transport tries to restore it every second.
     */
    void (*consumer_lost)(void *self, uint32_t consumer, int code, const char *why);
    /* Every delivery of this consumer that is not settled is the broker's again, which may give it to others
     * by now: its tag is void. The state need not change with it, for more than one connection may stand
     * behind a transport. May be NULL. */
    void (*disowned)(void *self, uint32_t consumer);
    /* A consumer is consuming (again); after transport_cancel, `cancelled` comes once no further delivery of
     * it can. */
    void (*consuming)(void *self, uint32_t consumer, uint64_t waiting_messages);
    void (*cancelled)(void *self, uint32_t consumer);
    /* transport_publish answered UMBEL_BUSY before and there is room again. */
    void (*room)(void *self);
    /* The answer to transport_count and transport_purge. */
    void (*counted)(void *self, uint64_t token, int code, uint64_t messages, const char *why);
};

struct transport_options {
    const struct log *log;
    double connect_timeout; /* seconds for one attempt; 0 = 5 */
    double heartbeat;       /* seconds; 0 = 30 */
    size_t output_max;   /* bytes not yet taken by the broker before publish answers UMBEL_BUSY; 0 = 16 MiB */
    size_t input_budget; /* bytes of unsettled deliveries above which reading stops; 0 = 256 MiB */
    const char *client_name;         /* shown in the broker's list of connections; NULL = "umbel" */
    bool publish_only, consume_only; /* to open only the connection that is needed; default both */
};

enum publish_flags {
    PUBLISH_CREATE_QUEUE =
        1, /* declare msg->queue first (durable, no arguments) when it is not known to exist */
    PUBLISH_UNCONFIRMED = 2 /* no confirm is awaited; `published` comes once it is written */
};

enum settle {
    SETTLE_ACK,         /* told within 8 ms: the broker may be spared an acknowledgement for each */
    SETTLE_ACK_AT_ONCE, /* told with this turn: what follows must not happen twice */
    SETTLE_REQUEUE      /* likewise: others may want it */
};

struct consume_options {
    uint32_t prefetch; /* unsettled deliveries at most, >= 1 */
    bool create_queue; /* declare the queue when a passive look-up does not find it */
    bool exclusive;
    int max_priority; /* for a queue created here: x-max-priority; 0 = none */
    int priority;     /* of this consumer (x-priority); 0 = none */
};

struct transport_ops {
    const char *scheme; /* "amqp" */
    /* Opens; UMBEL_OK or UMBEL_BAD_URL, with `why`. `urls` are tried in order, one after another, on every
     * (re)connect. */
    int (*open)(struct transport **out, struct loop *loop, const struct url *urls, size_t url_count,
                const struct transport_options *options, const struct transport_events *events, void *self,
                const char **why);
    /* Sends msg->body with msg's headers to msg->queue, or to msg->exchange with msg->routing_key where
     * exchange is set. Everything is copied before it returns. `delay` seconds > 0 keeps it in the broker
     * until then. UMBEL_OK: `published` will come. UMBEL_BROKER_AWAY, UMBEL_BROKER_BLOCKED, UMBEL_BUSY,
     * UMBEL_TOO_LARGE: nothing was sent. */
    int (*publish)(struct transport *transport, const struct message *msg, double delay, int flags,
                   uint64_t token);
    /* Starts a consumer, now or when the connection comes up. Answers its number, > 0. Several may share a
     * queue. */
    uint32_t (*consume)(struct transport *transport, const char *queue,
                        const struct consume_options *options);
    /* Ends a consumer; its unsettled deliveries stay with the owner, who settles them. */
    void (*cancel)(struct transport *transport, uint32_t consumer);
    /* Settles; settlements leave together (finished prefix as one multiple). Stale tags are ignored. */
    void (*settle)(struct transport *transport, struct tag tag, enum settle how);
    /* Messages ready in a queue; and emptying it. Answered by `counted`: UMBEL_NOT_FOUND when there is no
     * such queue. */
    void (*count)(struct transport *transport, const char *queue, uint64_t token);
    void (*purge)(struct transport *transport, const char *queue, uint64_t token);
    /* Stops reading deliveries (back-pressure), and goes on. */
    void (*pause)(struct transport *transport, bool paused);
    /* Writes out what is buffered (at most `grace` seconds), closes politely, then calls `closed`; the
     * transport is gone after that. Unsettled deliveries go back to the queue. Each publish not yet ended
     * gets its `published` (UMBEL_BROKER_AWAY) before. `closed` may be called before close returns. */
    void (*close)(struct transport *transport, double grace, void (*closed)(void *self), void *self);
};

/* Every implementation's struct begins with this. */
struct transport {
    const struct transport_ops *ops;
};

/* By the scheme of urls[0]; UMBEL_BAD_URL names the schemes there are. After a failure *out is NULL. */
int transport_open(struct transport **out, struct loop *loop, const char *urls,
                   const struct transport_options *options, const struct transport_events *events, void *self,
                   struct buffer *why);

#endif
