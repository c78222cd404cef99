/* pool_crew_test.c: several jobs at once in one process, and what one of them can do to the others. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include "common/clock.h"
#include "pool_rig.h"

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
    cr_assert(rig_wait(rig, rig_is_stopped, 1));
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
