/* pool_children_test.c: the life of the children: they are born, retire, follow the number asked for, and all
 * end when the pool stops or its fork server is lost. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/clock.h"
#include "pool_rig.h"

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

OVER_ALL(a_warm_stop_lets_jobs_end)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "nap", "[[0.2], {}, {}]");
    rig->pool->ops->stop(rig->pool, 10);
    cr_assert(rig_wait(rig, rig_is_stopped, 5));
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
    cr_assert(rig_wait(rig, rig_is_stopped, 2));
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
