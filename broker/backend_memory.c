/* backend_memory.c: results inside one process.
 *
 * The hub (memory_hub.h) holds the map from id to result; a store changes it at once, under the hub's lock,
 * and puts a notice into the list of every backend of the hub that listens on the reply channel or watches
 * the id. Answers and notices wait in one list per backend until its loop wakes up. Nothing here fails but
 * memory.
 *
 * Expired results are not found any more, and swept away a few buckets at each store. */
#include <math.h>
#include <stdlib.h>
#include "broker/backend.h"
#include "broker/backend_memory.h"
#include "broker/audience.h"
#include "broker/memory_hub.h"
#include "broker/part_list.h"
#include "common/clock.h"

enum { SWEEP_BUCKETS = 4, EVENTS_PER_TURN = 512 };
static const double expires_default = 86400;

struct memory_result {
    struct table_node node;
    char *payload; /* NULL: only start marks are known */
    size_t size;
    bool terminal;
    uint32_t starts;
    struct part_list parts;
    double expires_at;                   /* monotonic */
    struct memory_result *older, *newer; /* of a terminal one */
};

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

/* ---- results, under the lock
 * ------------------------------------------------------------------------------------- */

static void free_result(struct memory_result *result)
{
    free(result->payload);
    part_list_fini(&result->parts);
    free(result);
}

static void keep_in_order(struct memory_hub *hub, struct memory_result *result)
{
    result->older = hub->newest;
    *(hub->newest ? &hub->newest->newer : &hub->oldest) = result;
    hub->newest = result;
    hub->ended++;
}

static void leave_order(struct memory_hub *hub, struct memory_result *result)
{
    *(result->older ? &result->older->newer : &hub->oldest) = result->newer;
    *(result->newer ? &result->newer->older : &hub->newest) = result->older;
    hub->ended--;
}

static void drop_result(struct memory_hub *hub, struct memory_result *result)
{
    if (result->terminal)
        leave_order(hub, result);
    table_remove(&hub->results, &result->node);
    free_result(result);
}

void memory_results_free(struct memory_hub *hub)
{
    for (struct table_node *node = table_next(&hub->results, NULL), *next; node; node = next) {
        next = table_next(&hub->results, node);
        free_result((struct memory_result *)node);
    }
}

static void sweep(struct memory_hub *hub)
{
    double now = clock_mono();
    for (int i = 0; i < SWEEP_BUCKETS && hub->results.size; i++) {
        hub->sweep = (hub->sweep + 1) & (hub->results.size - 1);
        for (struct table_node *node = hub->results.buckets[hub->sweep], *next; node; node = next) {
            struct memory_result *result = (struct memory_result *)node;
            next = node->next;
            if (result->expires_at <= now)
                drop_result(hub, result);
        }
    }
}

static struct memory_result *find(struct memory_hub *hub, umbel_str id)
{
    struct memory_result *result = (struct memory_result *)table_find(&hub->results, id);
    if (result && result->expires_at <= clock_mono()) {
        drop_result(hub, result);
        return NULL;
    }
    return result;
}

static struct memory_result *find_or_make(struct memory_hub *hub, umbel_str id)
{
    struct memory_result *result = find(hub, id);
    if (result)
        return result;
    result = calloc(1, sizeof *result + id.size);
    if (!result)
        return NULL;
    if (id.size)
        memcpy(result + 1, id.data, id.size);
    result->node.key = (umbel_str){(const char *)(result + 1), id.size};
    if (table_add(&hub->results, &result->node) == UMBEL_OK)
        return result;
    free(result);
    return NULL;
}

static double expiry(const struct memory_backend *mb)
{
    return mb->expires < 0 ? INFINITY : clock_mono() + mb->expires;
}

static int put_result(struct memory_backend *mb, const struct backend_store *store)
{
    struct memory_result *result = find_or_make(mb->hub, store->id);
    if (!result)
        return UMBEL_BACKEND_REFUSED;
    if (result->terminal && !store->overwrite_terminal)
        return UMBEL_ALREADY_DONE;
    char *payload = malloc(store->payload.size + 1);
    if (!payload)
        return UMBEL_BACKEND_REFUSED;
    if (store->payload.size)
        memcpy(payload, store->payload.data, store->payload.size);
    free(result->payload);
    result->payload = payload;
    result->size = store->payload.size;
    result->expires_at = expiry(mb);
    if (result->terminal && !store->terminal)
        leave_order(mb->hub, result);
    else if (!result->terminal && store->terminal)
        keep_in_order(mb->hub, result);
    if (!store->terminal)
        result->older = result->newer = NULL;
    result->terminal = store->terminal;
    while (mb->most && mb->hub->ended > mb->most)
        drop_result(mb->hub, mb->hub->oldest);
    return UMBEL_OK;
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

static void store_result(struct backend *backend, const struct backend_store *store, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    sweep(mb->hub);
    int code = put_result(mb, store);
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
        struct memory_result *result = find(mb->hub, ids[i]);
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
    struct memory_result *result = find(mb->hub, id);
    if (result)
        drop_result(mb->hub, result);
    memory_hub_unlock(mb->hub);
}

static void begin(struct backend *backend, umbel_str id, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    struct event *event = add_event(mb, EVENT_BEGUN, token, STR_NONE, STR_NONE);
    struct memory_result *result = event ? find_or_make(mb->hub, id) : NULL;
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
    struct memory_result *result = find(mb->hub, id);
    if (result && (result->payload || result->parts.count))
        result->starts = 0;
    else if (result)
        drop_result(mb->hub, result);
    memory_hub_unlock(mb->hub);
}

/* ---- parts
 * ------------------------------------------------------------------------------------------------- */

static int put_part(struct memory_backend *mb, const struct backend_part *part)
{
    struct memory_result *result = find_or_make(mb->hub, part->id);
    if (!result)
        return UMBEL_BACKEND_REFUSED;
    result->expires_at = fmax(result->expires_at, expiry(mb));
    if (result->terminal && !part->overwrite_terminal)
        return UMBEL_ALREADY_DONE;
    return part_list_add(&result->parts, part);
}

static void add_part(struct backend *backend, const struct backend_part *part, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    int code = put_part(mb, part);
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
    const struct memory_result *result = find(mb->hub, id);
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

struct memory_revoked {
    struct table_node node;
    double until; /* since the epoch */
    char text[];
};

void memory_revoked_free(struct memory_hub *hub)
{
    for (struct table_node *node = table_next(&hub->revoked, NULL), *next; node; node = next) {
        next = table_next(&hub->revoked, node);
        free(node);
    }
}

static void forget_old_revoked(struct memory_hub *hub)
{
    double now = clock_now();
    for (struct table_node *node = table_next(&hub->revoked, NULL), *next; node; node = next) {
        next = table_next(&hub->revoked, node);
        if (((struct memory_revoked *)node)->until <= now) {
            table_remove(&hub->revoked, node);
            free(node);
        }
    }
}

static void put_revoked(struct memory_hub *hub, const struct backend_revocation *what)
{
    struct memory_revoked *old = (struct memory_revoked *)table_find(&hub->revoked, what->id);
    if (old) {
        old->until = fmax(old->until, what->until);
        return;
    }
    struct memory_revoked *revoked =
        hub->revoked.count < BACKEND_REVOKED_MAX ? malloc(sizeof *revoked + what->id.size) : NULL;
    if (!revoked)
        return;
    if (what->id.size)
        memcpy(revoked->text, what->id.data, what->id.size);
    revoked->node.key = (umbel_str){revoked->text, what->id.size};
    revoked->until = what->until;
    if (table_add(&hub->revoked, &revoked->node) != UMBEL_OK)
        free(revoked);
}

static void keep_revoked(struct backend *backend, const struct backend_revocation *list, size_t count)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    forget_old_revoked(mb->hub);
    for (size_t i = 0; i < count; i++)
        put_revoked(mb->hub, &list[i]);
    memory_hub_unlock(mb->hub);
}

static void list_revoked(struct backend *backend, uint64_t token)
{
    struct memory_backend *mb = (struct memory_backend *)backend;
    memory_hub_lock(mb->hub);
    add_answer(mb, EVENT_REVOKED, token, UMBEL_OK);
    memory_hub_unlock(mb->hub);
}

/* A copy, because the owner is called without the lock. */
static size_t copy_revoked(struct memory_hub *hub, struct arena *arena, struct backend_revocation **list)
{
    size_t count = 0;
    *list = arena_alloc(arena, (hub->revoked.count + 1) * sizeof **list);
    for (struct table_node *node = *list ? table_next(&hub->revoked, NULL) : NULL; node;
         node = table_next(&hub->revoked, node))
        (*list)[count++] =
            (struct backend_revocation){arena_str(arena, node->key), ((struct memory_revoked *)node)->until};
    return count;
}

static void tell_revoked(struct memory_backend *mb, const struct event *event)
{
    struct arena arena;
    struct backend_revocation *list;
    if (!mb->events->revoked)
        return;
    arena_init(&arena, 0);
    memory_hub_lock(mb->hub);
    forget_old_revoked(mb->hub);
    size_t count = copy_revoked(mb->hub, &arena, &list);
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
