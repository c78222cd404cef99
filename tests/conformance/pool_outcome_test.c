/* pool_outcome_test.c: how a job ends: with a result, an error, a retry, or a reason why it cannot be run,
 * and each in the words that Celery would use. */
#include <criterion/criterion.h>
#include <string.h>
#include "common/str.h"
#include "pool_rig.h"

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

/* Four results fill the ring, and the child looks again a millisecond later. */
Test(pool, waiting_for_room_in_the_ring_is_no_part_of_a_tasks_runtime)
{
    enum { COUNT = 256 };
    struct rig *rig = rig_open("prefork", &(struct pool_options){.concurrency = 1});
    static struct rig_job jobs[COUNT + 1];
    rig_run(rig, &jobs[COUNT], "large", "[[15000], {}, {}]"); /* now it is known to be short */
    for (int i = 0; i < COUNT; i++)
        rig_make(rig, &jobs[i], "large", "[[15000], {}, {}]");
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_finished(rig, COUNT + 1, 20));
    int longer = 0; /* than a millisecond, which few microseconds of work are only on a busy machine */
    for (int i = 0; i < COUNT; i++)
        longer += jobs[i].runtime >= 0.001;
    cr_assert_leq(longer, COUNT / 16);
    rig_close(rig);
}
