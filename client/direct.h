/* direct.h: calls over memory://?pool=... that go straight to the worker of our own.
 *
 * Who calls a task in its own process needs no message, no queue and no stored result, as long as nothing
 * asks for one: the call is kept in its future, handed to the pool, and answered there. So only plain calls
 * are taken (direct_takes); any other, and every call that a task makes, goes through the outbox and the hub.
 *
 * submit (any thread) -> submitted -> waiting -> given to the pool -> answered | left | dropped
 *
 * A call leaves when something of it must be found by others: parts, progress, a failure, another run, or its
 * id, which somebody has asked for. From then on the inbox waits for it as for any other task. */
#ifndef CLIENT_DIRECT_H
#define CLIENT_DIRECT_H

#include "client/inbox.h"
#include "client/record.h"
#include "client/spin.h"
#include "worker/calls.h"

struct local;

/* What a future keeps of its call, behind itself. */
struct direct_call {
    umbel_future *future, *next; /* whose it is; the next that is submitted or waits */
    struct link given;           /* in the pool */
    umbel_function *function;
    const char *shadow; /* static text or NULL */
    double time_limit, soft_time_limit;
    umbel_str task;        /* the future's name, or that of the task that runs a chunk */
    umbel_str body, queue; /* in `room` */
    enum codec codec;
    atomic_bool told; /* somebody has its id */
    bool left;
    size_t size;
    char room[]; /* and later, where it fits, the result */
};

struct direct {
    struct local *local; /* NULL: nothing goes this way */
    struct loop *loop;
    struct turn_hook *turn; /* marked when a call ends */
    struct inbox *inbox;
    umbel_str channel;          /* the inbox's own */
    void (*leaves)(void *self); /* one has left: its end is counted as of any other task */
    void *self;

    struct spin spin; /* of who waits */

    pthread_mutex_t lock; /* for what follows */
    atomic_ulong put;     /* calls, read without it */
    umbel_future *submitted, **submitted_last;
    bool shut;

    /* of the background thread */
    umbel_future *waiting, **waiting_last;
    atomic_ulong ended; /* calls; read by who waits */
    struct link given;
};

extern const struct call_events direct_call_events; /* their self is a struct direct */

void direct_init(struct direct *direct, struct loop *loop, struct turn_hook *turn, struct inbox *inbox);
/* Nothing is outstanding. */
void direct_fini(struct direct *direct);

/* ---- any thread ---- */

/* Is this call one for us? A constant of the client, and pure. */
bool direct_takes(const struct direct *direct, const umbel_submit_options *options);
/* A future that carries the call; NULL when memory is out. `body` is copied. */
umbel_future *direct_make(umbel_client *client, const char *task, umbel_function *function,
                          const char *shadow, umbel_str body, enum codec codec,
                          const umbel_submit_options *options);
/* UMBEL_OK or UMBEL_CLOSED. */
int direct_put(struct direct *direct, umbel_future *future);
/* When it is the only call there is: looks for a moment whether it ends (spin.h). False: sleep. */
bool direct_look(struct direct *direct, umbel_future *future);
/* From now on direct_put answers UMBEL_CLOSED. */
void direct_shut(struct direct *direct);

/* ---- background thread ---- */

/* Takes what was submitted, and gives what the pool has room for. */
void direct_take(struct direct *direct);
/* Nothing is outstanding. */
bool direct_quiet(struct direct *direct);
void direct_cancel_all(struct direct *direct, bool terminate);
/* Somebody was given its id. */
void direct_told(struct direct *direct, umbel_future *future);
/* After direct_shut. What waits answers UMBEL_CLOSED; what was given is dropped or answered by the worker as
 * it ends. */
void direct_close(struct direct *direct);

#endif
