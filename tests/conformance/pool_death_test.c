/* pool_death_test.c: children that die, and copies of children: a death names its cause, ends the job that
 * ran and no other one, and leaves no process behind. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "pool_rig.h"

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
    rig_assert_next_runs(rig);
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
    cr_assert(rig_wait(rig, rig_has_line, 5));
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
    rig_assert_next_runs(rig);
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
    rig_assert_next_runs(rig);
    rig_close(rig);
}
