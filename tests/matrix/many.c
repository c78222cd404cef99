/* many.c: waiting for many futures.
 *
 * The behaviours of CPython's test_concurrent_futures that are held here: WaitTests.test_20369 (the same
 * future twice), test_first_completed, test_first_completed_some_already_completed, test_first_exception,
 * test_first_exception_some_already_complete, test_first_exception_one_already_failed, test_all_completed,
 * test_timeout; AsCompletedTests.test_no_timeout, test_future_times_out, test_duplicate_futures,
 * test_free_reference_yielded_future. */
#include "matrix.h"

#include <stdlib.h>

static void wait_for_the_first_that_is_done(struct matrix *m)
{
    umbel_future *f[] = {begun(m, "m.gate", "a"), SUBMIT(m, "m.add", 1, 1)};
    CHECK_CODE(UMBEL_OK, umbel_wait(f, 2, UMBEL_FIRST_COMPLETED, PATIENCE));
    CHECK(!umbel_done(f[0]) && umbel_done(f[1]));
    CHECK_CODE(UMBEL_OK, umbel_wait(f, 2, UMBEL_FIRST_COMPLETED, 0)); /* it already is */
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_wait(f, 2, UMBEL_ALL_COMPLETED, PATIENCE));
    free_all(f, 2);
}

static void wait_for_the_first_that_fails(struct matrix *m)
{
    umbel_future *f[] = {begun(m, "m.gate", "a"), SUBMIT(m, "m.add", 1, 1),
                         SUBMIT(m, "m.fail", "KeyError", "x")};
    CHECK_CODE(UMBEL_OK, umbel_wait(f, 3, UMBEL_FIRST_EXCEPTION, PATIENCE));
    CHECK(!umbel_done(f[0]) && umbel_done(f[2]));
    CHECK_CODE(UMBEL_OK, umbel_wait(f, 3, UMBEL_FIRST_EXCEPTION, 0)); /* it already has */
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_wait(f, 3, UMBEL_ALL_COMPLETED, PATIENCE));
    free_all(f, 3);
}

static void wait_for_all_ends_at_its_timeout(struct matrix *m)
{
    umbel_future *f[] = {SUBMIT(m, "m.add", 1, 1), SUBMIT(m, "m.add", 1, 2), NULL};
    CHECK_CODE(UMBEL_OK, umbel_wait(f, 2, UMBEL_ALL_COMPLETED, PATIENCE));
    f[2] = begun(m, "m.gate", "a");
    CHECK_CODE(UMBEL_TIMEOUT, umbel_wait(f, 3, UMBEL_ALL_COMPLETED, 0.05));
    CHECK_CODE(UMBEL_TIMEOUT, umbel_wait(f, 3, UMBEL_FIRST_EXCEPTION, 0.05));
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_wait(f, 3, UMBEL_ALL_COMPLETED, PATIENCE));
    free_all(f, 3);
}

static void the_same_future_twice_is_waited_for_once(struct matrix *m)
{
    umbel_future *future = begun(m, "m.gate", "a"), *f[] = {future, future};
    umbel_completed *completed = umbel_as_completed(f, 2, PATIENCE);
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_wait(f, 2, UMBEL_ALL_COMPLETED, PATIENCE));
    umbel_future *out = NULL;
    CHECK_CODE(UMBEL_OK, umbel_completed_next(completed, &out));
    CHECK_CODE(UMBEL_OK, umbel_completed_next(completed, &out));
    CHECK(out == future);
    CHECK_CODE(UMBEL_EXHAUSTED, umbel_completed_next(completed, &out));
    umbel_completed_free(completed);
    umbel_future_free(future);
}

static void results_come_as_they_are_done(struct matrix *m)
{
    umbel_future *f[] = {begun(m, "m.gate", "a"), SUBMIT(m, "m.add", 1, 1),
                         SUBMIT(m, "m.fail", "KeyError", "x")};
    umbel_completed *completed = umbel_as_completed(f, 3, PATIENCE);
    umbel_future *out;
    for (int i = 0; i < 2; i++) {
        CHECK_CODE(UMBEL_OK, umbel_completed_next(completed, &out));
        CHECK(out != f[0] && umbel_done(out));
    }
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_completed_next(completed, &out));
    CHECK(out == f[0]);
    CHECK_CODE(UMBEL_EXHAUSTED, umbel_completed_next(completed, &out));
    CHECK_CODE(UMBEL_EXHAUSTED, umbel_completed_next(completed, &out));
    umbel_completed_free(completed);
    free_all(f, 3);
}

static void what_is_done_already_comes_first(struct matrix *m)
{
    umbel_future *done = SUBMIT(m, "m.add", 1, 1);
    CHECK_CODE(UMBEL_OK, umbel_exception(done, PATIENCE));
    umbel_future *f[] = {begun(m, "m.gate", "a"), done}, *out;
    umbel_completed *completed = umbel_as_completed(f, 2, 0);
    CHECK_CODE(UMBEL_OK, umbel_completed_next(completed, &out));
    CHECK(out == done);
    CHECK_CODE(UMBEL_TIMEOUT, umbel_completed_next(completed, &out)); /* nothing is left of its time */
    umbel_completed_free(completed);
    gate_open(m, "a");
    free_all(f, 2);
}

static void as_completed_of_none_is_exhausted(struct matrix *m)
{
    umbel_future *out;
    (void)m;
    umbel_completed *completed = umbel_as_completed(NULL, 0, PATIENCE);
    CHECK_CODE(UMBEL_EXHAUSTED, umbel_completed_next(completed, &out));
    umbel_completed_free(completed);
    umbel_completed_free(NULL);
}

static void futures_may_be_given_back_while_they_are_waited_for(struct matrix *m)
{
    umbel_future *f[20], *out;
    for (int i = 0; i < 20; i++)
        f[i] = SUBMIT(m, "m.add", i, 1);
    umbel_completed *completed = umbel_as_completed(f, 20, PATIENCE);
    for (int i = 0; i < 10; i++) {
        CHECK_CODE(UMBEL_OK, umbel_completed_next(completed, &out));
        umbel_future_free(out);
        for (int j = 0; j < 20; j++)
            f[j] = f[j] == out ? NULL : f[j];
    }
    free_all(f, 20); /* before the rest came out */
    umbel_completed_free(completed);
}

static void gather_waits_for_all(struct matrix *m)
{
    umbel_future *f[30];
    for (int i = 0; i < 30; i++)
        f[i] = SUBMIT(m, "m.square", i);
    CHECK_CODE(UMBEL_OK, umbel_gather(f, 30, false, PATIENCE));
    for (int i = 0; i < 30; i++) {
        int value = -1;
        CHECK_CODE(UMBEL_OK, umbel_get(f[i], 0, &value));
        CHECK(value == i * i);
    }
    free_all(f, 30);
}

static void gather_answers_the_first_error_in_order(struct matrix *m)
{
    umbel_future *f[] = {SUBMIT(m, "m.add", 1, 1), SUBMIT(m, "m.fail", "KeyError", "first"),
                         SUBMIT(m, "m.add", 1, 1), SUBMIT(m, "m.fail", "ValueError", "second")};
    CHECK_CODE(UMBEL_FAILED, umbel_gather(f, 4, false, PATIENCE));
    for (int i = 0; i < 4; i++)
        CHECK(umbel_done(f[i]));
    free_all(f, 4);
}

static void the_first_error_wins_where_it_is_asked_to(struct matrix *m)
{
    umbel_future *f[] = {begun(m, "m.gate", "a"), SUBMIT(m, "m.fail", "KeyError", "x")};
    CHECK_CODE(UMBEL_FAILED, umbel_gather(f, 2, true, PATIENCE));
    CHECK(!umbel_done(f[0]));
    CHECK_CODE(UMBEL_TIMEOUT, umbel_gather(f, 2, false, 0.05));
    gate_open(m, "a");
    CHECK_CODE(UMBEL_FAILED, umbel_gather(f, 2, false, PATIENCE));
    CHECK_CODE(UMBEL_OK, umbel_gather(NULL, 0, false, 0));
    free_all(f, 2);
}

static void thousands_are_outstanding_at_once(struct matrix *m)
{
    size_t count = m->can & NEEDS_POOL ? 20000 : 2000;
    umbel_future **f = calloc(count, sizeof *f);
    for (size_t i = 0; i < count; i++)
        f[i] = SUBMIT(m, "m.add", (int64_t)i, 1);
    CHECK_CODE(UMBEL_OK, umbel_gather(f, count, false, 2 * PATIENCE));
    for (size_t i = 0; i < count; i++) {
        int64_t value = 0;
        CHECK_CODE(UMBEL_OK, umbel_get(f[i], 0, &value));
        CHECK(value == (int64_t)i + 1);
    }
    free_all(f, count);
    free(f);
}

const struct matrix_case many_cases[] = {
    {"wait_for_the_first_that_is_done", wait_for_the_first_that_is_done, NEEDS_CONCURRENCY},
    {"wait_for_the_first_that_fails", wait_for_the_first_that_fails, NEEDS_CONCURRENCY},
    {"wait_for_all_ends_at_its_timeout", wait_for_all_ends_at_its_timeout, 0},
    {"the_same_future_twice_is_waited_for_once", the_same_future_twice_is_waited_for_once, 0},
    {"results_come_as_they_are_done", results_come_as_they_are_done, NEEDS_CONCURRENCY},
    {"what_is_done_already_comes_first", what_is_done_already_comes_first, 0},
    {"as_completed_of_none_is_exhausted", as_completed_of_none_is_exhausted, 0},
    {"futures_may_be_given_back_while_they_are_waited_for",
     futures_may_be_given_back_while_they_are_waited_for, 0},
    {"gather_waits_for_all", gather_waits_for_all, 0},
    {"gather_answers_the_first_error_in_order", gather_answers_the_first_error_in_order, 0},
    {"the_first_error_wins_where_it_is_asked_to", the_first_error_wins_where_it_is_asked_to,
     NEEDS_CONCURRENCY},
    {"thousands_are_outstanding_at_once", thousands_are_outstanding_at_once, 0},
    {0},
};
