/* nest.h: what carries the calls that tasks make: the worker's end of the lines to those who run its tasks
 * (broker/parent_wire.h).
 *
 * One nest per worker. It opens a transport and a backend of its own when the first task calls something, and
 * publishes, looks up and listens for all of them; an answer goes to the line that asked. What a task calls
 * that this worker could run itself goes to a nested queue (nest_route.h), once that is consumed. While the
 * broker is away calls are kept, a bounded number of bounded size per line, and a line that sends more is not
 * read.
 *
 * All on the loop's thread. What comes over a line is checked: whoever is on the other end runs other
 * people's code. */
#ifndef WORKER_NEST_H
#define WORKER_NEST_H

#include "common/log.h"
#include "common/loop.h"
#include "common/str.h"
#include "worker/registry.h"

struct nest;
struct nest_guest;

struct nest_events {
    /* Does this worker consume this queue? */
    bool (*serves)(void *self, umbel_str queue);
    /* Begin to consume its nested queue; nest_consumed answers, from a later turn. */
    void (*consume)(void *self, umbel_str queue);
};

struct nest_options {
    const struct log *log;
    const struct registry *registry;
    const char *broker, *backend; /* backend NULL: results are not kept. Copied */
    const char *worker_name;
};

/* UMBEL_OK or UMBEL_NO_MEMORY. Opens nothing yet. */
int nest_new(struct nest **out, struct loop *loop, const struct nest_options *options,
             const struct nest_events *events, void *self);
/* A line of somebody who runs tasks; takes the descriptor over. NULL, and it is closed, when memory is out.
 */
struct nest_guest *nest_enter(struct nest *nest, int fd);
/* The line's other end is gone: nothing is said to it any more. What it has published is published. */
void nest_leave(struct nest_guest *guest);
/* The nested queue of `queue` is consumed: what is meant for it can be published. */
void nest_consumed(struct nest *nest, umbel_str queue);
/* No further queue will be consumed here: what would have waited for one goes to the queue that was named. */
void nest_consumes_no_more(struct nest *nest);
/* Writes out what it has for at most `grace` seconds, closes, frees, calls `closed`. Every guest has left. */
void nest_close(struct nest *nest, double grace, void (*closed)(void *self), void *self);

#endif
