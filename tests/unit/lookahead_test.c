/* lookahead_test.c: the rule of what may wait behind a running job. */
#include <criterion/criterion.h>
#include "worker/lookahead.h"

Test(lookahead, nothing_waits_behind_a_job_of_unknown_length)
{
    uint64_t cost = lookahead_cost(LOOKAHEAD_UNKNOWN);
    cr_assert(lookahead_allows(64, 0, 0));
    cr_assert(!lookahead_allows(64, 1, cost));
    cr_assert_eq(lookahead_depth(64, LOOKAHEAD_UNKNOWN), 0);
}

Test(lookahead, queued_work_is_bounded_by_time_and_by_number)
{
    static const struct {
        uint32_t max, count;
        uint64_t queued_ns;
        bool allowed;
    } rows[] = {
        {64, 0, 0, true},        {64, 1, 5000, true},   {64, 64, 320000, true},
        {64, 65, 325000, false}, {64, 2, 999999, true}, {64, 2, 1000000, false},
        {1, 1, 5000, true},      {1, 2, 10000, false},  {64, 1, 2000000, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(lookahead_allows(rows[i].max, rows[i].count, rows[i].queued_ns), rows[i].allowed,
                     "row %zu", i);
}

Test(lookahead, depth_follows_the_mean)
{
    cr_assert_eq(lookahead_depth(64, 0), 64);
    cr_assert_eq(lookahead_depth(64, 5000), 64);
    cr_assert_eq(lookahead_depth(64, 100000), 10);
    cr_assert_eq(lookahead_depth(64, 600000), 1);
    cr_assert_eq(lookahead_depth(64, 1000000), 0);
}

Test(lookahead, the_first_sample_counts_whole_and_later_ones_an_eighth)
{
    uint64_t mean = lookahead_learn(LOOKAHEAD_UNKNOWN, 8000);
    cr_assert_eq(mean, 8000);
    mean = lookahead_learn(mean, 16000);
    cr_assert_eq(mean, 9000);
    for (int i = 0; i < 100; i++)
        mean = lookahead_learn(mean, 2000000);
    cr_assert(lookahead_cost(mean) == LOOKAHEAD_NS);
}

Test(lookahead, a_very_short_job_goes_behind_others_until_they_are_worth_a_wake_up)
{
    cr_assert_not(lookahead_packs(64, 0, 0, 1000), "an idle child is no company");
    cr_assert(lookahead_packs(64, 1, 1000, 1000));
    cr_assert(lookahead_packs(64, 20, 20000, 1000));
    cr_assert_not(lookahead_packs(64, 30, 30000, 1000), "the work adds up");
    cr_assert_not(lookahead_packs(64, 1, 1000, 60000), "not short");
    cr_assert_not(lookahead_packs(4, 5, 100, 100), "as many as may wait");
}
