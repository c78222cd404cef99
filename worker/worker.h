/* worker.h: one worker: its duties, started in order and ended in reverse. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "common/command.h"
#include "worker/autoscale.h"
#include "worker/consumer.h"
#include "worker/control.h"
#include "worker/node_name.h"
#include "worker/settings.h"
#include "worker/signals.h"
#include "worker/stop.h"

#define WORKER_QUEUES_MAX 64

struct worker {
    const struct command_globals *globals;
    struct settings settings;
    char name[NODE_NAME_MAX];
    const char *backend_url; /* NULL: results are not kept */
    char *queue_text;        /* what `queues` point into */
    const char *queues[WORKER_QUEUES_MAX];
    size_t queue_count;
    int concurrency;   /* slots there are to be now */
    int most, least;   /* --autoscale at the start; 0 = none */
    struct buffer why; /* why it could not start: one sentence */

    struct registry *registry;
    struct fork_server *fork_server; /* NULL with a pool that forks nothing */
    struct log_sink sink;
    struct loop loop;
    struct consumer consumer;
    struct backend *backend;
    struct transport *transport;
    struct pool *pool;
    struct nest *nest;
    struct signals signals;
    struct stop stop;
    struct scaler scaler;
    struct control control;

    bool broker_was_up, backend_was_up, pool_stopped, closed, started;
    bool held_up;                      /* by the system's look-up of a name, when all else has ended */
    bool ending;                       /* the duties are being ended */
    enum transport_state broker_state; /* as last told */
    enum backend_state backend_state;
};

/* What its consumer tells it (worker_told.c). */
extern const struct consumer_events worker_consumer_events;

/* Runs a worker until it is stopped. Answers an exit code; what went wrong at the start is on stderr.
 * Does not return but ends the process when the look-up of a name holds it up. */
int worker_run(const struct command_globals *globals, const struct settings *settings);

#endif
