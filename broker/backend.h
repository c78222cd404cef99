/* backend.h: the contract of everything that keeps results: redis, sqlite, memory.
 *
 * Like a transport (transport.h) it belongs to one loop, never blocks, connects and reconnects by itself, and
 * answers through events, never from inside the call. What one turn asked for leaves together.
 *
 * The stored map is the truth, a notice is a hint: who waits subscribes first and reads then. After a
 * reconnect the implementation restores its subscriptions and says `resubscribed`; the owner then reads what
 * it still waits for. */
#ifndef BROKER_BACKEND_H
#define BROKER_BACKEND_H

#include "common/log.h"
#include "common/loop.h"
#include "common/url.h"

struct backend;

enum backend_state { BACKEND_CONNECTING, BACKEND_UP, BACKEND_FAILED };

struct backend_store {
    umbel_str id;
    umbel_str payload;       /* the whole result map, encoded */
    bool terminal;           /* SUCCESS, FAILURE, REVOKED */
    bool overwrite_terminal; /* an operator's replay begins a new life: replace even a terminal state */
    umbel_str reply_channel; /* published there too; empty = none */
    bool has_parts;          /* its parts are to be kept as long as it is */
};

/* A part of a result that is still being made. Parts lie in order beside the result, under the same id. */
#define BACKEND_RUN_MAX 32
#define BACKEND_PARTS_READ 64 /* of one read_parts */
struct backend_part {
    umbel_str id;
    umbel_str run;     /* which run of the task made it: 1 to BACKEND_RUN_MAX letters, never used again */
    uint32_t number;   /* from 0, without gaps */
    umbel_str payload; /* the part's own map, encoded, small enough that a few can be held at once */
    bool overwrite_terminal; /* as of the result */
    umbel_str reply_channel; /* likewise */
};

/* What is known of an id before a message that may have run before is run. */
struct backend_history {
    bool terminal;   /* a terminal state is stored */
    uint32_t starts; /* start marks found, not counting this one: deaths of a worker while it ran */
};

/* An id that is not to be run, and until when that is kept (seconds since the epoch). */
struct backend_revocation {
    umbel_str id;
    double until;
};
#define BACKEND_REVOKED_MAX 30000 /* as many are kept, those that last longest */

struct backend_events {
    void (*state)(void *self, enum backend_state state, int code, const char *why);
    /* UMBEL_OK: stored and published. UMBEL_ALREADY_DONE: a terminal state stands and was kept; nothing was
     * published. UMBEL_BACKEND_AWAY: unknown; UMBEL_BACKEND_REFUSED: the server said no (out of memory, read
     * only): try again. */
    void (*stored)(void *self, uint64_t token, int code, const char *why);
    /* One call per id asked for. `payload` is empty when nothing is stored; borrowed. */
    void (*found)(void *self, uint64_t token, int code, umbel_str id, umbel_str payload);
    void (*begun)(void *self, uint64_t token, int code, struct backend_history history);
    /* The answer to read_parts: payloads in order, none when there are no more. Borrowed. NULL for who never
     * asks. */
    void (*parts)(void *self, uint64_t token, int code, umbel_str id, const umbel_str *payloads,
                  size_t count);
    /* A result map, or a part's, was published: on a channel that is listened to, else on a watched task's.
     * What is published on both may come twice, the channel's first. Borrowed. */
    void (*notice)(void *self, umbel_str payload, bool listened);
    /* The subscriptions asked for up to that call are in force. */
    void (*subscribed)(void *self, uint64_t token);
    void (*resubscribed)(void *self);
    /* The answer to list_revoked, in one call; borrowed. NULL for who never asks. */
    void (*revoked)(void *self, uint64_t token, int code, const struct backend_revocation *list,
                    size_t count);
};

struct backend_options {
    const struct log *log;
    double connect_timeout; /* 0 = 5 */
    double expires;         /* seconds a result is kept; 0 = 86400; < 0 = for ever */
    const char *key_prefix; /* of every key and channel; NULL = "" */
    size_t most; /* in memory: so many ends of tasks are kept, the newest; 0 = all that have not expired */
    double request_timeout; /* a command unanswered for so long means the connection is dead; 0 = 10 */
};

struct backend_ops {
    const char *scheme;
    int (*open)(struct backend **out, struct loop *loop, const struct url *url,
                const struct backend_options *options, const struct backend_events *events, void *self,
                const char **why);
    /* Stores and publishes atomically: a terminal state that stands is never replaced (unless
     * overwrite_terminal). Everything is copied. Always answered by `stored`. Never queued while away: then
     * the answer is UMBEL_BACKEND_AWAY. */
    void (*store)(struct backend *backend, const struct backend_store *store, uint64_t token);
    /* Keeps a part behind those of its run and publishes it. A run's first part (number 0) supersedes the
     * parts of every other run. Everything is copied. Always answered by `stored`: UMBEL_OK, also for one
     * that is there already; UMBEL_ALREADY_DONE: a terminal state stands, another run has taken over, or
     * those before it were forgotten: it is not kept, nor will those behind it be; UMBEL_BACKEND_REFUSED also
     * when the one before it was refused. */
    void (*add_part)(struct backend *backend, const struct backend_part *part, uint64_t token);
    /* Reads some parts from that number on, BACKEND_PARTS_READ at most; `parts` answers. */
    void (*read_parts)(struct backend *backend, umbel_str id, uint32_t from, uint64_t token);
    /* Reads many at once; `found` per id. */
    void (*lookup)(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token);
    /* Subscribes a channel of our own by name, or the task channels of ids; `subscribed` answers (after a
     * reconnect too, when it was away). Unsubscribe is not answered. */
    void (*listen)(struct backend *backend, umbel_str channel, uint64_t token);
    void (*watch)(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token);
    void (*unwatch)(struct backend *backend, const umbel_str *ids, size_t count);
    /* The result and its parts. */
    void (*forget)(struct backend *backend, umbel_str id);
    /* For a message that may have run before: looks up its history and leaves a start mark, in one step;
     * `begun` answers. `end_mark` clears the marks once its result is stored (or it was handed back
     * unstarted). */
    void (*begin)(struct backend *backend, umbel_str id, uint64_t token);
    void (*end_mark)(struct backend *backend, umbel_str id);
    /* Keeps ids as revoked; not answered, and lost while away. list_revoked reads those that have not run
     * out. */
    void (*revoke)(struct backend *backend, const struct backend_revocation *list, size_t count);
    void (*list_revoked)(struct backend *backend, uint64_t token);
    /* Answers what is outstanding (UMBEL_BACKEND_AWAY after `grace` seconds), closes, calls `closed`. */
    void (*close)(struct backend *backend, double grace, void (*closed)(void *self), void *self);
};

struct backend {
    const struct backend_ops *ops;
};

/* By the scheme of the URL, as transport_open. After a failure *out is NULL. */
int backend_open(struct backend **out, struct loop *loop, const char *url,
                 const struct backend_options *options, const struct backend_events *events, void *self,
                 struct buffer *why);

#endif
