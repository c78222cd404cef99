/* local.h: a worker inside the program that calls: the executor of memory://?pool=...
 *
 * It is the ordinary consumer with a transport, a backend and a pool of its own, on a loop that somebody else
 * runs: the client's. Steps of its owner: local_new (before any thread of the client's exists: it may fork),
 * local_open on the loop, then on the loop's thread local_serve and, at the end, local_close; local_free when
 * the loop is gone.
 *
 * It serves every queue that the client publishes to. Its tasks are those of the module it is given, and any
 * function of the program (task_function.h). */
#ifndef WORKER_LOCAL_H
#define WORKER_LOCAL_H

#include "common/buffer.h"
#include "common/log.h"
#include "common/loop.h"
#include "umbel/task.h"
#include "worker/calls.h"

struct local;

enum {
    LOCAL_HUB_URL = 80,
    LOCAL_RESULTS = 10000 /* kept when their futures are done: for who asks by an id, or reads parts late */
};

struct local_options {
    const char *url;                  /* memory://[NAME]?pool=... */
    const umbel_module_table *module; /* NULL: the program's own, where it has one */
    struct umbel_client *client;      /* whose worker it is: what its tasks call other tasks with */
    const struct log *log;            /* NULL: silent, but for what tasks say, which goes to stderr */
    /* On the loop's thread: a task has begun; a task has come to its end. */
    void (*started)(void *self, umbel_str id);
    void (*ended)(void *self);
    void *self;
    const struct call_events *calls; /* of what local_call is given */
    void *calls_self;
};

/* Is this the URL of an executor? False for one that cannot be parsed. */
bool local_is_meant(const char *url);
/* UMBEL_OK; UMBEL_BAD_URL, UMBEL_BAD_MODULE, UMBEL_CONFLICT, UMBEL_SYSTEM or UMBEL_NO_MEMORY with one
 * sentence in `why`. */
int local_new(struct local **out, const struct local_options *options, struct buffer *why);
/* The hub that it serves; the client's own ends belong there too. Borrowed. */
const char *local_url(const struct local *local);
/* Opens its ends and its pool; `backend` NULL: results are kept in the hub. After a failure local_close must
 * not follow, local_free must. */
int local_open(struct local *local, struct loop *loop, const char *backend, struct buffer *why);
/* From now on this queue is consumed too; it exists when this returns. Cheap for one it knows. */
void local_serve(struct local *local, umbel_str queue);
/* Do calls find their way by local_call? Not when others may see the hub, or results are kept elsewhere: then
 * each must be a message. */
bool local_takes_calls(const struct local *local);
/* As consumer_call. */
bool local_call(struct local *local, const struct call *call);
/* Nothing new begins. What runs may end within `grace` seconds, is killed then where the pool can; then
 * everything is closed and `closed` is called. */
void local_close(struct local *local, double grace, void (*closed)(void *self), void *self);
/* Ends the fork server; NULL is allowed. */
void local_free(struct local *local);

#endif
