/* backend_memory.c: results inside one process.
 *
 * The hub (memory_hub.h) holds the results (memory_result.h); a store changes them at once, under the hub's
 * lock, and puts a notice into the list of every backend of the hub that listens on the reply channel or
 * watches the id. Answers and notices wait in one list per backend until its loop wakes up. Nothing here
 * fails but memory. */
#include <math.h>
#include <stdlib.h>
#include "broker/backend.h"
#include "broker/backend_memory.h"
#include "broker/audience.h"
#include "broker/memory_result.h"
#include "broker/memory_revoked.h"
#include "common/clock.h"

enum { EVENTS_PER_TURN = 512 };
static const double expires_default = 86400;

enum event_kind {
    EVENT_UP,
    EVENT_STORED,
    EVENT_FOUND,
    EVENT_BEGUN,
    EVENT_PARTS,
    EVENT_NOTICE,
    EVENT_SUBSCRIBED,
    EVENT_REVOKED
};

struct event {
    struct event *next;
    enum event_kind kind;
    int code;
    uint64_t token;
    uint32_t count;
    struct backend_history history;
    umbel_str id, payload; /* in `bytes`; of PARTS, `count` sizes and then their bytes */
    char bytes[];
};

struct memory_backend {
    struct backend base;
    struct memory_backend *next; /* in the hub */
    const struct backend_events *events;
    void *self;
    struct memory_hub *hub;
    double expires;
    size_t most;
    struct audience audience;
    struct event *first, **last;
    uv_async_t wake;
    bool closing;
    void (*closed)(void *self);
    void *closed_self;
};

/* ---- events, under the lock
 * -------------------------------------------------------------------------------------- */

/* When memory is out the event is lost, as the contract's caller has deadlines of its own. */
static struct event *add_event(struct memory_backend *mb, enum event_kind kind, uint64_t token, umbel_str id,
                               umbel_str payload)
{
    struct event *event = malloc(sizeof *event + id.size + payload.size);
    if (!event)
        return NULL;
    *event = (struct event){.kind = kind, .token = token};
    event->id = (umbel_str){event->bytes, id.size};
    event->payload = (umbel_str){event->bytes + id.size, payload.size};
    if (id.size)
        memcpy(event->bytes, id.data, id.size);
    if (payload.size)
        memcpy(event->bytes + id.size, payload.data, payload.size);
    *mb->last = event;
    mb->last = &event->next;
    uv_async_send(&mb->wake);
    return event;
}

static void add_answer(struct memory_backend *mb, enum event_kind kind, uint64_t token, int code)
{
    struct event *event = add_event(mb, kind, token, STR_NONE, STR_NONE);
    if (event)
        event->code = code;
}

static struct event *take_event(struct memory_backend *mb)
{
    memory_hub_lock(mb->hub);
    struct event *event = mb->first;
    if (event && !(mb->first = event->next))
        mb->last = &mb->first;
    memory_hub_unlock(mb->hub);
    return event;
}

static void tell_revoked(struct memory_backend *mb, const struct event *event);
static void tell_parts(struct memory_backend *mb, const struct event *event);

static void tell(struct memory_backend *mb, const struct event *event)
{
    const struct backend_events *events = mb->events;
    switch (event->kind) {
    case EVENT_UP:
        events->state(mb->self, BACKEND_UP, UMBEL_OK, "");
        break;
    case EVENT_STORED:
        events->stored(mb->self, event->token, event->code,
                       event->code == UMBEL_OK ? "" : umbel_strerror(event->code));
        break;
    case EVENT_FOUND:
        events->found(mb->self, event->token, UMBEL_OK, event->id, event->payload);
        break;
    case EVENT_BEGUN:
        events->begun(mb->self, event->token, event->code, event->history);
        break;
    case EVENT_PARTS:
        tell_parts(mb, event);
        break;
    case EVENT_NOTICE:
        events->notice(mb->self, event->payload, event->token == AUDIENCE_CHANNEL);
        break;
    case EVENT_SUBSCRIBED:
        events->subscribed(mb->self, event->token);
        break;
    case EVENT_REVOKED:
        tell_revoked(mb, event);
        break;
    }
}

static void on_wake(uv_async_t *wake)
{
    struct memory_backend *mb = wake->data;
    struct event *event;
    for (int i = 0; i < EVENTS_PER_TURN && !mb->closing && (event = take_event(mb)); i++) {
        tell(mb, event);
        free(event);
    }
    memory_hub_lock(mb->hub);
    if (!mb->closing && mb->first)
        uv_async_send(wake);
    memory_hub_unlock(mb->hub);
}

/* ---- notices
 * ----------------------------------------------------------------------------------------------------- */

static void notify(struct memory_hub *hub, umbel_str id, umbel_str channel, umbel_str payload)
{
    for (struct memory_backend *mb = hub->backends; mb; mb = mb->next) {
        enum audience_kind wanted = audience_wants(&mb->audience, id, channel);
        if (wanted != AUDIENCE_NOBODY)
            add_event(mb, EVENT_NOTICE, wanted, STR_NONE, payload);
    }
}

/* ---- the contract
 * ------------------------------------------------------------------------------------------------ */

static double expiry(const struct memory_backend *mb)
{
    return mb->expires < 0 ? INFINITY : clock_mono() + mb->expires;
}

static void store_result(struct backend *backend, const struct backend_store *store, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    memory_results_sweep(mb->hub);
    int code = memory_result_put(mb->hub, store, expiry(mb), mb->most);
    if (code == UMBEL_OK)
        notify(mb->hub, store->id, store->reply_channel, store->payload);
    add_answer(mb, EVENT_STORED, token, code);
    memory_hub_unlock(mb->hub);
}

static void lookup(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    for (size_t i = 0; i < count; i++) {
        struct memory_result *result = memory_result_find(mb->hub, ids[i]);
        umbel_str payload = result && result->payload ? (umbel_str){result->payload, result->size} : STR_NONE;
        add_event(mb, EVENT_FOUND, token, ids[i], payload);
    }
    memory_hub_unlock(mb->hub);
}

static void listen_channel(struct backend *backend, umbel_str channel, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    audience_add(&mb->audience, AUDIENCE_CHANNEL, channel);
    add_answer(mb, EVENT_SUBSCRIBED, token, UMBEL_OK);
    memory_hub_unlock(mb->hub);
}

static void watch(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    for (size_t i = 0; i < count; i++)
        audience_add(&mb->audience, AUDIENCE_TASK, ids[i]);
    add_answer(mb, EVENT_SUBSCRIBED, token, UMBEL_OK);
    memory_hub_unlock(mb->hub);
}

static void unwatch(struct backend *backend, const umbel_str *ids, size_t count)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    for (size_t i = 0; i < count; i++)
        audience_drop(&mb->audience, AUDIENCE_TASK, ids[i]);
    memory_hub_unlock(mb->hub);
}

static void forget(struct backend *backend, umbel_str id)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    struct memory_result *result = memory_result_find(mb->hub, id);
    if (result)
        memory_result_drop(mb->hub, result);
    memory_hub_unlock(mb->hub);
}

static void begin(struct backend *backend, umbel_str id, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    struct event *event = add_event(mb, EVENT_BEGUN, token, STR_NONE, STR_NONE);
    struct memory_result *result = event ? memory_result_make(mb->hub, id) : NULL;
    if (result) {
        event->history = (struct backend_history){result->terminal, result->starts++};
        if (!result->payload)
            result->expires_at = expiry(mb);
    } else if (event) {
        event->code = UMBEL_BACKEND_REFUSED;
    }
    memory_hub_unlock(mb->hub);
}

static void end_mark(struct backend *backend, umbel_str id)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    struct memory_result *result = memory_result_find(mb->hub, id);
    if (result && (result->payload || result->parts.count))
        result->starts = 0;
    else if (result)
        memory_result_drop(mb->hub, result);
    memory_hub_unlock(mb->hub);
}

/* ---- parts
 * ------------------------------------------------------------------------------------------------- */

static void add_part(struct backend *backend, const struct backend_part *part, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    int code = memory_result_put_part(mb->hub, part, expiry(mb));
    if (code == UMBEL_OK)
        notify(mb->hub, part->id, part->reply_channel, part->payload);
    add_answer(mb, EVENT_STORED, token, code);
    memory_hub_unlock(mb->hub);
}

/* Sizes first, then bytes. */
static void pack(struct buffer *out, const umbel_str *payloads, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        buffer_add(out, &payloads[i].size, sizeof payloads[i].size);
    for (uint32_t i = 0; i < count; i++)
        buffer_str(out, payloads[i]);
}

static void read_parts(struct backend *backend, umbel_str id, uint32_t from, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    struct buffer packed;
    buffer_init(&packed, SIZE_MAX / 2);
    memory_hub_lock(mb->hub);
    const struct memory_result *result = memory_result_find(mb->hub, id);
    uint32_t count = result && from < result->parts.count ? result->parts.count - from : 0;
    count = count < BACKEND_PARTS_READ ? count : BACKEND_PARTS_READ;
    if (count)
        pack(&packed, result->parts.payloads + from, count);
    struct event *event = add_event(mb, EVENT_PARTS, token, id,
                                    (umbel_str){(const char *)buffer_head(&packed), buffer_length(&packed)});
    if (event) {
        event->count = packed.failed ? 0 : count;
        event->code = packed.failed ? UMBEL_BACKEND_REFUSED : UMBEL_OK;
    }
    memory_hub_unlock(mb->hub);
    buffer_fini(&packed);
}

static void tell_parts(struct memory_backend *mb, const struct event *event)
{
    umbel_str payloads[BACKEND_PARTS_READ];
    uint32_t count = event->count;
    const char *at = event->payload.data + count * sizeof(size_t);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&payloads[i].size, event->payload.data + i * sizeof(size_t), sizeof(size_t));
        payloads[i].data = at;
        at += payloads[i].size;
    }
    if (mb->events->parts)
        mb->events->parts(mb->self, event->token, event->code, event->id, payloads, count);
}

/* ---- revoked ids
 * ------------------------------------------------------------------------------------------------- */

static void keep_revoked(struct backend *backend, const struct backend_revocation *list, size_t count)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    memory_revoked_tidy(mb->hub);
    for (size_t i = 0; i < count; i++)
        memory_revoked_put(mb->hub, &list[i]);
    memory_hub_unlock(mb->hub);
}

static void list_revoked(struct backend *backend, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    add_answer(mb, EVENT_REVOKED, token, UMBEL_OK);
    memory_hub_unlock(mb->hub);
}

static void tell_revoked(struct memory_backend *mb, const struct event *event)
{
    struct arena arena;
    struct backend_revocation *list;
    if (!mb->events->revoked)
        return;
    arena_init(&arena, 0); /* copies, because the owner is called without the lock */
    memory_hub_lock(mb->hub);
    memory_revoked_tidy(mb->hub);
    size_t count = memory_revoked_copy(mb->hub, &arena, &list);
    memory_hub_unlock(mb->hub);
    mb->events->revoked(mb->self, event->token, UMBEL_OK, list, count);
    arena_fini(&arena);
}

static void leave_hub(struct memory_backend *mb)
{
    memory_hub_lock(mb->hub);
    struct memory_backend **at = &mb->hub->backends;
    while (*at != mb)
        at = &(*at)->next;
    *at = mb->next;
    memory_hub_unlock(mb->hub);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct memory_backend *mb = handle->data;
    struct event *event;
    while ((event = take_event(mb))) {
        if (event->kind == EVENT_STORED || event->kind == EVENT_FOUND || event->kind == EVENT_BEGUN)
            tell(mb, event);
        free(event);
    }
    void (*closed)(void *) = mb->closed;
    void *self = mb->closed_self;
    audience_fini(&mb->audience);
    memory_hub_close(mb->hub);
    free(mb);
    closed(self);
}

static void close_backend(struct backend *backend, double grace, void (*closed)(void *self), void *self)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    (void)grace;
    mb->closing = true;
    mb->closed = closed;
    mb->closed_self = self;
    leave_hub(mb);
    uv_close((uv_handle_t *)&mb->wake, on_handle_closed);
}

static int open_backend(struct backend **out, struct loop *loop, const struct url *url,
                        const struct backend_options *options, const struct backend_events *events,
                        void *self, const char **why)
{
    struct memory_backend *mb = calloc(1, sizeof *mb);
    *why = "out of memory";
    if (!mb || !(mb->hub = memory_hub_open(url))) {
        free(mb);
        return UMBEL_NO_MEMORY;
    }
    mb->base.ops = &backend_memory;
    mb->events = events;
    mb->self = self;
    mb->most = options->most;
    mb->expires = options->expires != 0 ? options->expires : expires_default;
    mb->last = &mb->first;
    audience_init(&mb->audience);
    uv_async_init(&loop->uv, &mb->wake, on_wake);
    mb->wake.data = mb;
    memory_hub_lock(mb->hub);
    mb->next = mb->hub->backends;
    mb->hub->backends = mb;
    add_answer(mb, EVENT_UP, 0, UMBEL_OK);
    memory_hub_unlock(mb->hub);
    *out = &mb->base;
    return UMBEL_OK;
}

const struct backend_ops backend_memory = {
    .scheme = "memory",
    .open = open_backend,
    .store = store_result,
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
