/* amqp_publisher.h: the publishing connection of an AMQP transport: confirms, returns, back-pressure. */
#ifndef BROKER_AMQP_PUBLISHER_H
#define BROKER_AMQP_PUBLISHER_H

#include "broker/amqp_confirms.h"
#include "broker/amqp_routes.h"
#include "broker/transport.h"

struct amqp_publisher_events {
    /* ready, blocked or down: ask amqp_publisher_state. */
    void (*changed)(void *self, int code, const char *why);
    void (*published)(void *self, uint64_t token, int code, const char *why);
    void (*room)(void *self);
    void (*idle)(void *self);  /* nothing is pending any more (said after each drain, when it is so) */
    void (*ended)(void *self); /* after amqp_conn_close of `conn` */
};

struct amqp_publisher {
    struct amqp_conn conn;
    struct amqp_errands errands;
    struct amqp_routes routes;
    const struct amqp_publisher_events *events;
    void *self;
    size_t output_max;
    struct amqp_chan confirmed, plain;
    struct amqp_confirms confirms;
    bool ready;        /* confirms are switched on */
    bool full;         /* UMBEL_BUSY was answered */
    int failure;       /* UMBEL_AUTH, UMBEL_TLS: why it is not coming up; 0 otherwise */
    uint64_t *written; /* tokens of unconfirmed publishes not written yet */
    size_t written_count, written_size;
    void (*gone)(void *self);
    void *gone_self;
    int handles;
};

int amqp_publisher_init(struct amqp_publisher *publisher, const struct amqp_conn_options *options,
                        size_t output_max, const struct amqp_publisher_events *events, void *self);
/* Answers what is pending with UMBEL_BROKER_AWAY; the memory must live until `gone`. */
void amqp_publisher_fini(struct amqp_publisher *publisher, void (*gone)(void *self), void *self);
int amqp_publisher_publish(struct amqp_publisher *publisher, const struct message *msg, double delay,
                           int flags, uint64_t token);
enum transport_state amqp_publisher_state(const struct amqp_publisher *publisher);
bool amqp_publisher_idle(const struct amqp_publisher *publisher);

#endif
