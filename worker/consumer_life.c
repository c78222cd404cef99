/* consumer_life.c: a consumer's beginning and end, and what it does when the world around it changes. */
#include "worker/consumer_path.h"

#include <signal.h>
#include <stdlib.h>
#include "common/cancel_note.h"
#include "common/clock.h"
#include "common/str.h"
#include "worker/registry.h"
#include "worker/report.h"

#define TEXT_MAX ((size_t)1 << 20)

/* ---- what has not started goes back
 * ----------------------------------------------------------------------------- */

typedef bool choice(const struct request *req, uint32_t consumer);

static bool every(const struct request *req, uint32_t consumer)
{
    (void)req;
    (void)consumer;
    return true;
}

static bool brought_by(const struct request *req, uint32_t consumer)
{
    return req->tag.consumer == consumer;
}

/* What is left to do for it has to outlive it. */
static bool has_run(const struct request *req)
{
    return req->state == REQUEST_STORING || req->state == REQUEST_SENDING;
}

static size_t hand_back_list(struct consumer *consumer, struct request_list *list, choice *chosen,
                             uint32_t number)
{
    struct request_list old = *list;
    size_t count = 0;
    if (!old.first)
        return 0;
    request_list_init(list);
    for (struct request *req; (req = request_list_take(&old));) {
        if (!has_run(req) && chosen(req, number)) {
            consumer_hand_back(consumer, req);
            count++;
        } else {
            request_list_add(list, req);
        }
    }
    return count;
}

static size_t hand_back_held(struct consumer *consumer, choice *chosen, uint32_t number)
{
    size_t count = 0;
    for (struct request **at = &consumer->held; *at;) {
        struct request *req = *at;
        if (!chosen(req, number)) {
            at = &req->next;
            continue;
        }
        *at = req->next;
        consumer_hand_back(consumer, req);
        count++;
    }
    return count;
}

/* What the pool has but has not begun. A task that is alone is there because of a death: it is begun at once
 * or not at all. */
static size_t hand_back_dispatched(struct consumer *consumer, choice *chosen, uint32_t number)
{
    size_t count = 0;
    for (size_t i = 0; i < consumer->requests.count; i++) {
        struct request *req = consumer->requests.all[i];
        if (req->state != REQUEST_RUNNING || req->settled || !chosen(req, number))
            continue;
        if (!consumer->pool->ops->take_back(consumer->pool, &req->job))
            continue;
        consumer_hand_back(consumer, req);
        count++;
    }
    return count;
}

static size_t hand_back_unstarted(struct consumer *consumer, choice *chosen, uint32_t number)
{
    size_t count = hand_back_list(consumer, &consumer->ready, chosen, number);
    count += hand_back_list(consumer, &consumer->waiting, chosen, number);
    count += hand_back_held(consumer, chosen, number);
    return count + hand_back_dispatched(consumer, chosen, number);
}

/* ---- the transport
 * ---------------------------------------------------------------------------------------------- */

static size_t mark_lost(struct consumer *consumer, uint32_t number)
{
    size_t count = 0;
    for (size_t i = 0; i < consumer->requests.count; i++) {
        struct request *req = consumer->requests.all[i];
        if (req->state == REQUEST_FREE || !brought_by(req, number))
            continue;
        req->lost = true;
        count++;
    }
    return count;
}

/* These deliveries are the broker's again, and somebody else may get them: nothing of them is begun here.
 * What runs goes on; its result is stored, and its second delivery adopted or found to have ended. */
static void on_disowned(void *self, uint32_t number)
{
    struct consumer *consumer = self;
    size_t lost = mark_lost(consumer, number);
    size_t back = hand_back_unstarted(consumer, brought_by, number);
    log_line(consumer->log, UMBEL_INFO, "worker",
             "%zu tasks that had not started are the broker's again, %zu go on here", back, lost - back);
}

static void on_transport_state(void *self, enum transport_state state, int code, const char *why)
{
    struct consumer *consumer = self;
    postbox_state(&consumer->postbox, state);
    consumer->events->transport_state(consumer->self, state, code, why);
}

static void on_published(void *self, uint64_t token, int code, const char *why)
{
    postbox_published(&((struct consumer *)self)->postbox, token, code, why);
}

static void on_consumer_lost(void *self, uint32_t number, int code, const char *why)
{
    flow_lost(&((struct consumer *)self)->flow, number, code, why);
}

static void on_consuming(void *self, uint32_t number, uint64_t waiting)
{
    struct consumer *consumer = self;
    flow_consuming(&consumer->flow, number, waiting);
    nested_flow_consuming(&consumer->nested, number);
}

static void on_cancelled(void *self, uint32_t number)
{
    (void)self;
    (void)number;
}

static void on_transport_room(void *self)
{
    postbox_room(&((struct consumer *)self)->postbox);
}

static void on_counted(void *self, uint64_t token, int code, uint64_t messages, const char *why)
{
    (void)messages, (void)why;
    nested_flow_counted(&((struct consumer *)self)->nested, token, code);
}

const struct transport_events consumer_transport_events = {
    .state = on_transport_state,
    .published = on_published,
    .delivered = consumer_delivered,
    .garbled = consumer_garbled,
    .consumer_lost = on_consumer_lost,
    .disowned = on_disowned,
    .consuming = on_consuming,
    .cancelled = on_cancelled,
    .room = on_transport_room,
    .counted = on_counted,
};

/* ---- the back end
 * ----------------------------------------------------------------------------------------------- */

static void on_backend_state(void *self, enum backend_state state, int code, const char *why)
{
    struct consumer *consumer = self;
    consumer->backend_up = state == BACKEND_UP;
    consumer->events->backend_state(consumer->self, state, code, why);
    if (consumer->backend_up)
        consumer_ask_again(consumer);
}

static void on_found(void *self, uint64_t token, int code, umbel_str id, umbel_str payload)
{
    (void)self, (void)token, (void)code, (void)id, (void)payload;
}

/* Somebody's task is not wanted any more. */
static void on_notice(void *self, umbel_str payload, bool listened)
{
    (void)listened;
    struct consumer *consumer = self;
    struct backend_revocation what = {.until = clock_now() + CANCEL_SECONDS};
    bool terminate;
    struct arena arena;
    arena_init(&arena, 4 * CANCEL_NOTE_MAX);
    if (payload.size <= CANCEL_NOTE_MAX &&
        cancel_note_read(&arena, payload, &what.id, &terminate) == UMBEL_OK)
        consumer_revoke(consumer, &what, terminate ? SIGTERM : 0);
    arena_fini(&arena);
}

void consumer_hear_cancels(struct consumer *consumer)
{
    if (consumer->backend)
        consumer->backend->ops->listen(consumer->backend, STR(CANCEL_CHANNEL), 0);
}

static void on_subscribed(void *self, uint64_t token)
{
    (void)self, (void)token;
}

static void on_resubscribed(void *self)
{
    (void)self;
}

static void on_revoked(void *self, uint64_t token, int code, const struct backend_revocation *list,
                       size_t count)
{
    struct consumer *consumer = self;
    (void)token;
    for (size_t i = 0; i < count; i++)
        consumer_revoke(consumer, &list[i], 0);
    if (consumer->events->revoked)
        consumer->events->revoked(consumer->self, code);
}

const struct backend_events consumer_backend_events = {
    .state = on_backend_state,
    .stored = consumer_stored,
    .found = on_found,
    .begun = consumer_begun,
    .notice = on_notice,
    .subscribed = on_subscribed,
    .resubscribed = on_resubscribed,
    .revoked = on_revoked,
};

/* ---- the pool
 * --------------------------------------------------------------------------------------------------- */

/* A state on the way, in `scratch`, is a hint for those who watch: lost when the back end is away, never
 * waited for. */
static void store_hint(struct consumer *consumer, const struct request *req)
{
    struct backend_store what = {
        .id = req->msg.id,
        .payload = {(const char *)buffer_head(&consumer->scratch), buffer_length(&consumer->scratch)},
        .overwrite_terminal = req->replayed,
        .reply_channel = request_reply_channel(&req->msg)};
    consumer->backend->ops->store(consumer->backend, &what, 0);
}

static void store_started(struct consumer *consumer, const struct request *req)
{
    buffer_clear(&consumer->scratch);
    if (consumer->backend_up &&
        report_write_started(&consumer->scratch, req, consumer->options.worker_name) == UMBEL_OK)
        store_hint(consumer, req);
}

static void on_started(void *self, struct job *job, int pid)
{
    struct consumer *consumer = self;
    struct request *req = job->owner;
    req->pid = pid;
    if (req->call)
        consumer->calls->started(consumer->calls_self, req->call);
    else
        req->started_at = clock_now();
    if (request_tracks_start(&req->msg, job->def, &consumer->options.policy) && !job->reader) {
        consumer_call_leaves(consumer, req);
        if (!req->call)
            store_started(consumer, req);
    }
    if (consumer->watched && !job->reader && !req->call)
        consumer->events->task(consumer->self, NEWS_STARTED, req, NULL, NULL);
}

static void on_said(void *self, struct job *job, int pid, umbel_level level, umbel_str line)
{
    struct consumer *consumer = self;
    task_log_said(consumer->options.sink, job ? job->msg : NULL, pid, level, line);
}

static void on_progress(void *self, struct job *job, umbel_str value)
{
    struct consumer *consumer = self;
    struct request *req = job->owner;
    consumer_call_leaves(consumer, req);
    buffer_clear(&consumer->scratch);
    if (req->call || !consumer->backend_up ||
        request_ignores_result(&req->msg, job->def, &consumer->options.policy) ||
        report_write_progress(&consumer->scratch, req, value) != UMBEL_OK)
        return;
    store_hint(consumer, req);
}

static void on_pool_room(void *self)
{
    struct consumer *consumer = self;
    consumer_room(consumer);
    nested_flow_look(&consumer->nested);
}

static void on_child_ended(void *self, int pid, int signal, int exit_code, const char *why)
{
    struct consumer *consumer = self;
    if (signal || exit_code)
        log_line(consumer->log, UMBEL_WARNING, "pool", "child %d ended (%s %d): %s", pid,
                 signal ? "signal" : "exit code", signal ? signal : exit_code, why ? why : "");
    else
        log_line(consumer->log, UMBEL_DEBUG, "pool", "child %d ended: %s", pid, why ? why : "");
}

static void on_pool_stopped(void *self)
{
    struct consumer *consumer = self;
    consumer->events->pool_stopped(consumer->self);
}

static void on_pool_lost(void *self, const char *why)
{
    struct consumer *consumer = self;
    consumer->events->pool_lost(consumer->self, why);
}

const struct pool_events consumer_pool_events = {
    .started = on_started,
    .finished = consumer_finished,
    .said = on_said,
    .progress = on_progress,
    .part = consumer_part,
    .room = on_pool_room,
    .child_ended = on_child_ended,
    .stopped = on_pool_stopped,
    .lost = on_pool_lost,
};

/* ---- the flow
 * --------------------------------------------------------------------------------------------------- */

static void on_flow_consuming(void *self)
{
    struct consumer *consumer = self;
    consumer->events->consuming(consumer->self);
}

static void on_flow_shrunk(void *self, uint32_t number)
{
    hand_back_unstarted(self, brought_by, number);
}

/* Children that are being born count: they will be there before the broker's first answer. */
static uint32_t on_flow_slots(void *self)
{
    const struct consumer *consumer = self;
    uint32_t slots = consumer->pool->ops->slots(consumer->pool);
    uint32_t wanted = consumer->options.concurrency > consumer->options.most ? consumer->options.concurrency
                                                                             : consumer->options.most;
    return slots > wanted ? slots : wanted;
}

static size_t on_flow_in_hand(void *self)
{
    const struct consumer *consumer = self;
    return consumer->requests.in_hand - consumer->requests.nested - consumer->requests.undelivered;
}

static const struct flow_events flow_events = {on_flow_consuming, on_flow_shrunk, on_flow_slots,
                                               on_flow_in_hand};

/* ---- what tasks call
 * -------------------------------------------------------------------------------------------- */

static void on_nested_facts(void *self, struct nested_facts *facts)
{
    const struct consumer *consumer = self;
    struct pool_stats stats;
    consumer->pool->ops->stats(consumer->pool, &stats);
    *facts = (struct nested_facts){.in_hand = (uint32_t)consumer->requests.nested,
                                   .waiting = (uint32_t)stats.waiting,
                                   .running = (uint32_t)(stats.busy - stats.waiting),
                                   .concurrency = consumer->options.concurrency};
}

static void on_nested_consumed(void *self, umbel_str queue)
{
    struct consumer *consumer = self;
    if (consumer->nest)
        nest_consumed(consumer->nest, queue);
}

static const struct nested_flow_events nested_flow_events = {on_nested_facts, on_nested_consumed};

static bool on_nest_serves(void *self, umbel_str queue)
{
    const struct consumer *consumer = self;
    return flow_has(&consumer->flow, queue);
}

static void on_nest_consume(void *self, umbel_str queue)
{
    struct consumer *consumer = self;
    if (consumer->phase == PHASE_WORKING)
        nested_flow_make(&consumer->nested, queue);
}

const struct nest_events consumer_nest_events = {on_nest_serves, on_nest_consume};

void consumer_use_nest(struct consumer *consumer, struct nest *nest)
{
    consumer->nest = nest;
}

/* ---- life
 * ------------------------------------------------------------------------------------------------------- */

static void on_idle(void *self)
{
    struct consumer *consumer = self;
    if (consumer->requests.in_hand == 0)
        consumer->events->idle(consumer->self);
}

int consumer_init(struct consumer *consumer, const struct consumer_options *options,
                  const struct consumer_events *events, void *self)
{
    *consumer =
        (struct consumer){.options = *options, .events = events, .self = self, .log = &options->sink->log};
    request_set_init(&consumer->requests);
    request_list_init(&consumer->ready);
    request_list_init(&consumer->waiting);
    buffer_init(&consumer->text, TEXT_MAX);
    buffer_init(&consumer->scratch, (size_t)64 << 20);
    postbox_init(&consumer->postbox, options->loop, consumer->log, consumer_sent, consumer_unsendable,
                 consumer);
    uv_timer_init(&options->loop->uv, &consumer->hold_timer);
    uv_timer_init(&options->loop->uv, &consumer->again_timer);
    consumer->hold_timer.data = consumer->again_timer.data = consumer;
    consumer->idle_hook = (struct turn_hook){.call = on_idle, .self = consumer};
    consumer->pump_hook = (struct turn_hook){.call = on_pool_room, .self = consumer};
    revoked_init(&consumer->revoked);
    nested_flow_init(&consumer->nested, options->loop, consumer->log, &nested_flow_events, consumer);
    copies_init(&consumer->copies);
    consumer->tasks = calloc(registry_count(options->registry) + 1, sizeof *consumer->tasks);
    if (!consumer->tasks)
        return UMBEL_NO_MEMORY;
    return flow_init(&consumer->flow, options->loop, consumer->log, &options->flow, &flow_events, consumer);
}

void consumer_fini(struct consumer *consumer)
{
    consumer_calls_end(consumer);
    loop_unmark(consumer->options.loop, &consumer->idle_hook);
    loop_unmark(consumer->options.loop, &consumer->pump_hook);
    uv_close((uv_handle_t *)&consumer->hold_timer, NULL);
    uv_close((uv_handle_t *)&consumer->again_timer, NULL);
    postbox_fini(&consumer->postbox);
    flow_fini(&consumer->flow);
    consumer_drop_runs(consumer);
    nested_flow_fini(&consumer->nested);
    request_set_fini(&consumer->requests);
    revoked_fini(&consumer->revoked);
    copies_fini(&consumer->copies);
    free(consumer->tasks);
    buffer_fini(&consumer->text);
    buffer_fini(&consumer->scratch);
}

void consumer_use(struct consumer *consumer, struct transport *transport, struct backend *backend,
                  struct pool *pool)
{
    consumer->transport = transport;
    consumer->backend = backend;
    consumer->pool = pool;
    postbox_use(&consumer->postbox, transport);
}

void consumer_forget_backend(struct consumer *consumer)
{
    consumer->backend = NULL;
    consumer->backend_up = false;
}

void consumer_start(struct consumer *consumer)
{
    flow_start(&consumer->flow, consumer->transport);
    for (size_t i = 0; consumer->options.nests && i < consumer->flow.count; i++)
        nested_flow_add(&consumer->nested, str_of(consumer->flow.sources[i].queue));
    if (consumer->options.nests)
        nested_flow_start(&consumer->nested, consumer->transport);
}

size_t consumer_drain(struct consumer *consumer)
{
    if (consumer->phase == PHASE_WORKING)
        consumer->phase = PHASE_DRAINING;
    flow_stop(&consumer->flow);
    nested_flow_stop(&consumer->nested);
    if (consumer->nest)
        nest_consumes_no_more(consumer->nest);
    size_t count = hand_back_unstarted(consumer, every, 0);
    loop_mark(consumer->options.loop, &consumer->idle_hook);
    return count;
}

void consumer_kill(struct consumer *consumer)
{
    consumer->phase = PHASE_KILLING;
}

size_t consumer_in_hand(const struct consumer *consumer)
{
    return consumer->requests.in_hand;
}

size_t consumer_count(const struct consumer *consumer, enum request_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < consumer->requests.count; i++)
        count += consumer->requests.all[i]->state == state;
    return count;
}
