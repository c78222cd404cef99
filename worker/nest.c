/* nest.c: see nest.h. Its two connections are opened by the first line that speaks, and tell every line how
 * they are. */
#include "worker/nest_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/result.h"

/* ---- how things are ---- */

static void note_reach(struct nest *nest, struct nest_reach *reach, enum parent_kind kind, uint8_t state,
                       int code, const char *why)
{
    reach->state = state;
    reach->code = code;
    snprintf(reach->why, sizeof reach->why, "%s", why ? why : "");
    for (struct nest_guest *at = nest->guests; at; at = at->next)
        guest_tell_reach(at, kind, reach);
}

/* ---- the transport ---- */

static void on_broker(void *self, enum transport_state state, int code, const char *why)
{
    struct nest *nest = self;
    note_reach(nest, &nest->broker, PARENT_BROKER, (uint8_t)state, code, why);
    loop_mark(nest->loop, &nest->pump);
}

static void on_published(void *self, uint64_t token, int code, const char *why)
{
    nest_call_published(self, token, code, why);
}

static void on_room(void *self)
{
    struct nest *nest = self;
    loop_mark(nest->loop, &nest->pump);
}

static const struct transport_events transport_events = {
    .state = on_broker,
    .published = on_published,
    .room = on_room,
};

/* ---- the backend ---- */

static void on_results(void *self, enum backend_state state, int code, const char *why)
{
    struct nest *nest = self;
    note_reach(nest, &nest->results, PARENT_BACKEND, (uint8_t)state, code, why);
}

static void on_found(void *self, uint64_t token, int code, umbel_str id, umbel_str payload)
{
    (void)self;
    guest_tell_found((struct nest_question *)(uintptr_t)token, code, id, payload);
}

static void on_parts(void *self, uint64_t token, int code, umbel_str id, const umbel_str *payloads,
                     size_t count)
{
    (void)self;
    guest_tell_parts((struct nest_question *)(uintptr_t)token, code, id, payloads, count);
}

/* A result goes to those that wait for it. One whose id cannot be told apart (it is no ASCII) goes to all. */
static void on_notice(void *self, umbel_str payload, bool listened)
{
    struct nest *nest = self;
    const struct parent_frame frame = {.kind = PARENT_NOTICE, .flags = listened, .payload = payload};
    enum result_state state;
    umbel_str id;
    if (result_peek(payload, &state, &id) != UMBEL_OK) {
        for (struct nest_guest *at = nest->guests; at; at = at->next)
            guest_tell(at, &frame);
        return;
    }
    for (struct nest_ticket *at = nest_roster_find(&nest->roster, id), *next; at; at = next) {
        next = at->same;
        guest_tell((struct nest_guest *)((char *)at->of - offsetof(struct nest_guest, tickets)), &frame);
        if (result_terminal(state) && !at->watched)
            nest_roster_drop(&nest->roster, at);
    }
}

/* Token 0 is our own channel. */
static void on_subscribed(void *self, uint64_t token)
{
    struct nest *nest = self;
    if (token) {
        guest_tell_subscribed((struct nest_question *)(uintptr_t)token);
        return;
    }
    nest->hears = true;
    for (struct nest_guest *at = nest->guests; at; at = at->next) {
        if (at->listens)
            guest_tell(at, &(struct parent_frame){.kind = PARENT_SUBSCRIBED, .token = at->listen_token});
        at->listens = false;
    }
}

static void on_resubscribed(void *self)
{
    struct nest *nest = self;
    nest->hears = true;
    for (struct nest_guest *at = nest->guests; at; at = at->next)
        if (at->greeted)
            guest_tell(at, &(struct parent_frame){.kind = PARENT_RESUBSCRIBED});
}

static const struct backend_events backend_events = {
    .state = on_results,
    .found = on_found,
    .parts = on_parts,
    .notice = on_notice,
    .subscribed = on_subscribed,
    .resubscribed = on_resubscribed,
};

/* ---- opening ---- */

static void open_transport(struct nest *nest, struct buffer *why)
{
    struct transport_options options = {
        .log = nest->options.log, .client_name = nest->options.worker_name, .publish_only = true};
    int code = !nest->options.broker ? UMBEL_NO_MEMORY
                                     : transport_open(&nest->transport, nest->loop, nest->options.broker,
                                                      &options, &transport_events, nest, why);
    if (code != UMBEL_OK)
        note_reach(nest, &nest->broker, PARENT_BROKER, TRANSPORT_FAILED, code, "out of memory");
}

static void open_backend(struct nest *nest, struct buffer *why)
{
    struct backend_options options = {.log = nest->options.log};
    int code = nest->options.backend ? backend_open(&nest->backend, nest->loop, nest->options.backend,
                                                    &options, &backend_events, nest, why)
                                     : UMBEL_NOT_SUPPORTED;
    if (code != UMBEL_OK)
        note_reach(nest, &nest->results, PARENT_BACKEND, BACKEND_FAILED, code,
                   nest->options.backend ? "out of memory" : "the worker keeps no results");
    else
        nest->backend->ops->listen(nest->backend, str_of(nest->channel), 0);
}

/* Both URLs are in use by the worker, so nothing but memory can fail. */
void nest_open(struct nest *nest)
{
    struct buffer why;
    if (nest->opened)
        return;
    nest->opened = true;
    buffer_init(&why, 4096);
    open_transport(nest, &why);
    open_backend(nest, &why);
    buffer_fini(&why);
}

static void on_pump(void *self)
{
    nest_call_pump(self);
}

int nest_new(struct nest **out, struct loop *loop, const struct nest_options *options,
             const struct nest_events *events, void *self)
{
    struct nest *nest = calloc(1, sizeof *nest);
    if (!nest)
        return UMBEL_NO_MEMORY;
    nest->loop = loop;
    nest->options = *options;
    nest->options.broker = nest->broker_url = strdup(options->broker);
    nest->options.backend = nest->backend_url = options->backend ? strdup(options->backend) : NULL;
    nest->events = events;
    nest->self = self;
    nest->kept_last = &nest->kept;
    nest->pump = (struct turn_hook){.call = on_pump, .self = nest};
    nest->broker.state = TRANSPORT_CONNECTING;
    nest->results.state = BACKEND_CONNECTING;
    reply_channel_make(nest->channel);
    nest_roster_init(&nest->roster);
    arena_init(&nest->arena, 0);
    *out = nest;
    return UMBEL_OK;
}

/* ---- closing ---- */

static void free_nest(struct nest *nest)
{
    void (*closed)(void *self) = nest->closed;
    void *self = nest->closed_self;
    loop_unmark(nest->loop, &nest->pump);
    nest_call_fini(nest);
    guest_forget_questions(nest);
    nest_roster_fini(&nest->roster);
    arena_fini(&nest->arena);
    free(nest->broker_url);
    free(nest->backend_url);
    free(nest);
    closed(self);
}

static void on_closed(void *self)
{
    struct nest *nest = self;
    if (--nest->open_ends == 0)
        free_nest(nest);
}

void nest_close(struct nest *nest, double grace, void (*closed)(void *self), void *self)
{
    nest->closed = closed;
    nest->closed_self = self;
    nest->open_ends = 1 + (nest->transport != NULL) + (nest->backend != NULL);
    struct transport *transport = nest->transport;
    struct backend *backend = nest->backend;
    nest->transport = NULL;
    nest->backend = NULL;
    if (transport)
        transport->ops->close(transport, grace, on_closed, nest);
    if (backend)
        backend->ops->close(backend, grace, on_closed, nest);
    on_closed(nest);
}
