/* fake_worker.h: a thread that consumes queue "celery" of a memory hub and answers, for tests of the client.
 *
 * Task "add" answers the sum of its two integers, "fail" a ValueError, "silent" nothing at all; "python" as
 * add, but on the task's own channel alone, as Python's workers do; "step" says PROGRESS first. Everything
 * else answers null. */
#ifndef TESTS_STRESS_FAKE_WORKER_H
#define TESTS_STRESS_FAKE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "broker/backend.h"
#include "broker/transport.h"
#include "common/clock.h"
#include "common/codec.h"
#include "common/result.h"
#include "common/str.h"

struct fake_worker {
    pthread_t thread;
    struct loop loop;
    struct transport *transport;
    struct backend *backend;
    struct arena arena;
    struct buffer payload, value;
    atomic_bool stop;
    int open_ends;
    atomic_size_t seen;
};

static int64_t fake_sum(struct fake_worker *worker, const struct message *msg)
{
    umbel_value *body = NULL;
    const struct codec_row *row = codec_by_content_type(msg->content_type);
    int64_t x = 0, y = 0;
    if (row && row->decode(&worker->arena, msg->body, &body, NULL) == UMBEL_OK) {
        const umbel_value *args = umbel_value_at(body, 0);
        umbel_value_int(umbel_value_at(args, 0), &x);
        umbel_value_int(umbel_value_at(args, 1), &y);
    }
    arena_reset(&worker->arena);
    return x + y;
}

static void fake_store(struct fake_worker *worker, const struct message *msg, enum result_state state,
                       bool on_channel)
{
    enum codec codec = codec_of(codec_by_content_type(msg->content_type));
    struct result_parts parts = {
        .id = msg->id, .state = state, .custom = STR("PROGRESS"), .done_at = clock_now()};
    parts.value = (umbel_str){(const char *)buffer_head(&worker->value), buffer_length(&worker->value)};
    buffer_clear(&worker->payload);
    result_write(codec, &worker->payload, &parts);
    struct backend_store store = {
        .id = msg->id,
        .payload = {(const char *)buffer_head(&worker->payload), buffer_length(&worker->payload)},
        .terminal = result_terminal(state),
        .reply_channel = on_channel ? msg->reply_to : STR_NONE,
    };
    worker->backend->ops->store(worker->backend, &store, 0);
}

static void fake_run(struct fake_worker *worker, const struct message *msg)
{
    const struct codec_row *row = codec_by_content_type(msg->content_type);
    buffer_clear(&worker->value);
    if (str_equal(msg->task, STR("silent")))
        return;
    if (str_equal(msg->task, STR("fail"))) {
        result_write_error(codec_of(row), &worker->value, STR("ValueError"), STR("bad"));
        fake_store(worker, msg, RESULT_FAILURE, true);
        return;
    }
    if (str_equal(msg->task, STR("step"))) {
        row->integer(&worker->value, 50);
        fake_store(worker, msg, RESULT_CUSTOM, true);
        return;
    }
    if (str_equal(msg->task, STR("add")) || str_equal(msg->task, STR("python")))
        row->integer(&worker->value, fake_sum(worker, msg));
    else
        row->null(&worker->value);
    fake_store(worker, msg, RESULT_SUCCESS, !str_equal(msg->task, STR("python")));
}

static void fake_delivered(void *self, struct tag tag, const struct message *msg)
{
    struct fake_worker *worker = self;
    if (msg->ignore_result != 1)
        fake_run(worker, msg);
    worker->transport->ops->settle(worker->transport, tag, SETTLE_ACK);
    atomic_fetch_add(&worker->seen, 1);
}

static void fake_ignore_transport(void *self, enum transport_state state, int code, const char *why)
{
    (void)self, (void)state, (void)code, (void)why;
}
static void fake_ignore_backend(void *self, enum backend_state state, int code, const char *why)
{
    (void)self, (void)state, (void)code, (void)why;
}
static void fake_ignore_stored(void *self, uint64_t token, int code, const char *why)
{
    (void)self, (void)token, (void)code, (void)why;
}
static void fake_ignore_consuming(void *self, uint32_t consumer, uint64_t waiting)
{
    (void)self, (void)consumer, (void)waiting;
}

static void fake_closed(void *self)
{
    struct fake_worker *worker = self;
    if (--worker->open_ends == 0)
        loop_stop(&worker->loop);
}

static void fake_woken(void *self)
{
    struct fake_worker *worker = self;
    if (!atomic_load(&worker->stop) || worker->open_ends)
        return;
    worker->open_ends = 2;
    worker->transport->ops->close(worker->transport, 0.1, fake_closed, worker);
    worker->backend->ops->close(worker->backend, 0.1, fake_closed, worker);
}

static void *fake_main(void *self)
{
    struct fake_worker *worker = self;
    loop_run(&worker->loop);
    return NULL;
}

static struct fake_worker *fake_worker_new(const char *url)
{
    static const struct transport_events transport_events = {
        .state = fake_ignore_transport, .delivered = fake_delivered, .consuming = fake_ignore_consuming};
    static const struct backend_events backend_events = {.state = fake_ignore_backend,
                                                         .stored = fake_ignore_stored};
    static const struct transport_options transport_options;
    static const struct backend_options backend_options;
    struct fake_worker *worker = calloc(1, sizeof *worker);
    struct buffer why;
    buffer_init(&why, 1000);
    buffer_init(&worker->payload, 1 << 20);
    buffer_init(&worker->value, 1 << 20);
    arena_init(&worker->arena, 0);
    loop_init(&worker->loop);
    loop_on_wake(&worker->loop, fake_woken, worker);
    transport_open(&worker->transport, &worker->loop, url, &transport_options, &transport_events, worker,
                   &why);
    backend_open(&worker->backend, &worker->loop, url, &backend_options, &backend_events, worker, &why);
    buffer_fini(&why);
    struct consume_options consume = {.prefetch = 256, .create_queue = true};
    worker->transport->ops->consume(worker->transport, "celery", &consume);
    pthread_create(&worker->thread, NULL, fake_main, worker);
    return worker;
}

static void fake_worker_free(struct fake_worker *worker)
{
    atomic_store(&worker->stop, true);
    loop_wake(&worker->loop);
    pthread_join(worker->thread, NULL);
    loop_fini(&worker->loop);
    buffer_fini(&worker->payload);
    buffer_fini(&worker->value);
    arena_fini(&worker->arena);
    free(worker);
}

#endif
