/* engine.h: the client's background thread: one loop, one connection to the broker, one to the result
 * backend.
 *
 * It is opened and closed by the caller's thread; in between everything on the loop belongs to the background
 * thread, and other threads leave work in the outbox and the inbox and wake it. */
#ifndef CLIENT_ENGINE_H
#define CLIENT_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include "client/direct.h"
#include "client/inbox.h"
#include "client/outbox.h"
#include "client/timers.h"
#include "worker/local.h"

enum { ENGINE_WHY = 320 };

enum engine_cancels { CANCEL_NOTHING, CANCEL_PENDING, CANCEL_ALL };

/* How one of the two connections is. */
struct reach {
    bool up, failed;
    int code; /* why not */
    char why[ENGINE_WHY];
};

struct engine {
    struct loop loop;
    struct waker waker;
    struct turn_hook turn;
    uv_timer_t timer;
    uint64_t timer_at; /* UINT64_MAX: not running */
    struct transport *transport;
    struct backend *backend;          /* NULL: no results */
    struct local *local;              /* a worker of our own; NULL: others do the work */
    bool local_works;                 /* it was opened */
    uint64_t local_sent, local_ended; /* calls it was given and that have come to an end there */
    bool has_results;                 /* there is a backend; never changes once open */
    struct outbox outbox;
    struct inbox inbox;
    struct direct direct;
    struct timers timers;
    struct callbacks *callbacks;
    atomic_bool rung; /* umbel_client_dispatch was told of a timed call and has not looked yet */
    const struct log *log;
    pthread_t thread;
    bool running;  /* the thread was started */
    int open_ends; /* connections that are still closing */
    double grace;

    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    struct reach broker, results;
    bool stop;
    enum engine_cancels cancels; /* asked for, of everything */
    atomic_int drainers;         /* who waits until nothing is outstanding */
    uint64_t drained;            /* how often that was so */
    bool ended;                  /* no callback will run, every future is told */
    bool finished;               /* the thread is over but for its return */
    bool alone;                  /* nobody waits for it: it calls `release` at its end */
    void (*release)(void *owner);
    void *owner;
};

struct engine_options {
    const char *broker, *backend; /* backend NULL: the broker's URL where it can keep results */
    size_t buffer_bytes;
    const umbel_module_table *module; /* for a worker of our own; NULL: the program's */
    const struct log *log;
    struct callbacks *callbacks;
    void (*release)(void *owner); /* see engine_close */
    void *owner;
};

/* Opens both ends and starts the thread. UMBEL_OK, UMBEL_BAD_URL, UMBEL_SYSTEM, UMBEL_NO_MEMORY, with one
 * sentence in `why`; after a failure nothing is left to close. */
int engine_open(struct engine *engine, const struct engine_options *options, struct buffer *why);
/* The part of it that opens the connections; they come up by themselves. */
int engine_open_ends(struct engine *engine, const struct engine_options *options, struct buffer *why);
/* Ends the thread: what is unsent gets `grace` seconds, what is not done then answers UMBEL_CLOSED. True: the
 * thread is held up by the system's look-up of a name and ends by itself later, with a call of `release`;
 * until then the engine's memory must stay. */
bool engine_close(struct engine *engine, double grace);
/* Frees what is left; when the last future is gone too. */
void engine_fini(struct engine *engine);
/* Nothing is submitted any more. */
void engine_shut(struct engine *engine);
bool engine_is_here(const struct engine *engine); /* is this the background thread? */
/* Runs the timed calls that are due, for umbel_client_dispatch; how many ran. */
int engine_run_timers(struct engine *engine);
bool engine_has_pool(const struct engine *engine);
/* Cancels everything that is outstanding. */
void engine_cancel(struct engine *engine, enum engine_cancels which);
/* Waits until nothing is outstanding. UMBEL_OK or UMBEL_TIMEOUT. */
int engine_drain(struct engine *engine, double seconds);
/* On the background thread, for the turn: carries out what engine_cancel asked for, of all that was taken;
 * wakes who drains. */
void engine_carry_out_cancels(struct engine *engine, enum engine_cancels which);
void engine_look_drained(struct engine *engine);
/* Waits until both ends are up. UMBEL_OK, UMBEL_TIMEOUT, or the code of the one that will not come up, with
 * `why`. */
int engine_wait(struct engine *engine, double seconds, char why[ENGINE_WHY]);
/* What cannot be reached now, as half a sentence; false when all is well. */
bool engine_trouble(struct engine *engine, char why[ENGINE_WHY]);

#endif
