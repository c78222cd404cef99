/* backend_parent.c: looking up and hearing of results through the worker (parent_link.h). See
 * transport_parent.c. What is asked while the line is down is not answered: the line comes back no more, its
 * owner was told so, and every wait for a result has an end of its own. */
#include "broker/backend_parent.h"

#include <stdlib.h>
#include "broker/parent_link.h"

struct parent_backend {
    struct backend base;
    struct parent_link *link;
    const struct backend_events *events;
    void *self;
};

/* ---- what comes ---- */

static void on_state(struct parent_backend *pb, const struct parent_frame *frame)
{
    char why[256];
    size_t size = frame->payload.size < sizeof why - 1 ? frame->payload.size : sizeof why - 1;
    if (size)
        memcpy(why, frame->payload.data, size);
    why[size] = '\0';
    pb->events->state(pb->self, (enum backend_state)frame->flags, frame->code, why);
}

static void on_found(struct parent_backend *pb, const struct parent_frame *frame)
{
    umbel_str payload = frame->payload, id;
    if (parent_take_text(&payload, &id))
        pb->events->found(pb->self, frame->token, frame->code, id, payload);
}

static void on_parts(struct parent_backend *pb, const struct parent_frame *frame)
{
    umbel_str payloads[BACKEND_PARTS_READ], rest = frame->payload, id;
    size_t count = 0;
    if (!pb->events->parts || !parent_take_text(&rest, &id))
        return;
    while (count < BACKEND_PARTS_READ && parent_take_text(&rest, &payloads[count]))
        count++;
    pb->events->parts(pb->self, frame->token, frame->code, id, payloads, count);
}

static void on_frame(void *self, const struct parent_frame *frame)
{
    struct parent_backend *pb = self;
    switch (frame->kind) {
    case PARENT_BACKEND:
        on_state(pb, frame);
        break;
    case PARENT_FOUND:
        on_found(pb, frame);
        break;
    case PARENT_PARTS:
        on_parts(pb, frame);
        break;
    case PARENT_NOTICE:
        pb->events->notice(pb->self, frame->payload, frame->flags != 0);
        break;
    case PARENT_SUBSCRIBED:
        pb->events->subscribed(pb->self, frame->token);
        break;
    case PARENT_RESUBSCRIBED:
        pb->events->resubscribed(pb->self);
        break;
    default:
        break;
    }
}

static void on_down(void *self, const char *why)
{
    struct parent_backend *pb = self;
    pb->events->state(pb->self, BACKEND_FAILED, UMBEL_BACKEND_AWAY, why);
}

static const struct parent_hearer hearer = {on_frame, on_down};

/* ---- contract ---- */

static void ask_from(struct parent_backend *pb, enum parent_kind kind, const umbel_str *ids, size_t count,
                     uint64_t token, uint32_t from)
{
    if (!parent_link_is_up(pb->link))
        return;
    struct buffer *out = parent_link_output(pb->link);
    struct parent_frame frame = {.kind = kind, .token = token, .code = (int32_t)from};
    size_t opened = parent_frame_open(out, &frame);
    for (size_t i = 0; i < count; i++)
        parent_put_text(out, ids[i]);
    parent_frame_close(out, opened);
    parent_link_wrote(pb->link);
}

static void ask(struct parent_backend *pb, enum parent_kind kind, const umbel_str *ids, size_t count,
                uint64_t token)
{
    ask_from(pb, kind, ids, count, token, 0);
}

static void read_parts(struct backend *backend, umbel_str id, uint32_t from, uint64_t token)
{
    ask_from((struct parent_backend *)backend, PARENT_READ_PARTS, &id, 1, token, from);
}

static void lookup(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token)
{
    ask((struct parent_backend *)backend, PARENT_LOOKUP, ids, count, token);
}

/* The worker listens on a channel of its own, which it writes into what is published. */
static void listen_channel(struct backend *backend, umbel_str channel, uint64_t token)
{
    (void)channel;
    ask((struct parent_backend *)backend, PARENT_LISTEN, NULL, 0, token);
}

static void watch(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token)
{
    ask((struct parent_backend *)backend, PARENT_WATCH, ids, count, token);
}

static void unwatch(struct backend *backend, const umbel_str *ids, size_t count)
{
    ask((struct parent_backend *)backend, PARENT_UNWATCH, ids, count, 0);
}

static void forget(struct backend *backend, umbel_str id)
{
    ask((struct parent_backend *)backend, PARENT_FORGET, &id, 1, 0);
}

static void keep_revoked(struct backend *backend, const struct backend_revocation *list, size_t count)
{
    struct parent_backend *pb = (struct parent_backend *)backend;
    if (!parent_link_is_up(pb->link))
        return;
    struct buffer *out = parent_link_output(pb->link);
    size_t opened = parent_frame_open(out, &(struct parent_frame){.kind = PARENT_REVOKE});
    for (size_t i = 0; i < count; i++) {
        buffer_add(out, &list[i].until, sizeof list[i].until);
        parent_put_text(out, list[i].id);
    }
    parent_frame_close(out, opened);
    parent_link_wrote(pb->link);
}

/* Storing and beginning are for who runs tasks. */
static void store(struct backend *backend, const struct backend_store *what, uint64_t token)
{
    (void)backend, (void)what, (void)token;
}

static void add_part(struct backend *backend, const struct backend_part *part, uint64_t token)
{
    (void)backend, (void)part, (void)token;
}

static void begin(struct backend *backend, umbel_str id, uint64_t token)
{
    (void)backend, (void)id, (void)token;
}

static void end_mark(struct backend *backend, umbel_str id)
{
    (void)backend, (void)id;
}

static void list_revoked(struct backend *backend, uint64_t token)
{
    (void)backend, (void)token;
}

static void close_backend(struct backend *backend, double grace, void (*closed)(void *self), void *self)
{
    struct parent_backend *pb = (struct parent_backend *)backend;
    (void)grace;
    parent_link_close(pb->link, PARENT_BACKEND_SIDE);
    free(pb);
    closed(self);
}

static int open_backend(struct backend **out, struct loop *loop, const struct url *url,
                        const struct backend_options *options, const struct backend_events *events,
                        void *self, const char **why)
{
    struct parent_backend *pb = calloc(1, sizeof *pb);
    (void)options;
    *why = "out of memory";
    if (!pb)
        return UMBEL_NO_MEMORY;
    pb->base.ops = &backend_parent;
    pb->events = events;
    pb->self = self;
    pb->link = parent_link_open(loop, url, PARENT_BACKEND_SIDE, &hearer, pb, why);
    if (!pb->link) {
        free(pb);
        return UMBEL_BAD_URL;
    }
    *out = &pb->base;
    return UMBEL_OK;
}

const struct backend_ops backend_parent = {
    .scheme = "parent",
    .open = open_backend,
    .store = store,
    .add_part = add_part,
    .read_parts = read_parts,
    .lookup = lookup,
    .listen = listen_channel,
    .watch = watch,
    .unwatch = unwatch,
    .forget = forget,
    .begin = begin,
    .end_mark = end_mark,
    .revoke = keep_revoked,
    .list_revoked = list_revoked,
    .close = close_backend,
};
