/* consumer.h: deliveries become requests, requests run in the pool, results are stored, deliveries are
 * acknowledged.
 *
 * Steps of its owner: consumer_init; open transport, back end and pool with the event tables below and the
 * consumer as `self`; consumer_use; consumer_start; later consumer_drain, and consumer_kill when there is no
 * time; consumer_fini after `idle` and after the three are closed. One loop, one thread; everything is
 * asynchronous. */
#ifndef WORKER_CONSUMER_H
#define WORKER_CONSUMER_H

#include "worker/calls.h"
#include "worker/copies.h"
#include "worker/flow.h"
#include "worker/nest.h"
#include "worker/nested_flow.h"
#include "worker/request_set.h"
#include "worker/revoked.h"
#include "worker/task_log.h"

struct consumer_options {
    struct loop *loop;
    struct log_sink *sink;
    const struct registry *registry;
    const char *worker_name;
    uint32_t concurrency;
    uint32_t most; /* slots there may be in time: credit must let that be seen. 0 = as many as there are */
    struct request_policy policy;
    struct flow_options flow;
    bool nests; /* nested queues are consumed too */
};

/* What can be told of a task to those who watch. */
enum task_news {
    NEWS_RECEIVED,
    NEWS_STARTED,
    NEWS_SUCCEEDED,
    NEWS_FAILED,
    NEWS_RETRIED,
    NEWS_REVOKED,
    NEWS_SUPERSEDED /* it had an end already: it is not run, or, after RETRIED, not tried again */
};

/* What the owner is told. */
struct consumer_events {
    void (*transport_state)(void *self, enum transport_state state, int code, const char *why);
    void (*backend_state)(void *self, enum backend_state state, int code, const char *why);
    void (*consuming)(void *self); /* every queue, for the first time */
    void (*idle)(void *self);      /* after consumer_drain: nothing is in hand any more */
    void (*pool_stopped)(void *self);
    void (*pool_lost)(void *self, const char *why); /* it can make no children any more */
    /* Only while consumer->watched. `verdict` is NULL before the end, `outcome` also when it has not run. */
    void (*task)(void *self, enum task_news news, const struct request *req, const struct verdict *verdict,
                 const struct outcome *outcome);
    /* Ids that the back end keeps as revoked were read, or could not be. May be NULL. */
    void (*revoked)(void *self, int code);
};

struct task_note {  /* of one registered task */
    uint64_t total; /* runs that came to an end */
    bool limited;   /* its limits were changed while the worker runs */
    double time_limit, soft_time_limit;
};

struct consumer_counts {
    uint64_t received, succeeded, failed, retried, revoked, parked, handed_back;
};

struct consumer {
    struct consumer_options options;
    const struct consumer_events *events;
    void *self;
    const struct log *log;
    struct transport *transport;
    struct backend *backend; /* NULL: results are not kept */
    struct pool *pool;
    struct request_set requests;
    struct request_list ready, waiting; /* for room in the pool; for the back end */
    struct request *held;               /* by due time */
    struct run *runs;                   /* whose partial results are not all stored (consumer_parts.c) */
    struct postbox postbox;
    struct flow flow;
    struct nested_flow nested;
    struct nest *nest;           /* NULL: tasks can call nothing */
    struct buffer text, scratch; /* of one decision; of one progress */
    enum request_phase phase;
    bool backend_up;
    int refusals; /* of the back end, in a row */
    uv_timer_t hold_timer, again_timer;
    struct turn_hook idle_hook, pump_hook;
    struct consumer_counts counts;
    struct revoked revoked;
    struct copies copies;
    struct task_note *tasks;        /* in the registry's order */
    const umbel_task_def *last_def; /* of the last run, and its note */
    struct task_note *last_note;
    const struct call_events *calls; /* of this very program; NULL: it makes none */
    void *calls_self;
    bool calls_first; /* when both wait for room, next time */
    bool watched;     /* events->task is called */
    bool limited;     /* some task_note is */
};

extern const struct transport_events consumer_transport_events;
extern const struct backend_events consumer_backend_events;
extern const struct pool_events consumer_pool_events;
extern const struct nest_events consumer_nest_events;

int consumer_init(struct consumer *consumer, const struct consumer_options *options,
                  const struct consumer_events *events, void *self);
void consumer_fini(struct consumer *consumer);
void consumer_use(struct consumer *consumer, struct transport *transport, struct backend *backend,
                  struct pool *pool);
/* Carries what tasks call; NULL: no longer. */
void consumer_use_nest(struct consumer *consumer, struct nest *nest);
/* The back end was closed: what is not stored by now stays unacknowledged. */
void consumer_forget_backend(struct consumer *consumer);
/* From now on it hears when callers cancel their tasks (cancel_note.h). */
void consumer_hear_cancels(struct consumer *consumer);
/* Consumes the queues. */
void consumer_start(struct consumer *consumer);
/* Nothing new begins: consumers are cancelled, what has not started is handed back. Answers how many were;
 * `idle` comes. */
size_t consumer_drain(struct consumer *consumer);
/* From now on children that end were killed by us: their tasks go back to their queues and are not blamed. */
void consumer_kill(struct consumer *consumer);
/* ---- on request, while it works (consumer_control.c) */

/* What became of a request to stop a task. */
enum revoke_effect {
    REVOKE_NOT_HERE, /* or it has ended, or its turn to be looked at comes */
    REVOKE_ENDED,    /* it had not started: its end as REVOKED is under way */
    REVOKE_RUNS,     /* it runs, and was not to be terminated */
    REVOKE_TERMINATES
};
/* From now on this id is not started here. With `signal` one that runs is ended: told so first, and killed
 * after a second, or at once with SIGKILL. */
enum revoke_effect consumer_revoke(struct consumer *consumer, const struct backend_revocation *what,
                                   int signal);
/* Only ends it if it runs here. */
enum revoke_effect consumer_terminate(struct consumer *consumer, umbel_str id, int signal);
/* Reads the ids that the back end keeps; `revoked` answers. */
void consumer_load_revoked(struct consumer *consumer);
/* Limits for the runs to come; 0 = none but the worker's. UMBEL_OK or UMBEL_NOT_REGISTERED. */
int consumer_limit(struct consumer *consumer, umbel_str task, double hard, double soft);
struct task_note *consumer_note(struct consumer *consumer, const umbel_task_def *def);
/* The queues that are consumed, from now on. UMBEL_OK (also when nothing is to be done), UMBEL_NO_MEMORY. */
int consumer_add_queue(struct consumer *consumer, umbel_str queue);
void consumer_drop_queue(struct consumer *consumer, umbel_str queue);
/* How many children there are to be. As pool_ops.resize. */
int consumer_resize(struct consumer *consumer, uint32_t concurrency);

size_t consumer_in_hand(const struct consumer *consumer);
/* Requests in one state. */
size_t consumer_count(const struct consumer *consumer, enum request_state state);

#endif
