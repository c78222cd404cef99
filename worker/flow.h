/* flow.h: the queues a worker consumes, and how much it has of them: the hands of credit.h. */
#ifndef WORKER_FLOW_H
#define WORKER_FLOW_H

#include "broker/transport.h"
#include "worker/credit.h"

struct source {
    const char *queue;
    char *owned;          /* the same, when it was added later */
    uint32_t base, boost; /* consumers; 0 = none */
    bool consuming;       /* the base one */
};

struct flow_options {
    const char *const *queues; /* borrowed for the flow's life */
    size_t queue_count;
    uint32_t multiplier; /* 0 = automatic */
    int max_priority;
};

struct flow_events {
    /* Every queue is being consumed, for the first time. */
    void (*consuming)(void *self);
    /* This consumer was cancelled to shrink: what it brought and has not started is to be handed back. */
    void (*shrunk)(void *self, uint32_t consumer);
    /* Tasks that can run at once. */
    uint32_t (*slots)(void *self);
    size_t (*in_hand)(void *self);
};

struct flow {
    struct loop *loop;
    struct transport *transport;
    const struct log *log;
    const struct flow_events *events;
    void *self;
    struct source *sources;
    size_t count;
    struct credit credit;
    struct flow_options options;
    uint32_t base_each; /* prefetch of one base consumer */
    size_t peak;        /* most deliveries in hand since the last tick */
    uv_timer_t timer;
    bool ticking, announced;
};

/* UMBEL_OK or UMBEL_NO_MEMORY. */
int flow_init(struct flow *flow, struct loop *loop, const struct log *log, const struct flow_options *options,
              const struct flow_events *events, void *self);
void flow_fini(struct flow *flow);
void flow_start(struct flow *flow, struct transport *transport);
/* There may be more slots than before: then every queue gets a consumer with room for them in place of its
 * own, and what that one brought stays. A consumer for fewer slots is not made less: who shrinks works off.
 */
void flow_widen(struct flow *flow);
/* One more queue, one less. UMBEL_OK (also when nothing is to be done), UMBEL_NO_MEMORY. */
int flow_add(struct flow *flow, umbel_str queue);
void flow_drop(struct flow *flow, umbel_str queue);
bool flow_has(const struct flow *flow, umbel_str queue);
/* Cancels every consumer. */
void flow_stop(struct flow *flow);
/* Is this one of the consumers that are meant to bring something? */
bool flow_expects(const struct flow *flow, uint32_t consumer);
void flow_delivered(struct flow *flow, size_t in_hand);
void flow_finished(struct flow *flow, double runtime);
/* Facts from the transport. */
void flow_consuming(struct flow *flow, uint32_t consumer, uint64_t waiting);
void flow_lost(struct flow *flow, uint32_t consumer, int code, const char *why);

#endif
