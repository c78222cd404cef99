/* task_chunk_test.c: celery.map and celery.starmap without a pool: every call runs, in order, and the first
 * that fails ends the job. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/builtin.h"
#include "worker/task.h"

struct world {
    struct registry *registry;
    struct umbel_task task;
    struct task_port port;
    struct message msg;
    struct task_call call;
    struct outcome outcome;
    int calls;
    int cancel_after; /* the port says so from this call on; 0 = never */
};

static void add(umbel_task *task)
{
    struct world *world = umbel_task_user(task);
    int64_t x, y = 10;
    world->calls++;
    if (!umbel_args(task, &x, umbel_optional("y", &y)))
        umbel_return(task, x + y);
}

static void silent(umbel_task *task)
{
    ((struct world *)umbel_task_user(task))->calls++;
}

static void retry(umbel_task *task)
{
    umbel_retry(task, 1, "not yet");
}

static void named(umbel_task *task)
{
    umbel_return(task, umbel_task_name(task));
}

static void bad_text(umbel_task *task)
{
    umbel_return(task, "\xff");
}

static const umbel_task_def defs[] = {
    {.size = sizeof *defs, .name = "add", .run = add},
    {.size = sizeof *defs, .name = "silent", .run = silent},
    {.size = sizeof *defs, .name = "retry", .run = retry},
    {.size = sizeof *defs, .name = "named", .run = named},
    {.size = sizeof *defs, .name = "bad_text", .run = bad_text},
    {.size = sizeof *defs, .name = "once", .run = add, .options.acks = UMBEL_AT_MOST_ONCE},
};
static const umbel_task_def *const rows[] = {&defs[0], &defs[1], &defs[2], &defs[3], &defs[4], &defs[5]};

static bool on_cancelled(void *self)
{
    struct world *world = self;
    return world->cancel_after && world->calls >= world->cancel_after;
}

static void begin(struct world *world)
{
    const umbel_module_table module = {UMBEL_MODULE_MAGIC, UMBEL_ABI, UMBEL_VERSION, rows,
                                       rows + 6,           NULL,      NULL};
    struct buffer why;
    buffer_init(&why, 1000);
    *world = (struct world){.registry = registry_new(), .port = {.cancelled = on_cancelled, .self = world}};
    cr_assert_eq(builtin_add(world->registry, &why), UMBEL_OK);
    cr_assert_eq(registry_add(world->registry, &module, "test", &why), UMBEL_OK);
    cr_assert_eq(builtin_others(world->registry), 6);
    task_init(&world->task, &world->port, world->registry, "w@h", world);
    message_init(&world->msg);
    world->msg.id = STR("an-id");
    world->msg.content_type = STR("application/json");
}

static void end(struct world *world)
{
    task_fini(&world->task);
    registry_free(world->registry);
}

static void run_with(struct world *world, const char *builtin, const char *kwargs)
{
    char body[1000];
    snprintf(body, sizeof body, "[[], %s, {}]", kwargs);
    task_reset(&world->task);
    world->calls = 0;
    world->msg.body = str_of(body);
    world->call.def = registry_find(world->registry, str_of(builtin));
    world->call.msg = &world->msg;
    world->call.started_ns = clock_mono_ns();
    task_run(&world->task, &world->call, &world->outcome);
}

static void run(struct world *world, const char *builtin, const char *task, const char *it)
{
    char kwargs[900];
    snprintf(kwargs, sizeof kwargs,
             "{\"task\": {\"task\": \"%s\", \"args\": [], \"kwargs\": {}, \"options\": {}, \"subtask_type\": "
             "null, "
             "\"immutable\": false}, \"it\": %s}",
             task, it);
    run_with(world, builtin, kwargs);
}

static void assert_gave(const struct world *world, const char *result)
{
    cr_assert_eq(world->outcome.kind, OUTCOME_SUCCESS, "%.*s", (int)world->outcome.error_message.size,
                 world->outcome.error_message.data);
    cr_assert(str_equal(world->outcome.value, str_of(result)), "%.*s", (int)world->outcome.value.size,
              world->outcome.value.data);
}

static void assert_failed(const struct world *world, const char *type, const char *message)
{
    cr_assert_eq(world->outcome.kind, OUTCOME_FAILURE);
    cr_assert(str_equal(world->outcome.error_type, str_of(type)), "%s", world->outcome.error_type.data);
    cr_assert(str_equal(world->outcome.error_message, str_of(message)), "%.*s",
              (int)world->outcome.error_message.size, world->outcome.error_message.data);
}

Test(task_chunk, results_come_as_one_list_in_the_order_of_the_calls)
{
    static const struct {
        const char *builtin, *task, *it, *result;
    } table[] = {
        {"celery.starmap", "add", "[[1, 2], [3, 4], [5]]", "[3, 7, 15]"},
        {"celery.starmap", "add", "[]", "[]"},
        {"celery.starmap", "silent", "[[], [1]]", "[null, null]"},
        {"celery.starmap", "named", "[[]]", "[\"named\"]"},
        {"celery.map", "add", "[1, 2, 3]", "[11, 12, 13]"},
        {"celery.map", "silent", "[[1, 2]]", "[null]"},
        {"celery.map", "umbel.ping", "[7]", "[7]"},
    };
    struct world world;
    begin(&world);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        run(&world, table[i].builtin, table[i].task, table[i].it);
        assert_gave(&world, table[i].result);
    }
    end(&world);
}

Test(task_chunk, msgpack_too)
{
    struct world world;
    begin(&world);
    world.call.result_codec = CODEC_MSGPACK;
    run(&world, "celery.starmap", "add", "[[1, 2], [3, 4]]");
    cr_assert_eq(world.outcome.kind, OUTCOME_SUCCESS);
    cr_assert(str_equal(world.outcome.value, STR("\x92\x03\x07")));
    end(&world);
}

Test(task_chunk, the_first_call_that_fails_fails_the_job_and_says_which_it_was)
{
    struct world world;
    begin(&world);
    run(&world, "celery.starmap", "add", "[[1, 2], [\"a\", 2], [3, 4]]");
    assert_failed(&world, "TypeError", "add() argument 1 must be a 64-bit integer, not str");
    cr_assert(str_equal(world.outcome.traceback, STR("call 2 of 3: add('a', 2)")), "%s",
              world.outcome.traceback.data);
    cr_assert_eq(world.calls, 2, "the third is not run");
    run(&world, "celery.map", "bad_text", "[1]");
    cr_assert_eq(world.outcome.kind, OUTCOME_FAILURE);
    run(&world, "celery.starmap", "add", "[[1, 2]]");
    assert_gave(&world, "[3]");
    end(&world);
}

Test(task_chunk, a_retry_in_a_call_is_a_failure)
{
    struct world world;
    begin(&world);
    run(&world, "celery.map", "retry", "[1, 2]");
    assert_failed(&world, "Retry", "not yet");
    end(&world);
}

Test(task_chunk, what_is_no_list_of_calls_is_refused)
{
    struct world world;
    begin(&world);
    run(&world, "celery.starmap", "add", "[[1, 2], 3]");
    assert_failed(&world, "TypeError", "call 2 of add must be a list of arguments, not int");
    run(&world, "celery.starmap", "add", "{}");
    assert_failed(&world, "TypeError", "celery.starmap() argument 2 ('it') must be a list, not dict");
    run(&world, "celery.starmap", "no.such", "[[1]]");
    assert_failed(&world, "NotRegistered", "no.such");
    run(&world, "celery.starmap", "celery.map", "[[1]]");
    assert_failed(&world, "NotImplementedError", "celery.starmap cannot call celery.map");
    run_with(&world, "celery.map", "{\"task\": \"add\", \"it\": []}");
    assert_failed(&world, "TypeError", "celery.map() argument 1 ('task') must be a signature");
    run_with(&world, "celery.map", "{\"it\": []}");
    assert_failed(&world, "TypeError", "celery.map() missing 1 required argument: 'task'");
    end(&world);
}

Test(task_chunk, it_stops_between_calls_when_it_is_cancelled)
{
    struct world world;
    begin(&world);
    world.cancel_after = 2;
    run(&world, "celery.map", "silent", "[1, 2, 3, 4]");
    cr_assert_eq(world.outcome.kind, OUTCOME_CANCELLED);
    cr_assert_eq(world.calls, 2);
    end(&world);
}

Test(task_chunk, it_stops_between_calls_when_the_soft_limit_is_over)
{
    struct world world;
    begin(&world);
    world.call.soft_time_limit = 1e-9;
    run(&world, "celery.map", "silent", "[1, 2, 3, 4]");
    cr_assert_eq(world.outcome.kind, OUTCOME_FAILURE);
    cr_assert(str_equal(world.outcome.error_type, STR("SoftTimeLimitExceeded")));
    cr_assert_lt(world.calls, 4);
    end(&world);
}

Test(task_chunk, a_task_that_runs_at_most_once_is_not_run_by_a_message_that_may_have_run)
{
    struct world world;
    begin(&world);
    run(&world, "celery.map", "once", "[1]");
    assert_gave(&world, "[11]");
    world.msg.redelivered = true;
    run(&world, "celery.map", "add", "[1]");
    assert_gave(&world, "[11]");
    run(&world, "celery.map", "once", "[1]");
    cr_assert_eq(world.outcome.kind, OUTCOME_FAILURE);
    cr_assert(str_equal(world.outcome.error_type, STR("WorkerLostError")));
    cr_assert_eq(world.calls, 0);
    end(&world);
}

Test(task_chunk, ping_answers_what_it_was_given)
{
    struct world world;
    begin(&world);
    run_with(&world, "umbel.ping", "{}");
    assert_gave(&world, "\"pong\"");
    run_with(&world, "umbel.ping", "{\"payload\": [1, null]}");
    assert_gave(&world, "[1, null]");
    end(&world);
}
