/* nested.h: what a client must know of the task inside which it is used: for calls, whose they are; for
 * waits, that a slot of the worker stands idle meanwhile.
 *
 * Whoever runs tasks hands its answers in (worker/task_client.c); a client of an application has none. All of
 * them are called on the thread that submits or waits. */
#ifndef CLIENT_NESTED_H
#define CLIENT_NESTED_H

#include <umbel/client.h>
#include "common/str.h"

/* The header of ours that tells how deep a call is nested: 1 for what a root calls. */
#define NESTED_DEPTH_HEADER "umbel-depth"
/* Behind a queue's name: where calls go that tasks of this queue make. */
#define NESTED_QUEUE_SUFFIX ".nested"

/* The task that calls. Borrowed while it runs. */
struct nested_origin {
    umbel_str queue, root_id, parent_id;
    int depth;   /* of the call to be made */
    bool direct; /* the client itself sends it to the nested queue, there is no worker to do that */
};

struct nested_calls {
    /* False: no task runs on this thread. */
    bool (*origin)(void *self, struct nested_origin *origin);
    /* It has called something: `mark` (outbox_mark) is behind it. */
    void (*called)(void *self, uint64_t mark);
    /* This thread is about to wait for results. UMBEL_OK: `wait_end` follows. UMBEL_BUSY: too many tasks of
     * this worker wait already. */
    int (*wait_begin)(void *self);
    void (*wait_end)(void *self);
    /* Seconds it may wait before it asks again; negative: it is to give up, the task was interrupted. */
    double (*patience)(void *self);
    /* What umbel_error says after UMBEL_BUSY; any buffer. */
    void (*explain)(void *self, char *out, size_t size);
};

/* Waits until all before the mark is confirmed or has failed, at most so long. */
void client_settle(umbel_client *client, uint64_t mark, double seconds);
/* Before the client is used by anybody. `calls` and `self` outlive it. */
void client_nest(umbel_client *client, const struct nested_calls *calls, void *self);

#endif
