/* consumer_world.c: see consumer_world.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "worker/registry.h"
#include "consumer_world.h"

struct world world;

void world_note(const char *format, ...)
{
    size_t at = strlen(world.said);
    va_list list;
    va_start(list, format);
    vsnprintf(world.said + at, sizeof world.said - at, format, list);
    va_end(list);
}

bool world_was(const char *wanted)
{
    bool same = strcmp(world.said, wanted) == 0;
    if (!same)
        fprintf(stderr, "was '%s', wanted '%s'\n", world.said, wanted);
    world.said[0] = '\0';
    return same;
}

void world_forget(void)
{
    world.said[0] = '\0';
}

static int fake_publish(struct transport *transport, const struct message *msg, double delay, int flags,
                        uint64_t token)
{
    (void)transport;
    if (msg->extra_count > world.headers_max || (delay > 0 && world.no_delays))
        return UMBEL_TOO_LARGE;
    world_note("publish %.*s to %.*s%s%s", (int)msg->id.size, msg->id.data, (int)msg->queue.size,
               msg->queue.data, flags & PUBLISH_CREATE_QUEUE ? " creating" : "",
               msg->republished ? " again" : "");
    if (delay > 0)
        world_note(" in %.0f", delay);
    if (msg->retries)
        world_note(" retry %d", (int)msg->retries);
    if (msg->deaths)
        world_note(" deaths %d", (int)msg->deaths);
    const umbel_value *reason = message_extra(msg, "umbel-reason");
    umbel_str text = STR_NONE;
    if (reason && umbel_value_str(reason, &text) == UMBEL_OK)
        world_note(" because %.*s", (int)text.size, text.data);
    world_note(";");
    world.publish_token = token;
    return UMBEL_OK;
}

static uint32_t fake_consume(struct transport *transport, const char *queue,
                             const struct consume_options *options)
{
    (void)transport, (void)queue, (void)options;
    return world.consumes_no_more ? 0 : 1;
}

static void fake_cancel(struct transport *transport, uint32_t consumer)
{
    (void)transport;
    world_note("cancel %u;", consumer);
}

static void fake_settle(struct transport *transport, struct tag tag, enum settle how)
{
    (void)transport;
    world_note("%s %d;",
               how == SETTLE_REQUEUE ? "requeue"
               : how == SETTLE_ACK   ? "ack"
                                     : "ack at once",
               (int)tag.number);
}

static void fake_store(struct backend *backend, const struct backend_store *store, uint64_t token)
{
    (void)backend;
    enum result_state state = RESULT_PENDING;
    umbel_str id = STR_NONE;
    cr_assert_eq(result_peek(store->payload, &state, &id), UMBEL_OK);
    cr_assert(str_equal(id, store->id));
    world_note("store %.*s %s%s;", (int)id.size, id.data, result_state_name(state),
               store->terminal ? "" : " open");
    world.store_token = token;
}

static void fake_begin(struct backend *backend, umbel_str id, uint64_t token)
{
    (void)backend;
    world_note("begin %.*s;", (int)id.size, id.data);
    world.begin_token = token;
}

static void fake_end_mark(struct backend *backend, umbel_str id)
{
    (void)backend;
    world_note("unmark %.*s;", (int)id.size, id.data);
}

static uint32_t fake_slots(const struct pool *pool)
{
    (void)pool;
    return 2;
}

static uint32_t fake_room(const struct pool *pool)
{
    (void)pool;
    return world.room;
}

static int fake_dispatch(struct pool *pool, struct job *job)
{
    (void)pool;
    if (world.room == 0)
        return UMBEL_BUSY;
    world.room--;
    world.jobs[world.job_count++] = job;
    world_note("run %.*s%s%s;", (int)job->msg->id.size, job->msg->id.data, job->alone ? " alone" : "",
               job->reader ? " reader" : "");
    return UMBEL_OK;
}

static void fake_cancel_job(struct pool *pool, struct job *job, double kill_after)
{
    (void)pool;
    world_note("end %.*s in %.0f;", (int)job->msg->id.size, job->msg->id.data, kill_after);
}

static bool fake_take_back(struct pool *pool, struct job *job)
{
    (void)pool, (void)job;
    return world.takes_back;
}

static const struct transport_ops transport_ops = {.scheme = "fake",
                                                   .publish = fake_publish,
                                                   .consume = fake_consume,
                                                   .cancel = fake_cancel,
                                                   .settle = fake_settle};
static const struct backend_ops backend_ops = {
    .scheme = "fake", .store = fake_store, .begin = fake_begin, .end_mark = fake_end_mark};
static const struct pool_ops pool_ops = {.name = "fake",
                                         .slots = fake_slots,
                                         .room = fake_room,
                                         .dispatch = fake_dispatch,
                                         .take_back = fake_take_back,
                                         .cancel = fake_cancel_job};

static void on_transport(void *self, enum transport_state state, int code, const char *why)
{
    (void)self, (void)state, (void)code, (void)why;
}

static void on_backend(void *self, enum backend_state state, int code, const char *why)
{
    (void)self, (void)state, (void)code, (void)why;
}

static void on_nothing(void *self)
{
    (void)self;
}

static void on_idle(void *self)
{
    (void)self;
    world.idle = true;
}

static void on_lost(void *self, const char *why)
{
    (void)self, (void)why;
}

static void on_task(void *self, enum task_news news, const struct request *req, const struct verdict *verdict,
                    const struct outcome *outcome)
{
    static const char *const words[] = {"received", "started", "succeeded", "failed",
                                        "retried",  "revoked", "superseded"};
    (void)self, (void)verdict, (void)outcome;
    world_note("%s %.*s;", words[news], (int)req->msg.id.size, req->msg.id.data);
}

static const struct consumer_events events = {.transport_state = on_transport,
                                              .backend_state = on_backend,
                                              .consuming = on_nothing,
                                              .idle = on_idle,
                                              .pool_stopped = on_nothing,
                                              .pool_lost = on_lost,
                                              .task = on_task};

static void never_run(umbel_task *task)
{
    (void)task;
}

static const umbel_task_def add = {sizeof(umbel_task_def), "math.add", never_run, {.time_limit = 0}};
static const umbel_task_def once = {
    sizeof(umbel_task_def), "math.once", never_run, {.acks = UMBEL_AT_MOST_ONCE}};
static const umbel_task_def *const defs[] = {&add, &once};
static const umbel_module_table module = {UMBEL_MODULE_MAGIC, UMBEL_ABI, UMBEL_VERSION, defs,
                                          defs + 2,           NULL,      NULL};

void world_turn(void)
{
    uv_run(&world.loop.uv, UV_RUN_NOWAIT);
}

static void setup(void)
{
    static const char *const queues[] = {"q"};
    struct buffer why;
    world = (struct world){.transport = {&transport_ops},
                           .backend = {&backend_ops},
                           .pool = {&pool_ops},
                           .room = 8,
                           .headers_max = 64};
    buffer_init(&why, 1024);
    cr_assert_eq(loop_init(&world.loop), UMBEL_OK);
    cr_assert_eq(log_sink_open(&world.sink, "/dev/null", UMBEL_INFO, false, false), UMBEL_OK);
    world.registry = registry_new();
    cr_assert_eq(registry_add(world.registry, &module, "test", &why), UMBEL_OK);
    struct consumer_options options = {
        .loop = &world.loop,
        .sink = &world.sink,
        .registry = world.registry,
        .worker_name = "w@h",
        .concurrency = 2,
        .policy = {.max_deaths = 3, .result_codec = CODEC_JSON, .results = true},
        .flow = {.queues = queues, .queue_count = 1}};
    cr_assert_eq(consumer_init(&world.consumer, &options, &events, NULL), UMBEL_OK);
    consumer_use(&world.consumer, &world.transport, &world.backend, &world.pool);
    consumer_transport_events.state(&world.consumer, TRANSPORT_UP, 0, NULL);
    consumer_backend_events.state(&world.consumer, BACKEND_UP, 0, NULL);
    consumer_start(&world.consumer);
    buffer_fini(&why);
}

static void teardown(void)
{
    consumer_fini(&world.consumer);
    log_sink_close(&world.sink);
    registry_free(world.registry);
    loop_fini(&world.loop);
}

/* Said once, here, for the tests of all files. */
TestSuite(consumer, .init = setup, .fini = teardown);

struct message world_message(const char *id)
{
    struct message msg;
    message_init(&msg);
    msg.queue = STR("q");
    msg.task = STR("math.add");
    msg.id = str_of(id);
    msg.content_type = STR("application/json");
    msg.body = STR("[[], {}, {}]");
    return msg;
}

void world_deliver(const struct message *msg, uint64_t number, uint32_t epoch)
{
    consumer_transport_events.delivered(&world.consumer, (struct tag){number, epoch, 1}, msg);
}

void world_disown(void)
{
    consumer_transport_events.disowned(&world.consumer, 1);
}

void world_finish(int job, enum outcome_kind kind)
{
    struct outcome outcome = {.kind = kind,
                              .value = STR("5"),
                              .error_type = STR("ValueError"),
                              .error_message = STR("no"),
                              .signal = kind == OUTCOME_DIED ? 11 : 0};
    if (kind != OUTCOME_SUCCESS)
        outcome.value = STR_NONE;
    world.room++;
    consumer_pool_events.finished(&world.consumer, world.jobs[job], &outcome);
}

void world_stored(int code)
{
    consumer_backend_events.stored(&world.consumer, world.store_token, code, "why");
}

void world_begun(bool terminal, uint32_t starts)
{
    consumer_backend_events.begun(&world.consumer, world.begin_token, UMBEL_OK,
                                  (struct backend_history){terminal, starts});
}

void world_published(int code)
{
    consumer_transport_events.published(&world.consumer, world.publish_token, code, "why");
}
