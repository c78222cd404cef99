/* The path of a task with a broker, a back end and a pool that only write down what they were asked. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "common/str.h"
#include "worker/consumer.h"
#include "worker/registry.h"

/* ---- the world, written down
 * ------------------------------------------------------------------------------------ */

struct world {
    struct transport transport;
    struct backend backend;
    struct pool pool;
    struct loop loop;
    struct log_sink sink;
    struct registry *registry;
    struct consumer consumer;
    char said[4096]; /* what was asked for, in order: "store id-1 SUCCESS;" */
    uint64_t store_token, begin_token, publish_token;
    struct job *jobs[64];
    int job_count;
    uint32_t room;
    bool takes_back, idle;
    size_t headers_max; /* extra headers a copy may have; more are too large */
    bool no_delays, consumes_no_more;
};

static struct world world;

static void note(const char *format, ...)
{
    size_t at = strlen(world.said);
    va_list list;
    va_start(list, format);
    vsnprintf(world.said + at, sizeof world.said - at, format, list);
    va_end(list);
}

static bool was(const char *wanted)
{
    bool same = strcmp(world.said, wanted) == 0;
    if (!same)
        fprintf(stderr, "was '%s', wanted '%s'\n", world.said, wanted);
    world.said[0] = '\0';
    return same;
}

static void forget(void)
{
    world.said[0] = '\0';
}

static int fake_publish(struct transport *transport, const struct message *msg, double delay, int flags,
                        uint64_t token)
{
    (void)transport;
    if (msg->extra_count > world.headers_max || (delay > 0 && world.no_delays))
        return UMBEL_TOO_LARGE;
    note("publish %.*s to %.*s%s%s", (int)msg->id.size, msg->id.data, (int)msg->queue.size, msg->queue.data,
         flags & PUBLISH_CREATE_QUEUE ? " creating" : "", msg->republished ? " again" : "");
    if (delay > 0)
        note(" in %.0f", delay);
    if (msg->retries)
        note(" retry %d", (int)msg->retries);
    if (msg->deaths)
        note(" deaths %d", (int)msg->deaths);
    const umbel_value *reason = message_extra(msg, "umbel-reason");
    umbel_str text = STR_NONE;
    if (reason && umbel_value_str(reason, &text) == UMBEL_OK)
        note(" because %.*s", (int)text.size, text.data);
    note(";");
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
    note("cancel %u;", consumer);
}

static void fake_settle(struct transport *transport, struct tag tag, enum settle how)
{
    (void)transport;
    note("%s %d;",
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
    note("store %.*s %s%s;", (int)id.size, id.data, result_state_name(state), store->terminal ? "" : " open");
    world.store_token = token;
}

static void fake_begin(struct backend *backend, umbel_str id, uint64_t token)
{
    (void)backend;
    note("begin %.*s;", (int)id.size, id.data);
    world.begin_token = token;
}

static void fake_end_mark(struct backend *backend, umbel_str id)
{
    (void)backend;
    note("unmark %.*s;", (int)id.size, id.data);
}

static uint32_t fake_slots(const struct pool *pool)
{
    (void)pool;
    return 2;
}

static int fake_dispatch(struct pool *pool, struct job *job)
{
    (void)pool;
    if (world.room == 0)
        return UMBEL_BUSY;
    world.room--;
    world.jobs[world.job_count++] = job;
    note("run %.*s%s%s;", (int)job->msg->id.size, job->msg->id.data, job->alone ? " alone" : "",
         job->reader ? " reader" : "");
    return UMBEL_OK;
}

static void fake_cancel_job(struct pool *pool, struct job *job, double kill_after)
{
    (void)pool;
    note("end %.*s in %.0f;", (int)job->msg->id.size, job->msg->id.data, kill_after);
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
    note("%s %.*s;", words[news], (int)req->msg.id.size, req->msg.id.data);
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

static void turn(void)
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

static struct message message_make(const char *id)
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

static void deliver(const struct message *msg, uint64_t number, uint32_t epoch)
{
    consumer_transport_events.delivered(&world.consumer, (struct tag){number, epoch, 1}, msg);
}

static void disown(void)
{
    consumer_transport_events.disowned(&world.consumer, 1);
}

static void finish(int job, enum outcome_kind kind)
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

static void stored(int code)
{
    consumer_backend_events.stored(&world.consumer, world.store_token, code, "why");
}

static void begun(bool terminal, uint32_t starts)
{
    consumer_backend_events.begun(&world.consumer, world.begin_token, UMBEL_OK,
                                  (struct backend_history){terminal, starts});
}

static void published(int code)
{
    consumer_transport_events.published(&world.consumer, world.publish_token, code, "why");
}

TestSuite(consumer, .init = setup, .fini = teardown);

/* ---- the guarantee
 * ---------------------------------------------------------------------------------------------- */

Test(consumer, a_result_is_stored_before_its_delivery_is_acknowledged)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    cr_assert(was("run id-1;"));
    finish(0, OUTCOME_SUCCESS);
    cr_assert(was("store id-1 SUCCESS;"), "and nothing is acknowledged yet");
    stored(UMBEL_OK);
    cr_assert(was("ack 7;"));
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}

Test(consumer, a_result_that_stands_already_is_good_enough)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    finish(0, OUTCOME_FAILURE);
    stored(UMBEL_ALREADY_DONE);
    cr_assert(was("run id-1;store id-1 FAILURE;ack 7;"));
}

Test(consumer, a_result_that_cannot_be_stored_is_kept_unacknowledged_until_it_can)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    finish(0, OUTCOME_SUCCESS);
    consumer_backend_events.state(&world.consumer, BACKEND_CONNECTING, UMBEL_BACKEND_AWAY, "gone");
    stored(UMBEL_BACKEND_AWAY);
    turn();
    cr_assert(was("run id-1;store id-1 SUCCESS;"));
    consumer_backend_events.state(&world.consumer, BACKEND_UP, 0, NULL);
    cr_assert(was("store id-1 SUCCESS;"));
    stored(UMBEL_OK);
    cr_assert(was("ack 7;"));
}

Test(consumer, an_ignored_result_is_only_acknowledged)
{
    struct message msg = message_make("id-1");
    msg.ignore_result = 1;
    deliver(&msg, 7, 1);
    finish(0, OUTCOME_SUCCESS);
    cr_assert(was("run id-1;ack 7;"));
}

Test(consumer, at_most_once_is_acknowledged_when_it_begins)
{
    struct message msg = message_make("id-1");
    msg.task = STR("math.once");
    deliver(&msg, 7, 1);
    cr_assert(was("run id-1;ack at once 7;"));
    finish(0, OUTCOME_DIED);
    cr_assert(was("store id-1 FAILURE;"), "and a death is told, not tried again");
    stored(UMBEL_OK);
    cr_assert(was(""));
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}

/* ---- copies
 * ----------------------------------------------------------------------------------------------------- */

Test(consumer, a_parked_copy_is_confirmed_before_the_original_is_acknowledged)
{
    struct message msg = message_make("id-1");
    msg.task = STR("no.such");
    deliver(&msg, 7, 1);
    cr_assert(was("store id-1 FAILURE;"));
    stored(UMBEL_OK);
    cr_assert(was("publish id-1 to q.dead creating because not-registered;"));
    published(UMBEL_OK);
    cr_assert(was("ack 7;"));
}

Test(consumer, a_copy_that_may_have_arrived_is_sent_again_and_says_so)
{
    struct message msg = message_make("id-1");
    msg.task = STR("no.such");
    deliver(&msg, 7, 1);
    stored(UMBEL_OK);
    forget();
    consumer_transport_events.state(&world.consumer, TRANSPORT_CONNECTING, UMBEL_BROKER_AWAY, "gone");
    published(UMBEL_BROKER_AWAY);
    cr_assert(was(""));
    consumer_transport_events.state(&world.consumer, TRANSPORT_UP, 0, NULL);
    cr_assert(was("publish id-1 to q.dead creating again because not-registered;"));
    published(UMBEL_OK);
    cr_assert(was("ack 7;"));
}

Test(consumer, a_retry_stores_its_state_sends_a_copy_and_acknowledges)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    finish(0, OUTCOME_RETRY);
    cr_assert(was("run id-1;store id-1 RETRY open;"));
    stored(UMBEL_OK);
    cr_assert(was("publish id-1 to q retry 1;"));
    published(UMBEL_OK);
    cr_assert(was("ack 7;"));
}

Test(consumer, the_copy_of_a_retry_is_not_mistaken_for_its_original)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    finish(0, OUTCOME_RETRY);
    stored(UMBEL_OK);
    forget();
    msg.retries = 1;
    msg.republished = true;
    deliver(&msg, 8, 1);
    cr_assert(was("begin id-1;"), "it is looked up, not adopted by the one whose copy it is");
    begun(false, 0);
    cr_assert(was("run id-1;"));
}

Test(consumer, what_is_due_later_goes_back_to_the_broker_with_a_delay)
{
    struct message msg = message_make("id-1");
    msg.eta = STR("2999-01-01T00:00:00+00:00");
    deliver(&msg, 7, 1);
    cr_assert(strstr(world.said, "publish id-1 to q in 3"));
    forget();
    published(UMBEL_OK);
    cr_assert(was("ack 7;"));
}

/* ---- deaths
 * ----------------------------------------------------------------------------------------------------- */

Test(consumer, a_task_whose_child_died_runs_again_alone_and_is_parked_after_the_third)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    finish(0, OUTCOME_DIED);
    cr_assert(was("run id-1;"), "not from inside the report of the death");
    turn();
    finish(1, OUTCOME_DIED);
    turn();
    cr_assert(was("run id-1 alone;run id-1 alone;"));
    finish(2, OUTCOME_DIED);
    cr_assert(was("store id-1 FAILURE;"));
    stored(UMBEL_OK);
    cr_assert(was("publish id-1 to q.dead creating deaths 3 because deaths;"));
    published(UMBEL_OK);
    cr_assert(was("ack 7;"));
}

Test(consumer, a_task_that_died_for_another_ones_sake_runs_again_among_others_and_is_marked)
{
    struct message msg = message_make("id-1");
    struct outcome outcome = {.kind = OUTCOME_DIED, .innocent = true};
    deliver(&msg, 7, 1);
    for (int i = 0; i < 5; i++) {
        world.room++;
        consumer_pool_events.finished(&world.consumer, world.jobs[i], &outcome);
        turn();
        cr_assert(world.jobs[i + 1]->msg->redelivered);
        cr_assert_eq(world.jobs[i + 1]->deaths, 0);
    }
    cr_assert(was("run id-1;run id-1;run id-1;run id-1;run id-1;run id-1;"));
}

Test(consumer, deaths_of_workers_are_counted_by_their_start_marks)
{
    struct message msg = message_make("id-1");
    msg.redelivered = true;
    deliver(&msg, 7, 1);
    begun(false, 2);
    cr_assert(was("begin id-1;run id-1 alone;"));
    finish(0, OUTCOME_DIED);
    cr_assert(was("store id-1 FAILURE;"), "the third death is its last");
}

/* ---- twice delivered
 * -------------------------------------------------------------------------------------------- */

Test(consumer, what_has_ended_is_acknowledged_unrun_and_its_mark_cleared)
{
    struct message msg = message_make("id-1");
    msg.redelivered = true;
    deliver(&msg, 7, 1);
    begun(true, 0);
    cr_assert(was("begin id-1;ack 7;unmark id-1;"));
}

Test(consumer, a_second_delivery_of_what_runs_here_takes_the_place_of_the_lost_one)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    disown();
    msg.redelivered = true;
    deliver(&msg, 1, 2);
    cr_assert(was("run id-1;"), "not a second time");
    finish(0, OUTCOME_SUCCESS);
    stored(UMBEL_OK);
    cr_assert(was("store id-1 SUCCESS;ack 1;"), "the tag of the new connection");
}

Test(consumer, two_live_copies_are_acknowledged_together)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    msg.republished = true;
    deliver(&msg, 8, 1);
    finish(0, OUTCOME_SUCCESS);
    stored(UMBEL_OK);
    cr_assert(was("run id-1;store id-1 SUCCESS;ack 8;ack 7;"));
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}

Test(consumer, two_live_copies_of_two_consumers_are_both_acknowledged)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    msg.republished = true;
    deliver(&msg, 1, 2); /* each consumer of one connection has an epoch of its own */
    finish(0, OUTCOME_SUCCESS);
    stored(UMBEL_OK);
    cr_assert(was("run id-1;store id-1 SUCCESS;ack 1;ack 7;"));
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}

Test(consumer, lost_deliveries_that_have_not_started_are_let_go)
{
    struct message one = message_make("id-1"), two = message_make("id-2");
    world.room = 1;
    deliver(&one, 7, 1);
    deliver(&two, 8, 1);
    disown();
    cr_assert(was("run id-1;requeue 8;"), "settling a stale tag does nothing");
    cr_assert_eq(consumer_in_hand(&world.consumer), 1);
}

/* The connection that publishes is another one. */
Test(consumer, a_transport_that_cannot_publish_takes_no_deliveries_away)
{
    struct message one = message_make("id-1"), two = message_make("id-2");
    world.room = 1;
    deliver(&one, 7, 1);
    deliver(&two, 8, 1);
    consumer_transport_events.state(&world.consumer, TRANSPORT_CONNECTING, UMBEL_BROKER_AWAY, "gone");
    cr_assert(was("run id-1;"));
    cr_assert_eq(consumer_in_hand(&world.consumer), 2);
}

Test(consumer, deliveries_lost_while_the_transport_was_away_already_are_let_go)
{
    struct message one = message_make("id-1"), two = message_make("id-2");
    world.room = 1;
    consumer_transport_events.state(&world.consumer, TRANSPORT_CONNECTING, UMBEL_BROKER_AWAY, "gone");
    deliver(&one, 7, 1);
    deliver(&two, 8, 1);
    disown();
    cr_assert(was("run id-1;requeue 8;"));
    finish(0, OUTCOME_DIED);
    turn();
    cr_assert(was("requeue 7;"), "what died for a lost delivery is not begun again either");
}

Test(consumer, what_was_looked_up_for_a_lost_delivery_is_let_go)
{
    struct message msg = message_make("id-1");
    msg.redelivered = true;
    deliver(&msg, 7, 1);
    disown();
    begun(false, 0);
    cr_assert(was("begin id-1;requeue 7;unmark id-1;"));
}

/* ---- a copy overtakes its original
 * ------------------------------------------------------------------------------ */

Test(consumer, an_original_that_its_copy_has_overtaken_is_not_run_beside_it)
{
    struct message original = message_make("id-1"), copy = original;
    copy.republished = true;
    deliver(&copy, 7, 1);
    deliver(&original, 8, 1); /* before the copy's history is known */
    begun(false, 0);
    finish(0, OUTCOME_SUCCESS);
    stored(UMBEL_OK);
    cr_assert(was("begin id-1;run id-1;store id-1 SUCCESS;ack 8;ack 7;unmark id-1;"));
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}

Test(consumer, an_original_that_comes_when_its_copy_has_ended_is_not_run_again)
{
    struct message original = message_make("id-1"), copy = original, other = message_make("id-2");
    copy.republished = true;
    deliver(&copy, 7, 1);
    begun(false, 0);
    finish(0, OUTCOME_SUCCESS);
    stored(UMBEL_OK);
    forget();
    deliver(&original, 8, 1);
    begun(true, 0);
    cr_assert(was("begin id-1;ack 8;unmark id-1;"));
    deliver(&other, 9, 1);
    cr_assert(was("run id-2;"), "others are not looked up");
}

/* ---- what no frame can hold
 * ---------------------------------------------------------------------------------------------------------
 */

Test(consumer, a_copy_too_large_for_the_broker_is_parked_without_its_headers)
{
    struct message msg = message_make("id-1");
    struct message_header extra[8];
    umbel_value null = {.kind = UMBEL_NULL};
    for (size_t i = 0; i < 8; i++)
        extra[i] = (struct message_header){{&"abcdefgh"[i], 1}, null};
    msg.extra = extra;
    msg.extra_count = 8;
    msg.task = STR("no.such");
    world.headers_max = 8;
    deliver(&msg, 7, 1);
    cr_assert(was("store id-1 FAILURE;"));
    stored(UMBEL_OK);
    cr_assert(was("publish id-1 to q.dead creating because not-registered;"),
              "its place in the prefetch comes back");
    published(UMBEL_OK);
    cr_assert(was("ack 7;"));
}

Test(consumer, a_retry_that_cannot_be_delayed_fails_and_is_parked)
{
    struct message msg = message_make("id-1");
    struct outcome outcome = {.kind = OUTCOME_RETRY, .error_message = STR("later"), .retry_after = 5};
    world.no_delays = true;
    deliver(&msg, 7, 1);
    consumer_pool_events.finished(&world.consumer, world.jobs[0], &outcome);
    stored(UMBEL_OK);
    cr_assert(was("run id-1;store id-1 RETRY open;store id-1 FAILURE;"));
    stored(UMBEL_OK);
    cr_assert(was("publish id-1 to q.dead creating because too-large;"));
    published(UMBEL_OK);
    cr_assert(was("ack 7;"));
}

/* ---- stopping
 * --------------------------------------------------------------------------------------------------- */

Test(consumer, a_drain_hands_back_what_has_not_started_and_waits_for_the_rest)
{
    struct message one = message_make("id-1"), two = message_make("id-2"), three = message_make("id-3");
    world.room = 1;
    deliver(&one, 7, 1);
    deliver(&two, 8, 1);
    forget();
    cr_assert_eq(consumer_drain(&world.consumer), 1);
    cr_assert(was("cancel 1;requeue 8;"));
    deliver(&three, 9, 1);
    cr_assert(was("requeue 9;"), "what was under way goes back too");
    turn();
    cr_assert_not(world.idle);
    finish(0, OUTCOME_SUCCESS);
    stored(UMBEL_OK);
    cr_assert(was("store id-1 SUCCESS;ack 7;"));
    turn();
    cr_assert(world.idle);
}

Test(consumer, a_drain_takes_back_what_waits_inside_the_pool)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    world.takes_back = true;
    forget();
    cr_assert_eq(consumer_drain(&world.consumer), 1);
    cr_assert(was("cancel 1;requeue 7;"));
}

Test(consumer, a_death_while_draining_goes_back_with_its_count)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    consumer_drain(&world.consumer);
    forget();
    finish(0, OUTCOME_DIED);
    cr_assert(was("publish id-1 to q deaths 1;"));
    published(UMBEL_OK);
    cr_assert(was("ack 7;"));
}

Test(consumer, who_is_killed_by_a_cold_stop_goes_back_as_he_came)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    consumer_drain(&world.consumer);
    consumer_kill(&world.consumer);
    forget();
    finish(0, OUTCOME_DIED);
    cr_assert(was("requeue 7;"));
}

/* ---- revoked
 * ----------------------------------------------------------------------------------------------------- */

static enum revoke_effect revoke_id(const char *id, int signal)
{
    struct backend_revocation what = {str_of(id), 1e12};
    return consumer_revoke(&world.consumer, &what, signal);
}

Test(consumer, a_task_revoked_before_it_comes_is_not_run)
{
    struct message msg = message_make("id-1"), other = message_make("id-2");
    cr_assert_eq(revoke_id("id-1", 0), REVOKE_NOT_HERE);
    deliver(&msg, 7, 1);
    deliver(&other, 8, 1);
    stored(UMBEL_OK);
    cr_assert(was("store id-1 REVOKED;run id-2;ack 7;"));
}

Test(consumer, a_task_revoked_while_it_waits_for_room_is_not_run)
{
    struct message first = message_make("id-1"), second = message_make("id-2"), third = message_make("id-3");
    world.room = 1;
    deliver(&first, 7, 1);
    deliver(&second, 8, 1);
    deliver(&third, 9, 1);
    cr_assert_eq(revoke_id("id-2", 0), REVOKE_ENDED);
    stored(UMBEL_OK);
    cr_assert(was("run id-1;store id-2 REVOKED;ack 8;"));
    finish(0, OUTCOME_SUCCESS);
    consumer_pool_events.room(&world.consumer);
    cr_assert(was("store id-1 SUCCESS;run id-3;"));
}

Test(consumer, a_task_revoked_in_the_pool_before_its_start_is_not_run)
{
    struct message msg = message_make("id-1");
    world.takes_back = true;
    deliver(&msg, 7, 1);
    cr_assert_eq(revoke_id("id-1", 0), REVOKE_ENDED);
    stored(UMBEL_OK);
    cr_assert(was("run id-1;store id-1 REVOKED;ack 7;"));
}

Test(consumer, a_task_that_runs_is_only_ended_when_that_is_asked_for)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    cr_assert_eq(revoke_id("id-1", 0), REVOKE_RUNS);
    cr_assert(was("run id-1;"));
    cr_assert_eq(revoke_id("id-1", 15), REVOKE_TERMINATES);
    cr_assert_eq(revoke_id("id-1", 9), REVOKE_TERMINATES);
    cr_assert(was("end id-1 in 1;end id-1 in 0;"));
    finish(0, OUTCOME_CANCELLED);
    stored(UMBEL_OK);
    cr_assert(was("store id-1 REVOKED;ack 7;"));
}

Test(consumer, a_task_that_has_ended_stays_as_it_ended)
{
    struct message msg = message_make("id-1");
    deliver(&msg, 7, 1);
    finish(0, OUTCOME_SUCCESS);
    cr_assert_eq(revoke_id("id-1", 15), REVOKE_NOT_HERE);
    stored(UMBEL_OK);
    cr_assert(was("run id-1;store id-1 SUCCESS;ack 7;"));
}

/* ---- watched
 * ----------------------------------------------------------------------------------------------------- */

Test(consumer, who_watches_is_told_of_receipt_start_and_end)
{
    struct message msg = message_make("id-1"), bad = message_make("id-2");
    world.consumer.watched = true;
    deliver(&msg, 7, 1);
    consumer_pool_events.started(&world.consumer, world.jobs[0], 4711);
    finish(0, OUTCOME_SUCCESS);
    cr_assert(was("received id-1;run id-1;started id-1;succeeded id-1;store id-1 SUCCESS;"));
    deliver(&bad, 8, 1);
    finish(1, OUTCOME_RETRY);
    cr_assert(was("received id-2;run id-2;retried id-2;store id-2 RETRY open;"));
}

Test(consumer, who_watches_is_told_that_nothing_is_tried_again_which_has_an_end)
{
    struct message msg = message_make("id-1");
    world.consumer.watched = true;
    deliver(&msg, 7, 1);
    finish(0, OUTCOME_RETRY);
    stored(UMBEL_ALREADY_DONE);
    cr_assert(was("received id-1;run id-1;retried id-1;store id-1 RETRY open;superseded id-1;ack 7;"));
}

Test(consumer, who_watches_is_told_of_one_that_came_again_after_its_end)
{
    struct message msg = message_make("id-1");
    world.consumer.watched = true;
    msg.redelivered = true;
    deliver(&msg, 7, 1);
    begun(true, 0);
    cr_assert(was("received id-1;begin id-1;superseded id-1;ack 7;unmark id-1;"));
}

Test(consumer, limits_set_at_run_time_hold_for_later_runs)
{
    struct message msg = message_make("id-1"), own = message_make("id-2");
    own.hard_limit = 3;
    cr_assert_eq(consumer_limit(&world.consumer, STR("nobody"), 5, 4), UMBEL_NOT_REGISTERED);
    cr_assert_eq(consumer_limit(&world.consumer, STR("math.add"), 5, 4), UMBEL_OK);
    deliver(&msg, 7, 1);
    deliver(&own, 8, 1);
    cr_assert_eq(world.jobs[0]->time_limit, 5);
    cr_assert_eq(world.jobs[0]->soft_time_limit, 4);
    cr_assert_eq(world.jobs[1]->time_limit, 3, "the call's own limit goes before");
}

/* ---- growing
 * ----------------------------------------------------------------------------------------------------- */

Test(consumer, a_queue_is_consumed_wider_before_it_is_consumed_no_more_as_it_was)
{
    world.consumer.options.concurrency = 50;
    flow_widen(&world.consumer.flow);
    cr_assert(was("cancel 1;"));
}

Test(consumer, a_queue_that_cannot_be_consumed_wider_is_consumed_as_it_was)
{
    world.consumer.options.concurrency = 50;
    world.consumes_no_more = true;
    flow_widen(&world.consumer.flow);
    cr_assert(was(""));
    cr_assert_eq(world.consumer.flow.sources[0].base, 1);
}
