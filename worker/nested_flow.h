/* nested_flow.h: the nested queues a worker consumes (nest_route.h), and how much it has of them.
 *
 * A nested queue is consumed from the moment on at which a task here calls something on it, or at which it is
 * found to be there: it is looked for at the start and every ten seconds. Its queue gives the deepest calls
 * first, so little is asked for ahead: as many as run at once and a few. But a task that waits stays
 * unacknowledged, and what may not begin yet (lanes.h) stays too: whenever all that was asked for is in hand
 * and the pool has nothing to do, a little more is asked for. What was added goes when none was in hand for a
 * while. */
#ifndef WORKER_NESTED_FLOW_H
#define WORKER_NESTED_FLOW_H

#include "broker/transport.h"

struct nested_source;

struct nested_facts {
    uint32_t in_hand;     /* of nested queues, not settled */
    uint32_t waiting;     /* tasks that wait */
    uint32_t running;     /* tasks that run and do not wait */
    uint32_t concurrency; /* how many could */
};

struct nested_flow_events {
    void (*facts)(void *self, struct nested_facts *facts);
    /* The nested queue of `queue` is consumed. */
    void (*consumed)(void *self, umbel_str queue);
};

struct nested_flow {
    struct loop *loop;
    struct transport *transport;
    const struct log *log;
    const struct nested_flow_events *events;
    void *self;
    struct nested_source *sources;
    uint32_t credit;      /* deliveries asked for, of all consumers */
    uint64_t last_grown;  /* loop ms */
    uint64_t last_needed; /* likewise: something was in hand */
    uint64_t last_looked; /* likewise: queues were looked for */
    bool started;
    uv_timer_t timer;
};

void nested_flow_init(struct nested_flow *flow, struct loop *loop, const struct log *log,
                      const struct nested_flow_events *events, void *self);
void nested_flow_fini(struct nested_flow *flow);
/* From now on; the queues are told by nested_flow_add. */
void nested_flow_start(struct nested_flow *flow, struct transport *transport);
void nested_flow_stop(struct nested_flow *flow);
/* The nested queue of `queue` is consumed as soon as it is there. */
void nested_flow_add(struct nested_flow *flow, umbel_str queue);
void nested_flow_drop(struct nested_flow *flow, umbel_str queue);
/* It is made if it is not there. */
void nested_flow_make(struct nested_flow *flow, umbel_str queue);
bool nested_flow_expects(const struct nested_flow *flow, uint32_t consumer);
/* Something has changed that may ask for more; cheap. */
void nested_flow_look(struct nested_flow *flow);
/* Facts from the transport; tokens are ours if nested_flow_expects says nothing else. */
void nested_flow_consuming(struct nested_flow *flow, uint32_t consumer);
void nested_flow_counted(struct nested_flow *flow, uint64_t token, int code);

/* The rule, pure: how many more deliveries are to be asked for now. `paused`: little time has passed since.
 */
uint32_t nested_flow_decide(const struct nested_facts *facts, uint32_t credit, bool paused);

#endif
