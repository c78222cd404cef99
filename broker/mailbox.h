/* mailbox.h: the contract of what carries control messages and events beside the tasks: amqp.
 *
 * A mailbox has a box, from which it reads letters, and lanes, on which it sends them. There are three kinds
 * of boxes: a worker's (every control request of the cluster comes in), a caller's (replies come in), and a
 * watcher's (events come in). Names and arguments of queues and exchanges are Celery's.
 *
 * Like a transport it belongs to one loop, never blocks, and connects and reconnects by itself. Letters are
 * hints, not tasks: they are not acknowledged, and what cannot be sent at once is lost, with a code that says
 * so. Nothing that happens here stops a task. To add one: a file mailbox_<name>.c that ends in its table, and
 * a row in mailbox.c. */
#ifndef BROKER_MAILBOX_H
#define BROKER_MAILBOX_H

#include "common/log.h"
#include "common/loop.h"
#include "common/message.h"
#include "common/url.h"

struct mailbox;

enum mailbox_kind {
    MAILBOX_NODE,   /* `name` is the node's; when it is taken, a number is put into it */
    MAILBOX_CALLER, /* `name` is the routing key of the replies */
    MAILBOX_WATCHER /* `name` is any that is unique */
};

enum mailbox_lane {
    MAILBOX_REQUESTS, /* to every worker; msg->exchange and routing_key are not looked at */
    MAILBOX_REPLIES,  /* to msg->exchange with msg->routing_key */
    MAILBOX_REPORTS   /* events, with msg->routing_key; the exchange is not looked at */
};
#define MAILBOX_LANES 3

#define MAILBOX_NAME_MAX 220
#define MAILBOX_REPLY_EXCHANGE "reply.celery.pidbox"

struct mailbox_events {
    /* The box is there under this name (borrowed), now or again; everything sent to it from now on is heard.
     */
    void (*up)(void *self, const char *name);
    /* The connection was lost, or an attempt failed; the next one is under way. */
    void (*down)(void *self, int code, const char *why);
    /* Borrowed until the call returns. Headers may be missing or make no sense: input is hostile. */
    void (*letter)(void *self, const struct message *msg);
};

struct mailbox_options {
    const struct log *log;
    enum mailbox_kind kind;
    const char *name;        /* copied */
    const char *client_name; /* copied; shown in the broker's list of connections */
    double connect_timeout;  /* 0 = 5 */
    double heartbeat;        /* 0 = 30 */
};

struct mailbox_ops {
    const char *scheme;
    int (*open)(struct mailbox **out, struct loop *loop, const struct url *urls, size_t count,
                const struct mailbox_options *options, const struct mailbox_events *events, void *self,
                const char **why);
    /* Sends a letter; copied. UMBEL_OK: it is on its way, perhaps. UMBEL_BROKER_AWAY, UMBEL_BROKER_BLOCKED,
     * UMBEL_BUSY, UMBEL_TOO_LARGE: it is lost. */
    int (*send)(struct mailbox *mailbox, enum mailbox_lane lane, const struct message *msg);
    /* Writes out what was sent (at most `grace` seconds), then calls `closed`; the mailbox is gone after
     * that.
     */
    void (*close)(struct mailbox *mailbox, double grace, void (*closed)(void *self), void *self);
};

struct mailbox {
    const struct mailbox_ops *ops;
};

/* By the scheme of the first URL. UMBEL_NOT_SUPPORTED: this broker has none; UMBEL_BAD_URL; with a sentence.
 */
int mailbox_open(struct mailbox **out, struct loop *loop, const char *urls,
                 const struct mailbox_options *options, const struct mailbox_events *events, void *self,
                 struct buffer *why);

#endif
