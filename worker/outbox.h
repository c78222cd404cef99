/* outbox.h: messages the worker itself sends (parked, retried, delayed, handed back), kept until the broker has confirmed them.
 *
 * Caller's steps: fill parcel->msg, delay and flags; outbox_post; keep everything the message borrows until `sent` is
 * called for it. The outbox tries for as long as it takes: over lost connections (the copy then says that it may be a second
 * one), blocked brokers and refusals, with a pause that grows to half a minute. Nothing is given up, because the original
 * is unacknowledged until `sent`: if the worker ends first, the broker still has it. */
#ifndef WORKER_OUTBOX_H
#define WORKER_OUTBOX_H

#include "broker/transport.h"

struct parcel {
    struct message msg;
    double due; /* monotonic seconds at which it may be delivered; 0 = at once */
    int flags;  /* PUBLISH_* */
    void *owner;
    int attempts;
    double next_try; /* monotonic seconds */
    bool on_the_way; /* the transport has it */
    struct parcel *next; /* of those that wait */
};

struct outbox {
    struct loop *loop;
    struct transport *transport;
    const struct log *log;
    struct parcel *waiting;
    size_t count; /* parcels not yet confirmed */
    bool up;      /* the transport takes publishes */
    uv_timer_t timer;
    void (*sent)(void *self, struct parcel *parcel);
    void *self;
};

/* What an answer of the transport means for a parcel. Pure. */
enum outbox_next { OUTBOX_SENT, OUTBOX_WAIT_UP, OUTBOX_WAIT_ROOM, OUTBOX_PAUSE };
enum outbox_next outbox_decide(int code);
/* Seconds until the next try after `attempts` refusals. Pure. */
double outbox_pause(int attempts);

void outbox_init(struct outbox *outbox, struct loop *loop, const struct log *log,
                 void (*sent)(void *self, struct parcel *parcel), void *self);
/* Closes its timer; the loop runs once more before its memory goes. */
void outbox_fini(struct outbox *outbox);
void outbox_use(struct outbox *outbox, struct transport *transport);
void outbox_post(struct outbox *outbox, struct parcel *parcel);
/* Facts from the transport. */
void outbox_state(struct outbox *outbox, enum transport_state state);
void outbox_room(struct outbox *outbox);
void outbox_published(struct outbox *outbox, uint64_t token, int code, const char *why);

#endif
