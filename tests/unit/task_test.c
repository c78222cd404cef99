/* task_test.c: one run of one task, without a pool: arguments, outcomes, what the port sees. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/task.h"

struct world {
    struct umbel_task task;
    struct task_port port;
    struct message msg;
    struct task_call call;
    struct outcome outcome;
    char said[100];
    bool cancelled;
};

static void on_say(void *self, umbel_level level, umbel_str line)
{
    struct world *world = self;
    snprintf(world->said, sizeof world->said, "%d %.*s", (int)level, (int)line.size, line.data);
}

static void on_progress(void *self, umbel_str value)
{
    on_say(self, UMBEL_DEBUG, value);
}

static bool on_cancelled(void *self)
{
    return ((struct world *)self)->cancelled;
}

static void run(struct world *world, void (*body)(umbel_task *task), const char *json)
{
    static umbel_task_def def;
    def = (umbel_task_def){sizeof def, "t", body, {.max_retries = -1}};
    if (!world->port.self) {
        world->port = (struct task_port){
            .say = on_say, .progress = on_progress, .cancelled = on_cancelled, .self = world};
        task_init(&world->task, &world->port, NULL, "w@h", NULL);
    }
    task_reset(&world->task);
    message_init(&world->msg);
    world->msg.id = STR("an-id");
    world->msg.content_type = STR("application/json");
    world->msg.body = str_of(json);
    world->call.def = &def;
    world->call.msg = &world->msg;
    world->call.started_ns = clock_mono_ns();
    task_run(&world->task, &world->call, &world->outcome);
}

static void assert_failed(const struct world *world, const char *type, const char *message)
{
    cr_assert_eq(world->outcome.kind, OUTCOME_FAILURE);
    cr_assert(str_equal(world->outcome.error_type, str_of(type)), "%s", world->outcome.error_type.data);
    cr_assert(str_equal(world->outcome.error_message, str_of(message)), "%.*s",
              (int)world->outcome.error_message.size, world->outcome.error_message.data);
}

/* ---- arguments ---- */

static void take_mixed(umbel_task *task)
{
    int8_t small = 0;
    const char *text = "default";
    double scale = 0.5;
    if (umbel_args(task, &small, umbel_optional("text", &text), umbel_optional("scale", &scale)))
        return;
    char out[100];
    snprintf(out, sizeof out, "%d %s %g", small, text ? text : "NULL", scale);
    umbel_return(task, (const char *)out);
}

Test(task, arguments_are_matched_as_python_matches_them)
{
    static const struct {
        const char *body, *result;
    } rows[] = {
        {"[[1], {}, {}]", "\"1 default 0.5\""},
        {"[[1, \"a\"], {}, {}]", "\"1 a 0.5\""},
        {"[[1, \"a\", 2], {}, {}]", "\"1 a 2\""},
        {"[[1], {\"scale\": 2.25}, {}]", "\"1 default 2.25\""},
        {"[[-128, null], {\"scale\": 3}, {}]", "\"-128 NULL 3\""},
        {"[[1], {\"scale\": 1, \"text\": \"b\"}]", "\"1 b 1\""},
    };
    struct world world = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(&world, take_mixed, rows[i].body);
        cr_assert_eq(world.outcome.kind, OUTCOME_SUCCESS, "row %zu: %.*s", i,
                     (int)world.outcome.error_message.size, world.outcome.error_message.data);
        cr_assert(str_equal(world.outcome.value, str_of(rows[i].result)), "%.*s",
                  (int)world.outcome.value.size, world.outcome.value.data);
    }
    task_fini(&world.task);
}

Test(task, arguments_that_do_not_fit_are_named)
{
    static const struct {
        const char *body, *type, *message;
    } rows[] = {
        {"[[], {}, {}]", "TypeError", "t() missing 1 required argument: number 1"},
        {"[[1, 2, 3, 4], {}, {}]", "TypeError", "t() takes from 1 to 3 arguments but 4 were given"},
        {"[[128], {}, {}]", "ValueError", "t() argument 1 must be an 8-bit integer, and 128 is not"},
        {"[[1.5], {}, {}]", "TypeError", "t() argument 1 must be an 8-bit integer, not float"},
        {"[[true], {}, {}]", "TypeError", "t() argument 1 must be an 8-bit integer, not bool"},
        {"[[1, [2]], {}, {}]", "TypeError", "t() argument 2 ('text') must be a string, not list"},
        {"[[1], {\"scale\": \"x\"}, {}]", "TypeError", "t() argument 3 ('scale') must be a double, not str"},
        {"[[1, \"a\"], {\"text\": \"b\"}, {}]", "TypeError", "t() got multiple values for argument 'text'"},
    };
    struct world world = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run(&world, take_mixed, rows[i].body);
        assert_failed(&world, rows[i].type, rows[i].message);
    }
    task_fini(&world.task);
}

static void take_none(umbel_task *task)
{
    umbel_args(task);
}

Test(task, a_task_without_parameters_takes_none)
{
    struct world world = {0};
    run(&world, take_none, "[[], {}, {}]");
    cr_assert_eq(world.outcome.kind, OUTCOME_SUCCESS);
    run(&world, take_none, "[[1], {}, {}]");
    assert_failed(&world, "TypeError", "t() takes 0 arguments but 1 was given");
    task_fini(&world.task);
}

/* ---- outcomes ---- */

static void fail_oddly(umbel_task *task)
{
    umbel_fail(task, "Bad\nName", "%s", "not \xff text");
}

static void fail_without_type(umbel_task *task)
{
    umbel_fail(task, NULL, "%d", 1);
}

Test(task, what_a_task_says_of_its_failure_is_made_fit_to_send)
{
    struct world world = {0};
    run(&world, fail_oddly, "[[], {}, {}]");
    assert_failed(&world, "Bad?Name", "not ? text");
    run(&world, fail_without_type, "[[], {}, {}]");
    assert_failed(&world, "RuntimeError", "1");
    task_fini(&world.task);
}

static void return_twice(umbel_task *task)
{
    umbel_return(task, 1);
    if (umbel_return(task, 2) == UMBEL_ALREADY_DONE)
        umbel_log(task, "already");
    umbel_fail(task, "X", "y");
    umbel_retry(task, 1, "z");
}

Test(task, the_first_outcome_counts)
{
    struct world world = {0};
    run(&world, return_twice, "[[], {}, {}]");
    cr_assert_eq(world.outcome.kind, OUTCOME_SUCCESS);
    cr_assert(str_equal(world.outcome.value, STR("1")));
    cr_assert_str_eq(world.said, "1 already");
    task_fini(&world.task);
}

static void retry_badly(umbel_task *task)
{
    if (umbel_retry(task, -1, "x") == UMBEL_BAD_ARGUMENT && umbel_retry(task, NAN, "x") == UMBEL_BAD_ARGUMENT)
        umbel_retry(task, 0, NULL);
}

Test(task, a_retry_without_limit_never_ends)
{
    struct world world = {0};
    run(&world, retry_badly, "[[], {}, {}]");
    cr_assert_eq(world.outcome.kind, OUTCOME_RETRY);
    cr_assert_eq(world.outcome.retry_after, 0);
    task_fini(&world.task);
}

/* ---- time ---- */

static void ask_time(umbel_task *task)
{
    umbel_return(task, umbel_task_time_left(task));
}

static void loop_politely(umbel_task *task)
{
    while (!umbel_interrupted(task))
        ;
}

static void sleep_long(umbel_task *task)
{
    umbel_return(task, umbel_sleep(task, 10));
}

Test(task, limits_are_seen_by_the_task)
{
    struct world world = {0};
    run(&world, ask_time, "[[], {}, {}]");
    cr_assert(str_equal(world.outcome.value, STR("Infinity")));
    world.call.time_limit = 100;
    run(&world, ask_time, "[[], {}, {}]");
    cr_assert(str_starts(world.outcome.value, STR("99.")));
    world.call.soft_time_limit = 0.05;
    run(&world, ask_time, "[[], {}, {}]");
    cr_assert(str_starts(world.outcome.value, STR("0.04")));
    run(&world, loop_politely, "[[], {}, {}]");
    cr_assert(world.outcome.kind == OUTCOME_SUCCESS && world.outcome.runtime >= 0.05 &&
              world.outcome.runtime < 1);
    run(&world, sleep_long, "[[], {}, {}]");
    cr_assert(str_equal(world.outcome.value, STR("1")) && world.outcome.runtime < 1);
    task_fini(&world.task);
}

Test(task, one_that_stops_when_asked_was_cancelled)
{
    struct world world = {.cancelled = true};
    run(&world, loop_politely, "[[], {}, {}]");
    cr_assert_eq(world.outcome.kind, OUTCOME_CANCELLED);
    run(&world, sleep_long, "[[], {}, {}]");
    cr_assert_eq(world.outcome.kind, OUTCOME_SUCCESS, "it gave a result all the same");
    task_fini(&world.task);
}

static void fail_when_asked(umbel_task *task)
{
    umbel_fail(task, "TimeoutError", "the nap was %s", umbel_sleep(task, 10) ? "cut short" : "long");
}

static void retry_when_asked(umbel_task *task)
{
    umbel_sleep(task, 10);
    umbel_retry(task, 0, "not today");
}

Test(task, one_that_fails_because_it_was_asked_to_stop_was_cancelled)
{
    struct world world = {.cancelled = true};
    run(&world, fail_when_asked, "[[], {}, {}]");
    cr_assert_eq(world.outcome.kind, OUTCOME_CANCELLED);
    run(&world, retry_when_asked, "[[], {}, {}]");
    cr_assert_eq(world.outcome.kind, OUTCOME_CANCELLED);
    world.cancelled = false;
    world.call.soft_time_limit = 0.02;
    run(&world, fail_when_asked, "[[], {}, {}]");
    cr_assert_eq(world.outcome.kind, OUTCOME_FAILURE, "a soft limit is no cancellation");
    task_fini(&world.task);
}

static void show_progress(umbel_task *task)
{
    umbel_progress(task, 0.5);
}

Test(task, progress_goes_through_the_port)
{
    struct world world = {0};
    run(&world, show_progress, "[[], {}, {}]");
    cr_assert_str_eq(world.said, "0 0.5");
    task_fini(&world.task);
}
