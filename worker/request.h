/* request.h: one delivered message on its way through the worker, and every decision about it.
 *
 * Deciding is pure: facts go in, a verdict comes out, nothing is sent, stored or allocated (texts are written
 * into a buffer that the caller lends). consumer_admit.c and consumer.c carry verdicts out. So each rule of
 * this file is one row of a table in tests/unit/request_test.c. */
#ifndef WORKER_REQUEST_H
#define WORKER_REQUEST_H

#include "broker/backend.h"
#include "common/result.h"
#include "worker/pool.h"

/* Settings that decide; one per worker. */
struct request_policy {
    int max_deaths;                     /* children a task may kill before it is parked */
    double time_limit, soft_time_limit; /* 0 = none */
    bool at_most_once;                  /* for tasks that do not say */
    bool ignore_result;                 /* likewise */
    bool track_started;                 /* likewise */
    enum codec result_codec;
    bool results; /* there is a back end */
};

enum request_phase {
    PHASE_WORKING,
    PHASE_DRAINING, /* a warm stop: what runs may end, nothing new begins */
    PHASE_KILLING   /* a cold stop: children are killed by us, which is no death to count */
};

struct request_facts {
    const struct message *msg;
    const umbel_task_def *def; /* NULL: not registered */
    const struct request_policy *policy;
    enum request_phase phase;
    bool garbled; /* the transport could not take it apart */
    const char *garbled_why;
    bool was_read;     /* a reader has already made `msg` out of a foreign body */
    bool running_here; /* another delivery of this id is in hand */
    bool looked_up;    /* `history` is known */
    bool replayed;     /* an operator sent it again: a new life, whatever is stored */
    struct backend_history history;
    int deaths;        /* all that are known: the header's, the history's, and ours */
    double now;        /* since the epoch */
    bool revoked;      /* somebody asked that it be not run */
    double time_limit; /* it ran under; 0: as the message, the task and the policy say */
};

enum verdict_kind {
    VERDICT_RUN,
    VERDICT_READ,    /* to be taken apart by a reader first */
    VERDICT_HOLD,    /* due within a second: wait here */
    VERDICT_LOOK_UP, /* may have run before: ask the back end */
    VERDICT_ADOPT,   /* its twin runs here: acknowledged with it */
    VERDICT_REQUEUE, /* the queue's again, as it came */
    VERDICT_END      /* store (if `store`), then send (if `send`), then acknowledge */
};

enum request_sending {
    SEND_NOTHING,
    SEND_PARK,  /* to <queue>.dead, with the reason */
    SEND_RETRY, /* the same task once more, later */
    SEND_DELAY, /* as it is, when it is due */
    SEND_BACK   /* as it is, with the deaths it has caused */
};

struct verdict {
    enum verdict_kind kind;
    bool store;
    enum result_state state;
    umbel_str error_type, error_message, traceback; /* of FAILURE, RETRY and REVOKED; borrowed */
    enum request_sending send;
    double delay;       /* seconds: HOLD, SEND_RETRY, SEND_DELAY */
    const char *reason; /* one word, of SEND_PARK */
    bool bare; /* the parked copy has the body and the reason, but nothing of the original's headers */
};

/* Eta below this many seconds away is waited for here. */
#define REQUEST_HOLD_MAX 1.0

/* What to do with a delivery, asked again after each new fact (looked up, read, held long enough). */
void request_admit(const struct request_facts *facts, struct buffer *text, struct verdict *verdict);
/* What to do after the pool is done with it. `facts->deaths` does not yet count this outcome. */
void request_finish(const struct request_facts *facts, const struct outcome *outcome, struct buffer *text,
                    struct verdict *verdict);

/* Is this outcome a death to be counted? */
bool request_counts(enum request_phase phase, const struct outcome *outcome);

/* What to do when the transport can never carry a copy (of a retry, a delay) as it is: headers too large for
 * a frame, a queue's name too long for a delay. Asking again would keep the delivery, and its place in the
 * prefetch, for ever. */
void request_unsendable(const struct request_facts *facts, struct verdict *verdict);

/* Smaller decisions, used by both and by the consumer. */
bool request_flagged(const struct message *msg); /* may have run before */
bool request_at_most_once(const umbel_task_def *def, const struct request_policy *policy);
bool request_ignores_result(const struct message *msg, const umbel_task_def *def,
                            const struct request_policy *policy);
/* Is its beginning to be stored too? */
bool request_tracks_start(const struct message *msg, const umbel_task_def *def,
                          const struct request_policy *policy);
int request_max_deaths(const umbel_task_def *def, const struct request_policy *policy);
/* Where its caller hears the result, besides the task's own channel. STR_NONE: nowhere. */
umbel_str request_reply_channel(const struct message *msg);
enum codec request_result_codec(const struct message *msg, const struct request_policy *policy);
void request_limits(const struct message *msg, const umbel_task_def *def, const struct request_policy *policy,
                    double *hard, double *soft);
/* The header `expires` has passed. False for an absent one and for one that cannot be read. */
bool request_expired(const struct message *msg, double now);

#endif
