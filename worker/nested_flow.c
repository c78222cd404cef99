/* nested_flow.c: see nested_flow.h. */
#include "worker/nested_flow.h"

#include <stdlib.h>
#include <string.h>
#include "common/str.h"
#include "worker/credit.h"
#include "worker/nest_route.h"

#define LOOK_MS 10000   /* between two looks for a queue that was not there */
#define TICK_MS 50      /* while something nested is in hand */
#define THRIFT_MS 10000 /* what was added goes after so long without need */
#define CREDIT_MAX 2048u
#define EXTRA_MAX 64 /* consumers that were added to one queue */

struct nested_source {
    struct nested_source *next;
    uint32_t base; /* consumer; 0: none yet */
    uint32_t extra[EXTRA_MAX];
    int extras;
    uint32_t credit; /* of all of them */
    bool consuming;
    umbel_str queue; /* without ".nested" */
    char name[];     /* with it */
};

/* ---- the rule ---- */

/* What is in hand and neither runs nor waits may not begin yet. A few of those are the price of having asked
 * ahead; the more there are, the slower more is asked for, since other workers could have them. Every step is
 * a consumer, of which there are few, so steps grow with what there is: a long chain of calls gets there too.
 */
uint32_t nested_flow_decide(const struct nested_facts *facts, uint32_t credit, bool paused)
{
    if (facts->in_hand < credit || facts->running >= facts->concurrency || credit >= CREDIT_MAX)
        return 0;
    uint32_t active = facts->waiting + facts->running;
    uint32_t held = facts->in_hand > active ? facts->in_hand - active : 0;
    if (paused && held > 2 * (facts->waiting + facts->concurrency))
        return 0;
    return facts->concurrency + held / 2 + credit / 8;
}

/* ---- consumers ---- */

static uint32_t consume(struct nested_flow *flow, struct nested_source *source, uint32_t prefetch, bool make)
{
    struct consume_options options = {
        .prefetch = prefetch, .create_queue = make, .max_priority = NEST_PRIORITY_MAX};
    source->credit += prefetch;
    flow->credit += prefetch;
    return flow->transport->ops->consume(flow->transport, source->name, &options);
}

static void facts_of(struct nested_flow *flow, struct nested_facts *facts)
{
    *facts = (struct nested_facts){0};
    flow->events->facts(flow->self, facts);
}

static uint32_t base_credit(struct nested_flow *flow)
{
    struct nested_facts facts;
    facts_of(flow, &facts);
    return credit_base(facts.concurrency, 0);
}

static void begin(struct nested_flow *flow, struct nested_source *source, bool make)
{
    if (source->base || !flow->started)
        return;
    source->base = consume(flow, source, base_credit(flow), make);
}

static void on_tick(uv_timer_t *timer);

static void tick_soon(struct nested_flow *flow)
{
    uv_timer_start(&flow->timer, on_tick, TICK_MS, 0);
}

static void grow(struct nested_flow *flow, uint32_t more)
{
    flow->last_grown = loop_now(flow->loop);
    for (struct nested_source *at = flow->sources; at; at = at->next)
        if (at->base && at->extras < EXTRA_MAX)
            at->extra[at->extras++] = consume(flow, at, more, false);
}

static void shrink(struct nested_flow *flow)
{
    flow->credit = 0;
    for (struct nested_source *at = flow->sources; at; at = at->next) {
        while (at->extras > 0)
            flow->transport->ops->cancel(flow->transport, at->extra[--at->extras]);
        at->credit = at->base ? base_credit(flow) : 0;
        flow->credit += at->credit;
    }
}

void nested_flow_look(struct nested_flow *flow)
{
    struct nested_facts facts;
    if (!flow->credit || !flow->started)
        return;
    facts_of(flow, &facts);
    if (facts.in_hand == 0)
        return;
    uint64_t now = loop_now(flow->loop);
    flow->last_needed = now;
    uint32_t more = nested_flow_decide(&facts, flow->credit, now - flow->last_grown < TICK_MS);
    if (more)
        grow(flow, more);
    if (uv_timer_get_due_in(&flow->timer) > TICK_MS)
        tick_soon(flow);
}

/* ---- looking for queues ---- */

static void look_for_queues(struct nested_flow *flow)
{
    flow->last_looked = loop_now(flow->loop);
    for (struct nested_source *at = flow->sources; at; at = at->next)
        if (!at->base)
            flow->transport->ops->count(flow->transport, at->name, (uint64_t)(uintptr_t)at);
}

static bool has_extras(const struct nested_flow *flow)
{
    for (const struct nested_source *at = flow->sources; at; at = at->next)
        if (at->extras)
            return true;
    return false;
}

static void on_tick(uv_timer_t *timer)
{
    struct nested_flow *flow = timer->data;
    struct nested_facts facts;
    uint64_t now = loop_now(flow->loop);
    if (now - flow->last_looked >= LOOK_MS)
        look_for_queues(flow);
    facts_of(flow, &facts);
    if (facts.in_hand > 0) {
        uv_timer_start(timer, on_tick, TICK_MS, 0);
        nested_flow_look(flow);
        return;
    }
    if (has_extras(flow) && now - flow->last_needed >= THRIFT_MS)
        shrink(flow);
    uv_timer_start(timer, on_tick, LOOK_MS, 0);
}

void nested_flow_counted(struct nested_flow *flow, uint64_t token, int code)
{
    for (struct nested_source *at = flow->sources; at; at = at->next)
        if ((uint64_t)(uintptr_t)at == token && code == UMBEL_OK)
            begin(flow, at, false);
}

/* ---- queues ---- */

static struct nested_source *find_queue(const struct nested_flow *flow, umbel_str queue)
{
    struct nested_source *at = flow->sources;
    while (at && !str_equal(at->queue, queue))
        at = at->next;
    return at;
}

void nested_flow_add(struct nested_flow *flow, umbel_str queue)
{
    if (nest_is_nested(queue) || find_queue(flow, queue))
        return;
    struct nested_source *source = calloc(1, sizeof *source + queue.size + sizeof ".nested");
    if (!source)
        return; /* then it is not consumed here */
    memcpy(source->name, queue.data, queue.size);
    memcpy(source->name + queue.size, ".nested", sizeof ".nested");
    source->queue = (umbel_str){source->name, queue.size};
    source->next = flow->sources;
    flow->sources = source;
    if (flow->started)
        flow->transport->ops->count(flow->transport, source->name, (uint64_t)(uintptr_t)source);
}

static void cancel_all(struct nested_flow *flow, struct nested_source *source)
{
    while (source->extras > 0)
        flow->transport->ops->cancel(flow->transport, source->extra[--source->extras]);
    if (source->base)
        flow->transport->ops->cancel(flow->transport, source->base);
    flow->credit -= source->credit;
    source->base = source->credit = 0;
    source->consuming = false;
}

void nested_flow_drop(struct nested_flow *flow, umbel_str queue)
{
    struct nested_source *source = find_queue(flow, queue);
    struct nested_source **at = &flow->sources;
    if (!source)
        return;
    while (*at != source)
        at = &(*at)->next;
    *at = source->next;
    if (flow->started)
        cancel_all(flow, source);
    free(source);
}

void nested_flow_make(struct nested_flow *flow, umbel_str queue)
{
    nested_flow_add(flow, queue);
    struct nested_source *source = find_queue(flow, queue);
    if (!source)
        return;
    begin(flow, source, true);
    if (source->consuming)
        flow->events->consumed(flow->self, source->queue);
}

/* ---- life ---- */

void nested_flow_init(struct nested_flow *flow, struct loop *loop, const struct log *log,
                      const struct nested_flow_events *events, void *self)
{
    *flow = (struct nested_flow){.loop = loop, .log = log, .events = events, .self = self};
    uv_timer_init(&loop->uv, &flow->timer);
    uv_unref((uv_handle_t *)&flow->timer);
    flow->timer.data = flow;
}

void nested_flow_fini(struct nested_flow *flow)
{
    uv_close((uv_handle_t *)&flow->timer, NULL);
    while (flow->sources) {
        struct nested_source *source = flow->sources;
        flow->sources = source->next;
        free(source);
    }
}

void nested_flow_start(struct nested_flow *flow, struct transport *transport)
{
    flow->transport = transport;
    flow->started = true;
    look_for_queues(flow);
    uv_timer_start(&flow->timer, on_tick, LOOK_MS, 0);
}

void nested_flow_stop(struct nested_flow *flow)
{
    uv_timer_stop(&flow->timer);
    if (!flow->started)
        return;
    flow->started = false;
    for (struct nested_source *at = flow->sources; at; at = at->next)
        cancel_all(flow, at);
}

/* ---- facts from the transport ---- */

static bool brings(const struct nested_source *source, uint32_t consumer)
{
    bool found = source->base == consumer;
    for (int i = 0; i < source->extras && !found; i++)
        found = source->extra[i] == consumer;
    return found;
}

bool nested_flow_expects(const struct nested_flow *flow, uint32_t consumer)
{
    for (const struct nested_source *at = flow->sources; consumer && at; at = at->next)
        if (brings(at, consumer))
            return true;
    return false;
}

void nested_flow_consuming(struct nested_flow *flow, uint32_t consumer)
{
    for (struct nested_source *at = flow->sources; at; at = at->next) {
        if (at->base != consumer || at->consuming)
            continue;
        at->consuming = true;
        log_line(flow->log, UMBEL_DEBUG, "worker", "consuming '%s'", at->name);
        flow->events->consumed(flow->self, at->queue);
        return;
    }
}
