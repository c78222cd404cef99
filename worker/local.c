/* local.c: see local.h. Its life is worker.c's, in the small: without signals, settings and remote control,
 * on a loop that is somebody else's, and without ever waiting for it: each step of the end is started by the
 * event that ends the one before. */
#include "worker/local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/str.h"
#include "common/uuid.h"
#include "worker/builtin.h"
#include "worker/consumer.h"
#include "worker/fork_server.h"
#include "worker/local_options.h"
#include "worker/nest.h"
#include "worker/registry.h"
#include "worker/task_function.h"

#define CLOSE_SECONDS 1.0
#define REVOKED_MOST ((size_t)1 << 20) /* a pool that is shut down has them all at once */

/* A program with UMBEL_TASKs has it; the linker lets us see it from here without asking anybody. */
extern const umbel_module_table umbel_module __attribute__((weak, visibility("default")));

enum local_stage { LOCAL_WORKS, LOCAL_DRAINS, LOCAL_KILLS, LOCAL_CLOSES };

struct local {
    struct local_options options;
    struct local_plan plan;
    char hub[LOCAL_HUB_URL];
    char name[80];
    struct registry *registry;
    struct fork_server *fork_server; /* NULL with a pool that forks nothing */
    struct log_sink sink;
    struct loop *loop;
    struct consumer consumer;
    struct transport *transport;
    struct backend *backend;
    struct pool *pool;
    struct nest *nest; /* with children; in this process tasks call through the client itself */
    bool has_consumer;
    bool named;           /* the hub: others may know it */
    bool elsewhere;       /* results are kept in a back end that is not the hub */
    char last_queue[256]; /* the one served last: usually the one asked for next */
    enum local_stage stage;
    double grace;
    uv_timer_t deadline;
    bool pool_stops;
    void (*closed)(void *self);
    void *closed_self;
};

/* ---- made before there is a thread ---- */

static bool read_url(struct arena *arena, const char *text, struct url *url)
{
    const char *why;
    return text && url_parse_list(arena, text, url, 1, &why) == 1;
}

bool local_is_meant(const char *text)
{
    struct arena arena;
    struct url url;
    arena_init(&arena, 0);
    bool meant = read_url(&arena, text, &url) && str_equal(url.scheme, STR("memory")) &&
                 url_option(&url, "pool").data != NULL;
    arena_fini(&arena);
    return meant;
}

/* Without a name the hub is nobody else's. */
static void name_hub(struct local *local, const struct url *url)
{
    char id[UUID_SIZE];
    uuid_make(id);
    local->named = url->host.size > 0;
    if (local->named)
        snprintf(local->hub, sizeof local->hub, "memory://%.60s", url->host.data);
    else
        snprintf(local->hub, sizeof local->hub, "memory://umbel-%s", id);
}

static int read_plan(struct local *local, struct buffer *why)
{
    struct arena arena;
    struct url url;
    int code = UMBEL_BAD_URL;
    arena_init(&arena, 0);
    if (!read_url(&arena, local->options.url, &url))
        buffer_text(why, "the URL cannot be read");
    else if (url.host.size > 60)
        buffer_text(why, "the name in memory://NAME is longer than 60 bytes");
    else
        code = local_plan_read(&local->plan, &url, (int)sysconf(_SC_NPROCESSORS_ONLN), why);
    if (code == UMBEL_OK)
        name_hub(local, &url);
    arena_fini(&arena);
    return code;
}

static int fill_registry(struct local *local, struct buffer *why)
{
    const umbel_module_table *module = local->options.module;
    if (!module)
        module = &umbel_module; /* a weak symbol: NULL when the program has none */
    local->registry = registry_new();
    if (!local->registry)
        return UMBEL_NO_MEMORY;
    int code = builtin_add(local->registry, why);
    if (code == UMBEL_OK)
        code = registry_add(local->registry, &task_function_module, "umbel", why);
    if (code == UMBEL_OK && module)
        code = registry_add(local->registry, module, "this program", why);
    return code;
}

static int start_fork_server(struct local *local, struct buffer *why)
{
    if (local->plan.in_process)
        return UMBEL_OK;
    int code = fork_server_start(&local->fork_server, local->registry, local->name);
    if (code != UMBEL_OK)
        buffer_format(why, "the fork server cannot be started: %s", strerror(errno));
    return code;
}

static void open_sink(struct local *local)
{
    log_sink_borrow(&local->sink, local->options.log);
}

int local_new(struct local **out, const struct local_options *options, struct buffer *why)
{
    struct local *local = calloc(1, sizeof *local);
    if (!local)
        return UMBEL_NO_MEMORY;
    local->options = *options;
    snprintf(local->name, sizeof local->name, "executor@%d", (int)getpid());
    open_sink(local);
    int code = read_plan(local, why);
    if (code == UMBEL_OK)
        code = fill_registry(local, why);
    if (code == UMBEL_OK)
        code = start_fork_server(local, why);
    if (code != UMBEL_OK) {
        local_free(local);
        return code;
    }
    *out = local;
    return UMBEL_OK;
}

void local_free(struct local *local)
{
    if (!local)
        return;
    if (local->registry && registry_is_kept(local->registry))
        return; /* a task left behind still has its name */
    fork_server_stop(local->fork_server);
    registry_free(local->registry);
    log_sink_close(&local->sink);
    free(local);
}

const char *local_url(const struct local *local)
{
    return local->hub;
}

/* ---- its end, step by step ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct local *local = handle->data;
    local->closed(local->closed_self);
}

static void close_rest(struct local *local)
{
    if (local->has_consumer)
        consumer_fini(&local->consumer);
    local->has_consumer = false;
    uv_close((uv_handle_t *)&local->deadline, on_handle_closed);
}

static void on_transport_closed(void *self)
{
    close_rest(self);
}

/* What the backend was told last is acknowledged to the transport before that goes too. */
static void on_backend_closed(void *self)
{
    struct local *local = self;
    consumer_forget_backend(&local->consumer);
    local->transport->ops->close(local->transport, CLOSE_SECONDS, on_transport_closed, local);
}

static void on_nest_closed(void *self)
{
    struct local *local = self;
    local->nest = NULL;
    local->backend->ops->close(local->backend, CLOSE_SECONDS, on_backend_closed, local);
}

static void on_pool_stopped(void *self)
{
    struct local *local = self;
    if (local->stage == LOCAL_CLOSES)
        return;
    local->stage = LOCAL_CLOSES;
    uv_timer_stop(&local->deadline);
    local->pool->ops->free(local->pool);
    consumer_use_nest(&local->consumer, NULL);
    if (local->nest)
        nest_close(local->nest, CLOSE_SECONDS, on_nest_closed, local);
    else
        on_nest_closed(local);
}

static void stop_pool(struct local *local, double grace)
{
    local->pool_stops = true;
    local->pool->ops->stop(local->pool, grace);
}

static void on_deadline(uv_timer_t *timer)
{
    struct local *local = timer->data;
    if (local->stage == LOCAL_DRAINS) {
        local->stage = LOCAL_KILLS;
        consumer_kill(&local->consumer);
        stop_pool(local, 0);
    }
}

static void on_idle(void *self)
{
    struct local *local = self;
    if (local->stage == LOCAL_DRAINS && !local->pool_stops)
        stop_pool(local, local->grace);
}

void local_close(struct local *local, double grace, void (*closed)(void *self), void *self)
{
    local->closed = closed;
    local->closed_self = self;
    local->grace = grace;
    local->stage = LOCAL_DRAINS;
    consumer_drain(&local->consumer);
    uv_update_time(&local->loop->uv);
    uv_timer_start(&local->deadline, on_deadline, (uint64_t)(grace * 1000), 0);
}

/* ---- what the consumer tells ---- */

static void on_transport_state(void *self, enum transport_state state, int code, const char *why)
{
    (void)self, (void)state, (void)code, (void)why;
}

static void on_backend_state(void *self, enum backend_state state, int code, const char *why)
{
    struct local *local = self;
    (void)code, (void)why;
    if (state == BACKEND_UP)
        consumer_load_revoked(&local->consumer);
}

static void on_consuming(void *self)
{
    (void)self;
}

static void on_task(void *self, enum task_news news, const struct request *req, const struct verdict *verdict,
                    const struct outcome *outcome)
{
    struct local *local = self;
    (void)verdict, (void)outcome;
    if (news == NEWS_STARTED)
        local->options.started(local->options.self, req->msg.id);
    else if (news == NEWS_SUCCEEDED || news == NEWS_FAILED || news == NEWS_REVOKED || news == NEWS_SUPERSEDED)
        local->options.ended(local->options.self);
}

static void on_pool_lost(void *self, const char *why)
{
    struct local *local = self;
    log_line(&local->sink.log, UMBEL_ERROR, "pool", "no task can be run any more: %s", why ? why : "");
}

static const struct consumer_events events = {
    .transport_state = on_transport_state,
    .backend_state = on_backend_state,
    .consuming = on_consuming,
    .task = on_task,
    .idle = on_idle,
    .pool_stopped = on_pool_stopped,
    .pool_lost = on_pool_lost,
};

/* ---- its beginning ---- */

static int open_consumer(struct local *local)
{
    static const char *const queues[] = {"celery"};
    struct consumer_options options = {
        .loop = local->loop,
        .sink = &local->sink,
        .registry = local->registry,
        .worker_name = local->name,
        .concurrency = (uint32_t)local->plan.concurrency,
        .policy = {.max_deaths = 3, .result_codec = CODEC_JSON, .results = true},
        .flow = {.queues = queues, .queue_count = 1},
        .nests = true,
    };
    snprintf(local->last_queue, sizeof local->last_queue, "celery");
    int code = consumer_init(&local->consumer, &options, &events, local);
    local->has_consumer = code == UMBEL_OK;
    return code;
}

static int open_ends(struct local *local, const char *backend, struct buffer *why)
{
    struct transport_options transport = {.log = &local->sink.log, .client_name = local->name};
    int code = transport_open(&local->transport, local->loop, local->hub, &transport,
                              &consumer_transport_events, &local->consumer, why);
    struct backend_options options = {.log = &local->sink.log, .most = LOCAL_RESULTS};
    if (code == UMBEL_OK)
        code = backend_open(&local->backend, local->loop, backend ? backend : local->hub, &options,
                            &consumer_backend_events, &local->consumer, why);
    return code;
}

static int open_nest(struct local *local, const char *backend)
{
    struct nest_options options = {.log = &local->sink.log,
                                   .registry = local->registry,
                                   .broker = local->hub,
                                   .backend = backend ? backend : local->hub,
                                   .worker_name = local->name};
    if (!local->fork_server)
        return UMBEL_OK;
    int code = nest_new(&local->nest, local->loop, &options, &consumer_nest_events, &local->consumer);
    if (code == UMBEL_OK)
        consumer_use_nest(&local->consumer, local->nest);
    return code;
}

static int open_pool(struct local *local, struct buffer *why)
{
    struct pool_options options = {.log = &local->sink.log,
                                   .concurrency = local->plan.concurrency,
                                   .max_tasks_per_child = local->plan.max_tasks_per_child,
                                   .max_memory_per_child = local->plan.max_memory_per_child,
                                   .worker_name = local->name,
                                   .fork_server = local->fork_server,
                                   .in_process = local->plan.in_process,
                                   .registry = local->registry,
                                   .nest = local->nest,
                                   .client = local->fork_server ? NULL : local->options.client};
    return pool_open(&local->pool, local->plan.pool, local->loop, &options, &consumer_pool_events,
                     &local->consumer, why);
}

/* Queues exist when this returns, so that the first publish finds its own. */
static void begin(struct local *local)
{
    consumer_use(&local->consumer, local->transport, local->backend, local->pool);
    consumer_hear_cancels(&local->consumer);
    local->consumer.watched = true;
    consumer_take_calls(&local->consumer, local->options.calls, local->options.calls_self);
    local->consumer.revoked.most = REVOKED_MOST;
    consumer_start(&local->consumer);
}

static void nothing(void *self)
{
    (void)self;
}

/* What is closed here is gone when the loop has run once more, which it does at its own end. */
static void undo(struct local *local)
{
    if (local->nest)
        nest_close(local->nest, 0, nothing, NULL);
    if (local->backend)
        local->backend->ops->close(local->backend, 0, nothing, NULL);
    if (local->transport)
        local->transport->ops->close(local->transport, 0, nothing, NULL);
    if (local->has_consumer)
        consumer_fini(&local->consumer);
    uv_close((uv_handle_t *)&local->deadline, NULL);
}

int local_open(struct local *local, struct loop *loop, const char *backend, struct buffer *why)
{
    local->loop = loop;
    local->elsewhere = backend != NULL;
    uv_timer_init(&loop->uv, &local->deadline);
    local->deadline.data = local;
    int code = open_consumer(local);
    if (code == UMBEL_OK)
        code = open_ends(local, backend, why);
    if (code == UMBEL_OK)
        code = open_nest(local, backend);
    if (code == UMBEL_OK)
        code = open_pool(local, why);
    if (code == UMBEL_OK)
        begin(local);
    else
        undo(local);
    return code;
}

void local_serve(struct local *local, umbel_str queue)
{
    if (str_equal(queue, str_of(local->last_queue)) || queue.size >= sizeof local->last_queue)
        return;
    if (consumer_add_queue(&local->consumer, queue) != UMBEL_OK)
        return; /* the next call to it tries again */
    memcpy(local->last_queue, queue.data, queue.size);
    local->last_queue[queue.size] = '\0';
}

bool local_takes_calls(const struct local *local)
{
    return !local->named && !local->elsewhere;
}

bool local_call(struct local *local, const struct call *call)
{
    if (local->stage != LOCAL_WORKS)
        return false;
    local_serve(local, call->queue); /* what it calls, or its next run, comes that way */
    return consumer_call(&local->consumer, call);
}
