/* calls.h: calls of the very program that the worker is in, taken by the consumer without a message.
 *
 * The caller keeps what it has not given yet, and gives the next whenever the pool has room. A call that
 * simply succeeds is answered by a pointer and leaves no trace. Any other end, and any task that others may
 * have heard of, is told first (`leaves`) and then takes the way of all tasks: through the back end. */
#ifndef WORKER_CALLS_H
#define WORKER_CALLS_H

#include "common/codec.h"
#include "umbel/executor.h"

struct consumer;
struct outcome;
struct request;
struct verdict;

/* Everything is the caller's and stays until the call is answered, dropped, or has left. */
struct call {
    void *owner;
    umbel_str id, task, body, queue, shadow, reply_to;
    enum codec codec;                   /* of the body, and of what is returned */
    umbel_function *function;           /* of umbel.function; NULL: `task` is a registered one */
    double time_limit, soft_time_limit; /* 0: as the task says */
};

/* On the loop's thread. Each call that was given is answered, leaves, or is dropped: once. */
struct call_events {
    void (*started)(void *self, void *owner);
    /* May it be answered here? False: its result must be found by others too. */
    bool (*is_private)(void *self, void *owner);
    /* It has returned this, encoded; borrowed. */
    void (*answered)(void *self, void *owner, enum codec codec, umbel_str value);
    /* From here on it is a task like any other: parts, progress and result come through the back end. */
    void (*leaves)(void *self, void *owner);
    /* It has not run, and will not: the consumer ends. */
    void (*dropped)(void *self, void *owner);
    /* The pool has room: give more. */
    void (*room)(void *self);
};

void consumer_take_calls(struct consumer *consumer, const struct call_events *events, void *self);
/* False: there is no room, or no memory; `room` comes. It may end at once. */
bool consumer_call(struct consumer *consumer, const struct call *call);

/* ---- for the files of the consumer */

/* Something of it is to be found by others. `req->call` stays when memory is out: then it is still borrowed.
 */
void consumer_call_leaves(struct consumer *consumer, struct request *req);
/* Its request is over, so it leaves at last. */
void consumer_call_ended(struct consumer *consumer, struct request *req);
/* The consumer ends, and cannot do more for those it still has: they leave too. */
void consumer_calls_end(struct consumer *consumer);
/* True: it was answered. */
bool consumer_call_answered(struct consumer *consumer, struct request *req, const struct verdict *verdict,
                            const struct outcome *outcome);
/* The pool has room: for deliveries that are ready, for calls. */
void consumer_room(struct consumer *consumer);
/* By id, among all that the consumer has: calls are in no table. */
struct request *consumer_find(const struct consumer *consumer, umbel_str id);

#endif
