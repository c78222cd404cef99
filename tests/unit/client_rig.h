/* client_rig.h: a client without its thread, over a broker and a backend that note what they are asked and
 * say what the test tells them to. */
#ifndef TESTS_UNIT_CLIENT_RIG_H
#define TESTS_UNIT_CLIENT_RIG_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include "client/client.h"
#include "client/future.h"
#include "common/clock.h"

enum { RIG_NOTES = 64 };

struct rig {
    struct transport transport; /* first: what the ops get */
    struct backend backend;
    umbel_client *client;
    struct engine *engine;
    int answer; /* what publish says */
    struct {
        uint64_t token;
        bool republished;
        char reply_to[64], id[64];
    } sent[RIG_NOTES];
    size_t sent_count;
    char watched[RIG_NOTES][64], looked_up[RIG_NOTES][64], unwatched[RIG_NOTES][64], forgotten[64],
        channel[64];
    size_t watched_count, looked_up_count, unwatched_count;
    uint64_t watch_token;
};

static inline void rig_copy(char *to, umbel_str from)
{
    snprintf(to, 64, "%.*s", (int)from.size, from.size ? from.data : "");
}

static inline int rig_publish(struct transport *transport, const struct message *msg, double delay, int flags,
                              uint64_t token)
{
    struct rig *rig = (struct rig *)transport;
    (void)delay, (void)flags;
    if (rig->answer != UMBEL_OK)
        return rig->answer;
    cr_assert_lt(rig->sent_count, RIG_NOTES);
    rig->sent[rig->sent_count].token = token;
    rig->sent[rig->sent_count].republished = msg->republished;
    rig_copy(rig->sent[rig->sent_count].reply_to, msg->reply_to);
    rig_copy(rig->sent[rig->sent_count].id, msg->id);
    rig->sent_count++;
    return UMBEL_OK;
}

static inline struct rig *rig_of_backend(struct backend *backend)
{
    return (struct rig *)((char *)backend - offsetof(struct rig, backend));
}

static inline void rig_listen(struct backend *backend, umbel_str channel, uint64_t token)
{
    (void)token;
    rig_copy(rig_of_backend(backend)->channel, channel);
}

static inline void rig_watch(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token)
{
    struct rig *rig = rig_of_backend(backend);
    rig->watch_token = token;
    for (size_t i = 0; i < count; i++)
        rig_copy(rig->watched[rig->watched_count++ % RIG_NOTES], ids[i]);
}

static inline void rig_unwatch(struct backend *backend, const umbel_str *ids, size_t count)
{
    struct rig *rig = rig_of_backend(backend);
    for (size_t i = 0; i < count; i++)
        rig_copy(rig->unwatched[rig->unwatched_count++ % RIG_NOTES], ids[i]);
}

static inline void rig_lookup(struct backend *backend, const umbel_str *ids, size_t count, uint64_t token)
{
    struct rig *rig = rig_of_backend(backend);
    (void)token;
    for (size_t i = 0; i < count; i++)
        rig_copy(rig->looked_up[rig->looked_up_count++ % RIG_NOTES], ids[i]);
}

static inline void rig_forget(struct backend *backend, umbel_str id)
{
    rig_copy(rig_of_backend(backend)->forgotten, id);
}

/* Ends what a loop would do at a turn's end. */
static inline void rig_turn(struct rig *rig)
{
    while (rig->engine->turn.marked) {
        loop_unmark(&rig->engine->loop, &rig->engine->turn);
        outbox_turn(&rig->engine->outbox);
        inbox_turn(&rig->engine->inbox);
    }
}

static inline struct rig *rig_new(void)
{
    static const struct transport_ops transport_ops = {.publish = rig_publish};
    static const struct backend_ops backend_ops = {.listen = rig_listen,
                                                   .watch = rig_watch,
                                                   .unwatch = rig_unwatch,
                                                   .lookup = rig_lookup,
                                                   .forget = rig_forget};
    struct rig *rig = calloc(1, sizeof *rig);
    rig->transport.ops = &transport_ops;
    rig->backend.ops = &backend_ops;
    rig->client = calloc(1, sizeof *rig->client);
    umbel_client *client = rig->client;
    atomic_init(&client->refs, 1);
    fork_mark_init(&client->mark);
    pthread_mutex_init(&client->lock, NULL);
    pthread_mutex_init(&client->scratch_lock, NULL);
    callbacks_init(&client->callbacks, false);
    client->options.timeout = 1;
    client->options.buffer_bytes = 64 * 1024;
    client->opened = true;
    struct engine *engine = rig->engine = &client->engine;
    engine->has_results = true;
    engine->waker.loop = &engine->loop;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->changed, NULL);
    cr_assert_eq(loop_init(&engine->loop), UMBEL_OK);
    outbox_init(&engine->outbox, &engine->loop, &engine->turn, &engine->inbox, client->options.buffer_bytes);
    direct_init(&engine->direct, &engine->loop, &engine->turn, &engine->inbox);
    inbox_init(&engine->inbox, &engine->loop, &engine->waker, &engine->turn, &client->callbacks, NULL);
    outbox_attach(&engine->outbox, &rig->transport);
    inbox_attach(&engine->inbox, &rig->backend);
    inbox_subscribed(&engine->inbox, 0);
    outbox_state(&engine->outbox, TRANSPORT_UP, UMBEL_OK, "");
    return rig;
}

static inline void rig_published(struct rig *rig, size_t index, int code, const char *why)
{
    outbox_published(&rig->engine->outbox, rig->sent[index].token, code, why);
    rig_turn(rig);
}

/* Hands over what was submitted, as the background thread would. */
static inline void rig_send(struct rig *rig)
{
    outbox_take(&rig->engine->outbox);
    outbox_send(&rig->engine->outbox);
    inbox_take_orders(&rig->engine->inbox);
    rig_turn(rig);
}

static inline umbel_future *rig_submit(struct rig *rig, const char *id)
{
    umbel_future *future = umbel_submit(rig->client, "math.add", UMBEL_ARGS(2, 3), .id = id, .queue = "math");
    rig_send(rig);
    return future;
}

static inline void rig_tick(struct rig *rig, uint64_t after_ms)
{
    uint64_t now = loop_now(&rig->engine->loop) + after_ms;
    inbox_tick(&rig->engine->inbox, now);
    outbox_tick(&rig->engine->outbox, now);
    rig_turn(rig);
}

static inline void rig_notice_on(struct rig *rig, const char *id, enum result_state state, const char *value,
                                 bool listened)
{
    struct buffer payload;
    buffer_init(&payload, 10000);
    struct result_parts parts = {
        .id = str_of(id), .state = state, .custom = STR("PROGRESS"), .value = str_of(value)};
    cr_assert_eq(result_write(CODEC_JSON, &payload, &parts), UMBEL_OK);
    inbox_notice(&rig->engine->inbox,
                 (umbel_str){(const char *)buffer_head(&payload), buffer_length(&payload)}, listened);
    buffer_fini(&payload);
    rig_turn(rig);
}

static inline void rig_notice(struct rig *rig, const char *id, enum result_state state, const char *value)
{
    rig_notice_on(rig, id, state, value, true);
}

/* Settles whatever is left, and frees. Futures must have been freed. */
static inline void rig_free(struct rig *rig)
{
    outbox_close(&rig->engine->outbox);
    inbox_close(&rig->engine->inbox);
    rig_turn(rig);
    loop_fini(&rig->engine->loop);
    client_unref(rig->client);
    free(rig);
}

#endif
