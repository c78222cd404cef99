/* amqp_box.h: one queue of letters: an exchange, an exclusive queue bound to it, a consumer that acknowledges
 * nothing.
 *
 * A queue's name may be taken: by another worker of that name (405), or by what a Python worker left, which
 * is not exclusive (406) and goes away by itself within seconds. That is tried again for a second; then the
 * name gets a number. */
#ifndef BROKER_AMQP_BOX_H
#define BROKER_AMQP_BOX_H

#include "broker/amqp_conn.h"
#include "broker/mailbox.h"

struct amqp_box_form { /* how the boxes of one kind look */
    const char *exchange, *type;
    bool durable;           /* the exchange */
    const char *name;       /* of the queue, with %s for the box's name */
    const char *key;        /* the binding's; NULL: the box's name */
    int expires_ms, ttl_ms; /* the queue's */
};

struct amqp_box_events {
    void (*up)(void *self, const char *name);
    void (*letter)(void *self, const struct message *msg);
};

struct amqp_box {
    struct amqp_conn *conn;
    const struct amqp_box_form *form;
    const struct amqp_box_events *events;
    void *self;
    struct amqp_chan chan;
    char wanted[MAILBOX_NAME_MAX], name[MAILBOX_NAME_MAX + 16]; /* as asked for; as it is now */
    uint32_t number;                                            /* in `name`; 0: none */
    uint64_t taken_since;                                       /* loop time of the first refusal; 0: none */
    bool foreign_exchange; /* the exchange is there in another form than ours: it is not declared */
    bool up;
    uv_timer_t timer; /* the next attempt */
};

/* False: the name is too long. */
bool amqp_box_init(struct amqp_box *box, struct amqp_conn *conn, const struct amqp_box_form *form,
                   const char *name, const struct amqp_box_events *events, void *self);
/* The memory must live until `gone`. */
void amqp_box_fini(struct amqp_box *box, void (*gone)(uv_handle_t *timer));
/* The connection is up, or was lost. */
void amqp_box_open(struct amqp_box *box);
void amqp_box_down(struct amqp_box *box);
/* "worker@host" with number 2 is "worker-2@host"; without an @ it goes to the end. Pure. */
void amqp_box_number_name(char *out, size_t size, const char *name, uint32_t number);
/* Sends exchange.declare, not to be answered. */
void amqp_box_declare_exchange(struct amqp_chan *chan, const struct amqp_box_form *form);

#endif
