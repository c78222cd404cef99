/* pool_output_test.c: what comes of a job while it runs: its lines, its progress, its parts. All of it is in
 * order, is known to be its own where the pool can tell, and never more than the worker can hold. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "pool_rig.h"

/* ---- lines, progress, results ---- */

Test(pool, every_line_of_a_batch_goes_to_its_job)
{
    enum { COUNT = 200 };
    struct rig *rig = rig_open("prefork", &(struct pool_options){.concurrency = 1});
    static struct rig_job jobs[COUNT + 1];
    static char bodies[COUNT][32];
    rig_run(rig, &jobs[COUNT], "chatty", "[[1000], {}, {}]"); /* now it is known to be short */
    for (int i = 0; i < COUNT; i++) {
        snprintf(bodies[i], sizeof bodies[i], "[[%d], {}, {}]", i);
        rig_make(rig, &jobs[i], "chatty", bodies[i]);
    }
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_finished(rig, COUNT + 1, 10));
    int lines = 0;
    for (int i = 0; i < rig->line_count; i++) {
        const struct rig_line *line = &rig->lines[i];
        int number;
        if (strncmp(line->text, "raw", 3) == 0) {
            cr_assert_str_eq(line->text, "raw without end");
            continue;
        }
        cr_assert_eq(sscanf(line->text + 4, "%d", &number), 1, "%s", line->text);
        const struct rig_job *job = number == 1000 ? &jobs[COUNT] : &jobs[number];
        cr_assert(line->job == job, "%s went to another job", line->text);
        cr_assert_eq(line->level, line->text[0] == 'e' ? UMBEL_WARNING : UMBEL_INFO);
        lines++;
    }
    cr_assert_eq(lines, 3 * (COUNT + 1), "%d", lines);
    rig_close(rig);
}

OVER_CHILDREN(lines_come_while_the_task_runs)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "speak", "[[], {}, {}]");
    cr_assert(rig_wait(rig, rig_has_line, 5));
    cr_assert_str_eq(rig->lines[0].text, "while it runs");
    cr_assert(rig->lines[0].job == (rig->can->lines_of_jobs ? &job : NULL) && !job.finished);
    rig_close(rig);
}

static bool has_progress(struct rig *rig)
{
    return rig->progress > 0;
}

OVER_MANY(progress_comes_while_the_task_runs)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "progress", "[[], {}, {}]");
    cr_assert(rig_wait(rig, has_progress, 5));
    cr_assert_str_eq(rig->progress_value, "50");
    rig_close(rig);
}

static bool has_told_dropped(struct rig *rig)
{
    return strstr(rig->lines[rig->line_count - 1].text, "lines dropped") != NULL;
}

OVER_CHILDREN(a_flood_of_output_is_bounded_and_counted)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_run(rig, &job, "flood", "[[], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_SUCCESS);
    cr_assert(rig->line_count < RIG_LINES, "%d lines", rig->line_count);
    cr_assert(rig_wait(rig, has_told_dropped, 5));
    rig_close(rig);
}

OVER_MANY(large_results_keep_their_place_among_small_ones)
{
    enum { COUNT = 60 };
    struct rig *rig = rig_open(pool, &(struct pool_options){.concurrency = 1});
    static struct rig_job jobs[COUNT];
    static const char *const sizes[] = {"[[10], {}, {}]", "[[15000], {}, {}]", "[[1000000], {}, {}]"};
    static const size_t expected[] = {12, 15002, 1000002};
    for (int i = 0; i < COUNT; i++)
        rig_make(rig, &jobs[i], "large", sizes[i % 3]);
    rig_feed(rig, jobs, COUNT);
    cr_assert(rig_wait_finished(rig, COUNT, 20));
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(jobs[i].kind, OUTCOME_SUCCESS);
        cr_assert_eq(jobs[i].value_size, expected[i % 3]);
        cr_assert_eq(jobs[i].order, i);
    }
    rig_close(rig);
}

/* ---- parts ---- */

OVER_ALL(parts_come_in_order_before_the_end)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig->takes_parts = true;
    rig_run(rig, &job, "parts", "[[100, 10], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_SUCCESS, "%s", job.message);
    cr_assert_eq(job.parts, 100);
    cr_assert_str_eq(job.part, "\"xxxxxxxxxx\"");
    cr_assert_str_eq(job.value, "100");
    rig_close(rig);
}

static bool has_a_window(struct rig *rig)
{
    return rig->part_bytes > 900000;
}

static void waits_while_nothing_is_taken(const char *pool)
{
    struct rig *rig = rig_open(pool, NULL);
    struct rig_job job;
    rig_give(rig, &job, "parts", "[[50, 100000], {}, {}]");
    cr_assert(rig_wait(rig, has_a_window, 10));
    cr_assert(!rig_wait_finished(rig, 1, 0.3));
    cr_assert_leq(rig->part_bytes, 1100000);
    rig->takes_parts = true;
    rig->pool->ops->part_taken(rig->pool, rig->last_source, rig->part_bytes);
    cr_assert(rig_wait_finished(rig, 1, 10));
    cr_assert_eq(job.parts, 50);
    rig_close(rig);
}

OVER_CHILDREN(a_task_waits_while_its_parts_are_not_taken)
{
    waits_while_nothing_is_taken(pool);
}

OVER_CREWS(a_task_of_a_crew_waits_while_its_parts_are_not_taken)
{
    waits_while_nothing_is_taken(pool);
}
