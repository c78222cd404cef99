/* amqp_consumers.h: the consuming connection of an AMQP transport.
 *
 * Each consumer has a channel of its own, so that its delivery tags, its "up to" acknowledgements and its
 * errors are its own. Whatever ends it from the other side, it comes back by itself. */
#ifndef BROKER_AMQP_CONSUMERS_H
#define BROKER_AMQP_CONSUMERS_H

#include "broker/amqp_errands.h"
#include "broker/amqp_tags.h"
#include "broker/transport.h"

struct amqp_consumers_events {
    void (*changed)(void *self, int code, const char *why); /* up or down */
    void (*ended)(void *self);                              /* after amqp_conn_close of `conn` */
};

struct amqp_consumer;

struct amqp_consumers {
    struct amqp_conn conn;
    struct amqp_errands errands;
    const struct amqp_consumers_events *events;
    const struct transport_events *owner_events; /* delivered, garbled, consuming, consumer_lost, cancelled */
    void *self, *owner;
    struct amqp_consumer **list; /* by number - 1; NULL: free */
    size_t list_size;
    uint32_t epoch;           /* the last one given out */
    size_t budget, unsettled; /* bytes */
    bool owner_paused, muted; /* muted: the transport is closing, nothing is delivered any more */
    int failure;
    struct turn_hook hook; /* tells the turn's settlements */
    uv_timer_t retry;
    uv_timer_t late; /* acknowledgements that wait for others do so no longer */
    void (*gone)(void *self);
    void *gone_self;
    int handles;
};

int amqp_consumers_init(struct amqp_consumers *consumers, const struct amqp_conn_options *options,
                        size_t budget, const struct amqp_consumers_events *events, void *self,
                        const struct transport_events *owner_events, void *owner);
void amqp_consumers_fini(struct amqp_consumers *consumers, void (*gone)(void *self), void *self);
/* Its number, or 0 without memory. */
uint32_t amqp_consumers_add(struct amqp_consumers *consumers, const char *queue,
                            const struct consume_options *options);
void amqp_consumers_cancel(struct amqp_consumers *consumers, uint32_t number);
void amqp_consumers_settle(struct amqp_consumers *consumers, struct tag tag, enum settle how);
/* Writes out all that was settled so far, instead of a little later with more. */
void amqp_consumers_tell(struct amqp_consumers *consumers);
void amqp_consumers_pause(struct amqp_consumers *consumers, bool paused);
enum transport_state amqp_consumers_state(const struct amqp_consumers *consumers);

#endif
