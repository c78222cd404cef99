/* inbox.h: every future that waits for a result, and how its answer is found.
 *
 * Umbel's workers publish each result on the client's own channel as well, so the usual answer needs no
 * subscription of its own. Python's workers publish on the task's channel alone: a task that is unanswered
 * after 50 ms, and a future made from a bare id, is watched there too, many in one command, and then read,
 * since it may have been answered before. A look that the backend could not answer is repeated once it is
 * back. The slow look every 30 s is the net under all of it.
 *
 * A task is not late while its queue flows: when a later one of the same queue has not been answered yet, it
 * is simply not its turn. And of a queue that stands only the head is watched, INBOX_WINDOW tasks: whoever
 * serves it begins there, and each that is answered lets another in. Without these rules a deep queue would
 * cost a subscription for every task in it. What stands behind the window is read with the slow look.
 *
 * A future is in here from the moment its message is given to the transport until it is done or given back.
 */
#ifndef CLIENT_INBOX_H
#define CLIENT_INBOX_H

#include <pthread.h>
#include "broker/backend.h"
#include "client/callback.h"
#include "client/future.h"
#include "client/roster.h"
#include "client/waker.h"
#include "common/reply_channel.h"

enum {
    INBOX_FLOWS = 64,
    INBOX_LATE_MS = 50,
    INBOX_WINDOW = 1000,
    INBOX_SLOW_MS = 30000,
    INBOX_CHANNEL_MS = 1000,
    INBOX_AGAIN_MS = 1000
};

/* What is outstanding on the queues that share a hash: in order of publishing. */
struct flow {
    struct link waiting;
    uint64_t answered;    /* the latest sequence that was answered on our channel */
    uint64_t answered_ms; /* when */
    uint64_t look_ms;     /* while full: when those behind the window are read */
    uint32_t watched;
    bool full; /* as many are watched as may be; until half of them are answered */
};

struct inbox {
    struct loop *loop;
    struct waker *waker;
    struct turn_hook *turn;  /* marked whenever inbox_turn has something to do */
    struct backend *backend; /* from inbox_attach on; NULL: results cannot be had */
    struct callbacks *callbacks;
    const struct log *log;
    char channel[REPLY_CHANNEL_SIZE]; /* our own */

    pthread_mutex_t lock; /* for the orders */
    umbel_future *orders, **orders_last;
    bool closed; /* no order is taken any more */

    /* of the background thread */
    struct roster roster;
    struct flow flows[INBOX_FLOWS];
    struct link asked; /* WATCH_ASKED, in order of their batch */
    struct link slow;  /* WATCH_SLOW, in order of due_ms */
    uint64_t sequence;
    uint64_t batch;
    uint64_t channel_deadline_ms;
    bool channel_ready;
    bool closing;          /* the backend was taken away: what is adopted now has no answer */
    bool keeps_revoked;    /* cancelled ids are kept for workers that are not there yet */
    bool reachable;        /* the backend answers look-ups */
    bool unread;           /* some look-up had no answer */
    struct direct *direct; /* for ORDER_TELL */
    uint64_t unread_ms;    /* when all are looked up again, while it is reachable */
    struct link reads;     /* of parts, in order of asking (parts.h) */
    uint64_t read_sequence;
    struct arena arena;                    /* of one part's notice */
    umbel_future *turn_first, **turn_last; /* to be announced or unwatched at the turn's end */
};

int inbox_init(struct inbox *inbox, struct loop *loop, struct waker *waker, struct turn_hook *turn,
               struct callbacks *callbacks, const struct log *log);
/* Nothing waits any more. */
void inbox_fini(struct inbox *inbox);
/* Starts listening on our own channel. */
void inbox_attach(struct inbox *inbox, struct backend *backend);

/* ---- any thread ---- */

/* Leaves an order (enum future_order) for the background thread, which gets a reference. After inbox_close
 * nobody carries it out: then one that is adopted is done with UMBEL_CLOSED, and announced here, as is one
 * that is cancelled. */
void inbox_order(struct inbox *inbox, umbel_future *future, int order);

/* ---- background thread ---- */

void inbox_take_orders(struct inbox *inbox);
/* Is it time to publish what wants a result? Yes once our channel is subscribed, or has not been for a
 * second. */
bool inbox_ready(const struct inbox *inbox);
void inbox_expect(struct inbox *inbox, umbel_future *future, umbel_str queue);
/* It is no longer waited for. */
void inbox_drop(struct inbox *inbox, umbel_future *future);
/* At the turn's end, wake who waits for this future. */
void inbox_announce(struct inbox *inbox, umbel_future *future);
/* A result map came, by a notice on our own channel (`listened`) or a task's, or by a look-up. */
void inbox_notice(struct inbox *inbox, umbel_str stored, bool listened);
/* A worker of our own has begun this task. */
void inbox_started(struct inbox *inbox, umbel_str id);
/* Stores the end of a cancelled task, and tells all workers. */
void inbox_tell_workers(struct inbox *inbox, const umbel_future *future, bool terminate);
/* It is done as cancelled: whoever may run it is told. */
void inbox_cancel(struct inbox *inbox, umbel_future *future, bool terminate);
/* Cancels everything that is waited for; without `terminate` what is known to run goes on. */
void inbox_cancel_all(struct inbox *inbox, bool terminate);
void inbox_subscribed(struct inbox *inbox, uint64_t token);
/* Anything may have been missed: look everything up. */
void inbox_resubscribed(struct inbox *inbox);
/* A look-up had no answer, and what it asked for may be stored. */
void inbox_unread(struct inbox *inbox);
/* Whether the backend answers look-ups, at each change. */
void inbox_reach(struct inbox *inbox, bool reachable);
void inbox_tick(struct inbox *inbox, uint64_t now_ms);
/* When inbox_tick wants to be called next; UINT64_MAX: not. */
uint64_t inbox_due(const struct inbox *inbox);
void inbox_turn(struct inbox *inbox);
/* Everything that is still here answers UMBEL_CLOSED, and no order is taken any more. */
void inbox_close(struct inbox *inbox);

#endif
