/* postbox.h: messages the worker itself sends (parked, retried, delayed, handed back), kept until the broker
 * has confirmed them.
 *
 * Caller's steps: fill parcel->msg, delay and flags; postbox_post; keep everything the message borrows until
 * `sent` is called for it. The postbox tries for as long as it takes: over lost connections (the copy then
 * says that it may be a second one), blocked brokers and refusals, with a pause that grows to half a minute.
 * Nothing is given up, because the original is unacknowledged until `sent`: if the worker ends first, the
 * broker still has it. Only what can never be sent as it is goes back to its owner, by `unsendable`, who
 * posts something smaller. */
#ifndef WORKER_POSTBOX_H
#define WORKER_POSTBOX_H

#include "broker/transport.h"

struct parcel {
    struct message msg;
    double due; /* monotonic seconds at which it may be delivered; 0 = at once */
    int flags;  /* PUBLISH_* */
    void *owner;
    int attempts;
    double next_try;     /* monotonic seconds */
    bool on_the_way;     /* the transport has it */
    bool bare;           /* nothing smaller can be made of it */
    struct parcel *next; /* of those that wait */
};

struct postbox {
    struct loop *loop;
    struct transport *transport;
    const struct log *log;
    struct parcel *waiting;
    size_t count; /* parcels not yet confirmed */
    bool up;      /* the transport takes publishes */
    uv_timer_t timer;
    void (*sent)(void *self, struct parcel *parcel);
    void (*unsendable)(void *self, struct parcel *parcel);
    void *self;
};

/* What an answer of the transport means for a parcel. Pure. */
enum postbox_next { POSTBOX_SENT, POSTBOX_WAIT_UP, POSTBOX_WAIT_ROOM, POSTBOX_PAUSE, POSTBOX_NEVER };
enum postbox_next postbox_decide(int code);
/* Seconds until the next try after `attempts` refusals. Pure. */
double postbox_pause(int attempts);

void postbox_init(struct postbox *postbox, struct loop *loop, const struct log *log,
                  void (*sent)(void *self, struct parcel *parcel),
                  void (*unsendable)(void *self, struct parcel *parcel), void *self);
/* Closes its timer; the loop runs once more before its memory goes. */
void postbox_fini(struct postbox *postbox);
void postbox_use(struct postbox *postbox, struct transport *transport);
void postbox_post(struct postbox *postbox, struct parcel *parcel);
/* Facts from the transport. */
void postbox_state(struct postbox *postbox, enum transport_state state);
void postbox_room(struct postbox *postbox);
void postbox_published(struct postbox *postbox, uint64_t token, int code, const char *why);

#endif
