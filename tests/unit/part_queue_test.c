#include <criterion/criterion.h>
#include <stdlib.h>
#include "client/parts.h"

static void take(struct part_queue *queue, const char *run, uint32_t number)
{
    cr_assert_eq(part_queue_take(queue, str_of(run), number, STR("{}")), UMBEL_OK);
}

static void gives(struct part_queue *queue, size_t count)
{
    for (; count; count--) {
        cr_assert_eq(part_queue_step(queue), PART_STEP_GIVE);
        free(part_queue_pop(queue));
    }
}

/* The first thing is to read what is there; `count` parts of a run are. */
static struct part_queue *after_reading(const char *run, uint32_t count)
{
    struct part_queue *queue = part_queue_new(NULL);
    cr_assert_eq(part_queue_step(queue), PART_STEP_ASK);
    part_queue_asking(queue);
    cr_assert_eq(part_queue_step(queue), PART_STEP_WAIT);
    for (uint32_t i = 0; i < count; i++)
        take(queue, run, i);
    part_queue_answered(queue, UMBEL_OK, count);
    gives(queue, count);
    if (count) { /* until there are no more */
        cr_assert_eq(part_queue_step(queue), PART_STEP_ASK);
        part_queue_asking(queue);
        part_queue_answered(queue, UMBEL_OK, 0);
    }
    cr_assert_eq(part_queue_step(queue), PART_STEP_WAIT);
    return queue;
}

Test(part_queue, notices_that_follow_are_given_and_seen_twice_they_count_once)
{
    struct part_queue *queue = after_reading("a", 2);
    take(queue, "a", 2);
    take(queue, "a", 2);
    take(queue, "a", 0);
    gives(queue, 1);
    cr_assert_eq(part_queue_step(queue), PART_STEP_WAIT);
    part_queue_end(queue, STR("a"), 3);
    cr_assert_eq(part_queue_step(queue), PART_STEP_END);
    part_queue_free(queue);
}

Test(part_queue, a_gap_is_filled_by_reading)
{
    struct part_queue *queue = after_reading("a", 1);
    take(queue, "a", 3);
    cr_assert_eq(part_queue_step(queue), PART_STEP_ASK);
    part_queue_asking(queue);
    cr_assert_eq(queue->asked_next, 1);
    part_queue_free(queue);
}

Test(part_queue, a_new_run_is_told_once_to_who_has_read_of_the_old_one)
{
    struct part_queue *queue = after_reading("a", 2);
    take(queue, "b", 0);
    cr_assert_eq(part_queue_step(queue), PART_STEP_RESTARTED);
    queue->restarted = false;
    gives(queue, 1);
    part_queue_free(queue);
    queue = after_reading("a", 0);
    take(queue, "a", 0);
    take(queue, "b", 0);
    gives(queue, 1);
    cr_assert_eq(part_queue_step(queue), PART_STEP_WAIT, "nothing of the old run was given");
    part_queue_free(queue);
}

Test(part_queue, a_run_joined_in_its_middle_is_read_from_its_first_part)
{
    struct part_queue *queue = after_reading("a", 2);
    take(queue, "b", 5);
    cr_assert_eq(part_queue_step(queue), PART_STEP_RESTARTED);
    queue->restarted = false;
    cr_assert_eq(part_queue_step(queue), PART_STEP_ASK);
    part_queue_asking(queue);
    cr_assert_eq(queue->asked_next, 0);
    part_queue_free(queue);
}

Test(part_queue, an_end_without_parts_supersedes_those_before)
{
    struct part_queue *queue = after_reading("a", 2);
    part_queue_end(queue, STR_NONE, 0);
    cr_assert_eq(part_queue_step(queue), PART_STEP_RESTARTED);
    queue->restarted = false;
    cr_assert_eq(part_queue_step(queue), PART_STEP_END);
    part_queue_free(queue);
}

Test(part_queue, what_the_result_counts_and_nobody_has_is_lost)
{
    struct part_queue *queue = after_reading("a", 2);
    part_queue_end(queue, STR("a"), 4);
    cr_assert_eq(part_queue_step(queue), PART_STEP_ASK);
    part_queue_asking(queue);
    part_queue_answered(queue, UMBEL_BACKEND_AWAY, 0);
    cr_assert_eq(part_queue_step(queue), PART_STEP_ASK, "no answer is no loss");
    part_queue_asking(queue);
    part_queue_answered(queue, UMBEL_OK, 0);
    cr_assert_eq(part_queue_step(queue), PART_STEP_LOST);
    part_queue_free(queue);
}

Test(part_queue, behind_the_end_other_runs_do_not_count)
{
    struct part_queue *queue = after_reading("a", 1);
    part_queue_end(queue, STR("b"), 1);
    cr_assert_eq(part_queue_step(queue), PART_STEP_RESTARTED);
    queue->restarted = false;
    part_queue_asking(queue);
    take(queue, "a", 0);
    part_queue_answered(queue, UMBEL_OK, 1);
    cr_assert_eq(part_queue_step(queue), PART_STEP_LOST);
    part_queue_free(queue);
}
