/* end.c: the end of an executor: orderly, impatient, under load.
 *
 * The behaviours of CPython's test_concurrent_futures that are held here:
 * ExecutorShutdownTest.test_run_after_shutdown, test_hang_issue12364, test_cancel_futures,
 * test_cancel_futures_wait_false, test_hang_gh83386; ExecutorTest.test_shutdown_race_issue12456. */
#include "matrix.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static void nothing_is_submitted_after_the_end(struct matrix *m)
{
    umbel_future *before = SUBMIT(m, "m.add", 1, 1);
    CHECK_CODE(UMBEL_OK, umbel_shutdown(m->client, false, PATIENCE));
    CHECK(umbel_done(before));
    umbel_future *after = SUBMIT(m, "m.add", 1, 1);
    CHECK_CODE(UMBEL_CLOSED, umbel_exception(after, PATIENCE));
    CHECK_CODE(UMBEL_OK, umbel_shutdown(m->client, false, PATIENCE)); /* again */
    CHECK_CODE(UMBEL_OK, umbel_exception(before, 0));
    umbel_future_free(before);
    umbel_future_free(after);
}

static void a_shutdown_waits_for_what_was_submitted(struct matrix *m)
{
    umbel_future *f[50];
    for (int i = 0; i < 50; i++)
        f[i] = SUBMIT(m, "m.nap", 0.002);
    CHECK_CODE(UMBEL_OK, umbel_shutdown(m->client, false, PATIENCE));
    for (int i = 0; i < 50; i++) {
        CHECK(umbel_done(f[i]));
        CHECK_CODE(UMBEL_OK, umbel_exception(f[i], 0));
    }
    free_all(f, 50);
}

static void a_shutdown_that_does_not_wait_lets_it_finish(struct matrix *m)
{
    umbel_future *running = begun(m, "m.gate", "a"), *pending = SUBMIT(m, "m.add", 1, 2);
    CHECK_CODE(UMBEL_OK, umbel_shutdown(m->client, false, 0));
    CHECK(!umbel_done(running));
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_exception(running, PATIENCE));
    CHECK_CODE(UMBEL_OK, umbel_exception(pending, PATIENCE));
    umbel_future_free(running);
    umbel_future_free(pending);
}

static void pending_calls_are_cancelled_where_it_is_asked_for(struct matrix *m)
{
    umbel_future *blockers[BLOCKERS], *behind[40];
    block_all(m, blockers);
    for (int i = 0; i < 40; i++)
        behind[i] = SUBMIT(m, "m.mark", gate_path(m, "ran"));
    CHECK_CODE(UMBEL_OK, umbel_shutdown(m->client, true, 0));
    for (int i = 0; i < 40 && m->can & NEEDS_INTERRUPT; i++)
        CHECK_CODE(UMBEL_CANCELLED, umbel_exception(behind[i], PATIENCE));
    gate_open(m, "block");
    CHECK_CODE(UMBEL_OK, umbel_drain(m->client, PATIENCE));
    int cancelled = 0;
    for (int i = 0; i < 40; i++)
        cancelled += umbel_exception(behind[i], PATIENCE) == UMBEL_CANCELLED;
    /* Solo hears of it only between two tasks; elsewhere nothing behind the blockers had a slot. */
    if (m->can & NEEDS_INTERRUPT)
        CHECK(cancelled == 40, "%d", cancelled);
    CHECK((size_t)(40 - cancelled) == marks(m, "ran"));
    for (int i = 0; i < BLOCKERS; i++) {
        int code = umbel_exception(blockers[i], PATIENCE);
        CHECK(code == UMBEL_OK || code == UMBEL_CANCELLED);
    }
    free_all(blockers, BLOCKERS);
    free_all(behind, 40);
}

static void a_drain_ends_at_its_timeout(struct matrix *m)
{
    umbel_future *future = begun(m, "m.gate", "a");
    CHECK_CODE(UMBEL_TIMEOUT, umbel_drain(m->client, 0.05));
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_drain(m->client, PATIENCE));
    CHECK(umbel_done(future));
    CHECK_CODE(UMBEL_OK, umbel_drain(m->client, PATIENCE)); /* of nothing */
    umbel_future_free(future);
}

static void a_drain_waits_for_tasks_nobody_waits_for(struct matrix *m)
{
    for (int i = 0; i < 20; i++)
        umbel_future_free(SUBMIT(m, "m.mark", gate_path(m, "ran")));
    CHECK_CODE(UMBEL_OK, umbel_drain(m->client, PATIENCE));
    CHECK(marks(m, "ran") == 20, "%zu of 20 ran", marks(m, "ran"));
}

static void terminating_ends_what_runs(struct matrix *m)
{
    umbel_future *running = begun(m, "m.gate", "a"), *behind[20];
    for (int i = 0; i < 20; i++)
        behind[i] = SUBMIT(m, "m.nap", 30.0);
    CHECK_CODE(UMBEL_OK, umbel_terminate(m->client, PATIENCE));
    CHECK_CODE(UMBEL_CANCELLED, umbel_exception(running, 0));
    for (int i = 0; i < 20; i++)
        CHECK_CODE(UMBEL_CANCELLED, umbel_exception(behind[i], 0));
    umbel_future_free(running);
    free_all(behind, 20);
}

static atomic_bool enough;

static void *submit_on_and_on(void *arg)
{
    struct matrix *m = arg;
    umbel_future *f[400];
    size_t count = 0;
    intptr_t unfinished = 0;
    while (count < 400 && !atomic_load(&enough)) {
        f[count] = SUBMIT(m, "m.nap", 0.0005);
        if (umbel_future_code(f[count++]) == UMBEL_CLOSED)
            break;
    }
    for (size_t i = 0; i < count; i++)
        unfinished += umbel_exception(f[i], PATIENCE) == UMBEL_TIMEOUT;
    free_all(f, count);
    return (void *)unfinished;
}

static void under_load(struct matrix *m, int (*end)(struct matrix *m))
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, submit_on_and_on, m);
    usleep(30000);
    CHECK_CODE(UMBEL_OK, end(m));
    atomic_store(&enough, true);
    for (int i = 0; i < 4; i++) {
        void *unfinished;
        pthread_join(threads[i], &unfinished);
        CHECK((intptr_t)unfinished == 0, "%d futures never ended", (int)(intptr_t)unfinished);
    }
}

static int shut(struct matrix *m)
{
    return umbel_shutdown(m->client, false, PATIENCE);
}
static int shut_and_cancel(struct matrix *m)
{
    return umbel_shutdown(m->client, true, PATIENCE);
}
static int terminate(struct matrix *m)
{
    return umbel_terminate(m->client, PATIENCE);
}
static void a_shutdown_under_load_leaves_no_future_behind(struct matrix *m)
{
    under_load(m, shut);
}
static void a_cancelling_shutdown_under_load_leaves_no_future_behind(struct matrix *m)
{
    under_load(m, shut_and_cancel);
}
static void terminating_under_load_leaves_no_future_behind(struct matrix *m)
{
    under_load(m, terminate);
}

static void futures_outlive_a_client_that_is_closed(struct matrix *m)
{
    umbel_future *done = SUBMIT(m, "m.add", 1, 1);
    CHECK_CODE(UMBEL_OK, umbel_exception(done, PATIENCE));
    umbel_future *running = begun(m, "m.gate", "a");
    umbel_future *pending[40];
    for (int i = 0; i < 40; i++)
        pending[i] = SUBMIT(m, "m.gate", gate_path(m, "b.begun"), gate_path(m, "a"));
    if (!(m->can & NEEDS_INTERRUPT))
        gate_open(m, "a"); /* solo: the closing thread waits for its task */
    umbel_close(m->client, 0.2);
    m->client = NULL;
    CHECK_CODE(UMBEL_OK, umbel_exception(done, PATIENCE));
    for (int i = 0; i < 40; i++) {
        int code = umbel_exception(pending[i], PATIENCE);
        CHECK(code == UMBEL_CLOSED || code == UMBEL_OK || code == UMBEL_FAILED, "%s",
              umbel_error(pending[i]));
        CHECK(umbel_done(pending[i]));
        int again = umbel_cancel(pending[i]);
        CHECK_CODE(UMBEL_ALREADY_DONE, again);
    }
    gate_open(m, "a");
    CHECK(umbel_done(running));
    umbel_future_free(done);
    umbel_future_free(running);
    free_all(pending, 40);
}

const struct matrix_case end_cases[] = {
    {"nothing_is_submitted_after_the_end", nothing_is_submitted_after_the_end, 0},
    {"a_shutdown_waits_for_what_was_submitted", a_shutdown_waits_for_what_was_submitted, 0},
    {"a_shutdown_that_does_not_wait_lets_it_finish", a_shutdown_that_does_not_wait_lets_it_finish, 0},
    {"pending_calls_are_cancelled_where_it_is_asked_for", pending_calls_are_cancelled_where_it_is_asked_for,
     NEEDS_POOL},
    {"a_drain_ends_at_its_timeout", a_drain_ends_at_its_timeout, 0},
    {"a_drain_waits_for_tasks_nobody_waits_for", a_drain_waits_for_tasks_nobody_waits_for, NEEDS_POOL},
    {"terminating_ends_what_runs", terminating_ends_what_runs, NEEDS_INTERRUPT},
    {"a_shutdown_under_load_leaves_no_future_behind", a_shutdown_under_load_leaves_no_future_behind, 0},
    {"a_cancelling_shutdown_under_load_leaves_no_future_behind",
     a_cancelling_shutdown_under_load_leaves_no_future_behind, 0},
    {"terminating_under_load_leaves_no_future_behind", terminating_under_load_leaves_no_future_behind, 0},
    {"futures_outlive_a_client_that_is_closed", futures_outlive_a_client_that_is_closed, 0},
    {0},
};
