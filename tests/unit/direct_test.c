/* direct_test.c: calls that go straight to the pool of their own program, and what makes them leave that way.
 * What every call must do, whichever way it goes, is in tests/matrix. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <umbel/executor.h>

static const char *const pools[] = {"memory://?pool=solo", "memory://?pool=threads&concurrency=2",
                                    "memory://?pool=coroutines&concurrency=2",
                                    "memory://?pool=processes&concurrency=1"};
enum { POOLS = sizeof pools / sizeof *pools };

static void echo(umbel_task *task)
{
    const umbel_value *value;
    if (umbel_args(task, &value))
        return;
    umbel_return(task, value);
}

static void nothing(umbel_task *task)
{
    (void)task;
}

static void say_id(umbel_task *task)
{
    umbel_return(task, umbel_task_id(task));
}

static void nap(umbel_task *task)
{
    umbel_sleep(task, 0.2);
    umbel_return(task, 7);
}

static void give_and_return(umbel_task *task)
{
    umbel_yield(task, 1);
    umbel_return(task, 2);
}

static int64_t found(umbel_client *client, const char *id)
{
    int64_t value = -1;
    umbel_future *other = umbel_future_from_id(client, id);
    cr_assert_eq(umbel_get(other, 10, &value), UMBEL_OK, "%s", umbel_error(other));
    umbel_future_free(other);
    return value;
}

Test(direct, values_of_every_size_come_back, .timeout = 60)
{
    static char large[9000];
    memset(large, 'x', sizeof large - 1);
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        for (size_t size = 0; size < sizeof large; size = size * 3 + 1) {
            const char *text = large + sizeof large - 1 - size, *back;
            umbel_future *future = umbel_submit_call(client, echo, UMBEL_ARGS(text));
            cr_assert_eq(umbel_get(future, 10, &back), UMBEL_OK, "%s", umbel_error(future));
            cr_assert_str_eq(back, text);
            umbel_future_free(future);
        }
        umbel_close(client, 5);
    }
}

Test(direct, no_result_is_null_and_not_absent, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        umbel_future *future = umbel_submit_call(client, nothing, UMBEL_ARGS(), .serializer = UMBEL_MSGPACK);
        int64_t number;
        cr_assert_eq(umbel_get(future, 10, (void *)NULL), UMBEL_OK);
        cr_assert_not_null(umbel_result(future));
        cr_assert_eq(umbel_value_kind(umbel_result(future)), UMBEL_NULL);
        cr_assert_neq(umbel_get(future, 10, &number), UMBEL_OK, "null is no number");
        umbel_future_free(future);
        umbel_close(client, 5);
    }
}

Test(direct, whoever_asked_for_the_id_finds_the_result_with_it, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        char early[64], late[64];
        umbel_future *future = umbel_submit_call(client, nap, UMBEL_ARGS());
        snprintf(early, sizeof early, "%s", umbel_future_id(future));
        umbel_future_free(future);
        cr_assert_eq(found(client, early), 7, "asked for while it ran");
        future = umbel_submit_call(client, echo, UMBEL_ARGS(8));
        cr_assert_eq(umbel_get(future, 10, (void *)NULL), UMBEL_OK);
        snprintf(late, sizeof late, "%s", umbel_future_id(future));
        umbel_future_free(future);
        cr_assert_eq(found(client, late), 8, "asked for when it was done");
        umbel_close(client, 5);
    }
}

Test(direct, a_task_that_tells_its_id_is_found_by_it, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        umbel_future *future = umbel_submit_call(client, say_id, UMBEL_ARGS());
        const char *id, *again;
        cr_assert_eq(umbel_get(future, 10, &id), UMBEL_OK, "%s", umbel_error(future));
        umbel_future *other = umbel_future_from_id(client, id);
        cr_assert_eq(umbel_get(other, 10, &again), UMBEL_OK, "%s", umbel_error(other));
        cr_assert_str_eq(again, id);
        umbel_future_free(other);
        umbel_future_free(future);
        umbel_close(client, 5);
    }
}

Test(direct, parts_and_result_of_one_that_leaves_are_all_read, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        umbel_future *future = umbel_submit_call(client, give_and_return, UMBEL_ARGS());
        int64_t value = 0;
        cr_assert_eq(umbel_next(future, 10, &value), UMBEL_OK, "%s", umbel_error(future));
        cr_assert_eq(value, 1);
        cr_assert_eq(umbel_next(future, 10, &value), UMBEL_EXHAUSTED, "%s", umbel_error(future));
        cr_assert_eq(umbel_get(future, 10, &value), UMBEL_OK);
        cr_assert_eq(value, 2);
        umbel_future_free(future);
        cr_assert_eq(umbel_drain(client, 10), UMBEL_OK);
        umbel_close(client, 5);
    }
}

Test(direct, calls_of_both_ways_get_on_beside_one_another, .timeout = 60)
{
    enum { COUNT = 2000 };
    static umbel_future *futures[COUNT];
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        for (int n = 0; n < COUNT; n++)
            futures[n] = n % 3 ? umbel_submit_call(client, echo, UMBEL_ARGS(n))
                               : umbel_submit_call(client, echo, UMBEL_ARGS(n), .expires = 60);
        for (int n = 0; n < COUNT; n++) {
            int64_t value;
            cr_assert_eq(umbel_get(futures[n], 30, &value), UMBEL_OK, "%s: %d: %s", pools[i], n,
                         umbel_error(futures[n]));
            cr_assert_eq(value, n);
            umbel_future_free(futures[n]);
        }
        cr_assert_eq(umbel_drain(client, 10), UMBEL_OK);
        umbel_close(client, 5);
    }
}

Test(direct, what_is_not_begun_when_the_client_closes_says_so, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        umbel_future *futures[400];
        for (int n = 0; n < 400; n++)
            futures[n] = umbel_submit_call(client, nap, UMBEL_ARGS());
        umbel_close(client, 0.1);
        int closed = 0;
        for (int n = 0; n < 400; n++) {
            cr_assert(umbel_done(futures[n]));
            closed += umbel_future_code(futures[n]) == UMBEL_CLOSED;
            umbel_future_free(futures[n]);
        }
        cr_assert_gt(closed, 390);
    }
}

static void nap_and_fail(umbel_task *task)
{
    umbel_sleep(task, 0.1);
    umbel_fail(task, "Failure", "on purpose");
}

/* The one that fails has left the pool before its result is stored, and only then makes way. */
Test(direct, what_may_expire_begins_once_a_call_that_fails_is_stored, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        umbel_future *failing[2], *expiring;
        int64_t value;
        for (int n = 0; n < 2; n++)
            failing[n] = umbel_submit_call(client, nap_and_fail, UMBEL_ARGS());
        expiring = umbel_submit_call(client, echo, UMBEL_ARGS(3), .expires = 60);
        cr_assert_eq(umbel_get(expiring, 10, &value), UMBEL_OK, "%s: %s", pools[i], umbel_error(expiring));
        for (int n = 0; n < 2; n++) {
            cr_assert_eq(umbel_get(failing[n], 10, (void *)NULL), UMBEL_FAILED);
            umbel_future_free(failing[n]);
        }
        umbel_future_free(expiring);
        umbel_close(client, 5);
    }
}

static void call_what_may_expire(umbel_task *task)
{
    int64_t value = -1;
    umbel_future *future = umbel_submit(umbel_task_client(task), "umbel.ping", UMBEL_ARGS(5), .expires = 60);
    int code = umbel_get(future, 10, &value);
    if (code)
        umbel_fail(task, "Nested", "%s", umbel_error(future));
    else
        umbel_return(task, value);
    umbel_future_free(future);
}

Test(direct, what_a_call_calls_and_waits_for_may_expire, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        umbel_future *futures[2];
        int64_t value;
        for (int n = 0; n < 2; n++)
            futures[n] = umbel_submit_call(client, call_what_may_expire, UMBEL_ARGS());
        for (int n = 0; n < 2; n++) {
            cr_assert_eq(umbel_get(futures[n], 20, &value), UMBEL_OK, "%s: %s", pools[i],
                         umbel_error(futures[n]));
            cr_assert_eq(value, 5);
            umbel_future_free(futures[n]);
        }
        umbel_close(client, 5);
    }
}

Test(direct, what_is_said_of_a_chunk_names_its_task_whichever_way_it_went)
{
    umbel_client *client = umbel_connect("memory://?pool=solo", NULL);
    umbel_chunk *chunk = umbel_chunk_new(client, "no.such.task", UMBEL_SERIALIZER_DEFAULT);
    for (int way = 0; way < 2; way++) {
        cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(1)), UMBEL_OK);
        umbel_future *future =
            way ? umbel_submit_chunk(chunk, .expires = 60) : umbel_submit_chunk(chunk, .expires = 0);
        cr_assert_eq(umbel_get(future, 10, (void *)NULL), UMBEL_FAILED);
        cr_assert(strstr(umbel_error(future), "no.such.task["), "%s", umbel_error(future));
        umbel_future_free(future);
    }
    umbel_chunk_free(chunk);
    umbel_close(client, 5);
}

static void look_away_and_retry(umbel_task *task)
{
    usleep(200000);
    umbel_retry(task, 0, "once more");
}

Test(direct, what_is_cancelled_and_wants_to_be_tried_again_is_over, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        umbel_future *future = umbel_submit_call(client, look_away_and_retry, UMBEL_ARGS());
        for (int tries = 0; tries < 10000 && !umbel_running(future); tries++)
            usleep(1000);
        umbel_cancel(future);
        cr_assert_eq(umbel_drain(client, 10), UMBEL_OK, "%s", pools[i]);
        umbel_future_free(future);
        umbel_close(client, 5);
    }
}

Test(direct, what_waits_when_all_is_cancelled_is_over_for_whoever_has_its_id, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        enum { MANY = 300 };
        umbel_client *client = umbel_connect(pools[i], NULL);
        umbel_future *futures[MANY];
        for (int n = 0; n < MANY; n++) {
            futures[n] = umbel_submit_call(client, nap, UMBEL_ARGS());
            umbel_future_id(futures[n]);
        }
        umbel_future *other = umbel_future_from_id(client, umbel_future_id(futures[MANY - 1]));
        cr_assert_eq(umbel_shutdown(client, true, 20), UMBEL_OK, "%s", pools[i]);
        cr_assert_eq(umbel_get(futures[MANY - 1], 0, (void *)NULL), UMBEL_CANCELLED);
        cr_assert_neq(umbel_get(other, 10, (void *)NULL), UMBEL_TIMEOUT);
        for (int n = 0; n < MANY; n++)
            umbel_future_free(futures[n]);
        umbel_future_free(other);
        umbel_close(client, 5);
    }
}
