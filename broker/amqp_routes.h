/* amqp_routes.h: where a publish may not go before something is known or declared: a queue that is to be
 * created, a named exchange, a delayed target. Per connection; publishes to a place that is being prepared
 * are held, in order.
 *
 * Why exchanges: a publish to one that does not exist closes the channel, and with it every confirm that is
 * awaited. */
#ifndef BROKER_AMQP_ROUTES_H
#define BROKER_AMQP_ROUTES_H

#include "broker/amqp_errands.h"

struct amqp_route;

struct amqp_held {
    struct amqp_held *next;
    struct arena arena;
    struct message msg;
    double delay;
    int flags;
    uint64_t token;
};

struct amqp_routes_events {
    /* The place is prepared: send it. The holder is freed afterwards. */
    void (*send)(void *self, const struct amqp_held *held);
    /* It cannot be: the publish ends with this. */
    void (*refuse)(void *self, uint64_t token, int code, const char *why);
};

#define AMQP_ROUTES_BUCKETS 64

struct amqp_routes {
    struct amqp_errands *errands;
    const struct amqp_routes_events *events;
    void *self;
    struct amqp_route *buckets[AMQP_ROUTES_BUCKETS];
    size_t count;
    uint32_t life;     /* of the connection; answers to questions of the one before are ignored */
    bool delay_known;  /* the topology of delays is declared */
    size_t held_bytes; /* of bodies */
    size_t held_count;
};

void amqp_routes_init(struct amqp_routes *routes, struct amqp_errands *errands,
                      const struct amqp_routes_events *events, void *self);
/* The connection is gone, and with it what was known: every held publish is refused with UMBEL_BROKER_AWAY.
 */
void amqp_routes_down(struct amqp_routes *routes, const char *why);
/* UMBEL_OK: the message may be sent now. UMBEL_BUSY: it was copied and is held; `send` or `refuse` will come.
 * UMBEL_NO_MEMORY. */
int amqp_routes_pass(struct amqp_routes *routes, const struct message *msg, double delay, int flags,
                     uint64_t token);
/* What is not known any more, after the broker returned a message for it. */
void amqp_routes_forget_queue(struct amqp_routes *routes, umbel_str queue);

#endif
