/* cancel.c: taking calls back, at every moment of their lives.
 *
 * The behaviours of CPython's test_concurrent_futures that are held here: FutureTests.test_cancel,
 * test_cancelled, test_done_callback_with_cancel, test_done_callback_already_cancelled,
 * test_result_with_cancel, test_exception_with_timeout (of one that is cancelled while it is waited for). */
#include "matrix.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void expect_cancelled(umbel_future *future)
{
    CHECK(umbel_done(future) && umbel_cancelled(future) && !umbel_running(future));
    CHECK_CODE(UMBEL_CANCELLED, umbel_exception(future, 0));
    CHECK_CODE(UMBEL_CANCELLED, umbel_future_code(future));
    CHECK(umbel_future_state(future) == UMBEL_STATE_REVOKED);
    CHECK(strstr(umbel_error(future), "cancelled"), "%s", umbel_error(future));
}

static void a_call_that_waits_is_not_run(struct matrix *m)
{
    umbel_future *blockers[BLOCKERS], *behind[10];
    block_all(m, blockers);
    for (int i = 0; i < 10; i++)
        behind[i] = SUBMIT(m, "m.mark", gate_path(m, "ran"));
    umbel_flush(m->client, m->can & NEEDS_INTERRUPT ? PATIENCE : 0);
    for (int i = 0; i < 10; i++) {
        CHECK_CODE(UMBEL_OK, i % 2 ? umbel_cancel(behind[i]) : umbel_cancel_pending(behind[i]));
        expect_cancelled(behind[i]);
    }
    unblock_nothing(m, blockers);
    free_all(behind, 10);
}

static void a_call_that_was_just_submitted_is_taken_back(struct matrix *m)
{
    for (int i = 0; i < 50; i++) {
        umbel_future *future = SUBMIT(m, "m.add", 1, 1);
        int code = umbel_cancel(future);
        CHECK(code == UMBEL_OK || code == UMBEL_ALREADY_DONE);
        CHECK_CODE(code == UMBEL_OK ? UMBEL_CANCELLED : UMBEL_OK, umbel_exception(future, PATIENCE));
        umbel_future_free(future);
    }
    int64_t value;
    CHECK_CODE(UMBEL_OK,
               umbel_apply(m->client, "m.add", UMBEL_ARGS(1, 2), PATIENCE, &value, .queue = m->queue));
}

static void a_task_that_runs_is_told_to_stop(struct matrix *m)
{
    umbel_future *future = begun(m, "m.gate", "a"); /* nobody opens it */
    CHECK_CODE(UMBEL_OK, umbel_cancel(future));
    expect_cancelled(future);
    int64_t value; /* and its slot is free again */
    for (int i = 0; i < 4; i++)
        CHECK_CODE(UMBEL_OK,
                   umbel_apply(m->client, "m.add", UMBEL_ARGS(1, 2), PATIENCE, &value, .queue = m->queue));
    if (m->can & NEEDS_POOL)
        CHECK_CODE(UMBEL_OK, umbel_drain(m->client, PATIENCE));
    umbel_future_free(future);
}

/* Callers that are cancelled while what they called runs: it runs on, and afterwards as many may wait as
 * ever.
 */
static void cancel_callers(struct matrix *m, bool deaf)
{
    for (int i = 0; i < 4; i++) {
        char begun[8] = {'b', (char)('0' + i)}, gate[8] = {'g', (char)('0' + i)},
             ended[8] = {'e', (char)('0' + i)};
        umbel_future *caller = SUBMIT(m, "m.parent", umbel_give_bool(deaf), gate_path(m, begun),
                                      gate_path(m, gate), gate_path(m, ended));
        await_marks(m, begun, 1);
        CHECK_CODE(UMBEL_OK, umbel_cancel(caller));
        expect_cancelled(caller);
        umbel_future_free(caller);
        gate_open(m, gate);
        await_marks(m, ended, 2);
    }
    int64_t value;
    CHECK_CODE(UMBEL_OK,
               umbel_apply(m->client, "m.chain", UMBEL_ARGS(64), PATIENCE, &value, .queue = m->queue));
    CHECK(value == 65);
}

static void what_a_cancelled_task_called_runs_on_and_its_place_is_free(struct matrix *m)
{
    cancel_callers(m, false);
}

static void a_caller_that_does_not_listen_is_killed_and_its_place_is_free(struct matrix *m)
{
    cancel_callers(m, true);
}

static void a_task_that_does_not_listen_is_killed(struct matrix *m)
{
    umbel_future *deaf[2];
    int slots = m->can & NEEDS_PARALLEL ? 2 : 1;
    for (int i = 0; i < slots; i++) {
        char name[8] = {(char)('a' + i)};
        deaf[i] = begun(m, "m.deaf", name);
    }
    for (int i = 0; i < slots; i++)
        CHECK_CODE(UMBEL_OK, umbel_cancel(deaf[i]));
    int64_t value; /* there is no other slot */
    CHECK_CODE(UMBEL_OK,
               umbel_apply(m->client, "m.add", UMBEL_ARGS(1, 2), PATIENCE, &value, .queue = m->queue));
    free_all(deaf, (size_t)slots);
}

static void what_runs_is_not_pending(struct matrix *m)
{
    umbel_future *future = begun(m, "m.gate", "a");
    for (int i = 0; i < 5000 && !umbel_running(future); i++)
        usleep(1000);
    CHECK_CODE(UMBEL_BUSY, umbel_cancel_pending(future));
    CHECK(!umbel_done(future));
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_exception(future, PATIENCE));
    umbel_future_free(future);
}

static void what_is_done_cannot_be_cancelled(struct matrix *m)
{
    umbel_future *good = SUBMIT(m, "m.add", 1, 1), *bad = SUBMIT(m, "m.fail", "KeyError", "x");
    CHECK_CODE(UMBEL_OK, umbel_exception(good, PATIENCE));
    CHECK_CODE(UMBEL_FAILED, umbel_exception(bad, PATIENCE));
    CHECK_CODE(UMBEL_ALREADY_DONE, umbel_cancel(good));
    CHECK_CODE(UMBEL_ALREADY_DONE, umbel_cancel_pending(bad));
    CHECK(!umbel_cancelled(good) && !umbel_cancelled(bad));
    CHECK_CODE(UMBEL_OK, umbel_exception(good, 0));
    umbel_future_free(good);
    umbel_future_free(bad);
}

static void cancelling_twice_is_once(struct matrix *m)
{
    umbel_future *blocker = begun(m, "m.gate", "a");
    umbel_future *future = SUBMIT(m, "m.nap", 30.0);
    CHECK_CODE(UMBEL_OK, umbel_cancel(future));
    CHECK_CODE(UMBEL_ALREADY_DONE, umbel_cancel(future));
    expect_cancelled(future);
    gate_open(m, "a");
    CHECK_CODE(UMBEL_OK, umbel_exception(blocker, PATIENCE));
    umbel_future_free(future);
    umbel_future_free(blocker);
}

static atomic_int called;

static void count_call(umbel_future *future, void *arg)
{
    (void)arg;
    CHECK(umbel_cancelled(future));
    atomic_fetch_add(&called, 1);
}

static void a_cancelled_future_calls_back(struct matrix *m)
{
    umbel_future *blocker = begun(m, "m.gate", "a");
    umbel_future *future = SUBMIT(m, "m.nap", 30.0);
    umbel_on_done(future, count_call, NULL);
    CHECK_CODE(UMBEL_OK, umbel_cancel(future));
    gate_open(m, "a"); /* solo: its thread is at the gate */
    for (int i = 0; i < PATIENCE * 1000 && !atomic_load(&called); i++)
        usleep(1000);
    CHECK(atomic_load(&called) == 1);
    umbel_on_done(future, count_call, NULL);
    CHECK(atomic_load(&called) == 2);
    CHECK_CODE(UMBEL_OK, umbel_exception(blocker, PATIENCE));
    umbel_future_free(future);
    umbel_future_free(blocker);
}

static void *wait_for_it(void *future)
{
    return (void *)(intptr_t)umbel_exception(future, PATIENCE);
}

static void who_waits_hears_of_it(struct matrix *m)
{
    umbel_future *future = begun(m, "m.gate", "a"), *out;
    umbel_completed *completed = umbel_as_completed(&future, 1, PATIENCE);
    pthread_t thread;
    void *code;
    pthread_create(&thread, NULL, wait_for_it, future);
    usleep(20000);
    CHECK_CODE(UMBEL_OK, umbel_cancel(future));
    if (!(m->can & NEEDS_INTERRUPT))
        gate_open(m, "a");
    pthread_join(thread, &code);
    CHECK_CODE(UMBEL_CANCELLED, (int)(intptr_t)code);
    CHECK_CODE(UMBEL_OK, umbel_completed_next(completed, &out));
    umbel_completed_free(completed);
    umbel_future_free(future);
}

/* Whatever the moment, each ends in exactly one of two ways, and nothing is stuck afterwards. */
static void cancelled_at_any_moment(struct matrix *m)
{
    enum { COUNT = 300 };
    umbel_future *f[COUNT];
    int cancelled = 0;
    unsigned seed = 7;
    for (int i = 0; i < COUNT; i++) {
        f[i] = SUBMIT(m, "m.nap", 0.0005);
        usleep((useconds_t)(rand_r(&seed) % 700));
        int victim = i - rand_r(&seed) % 6;
        if (victim >= 0)
            cancelled += umbel_cancel(f[victim]) == UMBEL_OK;
    }
    int ok = 0, gone = 0;
    for (int i = 0; i < COUNT; i++) {
        int code = umbel_exception(f[i], PATIENCE);
        ok += code == UMBEL_OK;
        gone += code == UMBEL_CANCELLED;
    }
    CHECK(ok + gone == COUNT && gone == cancelled, "%d done, %d cancelled of %d", ok, gone, cancelled);
    CHECK_CODE(UMBEL_OK, umbel_drain(m->client, PATIENCE));
    free_all(f, COUNT);
}

static void the_end_of_a_cancelled_task_is_stored(struct matrix *m)
{
    umbel_future *blockers[BLOCKERS];
    block_all(m, blockers);
    umbel_future *future = SUBMIT(m, "m.nap", 30.0);
    umbel_flush(m->client, PATIENCE);
    CHECK_CODE(UMBEL_OK, umbel_cancel(future));
    umbel_future *other = umbel_future_from_id(m->client, umbel_future_id(future));
    CHECK_CODE(UMBEL_REVOKED, umbel_exception(other, PATIENCE));
    unblock(m, blockers);
    umbel_future_free(other);
    umbel_future_free(future);
}

static void a_future_from_an_id_can_be_cancelled(struct matrix *m)
{
    umbel_future *future = begun(m, "m.gate", "a");
    umbel_future *other = umbel_future_from_id(m->client, umbel_future_id(future));
    CHECK_CODE(UMBEL_OK, umbel_cancel(other));
    int code = umbel_exception(future, PATIENCE);
    CHECK(code == UMBEL_REVOKED, "%s", umbel_error(future));
    umbel_future_free(other);
    umbel_future_free(future);
}

const struct matrix_case cancel_cases[] = {
    {"a_call_that_waits_is_not_run", a_call_that_waits_is_not_run, 0},
    {"a_call_that_was_just_submitted_is_taken_back", a_call_that_was_just_submitted_is_taken_back, 0},
    {"a_task_that_runs_is_told_to_stop", a_task_that_runs_is_told_to_stop, NEEDS_INTERRUPT},
    {"a_task_that_does_not_listen_is_killed", a_task_that_does_not_listen_is_killed, NEEDS_KILL},
    {"what_a_cancelled_task_called_runs_on_and_its_place_is_free",
     what_a_cancelled_task_called_runs_on_and_its_place_is_free, 0},
    {"a_caller_that_does_not_listen_is_killed_and_its_place_is_free",
     a_caller_that_does_not_listen_is_killed_and_its_place_is_free, NEEDS_KILL | NEEDS_PARALLEL},
    {"what_runs_is_not_pending", what_runs_is_not_pending, NEEDS_POOL | NEEDS_INTERRUPT},
    {"what_is_done_cannot_be_cancelled", what_is_done_cannot_be_cancelled, 0},
    {"cancelling_twice_is_once", cancelling_twice_is_once, 0},
    {"a_cancelled_future_calls_back", a_cancelled_future_calls_back, 0},
    {"who_waits_hears_of_it", who_waits_hears_of_it, 0},
    {"cancelled_at_any_moment", cancelled_at_any_moment, 0},
    {"the_end_of_a_cancelled_task_is_stored", the_end_of_a_cancelled_task_is_stored, NEEDS_INTERRUPT},
    {"a_future_from_an_id_can_be_cancelled", a_future_from_an_id_can_be_cancelled, NEEDS_INTERRUPT},
    {0},
};
