/* transport_parent.c: publishing through the worker (parent_link.h). The worker's transport is the one that
 * connects, waits and comes back; here is only the line to it, so what fails is that line, once and for good.
 *
 * Tokens on the line count up, so that the answer to a publish is found at the front of a ring: the worker
 * answers nearly in order. */
#include "broker/transport_parent.h"

#include <stdlib.h>
#include "broker/parent_link.h"

enum { BODY_MAX = 128 << 20, OUTPUT_MAX = 16 << 20, RING_FIRST = 64 };

/* Publishes not answered yet: token n of the line is at n & (size - 1). */
struct ring {
    struct pending {
        uint64_t token; /* the owner's */
        bool answered;
    } * items;
    uint64_t first, next; /* tokens of the line */
    size_t size;
};

struct parent_transport {
    struct transport base;
    struct parent_link *link;
    const struct transport_events *events;
    void *self;
    struct ring ring;
    size_t output_max;
    bool wants_room;
};

/* ---- what is not answered yet ---- */

static bool ring_room(struct ring *ring)
{
    if (ring->next - ring->first < ring->size)
        return true;
    size_t size = ring->size ? ring->size * 2 : RING_FIRST;
    struct pending *items = malloc(size * sizeof *items);
    if (!items)
        return false;
    for (uint64_t at = ring->first; at < ring->next; at++)
        items[at & (size - 1)] = ring->items[at & (ring->size - 1)];
    free(ring->items);
    ring->items = items;
    ring->size = size;
    return true;
}

static uint64_t ring_add(struct ring *ring, uint64_t token)
{
    ring->items[ring->next & (ring->size - 1)] = (struct pending){token, false};
    return ring->next++;
}

/* False: it was answered before, or never asked. */
static bool ring_take(struct ring *ring, uint64_t number, uint64_t *token)
{
    if (number < ring->first || number >= ring->next)
        return false;
    struct pending *item = &ring->items[number & (ring->size - 1)];
    if (item->answered)
        return false;
    item->answered = true;
    *token = item->token;
    while (ring->first < ring->next && ring->items[ring->first & (ring->size - 1)].answered)
        ring->first++;
    return true;
}

static void answer_all(struct parent_transport *pt, const char *why)
{
    uint64_t token, last = pt->ring.next;
    for (uint64_t at = pt->ring.first; at < last; at++)
        if (ring_take(&pt->ring, at, &token))
            pt->events->published(pt->self, token, UMBEL_BROKER_AWAY, why);
}

/* ---- what comes ---- */

static const char *text_of(umbel_str why, char out[256])
{
    size_t size = why.size < 255 ? why.size : 255;
    if (size)
        memcpy(out, why.data, size);
    out[size] = '\0';
    return out;
}

static void give_room(struct parent_transport *pt)
{
    if (!pt->wants_room || parent_link_pending(pt->link) > pt->output_max / 2)
        return;
    pt->wants_room = false;
    pt->events->room(pt->self);
}

static void on_frame(void *self, const struct parent_frame *frame)
{
    struct parent_transport *pt = self;
    char why[256];
    uint64_t token;
    text_of(frame->payload, why);
    if (frame->kind == PARENT_BROKER)
        pt->events->state(pt->self, (enum transport_state)frame->flags, frame->code, why);
    else if (ring_take(&pt->ring, frame->token, &token))
        pt->events->published(pt->self, token, frame->code, why);
    give_room(pt);
}

static void on_down(void *self, const char *why)
{
    struct parent_transport *pt = self;
    pt->events->state(pt->self, TRANSPORT_FAILED, UMBEL_BROKER_AWAY, why);
    answer_all(pt, why);
}

static const struct parent_hearer hearer = {on_frame, on_down};

/* ---- contract ---- */

static int publish(struct transport *transport, const struct message *msg, double delay, int flags,
                   uint64_t token)
{
    struct parent_transport *pt = (struct parent_transport *)transport;
    if (!parent_link_is_up(pt->link))
        return UMBEL_BROKER_AWAY;
    if (msg->body.size > BODY_MAX)
        return UMBEL_TOO_LARGE;
    if (parent_link_pending(pt->link) >= pt->output_max) {
        pt->wants_room = true;
        return UMBEL_BUSY;
    }
    if (!ring_room(&pt->ring))
        return UMBEL_NO_MEMORY;
    struct buffer *out = parent_link_output(pt->link);
    struct parent_frame frame = {
        .kind = PARENT_PUBLISH, .flags = (uint8_t)flags, .token = ring_add(&pt->ring, token)};
    size_t opened = parent_frame_open(out, &frame);
    buffer_add(out, &delay, sizeof delay);
    message_pack(out, msg);
    parent_frame_close(out, opened);
    parent_link_wrote(pt->link);
    return UMBEL_OK;
}

/* A task consumes nothing: these are for who runs tasks. */
static uint32_t consume(struct transport *transport, const char *queue, const struct consume_options *options)
{
    (void)transport, (void)queue, (void)options;
    return 0;
}

static void cancel(struct transport *transport, uint32_t consumer)
{
    (void)transport, (void)consumer;
}

static void settle(struct transport *transport, struct tag tag, enum settle how)
{
    (void)transport, (void)tag, (void)how;
}

static void count(struct transport *transport, const char *queue, uint64_t token)
{
    (void)transport, (void)queue, (void)token;
}

static void pause_reading(struct transport *transport, bool paused)
{
    (void)transport, (void)paused;
}

static void close_transport(struct transport *transport, double grace, void (*closed)(void *self), void *self)
{
    struct parent_transport *pt = (struct parent_transport *)transport;
    (void)grace;
    parent_link_close(pt->link, PARENT_TRANSPORT_SIDE);
    answer_all(pt, "the client was closed");
    free(pt->ring.items);
    free(pt);
    closed(self);
}

static int open_transport(struct transport **out, struct loop *loop, const struct url *urls, size_t url_count,
                          const struct transport_options *options, const struct transport_events *events,
                          void *self, const char **why)
{
    struct parent_transport *pt = calloc(1, sizeof *pt);
    (void)url_count;
    *why = "out of memory";
    if (!pt)
        return UMBEL_NO_MEMORY;
    pt->base.ops = &transport_parent;
    pt->events = events;
    pt->self = self;
    pt->output_max = options->output_max ? options->output_max : OUTPUT_MAX;
    pt->link = parent_link_open(loop, &urls[0], PARENT_TRANSPORT_SIDE, &hearer, pt, why);
    if (!pt->link) {
        free(pt);
        return UMBEL_BAD_URL;
    }
    *out = &pt->base;
    return UMBEL_OK;
}

const struct transport_ops transport_parent = {
    .scheme = "parent",
    .open = open_transport,
    .publish = publish,
    .consume = consume,
    .cancel = cancel,
    .settle = settle,
    .count = count,
    .purge = count,
    .pause = pause_reading,
    .close = close_transport,
};
