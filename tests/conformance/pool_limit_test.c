/* pool_limit_test.c: jobs that are ended from outside: by a limit of time or memory, by being taken back
 * before they start, by being cancelled. */
#include <criterion/criterion.h>
#include <signal.h>
#include "common/clock.h"
#include "pool_rig.h"

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
    rig_assert_next_runs(rig);
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
    rig_assert_next_runs(rig);
    rig_close(rig);
}

OVER_CHILDREN(a_child_that_is_stopped_while_it_is_idle_keeps_nothing)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    struct pool_stats stats;
    rig_assert_next_runs(rig);
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
    rig_assert_next_runs(rig);
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
    rig_assert_next_runs(rig);
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
