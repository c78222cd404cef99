/* flow.c: see flow.h. */
#include "worker/flow.h"

#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/str.h"

#define TICK_MS 100

/* ---- consumers
 * -------------------------------------------------------------------------------------------------- */

static uint32_t consume(struct flow *flow, const char *queue, uint32_t prefetch)
{
    struct consume_options options = {
        .prefetch = prefetch, .create_queue = true, .max_priority = flow->options.max_priority};
    return flow->transport->ops->consume(flow->transport, queue, &options);
}

static void grow(struct flow *flow)
{
    for (size_t i = 0; i < flow->count; i++)
        flow->sources[i].boost = consume(flow, flow->sources[i].queue, CREDIT_BOOST);
    credit_changed(&flow->credit, true, clock_mono());
    log_line(flow->log, UMBEL_DEBUG, "worker", "tasks are short: %d more deliveries per queue are asked for",
             CREDIT_BOOST);
}

static void cancel(struct flow *flow, uint32_t *consumer)
{
    if (*consumer)
        flow->transport->ops->cancel(flow->transport, *consumer);
    *consumer = 0;
}

static void shrink(struct flow *flow)
{
    credit_changed(&flow->credit, false, clock_mono());
    log_line(flow->log, UMBEL_DEBUG, "worker", "tasks have turned long: what has not started goes back");
    for (size_t i = 0; i < flow->count; i++) {
        uint32_t consumer = flow->sources[i].boost;
        cancel(flow, &flow->sources[i].boost);
        if (consumer)
            flow->events->shrunk(flow->self, consumer);
    }
}

/* ---- a few times a second, while there is work
 * -------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    struct flow *flow = timer->data;
    struct credit_facts facts = {.now = clock_mono(),
                                 .slots = flow->events->slots(flow->self),
                                 .in_hand = (uint32_t)flow->peak,
                                 .base = flow->base_each,
                                 .fixed = flow->options.multiplier > 0 || flow->options.max_priority > 0};
    enum credit_action action = credit_decide(&flow->credit, &facts);
    if (action == CREDIT_GROW)
        grow(flow);
    else if (action == CREDIT_SHRINK)
        shrink(flow);
    if (flow->peak == 0) {
        uv_timer_stop(timer);
        flow->ticking = false;
    }
    flow->peak = flow->events->in_hand(flow->self);
}

void flow_delivered(struct flow *flow, size_t in_hand)
{
    if (in_hand > flow->peak)
        flow->peak = in_hand;
    if (flow->ticking)
        return;
    flow->ticking = true;
    uv_timer_start(&flow->timer, on_tick, TICK_MS, TICK_MS);
}

void flow_finished(struct flow *flow, double runtime)
{
    credit_finished(&flow->credit, runtime, (double)loop_now(flow->loop) * 1e-3);
}

/* ---- life
 * ------------------------------------------------------------------------------------------------------- */

int flow_init(struct flow *flow, struct loop *loop, const struct log *log, const struct flow_options *options,
              const struct flow_events *events, void *self)
{
    *flow = (struct flow){.loop = loop, .log = log, .events = events, .self = self, .options = *options};
    flow->sources = calloc(options->queue_count, sizeof *flow->sources);
    if (!flow->sources)
        return UMBEL_NO_MEMORY;
    flow->count = options->queue_count;
    for (size_t i = 0; i < flow->count; i++)
        flow->sources[i].queue = options->queues[i];
    uv_timer_init(&loop->uv, &flow->timer);
    flow->timer.data = flow;
    return UMBEL_OK;
}

void flow_fini(struct flow *flow)
{
    if (flow->sources)
        uv_close((uv_handle_t *)&flow->timer, NULL);
    for (size_t i = 0; i < flow->count; i++)
        free(flow->sources[i].owned);
    free(flow->sources);
    flow->sources = NULL;
}

void flow_start(struct flow *flow, struct transport *transport)
{
    flow->transport = transport;
    flow->base_each = credit_base(flow->events->slots(flow->self), flow->options.multiplier);
    for (size_t i = 0; i < flow->count; i++)
        flow->sources[i].base = consume(flow, flow->sources[i].queue, flow->base_each);
}

void flow_stop(struct flow *flow)
{
    uv_timer_stop(&flow->timer);
    for (size_t i = 0; i < flow->count; i++) {
        cancel(flow, &flow->sources[i].base);
        cancel(flow, &flow->sources[i].boost);
    }
}

/* The new consumer comes first, so that there is always one. Out of memory: the old one stays. */
static void widen(struct flow *flow, struct source *source)
{
    uint32_t old = source->base, wider = old ? consume(flow, source->queue, flow->base_each) : 0;
    if (!wider)
        return; /* likewise when the worker stops */
    source->base = wider;
    cancel(flow, &old);
}

void flow_widen(struct flow *flow)
{
    if (!flow->transport)
        return;
    uint32_t wanted = credit_base(flow->events->slots(flow->self), flow->options.multiplier);
    if (wanted <= flow->base_each)
        return;
    flow->base_each = wanted;
    for (size_t i = 0; i < flow->count; i++)
        widen(flow, &flow->sources[i]);
}

/* ---- on request
 * ----------------------------------------------------------------------------------------------------- */

static struct source *find_queue(const struct flow *flow, umbel_str queue)
{
    for (size_t i = 0; i < flow->count; i++)
        if (str_equal(str_of(flow->sources[i].queue), queue))
            return &flow->sources[i];
    return NULL;
}

bool flow_has(const struct flow *flow, umbel_str queue)
{
    return find_queue(flow, queue) != NULL;
}

int flow_add(struct flow *flow, umbel_str queue)
{
    if (find_queue(flow, queue) || !flow->transport)
        return UMBEL_OK;
    struct source *sources = realloc(flow->sources, (flow->count + 1) * sizeof *sources);
    if (!sources)
        return UMBEL_NO_MEMORY;
    flow->sources = sources;
    struct source *source = &sources[flow->count];
    char *name = strndup(queue.data, queue.size);
    if (!name)
        return UMBEL_NO_MEMORY;
    *source = (struct source){.queue = name, .owned = name};
    source->base = consume(flow, name, flow->base_each);
    flow->count++;
    return UMBEL_OK;
}

/* What it brought and has not started goes back. */
void flow_drop(struct flow *flow, umbel_str queue)
{
    struct source *source = find_queue(flow, queue);
    if (!source)
        return;
    struct source old = *source;
    uint32_t consumers[] = {old.base, old.boost};
    *source = flow->sources[--flow->count];
    cancel(flow, &old.base);
    cancel(flow, &old.boost);
    for (size_t i = 0; i < 2; i++)
        if (consumers[i])
            flow->events->shrunk(flow->self, consumers[i]);
    free(old.owned);
}

/* ---- facts from the transport
 * ------------------------------------------------------------------------------------- */

static struct source *find(const struct flow *flow, uint32_t consumer)
{
    for (size_t i = 0; consumer && i < flow->count; i++)
        if (flow->sources[i].base == consumer || flow->sources[i].boost == consumer)
            return &flow->sources[i];
    return NULL;
}

bool flow_expects(const struct flow *flow, uint32_t consumer)
{
    return find(flow, consumer) != NULL;
}

static bool all_consuming(const struct flow *flow)
{
    for (size_t i = 0; i < flow->count; i++)
        if (!flow->sources[i].consuming)
            return false;
    return true;
}

void flow_consuming(struct flow *flow, uint32_t consumer, uint64_t waiting)
{
    struct source *source = find(flow, consumer);
    if (!source || source->base != consumer)
        return;
    source->consuming = true;
    log_line(flow->log, UMBEL_DEBUG, "worker", "consuming '%s', %llu messages wait there", source->queue,
             (unsigned long long)waiting);
    if (!flow->announced && all_consuming(flow)) {
        flow->announced = true;
        flow->events->consuming(flow->self);
    }
}

void flow_lost(struct flow *flow, uint32_t consumer, int code, const char *why)
{
    struct source *source = find(flow, consumer);
    if (!source || source->base != consumer || !source->consuming)
        return;
    source->consuming = false;
    log_line(flow->log, UMBEL_WARNING, "worker",
             "queue '%s' cannot be consumed any more: %s; trying again every second", source->queue,
             why && *why ? why : umbel_strerror(code));
}
