/* future.h: one call's outcome, from the caller's buffer to the result.
 *
 * A future is counted: the caller's handle is one reference, the record that is still being sent another, the
 * inbox that waits for the result a third, and whoever must announce its end a fourth. The last one frees it.
 *
 * Who writes: state, code and payload are written by the background thread (by the submitting thread while
 * nobody else knows the future, and by whoever cancels it), always under `lock`. `finished` is set last, so
 * that whoever has seen it set reads the rest without the lock; from then on nothing changes any more. */
#ifndef CLIENT_FUTURE_H
#define CLIENT_FUTURE_H

#include <pthread.h>
#include <stdatomic.h>
#include <umbel/client.h>
#include "common/result.h"
#include "common/str.h"

/* A place in one of the inbox's lists. Alone: points at itself. */
struct link {
    struct link *previous, *next;
};

static inline void link_init(struct link *link)
{
    link->previous = link->next = link;
}
static inline bool link_alone(const struct link *link)
{
    return link->next == link;
}
static inline void link_remove(struct link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link_init(link);
}
/* Adds at the end of a list, which is a link of its own. */
static inline void link_append(struct link *list, struct link *link)
{
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

struct waiter_node;
struct callback;
struct reading;
struct part_queue;
struct direct_call;

/* What the caller asks the background thread to do with a future. */
enum future_order {
    ORDER_ADOPT = 1,
    ORDER_RELEASE = 2,
    ORDER_FORGET = 4,
    ORDER_CANCEL = 8,     /* it is done as cancelled: whoever might run it is to know */
    ORDER_TERMINATE = 16, /* also if it runs already */
    ORDER_PARTS = 32,     /* its parts are to be read (parts.h) */
    ORDER_TELL = 64,      /* somebody has its id: others are to find what becomes of it (direct.h) */
};

/* Where the inbox is with it. */
enum future_watch {
    WATCH_NONE,    /* not in the inbox */
    WATCH_CHANNEL, /* waiting for an answer on our own channel */
    WATCH_ASKED,   /* its task channel is being subscribed */
    WATCH_SLOW     /* subscribed and read once; read again now and then */
};

/* Room for a UUID and a name of usual length; a result of its own size comes with the result. */
enum { FUTURE_TEXT = 72 };

struct umbel_future {
    umbel_client *client; /* counted */
    atomic_int refs;
    atomic_int state; /* umbel_state */
    atomic_int code;
    atomic_bool finished;
    atomic_bool abandoned; /* the caller gave it back: nobody is called or answered any more */

    pthread_mutex_t lock;
    struct waiter_node *waiters;
    struct callback *callbacks;
    struct callback *watchers; /* of progress */
    struct part_queue *parts;  /* NULL until somebody reads them */
    umbel_str
        payload; /* the stored result map, or the `bare` value; in `text_here`, `direct`, malloc'd or NULL */
    enum codec bare_codec;
    bool bare;
    struct direct_call *direct; /* the call, where no message carries it (direct.h); behind the future */
    char *why;                  /* why it was not sent; malloc'd or NULL */
    struct reading *reading;    /* made by whoever reads the result first */

    const char *name;         /* the task's, "" for a future from a bare id; in text_here or malloc'd */
    umbel_future *order_next; /* the inbox's orders; under its lock, as is `orders` */
    uint8_t orders;

    /* of the background thread */
    uint64_t batch; /* the watch it was in. First: what follows is read several at once, and `orders` must not
                       lie in that word */
    uint8_t watch;  /* enum future_watch */
    uint8_t flow;   /* which flow of the inbox it is in */
    bool announced; /* is in the list of this turn */
    bool sent;      /* its message was given to the transport */
    bool progressed; /* since the watchers were called; under the lock */
    bool unwatch;    /* its task channel is to be unsubscribed this turn */
    umbel_future *turn_next;
    struct link link;
    uint64_t sequence; /* order of publishing */
    uint64_t due_ms;

    /* What the roster looks at lies together: of a hundred thousand futures none is in a cache. */
    umbel_future *hash_next;
    uint64_t hash;
    const char *id; /* in text_here or malloc'd */
    char text_here[FUTURE_TEXT];
};

/* One reference, for the caller. NULL when memory is out. `name` may be "". Any thread. */
umbel_future *future_new(umbel_client *client, umbel_str id, umbel_str name);
/* One that carries its call, in a struct direct_call with so much room; it is accepted. */
umbel_future *future_new_direct(umbel_client *client, umbel_str name, size_t room);
void future_ref(umbel_future *future);
void future_unref(umbel_future *future);
/* "math.add[4f2e...]", or "[4f2e...]" without a name; cut to fit. */
void future_title(const umbel_future *future, char *out, size_t size);

/* So that it, and `behind` bytes that follow it, are in a cache when they are looked at next. */
static inline void future_fetch(const umbel_future *future, size_t behind)
{
    enum { LINE = 64 };
    const char *at = (const char *)future;
    for (size_t offset = 0; offset < sizeof *future + behind; offset += LINE)
        __builtin_prefetch(at + offset, 1);
}

static inline bool future_finished(umbel_future *future)
{
    return atomic_load_explicit(&future->finished, memory_order_acquire);
}

/* ---- what happened; background thread. True: somebody waits for this, call future_announce at the turn's
 * end. ---- */

bool future_accepted(umbel_future *future);
/* It will never reach a queue. `why` is one sentence, copied. */
bool future_unsent(umbel_future *future, int code, const char *why);
/* The stored map as it came, of a terminal state or not. False also when the future was finished before. */
bool future_answered(umbel_future *future, enum result_state state, umbel_str payload);
/* Accepted, and its caller asked for no result: done. */
bool future_ignored(umbel_future *future);
/* A worker of our own has begun it. */
void future_started(umbel_future *future);
/* Likewise, for the pool of our own. */
void future_begun(umbel_future *future);
/* It succeeded with this encoded value, and nothing else is to be known of it. */
bool future_succeeded(umbel_future *future, enum codec codec, umbel_str value);
/* The same of a call that the pool of our own has ended: it is not read any more. */
bool future_returned(umbel_future *future, enum codec codec, umbel_str value);
/* Its caller does not want it any more. Any thread. UMBEL_OK: it is done, an order must follow;
 * UMBEL_ALREADY_DONE; UMBEL_BUSY: it runs, and `pending_only`. */
int future_cancelled(umbel_future *future, bool pending_only);
/* umbel_cancel_pending of what nobody will ask about: nothing is said. (cancel.c) */
int future_take_back(umbel_future *future);
/* The client closes: whatever is not done answers `code`. */
bool future_closed(umbel_future *future);
/* Wakes whoever waits for what has happened, and hands to the caller, in order, its callbacks when it is
 * finished, or those that watch its progress. */
struct callback *future_announce(umbel_future *future);

#endif
