/* amqp_errands.h: questions and orders about queues and exchanges, one at a time on a channel of their own.
 *
 * A wrong question (a queue that is not there) costs its channel; here that harms nobody: the channel is
 * opened again and the next errand goes on. Every errand is answered exactly once, never from inside the call
 * that asked. */
#ifndef BROKER_AMQP_ERRANDS_H
#define BROKER_AMQP_ERRANDS_H

#include "broker/amqp_conn.h"

enum amqp_errand_kind {
    ERRAND_COUNT,        /* how many messages are ready in queue `name`? */
    ERRAND_PURGE,        /* empty it; answers how many there were */
    ERRAND_ENSURE,       /* the queue is there, or is declared: durable, x-max-priority when `max_priority` */
    ERRAND_HAS_EXCHANGE, /* is exchange `name` there? */
    ERRAND_BIND_QUEUE,   /* bind queue `name` to exchange `source` with `key` */
    ERRAND_BIND_EXCHANGE, /* bind exchange `name` to exchange `source` with `key` */
    ERRAND_DELAY          /* declare the queues and exchanges of delayed delivery */
};

/* UMBEL_NOT_FOUND, UMBEL_CONFLICT, UMBEL_REFUSED, UMBEL_BROKER_AWAY, UMBEL_TIMEOUT. */
typedef void amqp_errand_done(void *self, uint64_t token, int code, uint64_t count, const char *why);

struct amqp_errand_order {
    enum amqp_errand_kind kind;
    umbel_str name, source, key;
    int max_priority;
    amqp_errand_done *done;
    void *self;
    uint64_t token;
};

struct amqp_errand;

struct amqp_errands {
    struct amqp_conn *conn;
    struct amqp_chan chan;
    struct amqp_errand *first, **last; /* the first is under way when `asked` */
    bool asked, declaring;             /* ENSURE: the second step */
    struct turn_hook hook;
    uv_timer_t timer;
    void (*gone)(void *self);
    void *gone_self;
};

void amqp_errands_init(struct amqp_errands *errands, struct amqp_conn *conn);
/* Answers what is waiting (UMBEL_BROKER_AWAY); the memory must live until `gone`. */
void amqp_errands_fini(struct amqp_errands *errands, void (*gone)(void *self), void *self);
/* Copies the order. UMBEL_OK, or UMBEL_NO_MEMORY: no answer will come. While the connection is down the
 * answer is UMBEL_BROKER_AWAY. */
int amqp_errands_ask(struct amqp_errands *errands, const struct amqp_errand_order *order);
/* The connection was lost. */
void amqp_errands_down(struct amqp_errands *errands);

#endif
