/* sqlite_queue.h: the database's side of a transport: publishing, giving, settling, in SQL. All on its
 * thread. */
#ifndef BROKER_SQLITE_QUEUE_H
#define BROKER_SQLITE_QUEUE_H

#include "broker/sqlite_store.h"
#include "broker/transport.h"

/* Kinds of notes, asked and answered. */
enum queue_note {
    QUEUE_PUBLISH =
        PORT_OWN_KINDS, /* texts queue, packed; number: priority; when: due. Answer: number: bytes */
    QUEUE_ACK,          /* number: message; token: bytes; consumer. No answer. */
    QUEUE_REQUEUE,
    QUEUE_CONSUME, /* text queue; number: prefetch; code: max_priority */
    QUEUE_CANCEL,
    QUEUE_COUNT, /* text queue; answer: number */
    QUEUE_PURGE,
    QUEUE_PAUSE, /* number: 0 or 1 */
    /* answers only */
    QUEUE_DELIVERED, /* texts packed, queue; number: message; consumer; code: redelivered */
    QUEUE_LOST       /* consumer */
};
enum queue_flag {
    QUEUE_CREATE = NOTE_OWN_FLAGS,
    QUEUE_EXCLUSIVE = NOTE_OWN_FLAGS * 2,
    QUEUE_LATER = NOTE_OWN_FLAGS * 4
};

struct sqlite_consumer {
    struct sqlite_consumer *next;
    struct sqlite_queue *queue; /* NULL: waits for it to exist */
    uint32_t number, prefetch, held, held_before;
    int max_priority;
    bool create, exclusive, ended, complained, fresh;
    char name[];
};

struct sqlite_queues { /* of one transport */
    int64_t owner;     /* our name in messages.owner */
    struct sqlite_consumer *consumers;
    size_t bytes, bytes_before, budget; /* unsettled */
    bool paused;
};

/* These are the functions of struct sqlite_port_ops, for a port whose `queues` are these. */
int sqlite_queues_join(struct sqlite_queues *queues, struct sqlite_port *port);
int sqlite_queues_write(struct sqlite_queues *queues, struct sqlite_port *port, const struct notes *notes,
                        const struct note *note);
int sqlite_queues_finish(struct sqlite_queues *queues, struct sqlite_port *port);
bool sqlite_queues_want(struct sqlite_queues *queues, struct sqlite_port *port);
void sqlite_queues_ended(struct sqlite_queues *queues, bool committed);
int sqlite_queues_read(struct sqlite_queues *queues, struct sqlite_port *port, const struct notes *notes,
                       const struct note *note);
void sqlite_queues_free(struct sqlite_queues *queues);

/* How many of `ready` messages a consumer with that much room takes at once, of `rivals` on the queue, itself
 * included: its share, so that a burst does not end up with whoever looked first. */
uint32_t sqlite_queues_share(uint64_t ready, uint32_t room, uint32_t rivals);

#endif
