/* memory_queue.h: a queue of the memory transport: messages by priority, delayed ones, consumers in turn.
 *
 * Everything here runs under the lock of the hub that the queue belongs to (memory_hub.h). */
#ifndef BROKER_MEMORY_QUEUE_H
#define BROKER_MEMORY_QUEUE_H

#include <stdbool.h>
#include <uv.h>
#include "broker/table.h"

struct memory_consumer;

struct memory_message {
    struct memory_message *prev, *next;
    struct memory_queue *queue;     /* whose it is; queues live as long as the hub */
    struct memory_consumer *holder; /* who has it while in an inbox or unsettled */
    uint64_t number;                /* order of arrival: a message handed back takes its old place */
    double due;                     /* monotonic; of a delayed one */
    uint8_t level;
    bool redelivered;
    size_t size;
    char packed[]; /* message_pack */
};

struct memory_list {
    struct memory_message *first, *last;
};

/* Where a transport receives. */
struct memory_inbox {
    struct memory_list list;
    size_t bytes;  /* in the list or delivered and not settled */
    size_t budget; /* no more are given above it */
    bool paused;
    uv_async_t *wake;
};

struct memory_consumer {
    struct memory_consumer *next;      /* of its transport */
    struct memory_consumer *next_here; /* of its queue */
    struct memory_queue *queue;        /* NULL: waits for it to exist, or ended */
    struct memory_inbox *inbox;
    uint32_t number, prefetch, held;
    int priority;
    bool exclusive;
};

struct memory_queue {
    struct table_node node;
    struct memory_list *levels; /* one per priority */
    int max_priority;
    size_t ready;
    struct memory_list delayed; /* by due */
    struct memory_consumer *consumers, *last_served;
};

void memory_list_append(struct memory_list *list, struct memory_message *msg);
void memory_list_remove(struct memory_list *list, struct memory_message *msg);

/* NULL when memory is out. */
struct memory_queue *memory_queue_new(umbel_str name, int max_priority);
void memory_queue_free(struct memory_queue *queue);
/* Takes the message: behind all others of its priority, or aside until it is due. */
void memory_queue_put(struct memory_queue *queue, struct memory_message *msg, uint8_t priority);
void memory_queue_delay(struct memory_queue *queue, struct memory_message *msg, uint8_t priority);
/* Takes it back to the place it had. */
void memory_queue_return(struct memory_queue *queue, struct memory_message *msg);
/* Moves what is due among the ready ones; answers the time of the next one, or infinity. */
double memory_queue_mature(struct memory_queue *queue, double now);
/* Gives ready messages to consumers that have room, highest consumer priority first, in turn among equals. */
void memory_queue_dispatch(struct memory_queue *queue);
/* Forgets the ready ones, answers how many they were. */
size_t memory_queue_purge(struct memory_queue *queue);
/* False when one of them wants the queue for itself alone. */
bool memory_queue_attach(struct memory_queue *queue, struct memory_consumer *consumer);
void memory_queue_detach(struct memory_consumer *consumer);

#endif
