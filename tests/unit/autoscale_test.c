#include <criterion/criterion.h>
#include "worker/autoscale.h"

static struct autoscale from_one_to_eight(void)
{
    return (struct autoscale){.most = 8, .least = 1, .idle = 10, .since = 100};
}

Test(autoscale, it_grows_at_once_to_what_is_in_hand_and_no_further_than_the_most)
{
    struct autoscale scale = from_one_to_eight();
    cr_assert_eq(autoscale_decide(&scale, 1, 0, 100), 1);
    cr_assert_eq(autoscale_decide(&scale, 1, 1, 101), 1, "one task for one slot is no pressure");
    cr_assert_eq(autoscale_decide(&scale, 1, 5, 102), 5);
    cr_assert_eq(autoscale_decide(&scale, 5, 300, 103), 8);
    cr_assert_eq(autoscale_decide(&scale, 8, UINT32_MAX, 104), 8);
}

Test(autoscale, it_shrinks_only_after_a_while_and_to_the_most_that_was_needed_meanwhile)
{
    struct autoscale scale = from_one_to_eight();
    cr_assert_eq(autoscale_decide(&scale, 8, 9, 100), 8);
    cr_assert_eq(autoscale_decide(&scale, 8, 2, 101), 8);
    cr_assert_eq(autoscale_decide(&scale, 8, 4, 105), 8);
    cr_assert_eq(autoscale_decide(&scale, 8, 1, 109.9), 8);
    cr_assert_eq(autoscale_decide(&scale, 8, 1, 110), 8, "9 were needed when it began");
    cr_assert_eq(autoscale_decide(&scale, 8, 4, 115), 8);
    cr_assert_eq(autoscale_decide(&scale, 8, 0, 120), 4, "the most of the last ten seconds");
    cr_assert_eq(autoscale_decide(&scale, 4, 0, 129), 4);
    cr_assert_eq(autoscale_decide(&scale, 4, 0, 130), 1, "never below the least");
}

Test(autoscale, pressure_starts_the_wait_anew)
{
    struct autoscale scale = from_one_to_eight();
    cr_assert_eq(autoscale_decide(&scale, 4, 0, 109), 4);
    cr_assert_eq(autoscale_decide(&scale, 4, 4, 109.5), 4, "all in use");
    cr_assert_eq(autoscale_decide(&scale, 4, 0, 111), 4);
    cr_assert_eq(autoscale_decide(&scale, 4, 0, 119.5), 4, "four were needed since");
    cr_assert_eq(autoscale_decide(&scale, 4, 0, 129.5), 1);
}

Test(autoscale, slots_outside_of_the_bounds_are_brought_in)
{
    struct autoscale scale = from_one_to_eight();
    cr_assert_eq(autoscale_decide(&scale, 12, 0, 101), 1, "more than the most are given up at once");
    scale = from_one_to_eight();
    scale.least = 3;
    cr_assert_eq(autoscale_decide(&scale, 2, 0, 101), 3);
    cr_assert_eq(autoscale_decide(&scale, 2, 2, 102), 3);
}

Test(autoscale, the_bounds_are_read_as_celery_writes_them)
{
    int most, least;
    cr_assert(autoscale_read("10,3", 1024, &most, &least));
    cr_assert(most == 10 && least == 3);
    cr_assert(autoscale_read("10", 1024, &most, &least));
    cr_assert(most == 10 && least == 1);
    const char *wrong[] = {"",  ",",    "3,10",  "10,0",   "10,", "10,3,1",
                           "x", "10;3", "-1,-2", "2000,1", "1e3", "99999999999999999999,1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert(!autoscale_read(wrong[i], 1024, &most, &least), "'%s'", wrong[i]);
}
