/* pool_load_test.c: what only shows over thousands of jobs: that none of them is lost or run twice, and what
 * each costs. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include "common/clock.h"
#include "pool_rig.h"

/* ---- exactness ---- */

/* Children are killed and jobs taken back at random moments: each job still ends once, or is taken back,
 * having run as often as that says, and a death costs at most one job. */
OVER_CHILDREN(whatever_dies_no_job_is_lost_or_run_twice)
{
    enum { COUNT = 6000 };
    pool_marks =
        mmap(NULL, COUNT * sizeof *pool_marks, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 3});
    struct rig_job *jobs = calloc(COUNT, sizeof *jobs);
    bool *taken = calloc(COUNT, sizeof *taken);
    char(*bodies)[40] = calloc(COUNT, sizeof *bodies);
    int back = 0, kills = 0, died = 0;
    srand(11);
    for (int i = 0; i < COUNT; i++) {
        snprintf(bodies[i], sizeof bodies[i], "[[%d], {}, {}]", i);
        rig_make(rig, &jobs[i], "mark", bodies[i]);
        while (!rig->pool->ops->room(rig->pool))
            cr_assert(rig_wait_finished(rig, rig->finished + 1, 5));
        cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &jobs[i].job), UMBEL_OK);
        int other = i - rand() % 40;
        if (rand() % 10 == 0 && other >= 0 && !taken[other] && !jobs[other].finished)
            back += taken[other] = rig->pool->ops->take_back(rig->pool, &jobs[other].job);
        struct pool_stats stats;
        rig->pool->ops->stats(rig->pool, &stats);
        if (rand() % 100 == 0 && stats.pid_count)
            kills += kill(stats.pids[rand() % stats.pid_count], SIGKILL) == 0;
    }
    cr_assert(rig_wait_finished(rig, COUNT - back, 20), "%d of %d", rig->finished, COUNT - back);
    for (int i = 0; i < COUNT; i++) {
        cr_assert(jobs[i].finished != taken[i]);
        died += jobs[i].finished && jobs[i].kind == OUTCOME_DIED;
        if (taken[i])
            cr_assert_eq(pool_marks[i], 0, "job %d ran though it was taken back", i);
        else if (jobs[i].kind == OUTCOME_SUCCESS)
            cr_assert_eq(pool_marks[i], 1, "job %d ran %d times", i, pool_marks[i]);
        else
            cr_assert(jobs[i].kind == OUTCOME_DIED && pool_marks[i] <= 1, "job %d ran %d times", i,
                      pool_marks[i]);
    }
    cr_log_info("%d kills, %d died, %d taken back", kills, died, back);
    cr_assert(kills > 10 && back > 100 && died > 0 && died <= kills * (rig->can->kill_one ? 1 : 3),
              "%d kills, %d died, %d back", kills, died, back);
    free(jobs);
    free(taken);
    free(bodies);
    rig_close(rig);
}

/* ---- rate ---- */

static double cpu_of(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static double cpu_of_children(struct rig *rig)
{
    struct pool_stats stats;
    double all = 0;
    rig->pool->ops->stats(rig->pool, &stats);
    for (int i = 0; i < stats.pid_count; i++) {
        clockid_t clock;
        struct timespec time;
        if (clock_getcpuclockid(stats.pids[i], &clock) == 0 && clock_gettime(clock, &time) == 0)
            all += (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
    }
    return all;
}

OVER_MANY(one_task_alone_pays_no_delay)
{
    enum { COUNT = 300 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 1});
    struct rig_job job;
    rig_run(rig, &job, "noop", "[[], {}, {}]");
    double begin = clock_mono();
    for (int i = 0; i < COUNT; i++)
        rig_run(rig, &job, "noop", "[[], {}, {}]");
    double each = (clock_mono() - begin) / COUNT;
    cr_log_info("%.0f us there and back", each * 1e6);
    cr_assert(each < 1e-3, "%.0f us", each * 1e6);
    rig_close(rig);
}

OVER_MANY(twenty_thousand_small_jobs)
{
    enum { COUNT = 20000 };
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job *jobs = calloc(COUNT, sizeof *jobs), first;
    rig_run(rig, &first, "math.add", "[[2, 3], {}, {}]");
    for (int i = 0; i < COUNT; i++)
        rig_make(rig, &jobs[i], "math.add",
                 "[[2, 3], {}, {\"callbacks\": null, \"errbacks\": null, \"chain\": null, \"chord\": null}]");
    double begin = clock_mono(), own = cpu_of(RUSAGE_SELF), theirs = cpu_of_children(rig);
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_finished(rig, COUNT + 1, 20));
    double took = clock_mono() - begin;
    own = cpu_of(RUSAGE_SELF) - own;
    theirs = cpu_of_children(rig) - theirs;
    for (int i = 0; i < COUNT; i++)
        cr_assert(jobs[i].kind == OUTCOME_SUCCESS && strcmp(jobs[i].value, "5") == 0);
    cr_log_info("%.0f jobs/s; CPU per job: parent %.2f us, children %.2f us", COUNT / took, own / COUNT * 1e6,
                theirs / COUNT * 1e6);
    free(jobs);
    rig_close(rig);
}
