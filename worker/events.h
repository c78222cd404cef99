/* events.h: what a worker tells monitors: that it lives, and, while somebody wants it, what becomes of tasks.
 *
 * The form is Celery's. Task events of a turn leave together, as one list. An event that cannot be sent at
 * once is lost: events are news, no record. */
#ifndef WORKER_EVENTS_H
#define WORKER_EVENTS_H

#include "broker/mailbox.h"
#include "worker/consumer.h"

struct events {
    struct loop *loop;
    const struct consumer *consumer;
    struct mailbox *mailbox; /* NULL: nothing is sent */
    const char *node;        /* borrowed; may change between two events */
    uint64_t *clock;         /* the worker's Lamport clock */
    double interval;         /* seconds between heartbeats; 0: no worker events at all */
    uv_timer_t beat;
    struct turn_hook hook;
    struct buffer batch, one; /* task events of this turn; a single event, or a text on its way into one */
    uint32_t count;           /* in `batch` */
    struct arena arena;       /* of one event's values */
};

void events_init(struct events *events, struct loop *loop, const struct consumer *consumer, const char *node,
                 uint64_t *clock, double interval);
void events_fini(struct events *events);
/* The mailbox is up: worker-online, and heartbeats from now on. */
void events_online(struct events *events, struct mailbox *mailbox);
void events_heartbeat(struct events *events);
/* What waits, then worker-offline; nothing after that. */
void events_offline(struct events *events);
/* As consumer_events.task. */
void events_task(struct events *events, enum task_news news, const struct request *req,
                 const struct verdict *verdict, const struct outcome *outcome);

#endif
