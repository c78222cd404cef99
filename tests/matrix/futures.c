/* futures.c: one future: its result, its failure, its states, its callbacks.
 *
 * The behaviours of CPython's test_concurrent_futures that are held here:
 * FutureTests.test_done_callback_with_result, test_done_callback_with_exception,
 * test_done_callback_already_successful, test_done_callback_already_failed, test_done, test_running,
 * test_result_with_timeout, test_result_with_success, test_exception_with_timeout,
 * test_exception_with_success; ExecutorTest.test_submit, test_submit_keyword, test_no_stale_references,
 * test_free_reference; ProcessPoolExecutorTest.test_killed_child, test_traceback. */
#include "matrix.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static void a_result_is_read(struct matrix *m)
{
    int64_t value = 0;
    umbel_future *future = SUBMIT(m, "m.add", 2, 3);
    CHECK_CODE(UMBEL_OK, umbel_get(future, PATIENCE, &value));
    CHECK(value == 5);
    CHECK_CODE(UMBEL_OK, umbel_get(future, PATIENCE, &value)); /* as often as one likes */
    CHECK(umbel_done(future) && !umbel_running(future) && !umbel_cancelled(future));
    CHECK(umbel_future_state(future) == UMBEL_STATE_SUCCEEDED);
    CHECK(umbel_error_type(future) == NULL && *umbel_error(future) == '\0');
    umbel_future_free(future);
}

static void named_arguments_arrive(struct matrix *m)
{
    int64_t value = 0;
    umbel_future *future = SUBMIT(m, "m.named", 4, umbel_kwarg("factor", 5));
    CHECK_CODE(UMBEL_OK, umbel_get(future, PATIENCE, &value));
    CHECK(value == 20);
    umbel_future_free(future);
}

static void texts_and_lists_come_back_as_they_went(struct matrix *m)
{
    umbel_value *list = umbel_list_new();
    umbel_add_str(list, NULL, "gr\303\274\303\237 dich");
    umbel_add_double(list, NULL, 0.5);
    umbel_add_null(list, NULL);
    umbel_add_bytes(list, NULL, "\0\377", 2);
    umbel_future *future = SUBMIT(m, "m.echo", list);
    CHECK_CODE(UMBEL_OK, umbel_exception(future, PATIENCE));
    const umbel_value *result = umbel_result(future);
    umbel_str text, bytes;
    CHECK(umbel_value_count(result) == 4);
    CHECK(umbel_value_str(umbel_value_at(result, 0), &text) == UMBEL_OK &&
          strcmp(text.data, "gr\303\274\303\237 dich") == 0);
    CHECK(umbel_value_kind(umbel_value_at(result, 2)) == UMBEL_NULL);
    CHECK(umbel_value_str(umbel_value_at(result, 3), &bytes) == UMBEL_OK && bytes.size == 2);
    umbel_future_free(future);
    umbel_value_free(list);
}

static void a_failure_has_type_and_message(struct matrix *m)
{
    int64_t value = 77;
    umbel_future *future = SUBMIT(m, "m.fail", "KeyError", "no such key");
    CHECK_CODE(UMBEL_FAILED, umbel_get(future, PATIENCE, &value));
    CHECK(value == 77);
    CHECK(strcmp(umbel_error_type(future), "KeyError") == 0);
    CHECK(strcmp(umbel_error_message(future), "no such key") == 0);
    CHECK(strstr(umbel_error(future), "m.fail") && strstr(umbel_error(future), "no such key"));
    CHECK_CODE(UMBEL_FAILED, umbel_exception(future, PATIENCE));
    CHECK(umbel_done(future) && umbel_future_state(future) == UMBEL_STATE_FAILED);
    umbel_future_free(future);
}

static void a_wrong_argument_is_a_failure_of_the_call(struct matrix *m)
{
    umbel_future *future = SUBMIT(m, "m.add", 1, "two");
    CHECK_CODE(UMBEL_FAILED, umbel_exception(future, PATIENCE));
    CHECK(strcmp(umbel_error_type(future), "TypeError") == 0, "%s", umbel_error(future));
    umbel_future_free(future);
}

static void a_task_nobody_has_fails(struct matrix *m)
{
    umbel_future *future = SUBMIT(m, "m.nobody.has.it");
    CHECK_CODE(UMBEL_FAILED, umbel_exception(future, PATIENCE));
    CHECK(strcmp(umbel_error_type(future), "NotRegistered") == 0);
    umbel_future_free(future);
}

static void a_result_that_does_not_fit_says_so(struct matrix *m)
{
    uint8_t small = 7;
    umbel_str text;
    umbel_future *future = SUBMIT(m, "m.add", 300, 1);
    CHECK_CODE(UMBEL_BAD_VALUE, umbel_get(future, PATIENCE, &small));
    CHECK_CODE(UMBEL_BAD_TYPE, umbel_get(future, PATIENCE, &text));
    CHECK(small == 7);
    umbel_future_free(future);
}

static void a_wait_times_out_and_the_future_lives_on(struct matrix *m)
{
    umbel_future *future = begun(m, "m.gate", "a");
    bool value = false;
    CHECK_CODE(UMBEL_TIMEOUT, umbel_get(future, 0.05, &value));
    CHECK(!umbel_done(future) && umbel_future_code(future) == UMBEL_OK);
    CHECK_CODE(UMBEL_TIMEOUT, umbel_exception(future, 0));
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_get(future, PATIENCE, &value));
    CHECK(value);
    umbel_future_free(future);
}

static void a_task_that_runs_is_known_to(struct matrix *m)
{
    umbel_future *blockers[BLOCKERS];
    block_all(m, blockers);
    umbel_future *behind = SUBMIT(m, "m.add", 1, 1);
    int running = 0;
    for (int tries = 0; tries < 2000 && running < 2; tries++) {
        running = 0;
        for (int i = 0; i < BLOCKERS; i++)
            running += umbel_running(blockers[i]);
        usleep(1000);
    }
    CHECK(running == 2, "%d of 2", running);
    CHECK(!umbel_running(behind) && !umbel_done(behind));
    unblock(m, blockers);
    CHECK_CODE(UMBEL_OK, umbel_exception(behind, PATIENCE));
    CHECK(!umbel_running(behind));
    umbel_future_free(behind);
}

/* ---- callbacks ---- */

struct calls {
    atomic_int count;
    char order[8];
};

static struct calls calls;

static void note(umbel_future *future, void *arg)
{
    CHECK(umbel_done(future));
    int at = atomic_load(&calls.count);
    calls.order[at] = *(const char *)arg;
    atomic_store(&calls.count, at + 1);
}

static void await_calls(int count)
{
    for (int i = 0; i < PATIENCE * 1000 && atomic_load(&calls.count) < count; i++)
        usleep(1000);
    CHECK(atomic_load(&calls.count) == count, "%d of %d", atomic_load(&calls.count), count);
}

static void callbacks_run_once_and_in_order(struct matrix *m)
{
    umbel_future *future = begun(m, "m.gate", "a");
    CHECK_CODE(UMBEL_OK, umbel_on_done(future, note, "1"));
    CHECK_CODE(UMBEL_OK, umbel_on_done(future, note, "2"));
    CHECK(atomic_load(&calls.count) == 0);
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_exception(future, PATIENCE));
    await_calls(2);
    CHECK_CODE(UMBEL_OK, umbel_on_done(future, note, "3")); /* done already: at once, here */
    CHECK(atomic_load(&calls.count) == 3 && strcmp(calls.order, "123") == 0, "%s", calls.order);
    umbel_future_free(future);
}

static void a_failed_call_calls_back_too(struct matrix *m)
{
    umbel_future *future = SUBMIT(m, "m.fail", "KeyError", "x");
    CHECK_CODE(UMBEL_OK, umbel_on_done(future, note, "1"));
    CHECK_CODE(UMBEL_FAILED, umbel_exception(future, PATIENCE));
    await_calls(1);
    CHECK_CODE(UMBEL_OK, umbel_on_done(future, note, "2"));
    CHECK(atomic_load(&calls.count) == 2);
    umbel_future_free(future);
}

static void a_callback_may_submit(struct matrix *m);
static struct matrix *callback_matrix;
static umbel_future *_Atomic second;

static void submit_second(umbel_future *future, void *arg)
{
    (void)future, (void)arg;
    atomic_store(&second, SUBMIT(callback_matrix, "m.add", 20, 22));
}

static void a_callback_may_submit(struct matrix *m)
{
    callback_matrix = m;
    umbel_future *first = SUBMIT(m, "m.add", 1, 1);
    CHECK_CODE(UMBEL_OK, umbel_on_done(first, submit_second, NULL));
    for (int i = 0; i < PATIENCE * 1000 && !atomic_load(&second); i++)
        usleep(1000);
    int64_t value = 0;
    CHECK_CODE(UMBEL_OK, umbel_get(atomic_load(&second), PATIENCE, &value));
    CHECK(value == 42);
    umbel_future_free(first);
    umbel_future_free(atomic_load(&second));
}

/* ---- who waits, and goes ---- */

static void a_task_runs_although_its_waiter_is_gone(struct matrix *m)
{
    umbel_future *blocker = begun(m, "m.gate", "a");
    umbel_future *gone = SUBMIT(m, "m.mark", gate_path(m, "ran"));
    umbel_future_free(gone);
    gate_open(m, "a");
    await_marks(m, "ran", 1);
    umbel_exception(blocker, PATIENCE);
    umbel_future_free(blocker);
}

static void a_second_future_of_the_same_id_is_answered(struct matrix *m)
{
    umbel_future *first = begun(m, "m.gate", "a");
    umbel_future *other = umbel_future_from_id(m->client, umbel_future_id(first));
    CHECK_CODE(UMBEL_TIMEOUT, umbel_exception(other, 0.02));
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_exception(other, PATIENCE));
    CHECK_CODE(UMBEL_OK, umbel_exception(first, PATIENCE));
    umbel_future_free(first);
    umbel_future_free(other);
}

static void a_result_can_be_had_by_its_id_afterwards(struct matrix *m)
{
    int64_t value = 0;
    umbel_future *first = SUBMIT(m, "m.add", 40, 2);
    CHECK_CODE(UMBEL_OK, umbel_exception(first, PATIENCE));
    umbel_future *other = umbel_future_from_id(m->client, umbel_future_id(first));
    umbel_future_free(first);
    CHECK_CODE(UMBEL_OK, umbel_get(other, PATIENCE, &value));
    CHECK(value == 42);
    umbel_future_free(other);
}

static void *wait_for_it(void *future)
{
    return (void *)(intptr_t)umbel_exception(future, PATIENCE);
}

static void many_threads_wait_for_one_future(struct matrix *m)
{
    umbel_future *future = begun(m, "m.gate", "a");
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, wait_for_it, future);
    usleep(20000);
    gate_open(m, "a");
    for (int i = 0; i < 8; i++) {
        void *code;
        pthread_join(threads[i], &code);
        CHECK_CODE(UMBEL_OK, (int)(intptr_t)code);
    }
    umbel_future_free(future);
}

/* ---- what a task may do ---- */

static void a_retry_ends_in_a_result(struct matrix *m)
{
    int64_t value = 0;
    umbel_future *future = SUBMIT(m, "m.again", 2);
    CHECK_CODE(UMBEL_OK, umbel_get(future, PATIENCE, &value));
    CHECK(value == 2);
    umbel_future_free(future);
}

static void progress_is_seen_while_it_runs(struct matrix *m)
{
    umbel_future *future = SUBMIT(m, "m.progress", gate_path(m, "a"));
    int64_t value = 0;
    for (int i = 0; i < PATIENCE * 500 && !value; i++) {
        umbel_value_int(umbel_result(future), &value);
        usleep(2000);
    }
    CHECK(value == 50 && umbel_running(future) && !umbel_done(future));
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_get(future, PATIENCE, &value));
    CHECK(value == 100);
    umbel_future_free(future);
}

static void a_soft_limit_tells_the_task(struct matrix *m)
{
    bool finished = true;
    umbel_future *future =
        umbel_submit(m->client, "m.gate", UMBEL_ARGS(gate_path(m, "a.begun"), gate_path(m, "a")),
                     .queue = m->queue, .soft_time_limit = 0.1);
    CHECK_CODE(UMBEL_OK, umbel_get(future, PATIENCE, &finished));
    CHECK(!finished);
    umbel_future_free(future);
}

static void a_hard_limit_ends_it(struct matrix *m)
{
    umbel_future *future =
        umbel_submit(m->client, "m.deaf", UMBEL_ARGS(gate_path(m, "a.begun"), gate_path(m, "a")),
                     .queue = m->queue, .time_limit = 0.2);
    CHECK_CODE(UMBEL_FAILED, umbel_exception(future, PATIENCE));
    CHECK(strstr(umbel_error_type(future), "TimeLimitExceeded"), "%s", umbel_error(future));
    gate_open(m, "a");
    umbel_future_free(future);
}

static void a_call_that_expired_is_not_run(struct matrix *m)
{
    umbel_future *blockers[BLOCKERS];
    block_all(m, blockers);
    umbel_future *late = umbel_submit(m->client, "m.mark", UMBEL_ARGS(gate_path(m, "ran")), .queue = m->queue,
                                      .expires = 0.05);
    usleep(100000);
    unblock(m, blockers);
    CHECK_CODE(UMBEL_REVOKED, umbel_exception(late, PATIENCE));
    CHECK(umbel_cancelled(late) && marks(m, "ran") == 0);
    umbel_future_free(late);
}

static void a_child_that_dies_is_told(struct matrix *m)
{
    int64_t value = 0;
    umbel_future *crash = SUBMIT(m, "m.crash");
    CHECK_CODE(UMBEL_FAILED, umbel_exception(crash, PATIENCE));
    CHECK(strcmp(umbel_error_type(crash), "WorkerLostError") == 0, "%s", umbel_error(crash));
    umbel_future *after = SUBMIT(m, "m.add", 1, 1);
    CHECK_CODE(UMBEL_OK, umbel_get(after, PATIENCE, &value));
    umbel_future_free(crash);
    umbel_future_free(after);
}

static void apply_is_submit_and_get(struct matrix *m)
{
    int64_t value = 0;
    CHECK_CODE(UMBEL_OK,
               umbel_apply(m->client, "m.add", UMBEL_ARGS(5, 6), PATIENCE, &value, .queue = m->queue));
    CHECK(value == 11);
    CHECK_CODE(UMBEL_FAILED, umbel_apply(m->client, "m.fail", UMBEL_ARGS("KeyError", "why"), PATIENCE, &value,
                                         .queue = m->queue));
    CHECK(strstr(umbel_client_error(m->client), "why"));
    CHECK_CODE(UMBEL_TIMEOUT,
               umbel_apply(m->client, "m.gate", UMBEL_ARGS(gate_path(m, "b"), gate_path(m, "a")), 0.05,
                           &value, .queue = m->queue));
    gate_open(m, "a");
    umbel_str text;
    CHECK_CODE(UMBEL_BAD_ARGUMENT, umbel_apply(m->client, "m.add", UMBEL_ARGS(5, 6), PATIENCE, &text));
}

/* ---- functions ---- */

static void twice(umbel_task *task)
{
    int64_t x;
    if (umbel_args(task, &x))
        return;
    umbel_return(task, 2 * x);
}

static void a_function_needs_no_name(struct matrix *m)
{
    int64_t value = 0;
    umbel_future *future = umbel_submit_call(m->client, twice, UMBEL_ARGS(21));
    CHECK_CODE(UMBEL_OK, umbel_get(future, PATIENCE, &value));
    CHECK(value == 42);
    umbel_future_free(future);
}

static void a_function_elsewhere_is_refused(struct matrix *m)
{
    umbel_future *future = umbel_submit_call(m->client, twice, UMBEL_ARGS(21));
    if (m->can & NEEDS_POOL)
        CHECK_CODE(UMBEL_OK, umbel_exception(future, PATIENCE));
    else
        CHECK_CODE(UMBEL_NOT_SUPPORTED, umbel_exception(future, PATIENCE));
    umbel_future_free(future);
}

const struct matrix_case future_cases[] = {
    {"a_result_is_read", a_result_is_read, 0},
    {"named_arguments_arrive", named_arguments_arrive, 0},
    {"texts_and_lists_come_back_as_they_went", texts_and_lists_come_back_as_they_went, 0},
    {"a_failure_has_type_and_message", a_failure_has_type_and_message, 0},
    {"a_wrong_argument_is_a_failure_of_the_call", a_wrong_argument_is_a_failure_of_the_call, 0},
    {"a_task_nobody_has_fails", a_task_nobody_has_fails, 0},
    {"a_result_that_does_not_fit_says_so", a_result_that_does_not_fit_says_so, 0},
    {"a_wait_times_out_and_the_future_lives_on", a_wait_times_out_and_the_future_lives_on, 0},
    {"a_task_that_runs_is_known_to", a_task_that_runs_is_known_to, NEEDS_POOL | NEEDS_CONCURRENCY},
    {"callbacks_run_once_and_in_order", callbacks_run_once_and_in_order, 0},
    {"a_failed_call_calls_back_too", a_failed_call_calls_back_too, 0},
    {"a_callback_may_submit", a_callback_may_submit, 0},
    {"a_task_runs_although_its_waiter_is_gone", a_task_runs_although_its_waiter_is_gone, 0},
    {"a_second_future_of_the_same_id_is_answered", a_second_future_of_the_same_id_is_answered, 0},
    {"a_result_can_be_had_by_its_id_afterwards", a_result_can_be_had_by_its_id_afterwards, 0},
    {"many_threads_wait_for_one_future", many_threads_wait_for_one_future, 0},
    {"a_retry_ends_in_a_result", a_retry_ends_in_a_result, 0},
    {"progress_is_seen_while_it_runs", progress_is_seen_while_it_runs, NEEDS_CONCURRENCY},
    {"a_soft_limit_tells_the_task", a_soft_limit_tells_the_task, 0},
    {"a_hard_limit_ends_it", a_hard_limit_ends_it, NEEDS_LIMIT},
    {"a_call_that_expired_is_not_run", a_call_that_expired_is_not_run, 0},
    {"a_child_that_dies_is_told", a_child_that_dies_is_told, NEEDS_KILL},
    {"apply_is_submit_and_get", apply_is_submit_and_get, 0},
    {"a_function_needs_no_name", a_function_needs_no_name, NEEDS_POOL},
    {"a_function_elsewhere_is_refused", a_function_elsewhere_is_refused, 0},
    {0},
};
