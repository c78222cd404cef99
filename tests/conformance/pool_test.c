/* pool_test.c: what pool.h promises, one body per promise, over prefork and, where nothing must be killed,
 * solo. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/str.h"
#include "pool_rig.h"

TestSuite(pool, .timeout = 30);

/* The test itself, over the pools that its name stands for. */
#define OVER_ONE(name, kind)                                                                                 \
    Test(pool, name##_##kind)                                                                                \
    {                                                                                                        \
        name##_holds(#kind);                                                                                 \
    }

/* Pools of child processes. */
#define OVER_CHILDREN(name)                                                                                  \
    static void name##_holds(const char *pool);                                                              \
    OVER_ONE(name, prefork)                                                                                  \
    OVER_ONE(name, threads) OVER_ONE(name, coroutines) static void name##_holds(const char *pool)

/* All that can run several jobs at once. */
#define OVER_MANY(name)                                                                                      \
    static void name##_holds(const char *pool);                                                              \
    OVER_ONE(name, prefork)                                                                                  \
    OVER_ONE(name, threads)                                                                                  \
    OVER_ONE(name, coroutines)                                                                               \
    OVER_ONE(name, local_threads)                                                                            \
        OVER_ONE(name, local_coroutines) static void name##_holds(const char *pool)

#define OVER_CREW_CHILDREN(name)                                                                             \
    static void name##_holds(const char *pool);                                                              \
    OVER_ONE(name, threads) OVER_ONE(name, coroutines) static void name##_holds(const char *pool)

/* Pools that run several jobs in one process. */
#define OVER_CREWS(name)                                                                                     \
    static void name##_holds(const char *pool);                                                              \
    OVER_ONE(name, threads)                                                                                  \
    OVER_ONE(name, coroutines)                                                                               \
    OVER_ONE(name, local_threads)                                                                            \
    OVER_ONE(name, local_coroutines) static void name##_holds(const char *pool)

#define OVER_ALL(name)                                                                                       \
    static void name##_holds(const char *pool);                                                              \
    OVER_ONE(name, prefork)                                                                                  \
    OVER_ONE(name, solo)                                                                                     \
    OVER_ONE(name, threads)                                                                                  \
    OVER_ONE(name, coroutines)                                                                               \
    OVER_ONE(name, local_threads)                                                                            \
        OVER_ONE(name, local_coroutines) static void name##_holds(const char *pool)

/* ---- outcomes ---- */

OVER_ALL(a_result_comes_back_encoded)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job, quiet;
    rig_run(rig, &job, "math.add", "[[2, 3], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_SUCCESS, "%s", job.message);
    cr_assert_str_eq(job.value, "5");
    cr_assert(job.started && job.pid > 0 && job.runtime >= 0);
    rig_run(rig, &quiet, "silent", "[[], {}, {}]");
    cr_assert_eq(quiet.kind, OUTCOME_SUCCESS);
    cr_assert_str_eq(quiet.value, "null");
    rig_close(rig);
}

OVER_ALL(the_first_outcome_counts)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_run(rig, &job, "fail", "[[], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_FAILURE);
    cr_assert_str_eq(job.type, "ValueError");
    cr_assert_str_eq(job.message, "bad number 7");
    rig_close(rig);
}

OVER_ALL(wrong_arguments_are_a_type_error_in_pythons_words)
{
    struct rig *rig = rig_open(pool, NULL);
    static const struct {
        const char *body, *type, *message;
    } rows[] = {
        {"[[2], {}, {}]", "TypeError", "math.add() missing 1 required argument: 'y'"},
        {"[[], {}, {}]", "TypeError", "math.add() missing 2 required arguments: 'x' and 'y'"},
        {"[[1, 2, 3], {}, {}]", "TypeError", "math.add() takes 2 arguments but 3 were given"},
        {"[[1, 2], {\"z\": 1}, {}]", "TypeError", "math.add() got an unexpected keyword argument 'z'"},
        {"[[1, 2], {\"x\": 1}, {}]", "TypeError", "math.add() got multiple values for argument 'x'"},
        {"[[\"a\", 2], {}, {}]", "TypeError",
         "math.add() argument 1 ('x') must be a 64-bit integer, not str"},
        {"[[1], {\"y\": null}, {}]", "TypeError",
         "math.add() argument 2 ('y') must be a 64-bit integer, not None"},
        {"[[1, 9223372036854775808], {}, {}]", "ValueError",
         "argument 2 of math.add: integer 9223372036854775808 does not fit in 64 bits"},
        {"[[1, [0, {\"k\": 9223372036854775808}]], {}, {}]", "ValueError",
         "argument 2[1]['k'] of math.add: integer 9223372036854775808 does not fit in 64 bits"},
        {"[[1], {\"y\": \"\\ud800\"}, {}]", "ValueError", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig_job job;
        rig_run(rig, &job, "math.add", rows[i].body);
        cr_assert_eq(job.kind, OUTCOME_FAILURE, "%s", rows[i].body);
        cr_assert_str_eq(job.type, rows[i].type);
        if (rows[i].message)
            cr_assert_str_eq(job.message, rows[i].message);
        else
            cr_assert(strstr(job.message, "argument y of math.add") && strstr(job.message, "lone surrogate"),
                      "%s", job.message);
    }
    rig_close(rig);
}

OVER_ALL(a_retry_says_when_until_they_are_used_up)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_run(rig, &job, "again", "[[], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_RETRY);
    cr_assert_float_eq(job.retry_after, 1.5, 1e-9);
    cr_assert_str_eq(job.message, "not yet");
    rig_make(rig, &job, "again", "[[], {}, {}]");
    job.msg.retries = 2;
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &job.job), UMBEL_OK);
    cr_assert(rig_wait_job(rig, &job, 5));
    cr_assert_eq(job.kind, OUTCOME_FAILURE);
    cr_assert_str_eq(job.message, "not yet");
    rig_close(rig);
}

OVER_ALL(a_task_knows_where_it_is)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_make(rig, &job, "context", "[[], {}, {}]");
    job.msg.retries = 2;
    job.job.deaths = 1;
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &job.job), UMBEL_OK);
    cr_assert(rig_wait_job(rig, &job, 5));
    cr_assert_str_eq(job.value,
                     "\"11111111-2222-4333-8444-555555555555|context|11111111-2222-4333-8444-555555555555|"
                     "celery|test@here|2|1|from the hook\"");
    rig_close(rig);
}

OVER_ALL(what_cannot_be_run_says_why)
{
    struct rig *rig = rig_open(pool, NULL);
    static const struct {
        const char *type, *body;
        enum outcome_kind kind;
        const char *why;
    } rows[] = {
        {"application/x-python-serialize", "x", OUTCOME_BAD_BODY, "pickle"},
        {"application/x-yaml", "x", OUTCOME_BAD_BODY, "application/x-yaml"},
        {"", "x", OUTCOME_BAD_BODY, "no content type"},
        {"application/json", "[[1", OUTCOME_BAD_BODY, "not readable json"},
        {"application/json", "{}", OUTCOME_BAD_BODY, "is not [arguments"},
        {"application/json", "[1, {}, {}]", OUTCOME_BAD_BODY, "is not [arguments"},
        {"application/json", "[[], {}, {\"callbacks\": [{}], \"chain\": []}]", OUTCOME_UNSUPPORTED,
         "with callbacks,"},
        {"application/json", "[[], {}, {\"chain\": [{}], \"chord\": {\"a\": 1}}]", OUTCOME_UNSUPPORTED,
         "with chain, chord,"},
        {"application/json", "[[], {}]", OUTCOME_SUCCESS, ""},
        {"application/json",
         "[[], {}, {\"callbacks\": null, \"errbacks\": [], \"chain\": [], \"chord\": null}]", OUTCOME_SUCCESS,
         ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig_job job;
        rig_make(rig, &job, "noop", rows[i].body);
        job.msg.content_type = str_of(rows[i].type);
        cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &job.job), UMBEL_OK);
        cr_assert(rig_wait_job(rig, &job, 5));
        cr_assert_eq(job.kind, rows[i].kind, "row %zu: %d %s", i, job.kind, job.message);
        cr_assert(strstr(job.message, rows[i].why), "row %zu: %s", i, job.message);
    }
    rig_close(rig);
}

OVER_ALL(a_result_that_cannot_be_encoded_is_a_failure)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_run(rig, &job, "bad_text", "[[], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_FAILURE);
    cr_assert_str_eq(job.type, "ValueError");
    rig_close(rig);
}

OVER_ALL(a_reader_makes_protocol_2_of_protocol_1)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    struct message read;
    struct arena arena;
    rig_make(
        rig, &job, "",
        "{\"task\": \"math.add\", \"id\": \"abc\", \"args\": [1, 2], \"retries\": 1, \"expires\": null}");
    job.msg.id = STR_NONE;
    job.job.reader = true;
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &job.job), UMBEL_OK);
    cr_assert(rig_wait_job(rig, &job, 5));
    cr_assert_eq(job.kind, OUTCOME_READ, "%s", job.message);
    arena_init(&arena, 0);
    cr_assert(job.value_size < sizeof job.value);
    cr_assert_eq(message_unpack(&arena, (umbel_str){job.value, job.value_size}, &read), UMBEL_OK);
    cr_assert(str_equal(read.task, STR("math.add")) && str_equal(read.id, STR("abc")) && read.retries == 1);
    cr_assert(strncmp(read.body.data, "[[1", 3) == 0, "%.*s", (int)read.body.size, read.body.data);
    arena_fini(&arena);
    rig_close(rig);
}

/* ---- order and output ---- */

Test(pool, every_line_of_a_batch_goes_to_its_job)
{
    enum { COUNT = 200 };
    struct rig *rig = rig_open("prefork", &(struct pool_options){.concurrency = 1});
    static struct rig_job jobs[COUNT + 1];
    static char bodies[COUNT][32];
    rig_run(rig, &jobs[COUNT], "chatty", "[[1000], {}, {}]"); /* now it is known to be short */
    for (int i = 0; i < COUNT; i++) {
        snprintf(bodies[i], sizeof bodies[i], "[[%d], {}, {}]", i);
        rig_make(rig, &jobs[i], "chatty", bodies[i]);
    }
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_finished(rig, COUNT + 1, 10));
    int lines = 0;
    for (int i = 0; i < rig->line_count; i++) {
        const struct rig_line *line = &rig->lines[i];
        int number;
        if (strncmp(line->text, "raw", 3) == 0) {
            cr_assert_str_eq(line->text, "raw without end");
            continue;
        }
        cr_assert_eq(sscanf(line->text + 4, "%d", &number), 1, "%s", line->text);
        const struct rig_job *job = number == 1000 ? &jobs[COUNT] : &jobs[number];
        cr_assert(line->job == job, "%s went to another job", line->text);
        cr_assert_eq(line->level, line->text[0] == 'e' ? UMBEL_WARNING : UMBEL_INFO);
        lines++;
    }
    cr_assert_eq(lines, 3 * (COUNT + 1), "%d", lines);
    rig_close(rig);
}

static bool has_line(struct rig *rig)
{
    return rig->line_count > 0;
}

OVER_CHILDREN(lines_come_while_the_task_runs)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "speak", "[[], {}, {}]");
    cr_assert(rig_wait(rig, has_line, 5));
    cr_assert_str_eq(rig->lines[0].text, "while it runs");
    cr_assert(rig->lines[0].job == (rig->can->lines_of_jobs ? &job : NULL) && !job.finished);
    rig_close(rig);
}

static bool has_progress(struct rig *rig)
{
    return rig->progress > 0;
}

OVER_MANY(progress_comes_while_the_task_runs)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "progress", "[[], {}, {}]");
    cr_assert(rig_wait(rig, has_progress, 5));
    cr_assert_str_eq(rig->progress_value, "50");
    rig_close(rig);
}

static bool has_told_dropped(struct rig *rig)
{
    return strstr(rig->lines[rig->line_count - 1].text, "lines dropped") != NULL;
}

OVER_CHILDREN(a_flood_of_output_is_bounded_and_counted)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_run(rig, &job, "flood", "[[], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_SUCCESS);
    cr_assert(rig->line_count < RIG_LINES, "%d lines", rig->line_count);
    cr_assert(rig_wait(rig, has_told_dropped, 5));
    rig_close(rig);
}

OVER_MANY(large_results_keep_their_place_among_small_ones)
{
    enum { COUNT = 60 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 1});
    static struct rig_job jobs[COUNT];
    static const char *const sizes[] = {"[[10], {}, {}]", "[[15000], {}, {}]", "[[1000000], {}, {}]"};
    static const size_t expected[] = {12, 15002, 1000002};
    for (int i = 0; i < COUNT; i++)
        rig_make(rig, &jobs[i], "large", sizes[i % 3]);
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_finished(rig, COUNT, 20));
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(jobs[i].kind, OUTCOME_SUCCESS);
        cr_assert_eq(jobs[i].value_size, expected[i % 3]);
        cr_assert_eq(jobs[i].order, i);
    }
    rig_close(rig);
}

/* ---- deaths ---- */

static void assert_next_runs(struct rig *rig)
{
    struct rig_job job;
    rig_run(rig, &job, "math.add", "[[2, 3], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_SUCCESS);
}

static void assert_death(const char *pool, const char *task, int signal_number)
{
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 1});
    struct rig_job job;
    rig_run(rig, &job, task, "[[], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_DIED);
    cr_assert_eq(job.signal, signal_number, "%d", job.signal);
    cr_assert_eq(job.exit_code, 0);
    cr_assert(job.memory_peak > 100000);
    cr_assert(job.started);
    cr_log_info("%s: %s\n%s", task, job.message, job.traceback);
    if (signal_number && signal_number != SIGKILL)
        cr_assert(strstr(job.traceback, "#1 "), "%s", job.traceback);
    assert_next_runs(rig);
    rig_close(rig);
}

OVER_CHILDREN(a_killed_child_ends_its_job_alone)
{
    assert_death(pool, "die", SIGKILL);
}

OVER_CHILDREN(a_crash_names_its_signal_and_its_calls)
{
    assert_death(pool, "crash", SIGSEGV);
}

OVER_CHILDREN(an_abort_names_its_signal_and_its_calls)
{
    assert_death(pool, "abort", SIGABRT);
}

OVER_CHILDREN(a_stack_overflow_names_its_signal_and_its_calls)
{
    assert_death(pool, "overflow", SIGSEGV);
}

OVER_CHILDREN(an_exit_is_a_death)
{
    assert_death(pool, "exit", 0);
}

OVER_CHILDREN(jobs_behind_one_that_dies_run_elsewhere)
{
    enum { COUNT = 30 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 1});
    static struct rig_job first, jobs[COUNT];
    rig_run(rig, &first, "noop", "[[], {}, {}]"); /* noop is short */
    for (int i = 0; i < COUNT; i++)
        rig_make(rig, &jobs[i], i == 9 ? "die" : "noop", "[[], {}, {}]");
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_finished(rig, COUNT + 1, 10));
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(jobs[i].kind, i == 9 ? OUTCOME_DIED : OUTCOME_SUCCESS, "job %d: %d", i, jobs[i].kind);
    rig_close(rig);
}

static int orphan;

static bool orphan_is_gone(struct rig *rig)
{
    (void)rig;
    return kill(orphan, 0) != 0 && errno == ESRCH;
}

OVER_CHILDREN(what_a_task_left_running_dies_with_its_child)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "orphan", "[[], {}, {}]");
    cr_assert(rig_wait(rig, has_line, 5));
    cr_assert_eq(sscanf(rig->lines[0].text, "orphan %d", &orphan), 1);
    cr_assert_eq(kill(orphan, 0), 0);
    rig->pool->ops->cancel(rig->pool, &job.job, 0);
    cr_assert(rig_wait_job(rig, &job, 5));
    cr_assert(rig_wait(rig, orphan_is_gone, 5));
    rig_close(rig);
}

OVER_CHILDREN(a_copy_of_the_child_that_a_task_forked_is_not_a_child)
{
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 1});
    struct rig_job job;
    for (int i = 0; i < 10; i++) {
        rig_run(rig, &job, "forks", "[[], {}, {}]");
        cr_assert_eq(job.kind, OUTCOME_SUCCESS);
    }
    assert_next_runs(rig);
    cr_assert_eq(rig->ended, 0);
    rig_close(rig);
}

OVER_CHILDREN(only_the_child_is_heard_and_not_its_copy)
{
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 1});
    struct rig_job job;
    rig_run(rig, &job, "forks_and_speaks", "[[], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_SUCCESS);
    cr_assert_eq(rig->progress, 50);
    assert_next_runs(rig);
    rig_close(rig);
}

/* ---- parts ---- */

OVER_ALL(parts_come_in_order_before_the_end)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig->takes_parts = true;
    rig_run(rig, &job, "parts", "[[100, 10], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_SUCCESS, "%s", job.message);
    cr_assert_eq(job.parts, 100);
    cr_assert_str_eq(job.part, "\"xxxxxxxxxx\"");
    cr_assert_str_eq(job.value, "100");
    rig_close(rig);
}

static bool has_a_window(struct rig *rig)
{
    return rig->part_bytes > 900000;
}

static void waits_while_nothing_is_taken(const char *pool)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "parts", "[[50, 100000], {}, {}]");
    cr_assert(rig_wait(rig, has_a_window, 10));
    cr_assert(!rig_wait_finished(rig, 1, 0.3));
    cr_assert_leq(rig->part_bytes, 1100000);
    rig->takes_parts = true;
    rig->pool->ops->part_taken(rig->pool, rig->last_source, rig->part_bytes);
    cr_assert(rig_wait_finished(rig, 1, 10));
    cr_assert_eq(job.parts, 50);
    rig_close(rig);
}

OVER_CHILDREN(a_task_waits_while_its_parts_are_not_taken)
{
    waits_while_nothing_is_taken(pool);
}

OVER_CREWS(a_task_of_a_crew_waits_while_its_parts_are_not_taken)
{
    waits_while_nothing_is_taken(pool);
}

/* ---- limits ---- */

OVER_CHILDREN(an_endless_loop_ends_at_its_hard_limit)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_make(rig, &job, "loop", "[[], {}, {}]");
    job.job.time_limit = 0.3;
    double begin = clock_mono();
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &job.job), UMBEL_OK);
    cr_assert(rig_wait_job(rig, &job, 5));
    cr_assert_eq(job.kind, OUTCOME_TIMED_OUT);
    cr_assert(clock_mono() - begin < 0.6 && clock_mono() - begin >= 0.3, "%f", clock_mono() - begin);
    cr_assert(job.cpu_seconds > 0.002 || !rig->can->kill_one, "%f", job.cpu_seconds);
    assert_next_runs(rig);
    rig_close(rig);
}

OVER_CHILDREN(a_stopped_child_ends_at_its_hard_limit)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_make(rig, &job, "loop", "[[], {}, {}]");
    job.job.time_limit = 0.3;
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &job.job), UMBEL_OK);
    cr_assert(rig_wait_started(rig, &job, 5));
    kill(job.started_pid, SIGSTOP);
    cr_assert(rig_wait_job(rig, &job, 5));
    cr_assert_eq(job.kind, OUTCOME_TIMED_OUT);
    assert_next_runs(rig);
    rig_close(rig);
}

OVER_CHILDREN(a_child_that_is_stopped_while_it_is_idle_keeps_nothing)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    struct pool_stats stats;
    assert_next_runs(rig);
    rig->pool->ops->stats(rig->pool, &stats);
    for (int i = 0; i < stats.pid_count; i++)
        kill(stats.pids[i], SIGSTOP);
    rig_make(rig, &job, "noop", "[[], {}, {}]");
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &job.job), UMBEL_OK);
    cr_assert(rig_wait_job(rig, &job, 10));
    cr_assert_eq(job.kind, OUTCOME_SUCCESS);
    rig_close(rig);
}

OVER_ALL(a_soft_limit_ends_a_sleep)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_make(rig, &job, "nap", "[[20], {}, {}]");
    job.job.soft_time_limit = 0.2;
    double begin = clock_mono();
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &job.job), UMBEL_OK);
    cr_assert(rig_wait_job(rig, &job, 5));
    cr_assert_eq(job.kind, OUTCOME_FAILURE);
    cr_assert_str_eq(job.type, "SoftTimeLimitExceeded");
    cr_assert(clock_mono() - begin < 0.5 && clock_mono() - begin >= 0.2);
    rig_close(rig);
}

OVER_ALL(a_call_that_blocks_ends_at_the_soft_limit_where_a_signal_reaches_it)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_make(rig, &job, "deaf", "[[0.6], {}, {}]");
    job.job.soft_time_limit = 0.1;
    double begin = clock_mono();
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &job.job), UMBEL_OK);
    cr_assert(rig_wait_job(rig, &job, 5));
    cr_assert_eq(job.kind, OUTCOME_SUCCESS);
    cr_assert_eq(clock_mono() - begin < 0.5, rig->can->wake_calls, "%f", clock_mono() - begin);
    rig_close(rig);
}

OVER_CHILDREN(memory_is_capped_while_the_task_runs)
{
    struct rig *rig = rig_open(pool, &(struct pool_options){.max_memory_per_child = 100 << 20});
    struct rig_job job;
    rig_run(rig, &job, "balloon", "[[], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_MEMORY, "%d", job.kind);
    cr_assert(job.memory_peak > 100 << 20, "%zu", job.memory_peak);
    assert_next_runs(rig);
    rig_close(rig);
}

/* ---- taking back and cancelling ---- */

OVER_MANY(short_jobs_behind_a_long_one_finish_elsewhere)
{
    enum { COUNT = 40 };
    struct rig *rig = rig_open(pool, NULL);
    static struct rig_job warm[2], slow, jobs[COUNT];
    rig_run(rig, &warm[0], "noop", "[[], {}, {}]");
    rig_run(rig, &warm[1], "nap", "[[0], {}, {}]"); /* nap is believed to be short */
    rig_give(rig, &slow, "nap", "[[1.0], {}, {}]");
    double begin = clock_mono();
    for (int i = 0; i < COUNT; i++)
        rig_make(rig, &jobs[i], "noop", "[[], {}, {}]");
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_finished(rig, COUNT + 2, 5));
    cr_assert(clock_mono() - begin < 0.5, "%f", clock_mono() - begin);
    cr_assert(!slow.finished);
    rig_close(rig);
}

OVER_MANY(what_has_not_started_can_be_taken_back)
{
    enum { COUNT = 40 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 1});
    static struct rig_job warm, slow, jobs[COUNT];
    rig_run(rig, &warm, "nap", "[[0], {}, {}]");
    rig_give(rig, &slow, "nap", "[[0.3], {}, {}]");
    int given = 0;
    while (given < COUNT && rig->pool->ops->room(rig->pool)) {
        rig_give(rig, &jobs[given], "nap", "[[0], {}, {}]");
        given++;
    }
    cr_assert(given > 0, "%d", given); /* few where even a nap is long: under sanitizers, on a busy machine */
    cr_assert(rig_wait_started(rig, &slow, 5));
    cr_assert(!rig->pool->ops->take_back(rig->pool, &slow.job));
    for (int i = 0; i < given; i += 2)
        cr_assert(rig->pool->ops->take_back(rig->pool, &jobs[i].job));
    cr_assert(rig_wait_finished(rig, 2 + given / 2, 5));
    for (int i = 0; i < given; i++)
        cr_assert_eq(jobs[i].finished, i % 2 == 1);
    rig_close(rig);
}

OVER_ALL(a_job_is_taken_back_or_ends_but_never_both)
{
    enum { COUNT = 400 };
    struct rig *rig = rig_open(pool, NULL);
    static struct rig_job jobs[COUNT];
    static bool taken[COUNT];
    int back = 0;
    for (int i = 0; i < COUNT; i++) {
        rig_make(rig, &jobs[i], "noop", "[[], {}, {}]");
        while (!rig->pool->ops->room(rig->pool))
            cr_assert(rig_wait_finished(rig, rig->finished + 1, 5));
        cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &jobs[i].job), UMBEL_OK);
        if (i % 3 == 0)
            back += taken[i] = rig->pool->ops->take_back(rig->pool, &jobs[i].job);
    }
    cr_assert(rig_wait_finished(rig, COUNT - back, 5));
    for (int i = 0; i < COUNT; i++)
        cr_assert(jobs[i].finished != taken[i]);
    rig_close(rig);
}

OVER_MANY(a_running_job_is_asked_to_stop_and_does)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "polite", "[[], {}, {}]");
    cr_assert(rig_wait_started(rig, &job, 5));
    rig->pool->ops->cancel(rig->pool, &job.job, 10);
    cr_assert(rig_wait_job(rig, &job, 2));
    cr_assert_eq(job.kind, OUTCOME_CANCELLED);
    cr_assert_eq(rig->ended, 0);
    rig_close(rig);
}

OVER_CHILDREN(a_running_job_that_does_not_stop_is_killed)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "loop", "[[], {}, {}]");
    cr_assert(rig_wait_started(rig, &job, 5));
    rig->pool->ops->cancel(rig->pool, &job.job, 0.2);
    cr_assert(rig_wait_job(rig, &job, 2));
    cr_assert_eq(job.kind, OUTCOME_CANCELLED);
    assert_next_runs(rig);
    rig_close(rig);
}

OVER_ALL(a_job_cancelled_before_it_starts_does_not_run)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "chatty", "[[1], {}, {}]"); /* no child is there yet */
    rig->pool->ops->cancel(rig->pool, &job.job, 0);
    cr_assert(!job.finished, "not from inside the call");
    cr_assert(rig_wait_job(rig, &job, 2));
    cr_assert_eq(job.kind, OUTCOME_CANCELLED);
    cr_assert_eq(rig->line_count, 0);
    rig_close(rig);
}

/* ---- children ---- */

OVER_CHILDREN(children_retire_after_their_number_of_tasks)
{
    enum { COUNT = 25 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 1, .max_tasks_per_child = 5});
    static struct rig_job jobs[COUNT];
    for (int i = 0; i < COUNT; i++)
        rig_make(rig, &jobs[i], "noop", "[[], {}, {}]");
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_finished(rig, COUNT, 5));
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(jobs[i].kind, OUTCOME_SUCCESS);
        cr_assert((jobs[i].pid == jobs[0].pid) == (i < 5));
    }
    cr_assert_str_eq(rig->ended_why, "retired");
    rig_close(rig);
}

Test(pool, the_number_of_children_follows)
{
    struct rig *rig = rig_open("prefork", &(struct pool_options){.concurrency = 1});
    struct rig_job job;
    cr_assert(rig_wait_children(rig, 1, 5));
    cr_assert_eq(rig->pool->ops->resize(rig->pool, 5), UMBEL_OK);
    cr_assert(rig_wait_children(rig, 5, 5));
    rig_give(rig, &job, "nap", "[[0.1], {}, {}]");
    cr_assert_eq(rig->pool->ops->resize(rig->pool, 2), UMBEL_OK);
    cr_assert(rig_wait_children(rig, 2, 5));
    cr_assert(rig_wait_job(rig, &job, 5));
    cr_assert_eq(job.kind, OUTCOME_SUCCESS);
    cr_assert_eq(rig->pool->ops->resize(rig->pool, 0), UMBEL_BAD_ARGUMENT);
    rig_close(rig);
}

static bool ended_twice(struct rig *rig)
{
    return rig->ended >= 3;
}

OVER_CHILDREN(births_that_fail_are_slowed_down)
{
    setenv("POOL_TEST_BAD_HOOK", "1", 1);
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 1});
    double begin = clock_mono();
    cr_assert(rig_wait(rig, ended_twice, 5));
    cr_assert(clock_mono() - begin >= 0.29, "0.1 s and 0.2 s between them: %f", clock_mono() - begin);
    cr_assert_str_eq(rig->ended_why, "its start hook failed: no database");
    rig_close(rig);
}

static void rig_alarm(uv_timer_t *timer)
{
    (void)timer;
}

static bool is_stopped(struct rig *rig)
{
    return rig->stopped;
}

OVER_ALL(a_warm_stop_lets_jobs_end)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "nap", "[[0.2], {}, {}]");
    rig->pool->ops->stop(rig->pool, 10);
    cr_assert(rig_wait(rig, is_stopped, 5));
    cr_assert(job.finished);
    cr_assert_eq(job.kind, OUTCOME_SUCCESS);
    rig_close(rig);
}

OVER_ALL(a_stop_is_told_at_once_to_who_runs_the_loop_turn_by_turn)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_run(rig, &job, "noop", "[[], {}, {}]");
    uv_timer_stop(&rig->clock);
    uv_timer_start(&rig->clock, rig_alarm, 5000, 0);
    double begin = clock_mono();
    rig->pool->ops->stop(rig->pool, 10);
    while (!rig->stopped && clock_mono() - begin < 5)
        uv_run(&rig->loop.uv, UV_RUN_ONCE);
    cr_assert(rig->stopped && clock_mono() - begin < 1, "%f", clock_mono() - begin);
    rig_close(rig);
}

OVER_CHILDREN(a_cold_stop_kills_them)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "loop", "[[], {}, {}]");
    cr_assert(rig_wait_started(rig, &job, 5));
    rig->pool->ops->stop(rig->pool, 10);
    rig->pool->ops->stop(rig->pool, 0.1);
    cr_assert(rig_wait(rig, is_stopped, 2));
    cr_assert_eq(job.kind, OUTCOME_DIED);
    rig_close(rig);
}

static bool is_lost(struct rig *rig)
{
    return rig->lost;
}

OVER_CHILDREN(without_its_fork_server_it_says_so)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "loop", "[[], {}, {}]");
    cr_assert(rig_wait_started(rig, &job, 5));
    kill(fork_server_pid(rig->server), SIGKILL);
    cr_assert(rig_wait(rig, is_lost, 2));
    cr_assert(job.finished);
    cr_assert_eq(job.kind, OUTCOME_DIED);
    cr_assert_eq(rig->pool->ops->room(rig->pool), 0);
    double end = clock_mono() + 5;
    while (kill(job.started_pid, 0) == 0 && clock_mono() < end)
        usleep(1000);
    cr_assert(kill(job.started_pid, 0) != 0, "the child outlived the server");
    rig_close(rig);
}

/* ---- several at once in one process ---- */

OVER_CREWS(as_many_run_at_once_as_it_was_told)
{
    enum { COUNT = 24 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 8, .processes = 2});
    static struct rig_job jobs[COUNT];
    cr_assert_eq(rig->pool->ops->slots(rig->pool), 8);
    for (int i = 0; i < COUNT; i++)
        rig_make(rig, &jobs[i], "nap", "[[0.2], {}, {}]");
    double begin = clock_mono();
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_finished(rig, COUNT, 10));
    double took = clock_mono() - begin;
    cr_assert(took >= 0.59 && took < 1.2, "%f", took);
    rig_close(rig);
}

static void sleep_together(const char *pool, int processes)
{
    enum { COUNT = 3000 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = COUNT, .processes = processes});
    struct rig_job *jobs = calloc(COUNT, sizeof *jobs);
    cr_assert(rig->pool->ops->room(rig->pool) >= COUNT);
    for (int i = 0; i < COUNT; i++)
        rig_give(rig, &jobs[i], "nap", "[[0.5], {}, {}]");
    double begin = clock_mono();
    cr_assert(rig_wait_finished(rig, COUNT, 20));
    cr_assert(clock_mono() - begin < 5, "%f", clock_mono() - begin);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(jobs[i].kind, OUTCOME_SUCCESS);
    free(jobs);
    rig_close(rig);
}

Test(pool, thousands_of_coroutines_sleep_at_once)
{
    sleep_together("coroutines", 2);
}

Test(pool, thousands_of_coroutines_sleep_in_this_process)
{
    sleep_together("local_coroutines", 1);
}

OVER_CREW_CHILDREN(when_a_child_dies_all_that_ran_there_are_suspects_and_the_others_go_elsewhere)
{
    enum { COUNT = 6 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 5});
    static struct rig_job warm, jobs[COUNT];
    rig_run(rig, &warm, "noop", "[[], {}, {}]");
    for (int i = 0; i < 5; i++)
        rig_give(rig, &jobs[i], i == 4 ? "crash_soon" : "nap", "[[0.3], {}, {}]");
    rig_give(rig, &jobs[5], "noop", "[[], {}, {}]");
    cr_assert(rig_wait_finished(rig, COUNT + 1, 5));
    for (int i = 0; i < 5; i++)
        cr_assert(jobs[i].kind == OUTCOME_DIED && !jobs[i].innocent && jobs[i].signal == SIGSEGV, "%d", i);
    cr_assert_eq(jobs[5].kind, OUTCOME_SUCCESS);
    rig_close(rig);
}

OVER_CREW_CHILDREN(suspects_run_one_at_a_time_in_a_child_of_their_own)
{
    enum { COUNT = 4 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = COUNT + 1});
    static struct rig_job suspects[COUNT], other;
    rig_give(rig, &other, "nap", "[[0.7], {}, {}]");
    double begin = clock_mono();
    for (int i = 0; i < COUNT; i++) {
        rig_make(rig, &suspects[i], i == 2 ? "crash_soon" : "nap", "[[0.1], {}, {}]");
        suspects[i].job.deaths = 1;
        suspects[i].job.alone = true;
        cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &suspects[i].job), UMBEL_OK);
    }
    cr_assert(rig_wait_finished(rig, COUNT + 1, 5));
    cr_assert(suspects[3].finished_at - begin >= 0.34, "%f", suspects[3].finished_at - begin);
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(suspects[i].kind, i == 2 ? OUTCOME_DIED : OUTCOME_SUCCESS);
        cr_assert(suspects[i].pid != other.pid);
    }
    cr_assert_eq(other.kind, OUTCOME_SUCCESS);
    cr_assert(rig_wait_children(rig, 1, 5), "the suspects' child stayed");
    rig_close(rig);
}

/* What is said of a job that does not end: its outcome at once, and what becomes of those beside it. */
Test(pool, a_thread_that_does_not_end_at_its_hard_limit_lets_the_others_end)
{
    struct rig *rig = rig_open("threads", &(struct pool_options){.concurrency = 3});
    struct rig_job stuck, other, next;
    rig_make(rig, &stuck, "loop", "[[], {}, {}]");
    stuck.job.time_limit = 0.2;
    double begin = clock_mono();
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &stuck.job), UMBEL_OK);
    rig_give(rig, &other, "nap", "[[1], {}, {}]");
    cr_assert(rig_wait_job(rig, &stuck, 5));
    cr_assert_eq(stuck.kind, OUTCOME_TIMED_OUT);
    cr_assert(clock_mono() - begin < 0.6, "%f", clock_mono() - begin);
    rig_run(rig, &next, "noop", "[[], {}, {}]");
    cr_assert_neq(next.pid, stuck.pid);
    cr_assert(!other.finished);
    cr_assert(rig_wait_job(rig, &other, 5));
    cr_assert(other.kind == OUTCOME_SUCCESS && other.pid == stuck.pid);
    cr_assert(rig_wait_children(rig, 1, 5), "the child with the endless loop was not ended");
    rig_close(rig);
}

Test(pool, a_coroutine_that_does_not_end_stops_the_others_which_are_innocent)
{
    struct rig *rig = rig_open("coroutines", &(struct pool_options){.concurrency = 3});
    struct rig_job stuck, other, next;
    rig_give(rig, &other, "nap", "[[0.4], {}, {}]");
    cr_assert(rig_wait_started(rig, &other, 5));
    rig_make(rig, &stuck, "loop", "[[], {}, {}]");
    stuck.job.time_limit = 0.2;
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &stuck.job), UMBEL_OK);
    cr_assert(rig_wait_job(rig, &stuck, 5));
    cr_assert_eq(stuck.kind, OUTCOME_TIMED_OUT);
    rig_run(rig, &next, "noop", "[[], {}, {}]");
    cr_assert(next.pid != stuck.pid && !other.finished);
    cr_assert(rig_wait_job(rig, &other, 8));
    cr_assert(other.kind == OUTCOME_DIED && other.innocent);
    rig_close(rig);
}

OVER_CREWS(a_task_that_waits_ends_at_its_hard_limit_and_nothing_is_killed)
{
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 3});
    struct rig_job late, other, next;
    rig_make(rig, &late, "nap", "[[20], {}, {}]");
    late.job.time_limit = 0.2;
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &late.job), UMBEL_OK);
    rig_give(rig, &other, "nap", "[[0.6], {}, {}]");
    cr_assert(rig_wait_job(rig, &late, 5));
    cr_assert_eq(late.kind, OUTCOME_TIMED_OUT);
    cr_assert(rig_wait_job(rig, &other, 5));
    cr_assert_eq(other.kind, OUTCOME_SUCCESS);
    rig_run(rig, &next, "noop", "[[], {}, {}]");
    cr_assert(next.pid == late.pid && rig->ended == 0);
    rig_close(rig);
}

Test(pool, a_thread_of_this_process_that_does_not_end_is_left_behind)
{
    struct rig *rig = rig_open("local_threads", &(struct pool_options){.concurrency = 1});
    struct rig_job cancelled, late, next;
    rig_give(rig, &cancelled, "deaf", "[[0.5], {}, {}]");
    cr_assert(rig_wait_started(rig, &cancelled, 5));
    rig->pool->ops->cancel(rig->pool, &cancelled.job, 0.05);
    cr_assert(rig_wait_job(rig, &cancelled, 5));
    cr_assert_eq(cancelled.kind, OUTCOME_CANCELLED);
    rig_make(rig, &late, "deaf", "[[0.5], {}, {}]");
    late.job.time_limit = 0.05;
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &late.job), UMBEL_OK);
    cr_assert(rig_wait_job(rig, &late, 5));
    cr_assert_eq(late.kind, OUTCOME_TIMED_OUT);
    rig_run(rig, &next, "noop", "[[], {}, {}]");
    cr_assert_eq(next.kind, OUTCOME_SUCCESS);
    cr_assert(next.finished_at - cancelled.finished_at < 0.4);
    rig_close(rig);
}

Test(pool, a_stop_does_not_wait_for_a_thread_of_this_process_that_does_not_end)
{
    struct rig *rig = rig_open("local_threads", NULL);
    struct rig_job job;
    rig_give(rig, &job, "deaf", "[[3], {}, {}]");
    cr_assert(rig_wait_started(rig, &job, 5));
    rig->pool->ops->stop(rig->pool, 0.1);
    cr_assert(rig_wait(rig, is_stopped, 1));
    cr_assert_eq(job.kind, OUTCOME_DIED);
    rig_close(rig);
}

OVER_CREW_CHILDREN(a_crew_of_children_grows_and_shrinks)
{
    enum { COUNT = 12 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 2, .processes = 2});
    static struct rig_job jobs[COUNT];
    cr_assert(rig_wait_children(rig, 2, 5));
    cr_assert_eq(rig->pool->ops->resize(rig->pool, COUNT), UMBEL_OK);
    for (int i = 0; i < COUNT; i++)
        rig_make(rig, &jobs[i], "nap", "[[0.3], {}, {}]");
    double begin = clock_mono();
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_started(rig, &jobs[COUNT - 1], 5));
    cr_assert_eq(rig->pool->ops->resize(rig->pool, 1), UMBEL_OK);
    cr_assert(rig_wait_finished(rig, COUNT, 5));
    cr_assert(clock_mono() - begin < 0.6, "%f", clock_mono() - begin);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(jobs[i].kind, OUTCOME_SUCCESS);
    cr_assert(rig_wait_children(rig, 1, 5));
    rig_close(rig);
}

OVER_CREW_CHILDREN(over_the_memory_cap_all_that_run_are_suspects)
{
    struct rig *rig =
        rig_open(pool, &(struct pool_options){.concurrency = 3, .max_memory_per_child = 100 << 20});
    struct rig_job fat, other;
    rig_give(rig, &other, "nap", "[[9], {}, {}]");
    rig_give(rig, &fat, "balloon", "[[], {}, {}]");
    cr_assert(rig_wait_finished(rig, 2, 8));
    cr_assert(fat.kind == OUTCOME_DIED && other.kind == OUTCOME_DIED && !other.innocent);
    rig_make(rig, &fat, "balloon", "[[], {}, {}]");
    fat.job.alone = true;
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &fat.job), UMBEL_OK);
    cr_assert(rig_wait_job(rig, &fat, 8));
    cr_assert_eq(fat.kind, OUTCOME_MEMORY);
    rig_close(rig);
}

/* ---- exactness ---- */

/* Children are killed and jobs taken back at random moments: each job still ends once, or is taken back,
 * having run as often as that says, and a death costs at most one job. */
OVER_CHILDREN(whatever_dies_no_job_is_lost_or_run_twice)
{
    enum { COUNT = 6000 };
    pool_marks =
        mmap(NULL, COUNT * sizeof *pool_marks, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 3});
    struct rig_job *jobs = calloc(COUNT, sizeof *jobs);
    bool *taken = calloc(COUNT, sizeof *taken);
    char(*bodies)[40] = calloc(COUNT, sizeof *bodies);
    int back = 0, kills = 0, died = 0;
    srand(11);
    for (int i = 0; i < COUNT; i++) {
        snprintf(bodies[i], sizeof bodies[i], "[[%d], {}, {}]", i);
        rig_make(rig, &jobs[i], "mark", bodies[i]);
        while (!rig->pool->ops->room(rig->pool))
            cr_assert(rig_wait_finished(rig, rig->finished + 1, 5));
        cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &jobs[i].job), UMBEL_OK);
        int other = i - rand() % 40;
        if (rand() % 10 == 0 && other >= 0 && !taken[other] && !jobs[other].finished)
            back += taken[other] = rig->pool->ops->take_back(rig->pool, &jobs[other].job);
        struct pool_stats stats;
        rig->pool->ops->stats(rig->pool, &stats);
        if (rand() % 100 == 0 && stats.pid_count)
            kills += kill(stats.pids[rand() % stats.pid_count], SIGKILL) == 0;
    }
    cr_assert(rig_wait_finished(rig, COUNT - back, 20), "%d of %d", rig->finished, COUNT - back);
    for (int i = 0; i < COUNT; i++) {
        cr_assert(jobs[i].finished != taken[i]);
        died += jobs[i].finished && jobs[i].kind == OUTCOME_DIED;
        if (taken[i])
            cr_assert_eq(pool_marks[i], 0, "job %d ran though it was taken back", i);
        else if (jobs[i].kind == OUTCOME_SUCCESS)
            cr_assert_eq(pool_marks[i], 1, "job %d ran %d times", i, pool_marks[i]);
        else
            cr_assert(jobs[i].kind == OUTCOME_DIED && pool_marks[i] <= 1, "job %d ran %d times", i,
                      pool_marks[i]);
    }
    cr_log_info("%d kills, %d died, %d taken back", kills, died, back);
    cr_assert(kills > 10 && back > 100 && died > 0 && died <= kills * (rig->can->kill_one ? 1 : 3),
              "%d kills, %d died, %d back", kills, died, back);
    free(jobs);
    free(taken);
    free(bodies);
    rig_close(rig);
}

/* ---- rate ---- */

static double cpu_of(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static double cpu_of_children(struct rig *rig)
{
    struct pool_stats stats;
    double all = 0;
    rig->pool->ops->stats(rig->pool, &stats);
    for (int i = 0; i < stats.pid_count; i++) {
        clockid_t clock;
        struct timespec time;
        if (clock_getcpuclockid(stats.pids[i], &clock) == 0 && clock_gettime(clock, &time) == 0)
            all += (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
    }
    return all;
}

OVER_MANY(one_task_alone_pays_no_delay)
{
    enum { COUNT = 300 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 1});
    struct rig_job job;
    rig_run(rig, &job, "noop", "[[], {}, {}]");
    double begin = clock_mono();
    for (int i = 0; i < COUNT; i++)
        rig_run(rig, &job, "noop", "[[], {}, {}]");
    double each = (clock_mono() - begin) / COUNT;
    cr_log_info("%.0f us there and back", each * 1e6);
    cr_assert(each < 1e-3, "%.0f us", each * 1e6);
    rig_close(rig);
}

OVER_MANY(twenty_thousand_small_jobs)
{
    enum { COUNT = 20000 };
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job *jobs = calloc(COUNT, sizeof *jobs), first;
    rig_run(rig, &first, "math.add", "[[2, 3], {}, {}]");
    for (int i = 0; i < COUNT; i++)
        rig_make(rig, &jobs[i], "math.add",
                 "[[2, 3], {}, {\"callbacks\": null, \"errbacks\": null, \"chain\": null, \"chord\": null}]");
    double begin = clock_mono(), own = cpu_of(RUSAGE_SELF), theirs = cpu_of_children(rig);
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_finished(rig, COUNT + 1, 20));
    double took = clock_mono() - begin;
    own = cpu_of(RUSAGE_SELF) - own;
    theirs = cpu_of_children(rig) - theirs;
    for (int i = 0; i < COUNT; i++)
        cr_assert(jobs[i].kind == OUTCOME_SUCCESS && strcmp(jobs[i].value, "5") == 0);
    cr_log_info("%.0f jobs/s; CPU per job: parent %.2f us, children %.2f us", COUNT / took, own / COUNT * 1e6,
                theirs / COUNT * 1e6);
    free(jobs);
    rig_close(rig);
}
