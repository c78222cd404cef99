/* engine_ends.c: the engine's two connections: how they are opened, what they tell, and whether they can be
 * reached, which any thread may ask. */
#include "client/engine.h"

#include <stdio.h>
#include <string.h>
#include "client/parts.h"
#include "client/waiter.h"
#include "common/clock.h"

/* ---- what they tell ---- */

static void note_reach(struct engine *engine, struct reach *reach, bool up, bool failed, int code,
                       const char *why)
{
    pthread_mutex_lock(&engine->lock);
    reach->up = up;
    reach->failed = failed;
    reach->code = code;
    snprintf(reach->why, sizeof reach->why, "%s", why && *why ? why : umbel_strerror(code));
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

static void broker_state(void *self, enum transport_state state, int code, const char *why)
{
    struct engine *engine = self;
    bool up = state == TRANSPORT_UP || state == TRANSPORT_BLOCKED;
    note_reach(engine, &engine->broker, up, state == TRANSPORT_FAILED, code, why);
    outbox_state(&engine->outbox, state, code, why);
}

static void broker_published(void *self, uint64_t token, int code, const char *why)
{
    struct engine *engine = self;
    outbox_published(&engine->outbox, token, code, why);
    engine->local_sent += code == UMBEL_OK;
    if (code == UMBEL_BROKER_AWAY)
        outbox_send(&engine->outbox);
}

static void broker_room(void *self)
{
    struct engine *engine = self;
    outbox_send(&engine->outbox);
}

/* Of what a client stores, the ends of cancelled tasks, nothing is waited for. */
static void backend_stored(void *self, uint64_t token, int code, const char *why)
{
    (void)self, (void)token, (void)code, (void)why;
}

static void backend_state(void *self, enum backend_state state, int code, const char *why)
{
    struct engine *engine = self;
    note_reach(engine, &engine->results, state == BACKEND_UP, state == BACKEND_FAILED, code, why);
    inbox_reach(&engine->inbox, state == BACKEND_UP);
}

static void backend_found(void *self, uint64_t token, int code, umbel_str id, umbel_str payload)
{
    struct engine *engine = self;
    (void)token, (void)id;
    if (code == UMBEL_OK && payload.size)
        inbox_notice(&engine->inbox, payload, false);
    else if (code != UMBEL_OK)
        inbox_unread(&engine->inbox);
}

static void backend_parts(void *self, uint64_t token, int code, umbel_str id, const umbel_str *payloads,
                          size_t count)
{
    struct engine *engine = self;
    (void)id;
    parts_answered(&engine->inbox, token, code, payloads, count);
}

static void backend_notice(void *self, umbel_str payload, bool listened)
{
    struct engine *engine = self;
    inbox_notice(&engine->inbox, payload, listened);
}

static void backend_subscribed(void *self, uint64_t token)
{
    struct engine *engine = self;
    inbox_subscribed(&engine->inbox, token);
    outbox_send(&engine->outbox);
}

static void backend_resubscribed(void *self)
{
    struct engine *engine = self;
    inbox_resubscribed(&engine->inbox);
    outbox_send(&engine->outbox);
}

static const struct transport_events transport_events = {
    .state = broker_state,
    .published = broker_published,
    .room = broker_room,
};

static const struct backend_events backend_events = {
    .state = backend_state,
    .stored = backend_stored,
    .found = backend_found,
    .parts = backend_parts,
    .notice = backend_notice,
    .subscribed = backend_subscribed,
    .resubscribed = backend_resubscribed,
};

/* ---- opening ---- */

static int open_transport(struct engine *engine, const struct engine_options *options, struct buffer *why)
{
    struct transport_options transport = {
        .log = options->log, .client_name = "umbel client", .publish_only = true};
    int code = transport_open(&engine->transport, &engine->loop, options->broker, &transport,
                              &transport_events, engine, why);
    if (code == UMBEL_OK)
        outbox_attach(&engine->outbox, engine->transport);
    return code;
}

/* A broker that cannot keep results is no error: a client may only send. */
static int open_backend(struct engine *engine, const struct engine_options *options, struct buffer *why)
{
    bool named = options->backend != NULL;
    const char *url = named ? options->backend : options->broker;
    if (!named && (strncmp(url, "amqp:", 5) == 0 || strncmp(url, "amqps:", 6) == 0))
        return UMBEL_OK;
    struct backend_options backend = {.log = options->log, .most = engine->local ? LOCAL_RESULTS : 0};
    int code = backend_open(&engine->backend, &engine->loop, url, &backend, &backend_events, engine, why);
    engine->has_results = code == UMBEL_OK;
    if (code == UMBEL_OK)
        inbox_attach(&engine->inbox, engine->backend);
    return code;
}

int engine_open_ends(struct engine *engine, const struct engine_options *options, struct buffer *why)
{
    int code = open_transport(engine, options, why);
    return code == UMBEL_OK ? open_backend(engine, options, why) : code;
}

/* ---- for other threads ---- */

static bool name_trouble(const struct engine *engine, char why[ENGINE_WHY])
{
    if (!engine->broker.up)
        snprintf(why, ENGINE_WHY, "the broker cannot be reached (%.250s)", engine->broker.why);
    else if (engine->has_results && !engine->results.up)
        snprintf(why, ENGINE_WHY, "the result backend cannot be reached (%.250s)", engine->results.why);
    else
        return false;
    return true;
}

bool engine_trouble(struct engine *engine, char why[ENGINE_WHY])
{
    pthread_mutex_lock(&engine->lock);
    bool trouble = name_trouble(engine, why);
    pthread_mutex_unlock(&engine->lock);
    return trouble;
}

static int failure(const struct engine *engine)
{
    if (engine->broker.failed)
        return engine->broker.code != UMBEL_OK ? engine->broker.code : UMBEL_BROKER_AWAY;
    if (engine->has_results && engine->results.failed)
        return engine->results.code != UMBEL_OK ? engine->results.code : UMBEL_BACKEND_AWAY;
    return UMBEL_OK;
}

static bool all_up(const struct engine *engine)
{
    return engine->broker.up && (!engine->has_results || engine->results.up);
}

int engine_wait(struct engine *engine, double seconds, char why[ENGINE_WHY])
{
    double deadline = clock_mono() + seconds;
    bool time_left = true;
    pthread_mutex_lock(&engine->lock);
    while (!all_up(engine) && failure(engine) == UMBEL_OK && time_left)
        time_left = waiter_cond_wait(&engine->changed, &engine->lock, deadline);
    int code = all_up(engine) ? UMBEL_OK : failure(engine);
    if (!all_up(engine)) {
        name_trouble(engine, why);
        code = code != UMBEL_OK ? code : UMBEL_TIMEOUT;
    }
    pthread_mutex_unlock(&engine->lock);
    return code;
}
