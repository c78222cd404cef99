#include <criterion/criterion.h>
#include "worker/credit.h"

static struct credit after(int count, double runtime, double now)
{
    struct credit credit = {0};
    for (int i = 0; i < count; i++)
        credit_finished(&credit, runtime, now);
    return credit;
}

Test(credit, a_base_consumer_has_its_slots_and_a_few)
{
    cr_assert_eq(credit_base(1, 0), 2);
    cr_assert_eq(credit_base(2, 0), 4);
    cr_assert_eq(credit_base(8, 0), 12);
    cr_assert_eq(credit_base(3000, 0), 3004, "coroutines: all places and a few");
    cr_assert_eq(credit_base(100000, 0), 65535, "the most that the wire can say");
    cr_assert_eq(credit_base(0, 0), 1, "a prefetch of 0 would mean no limit");
}

Test(credit, a_multiplier_is_taken_at_its_word_up_to_the_wires_16_bits)
{
    cr_assert_eq(credit_base(4, 1), 4);
    cr_assert_eq(credit_base(4, 4), 16);
    cr_assert_eq(credit_base(1024, 10000), 65535);
}

Test(credit, short_tasks_that_use_up_the_base_get_the_boost)
{
    struct credit credit = after(20, 0.0005, 10.0);
    struct credit_facts facts = {.now = 10.1, .slots = 2, .in_hand = 4, .base = 4};
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_GROW);
    facts.in_hand = 1;
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_KEEP, "the broker has no more anyway");
    facts.in_hand = 4;
    facts.fixed = true;
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_KEEP, "a setting forbids it");
}

Test(credit, a_few_samples_are_no_judgement)
{
    struct credit credit = after(15, 0.0005, 10.0);
    struct credit_facts facts = {.now = 10.1, .slots = 2, .in_hand = 4, .base = 4};
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_KEEP);
}

Test(credit, long_tasks_never_get_it)
{
    struct credit credit = after(20, 0.05, 10.0);
    struct credit_facts facts = {.now = 10.1, .slots = 2, .in_hand = 4, .base = 4};
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_KEEP);
}

Test(credit, tasks_that_turn_long_lose_it)
{
    struct credit credit = after(20, 0.0005, 10.0);
    credit_changed(&credit, true, 10.0);
    struct credit_facts facts = {.now = 10.1, .slots = 2, .in_hand = 200, .base = 4};
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_KEEP);
    for (int i = 0; i < 10; i++)
        credit_finished(&credit, 0.1, 10.2);
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_SHRINK);
}

Test(credit, a_stall_of_half_a_second_is_long_enough)
{
    struct credit credit = after(20, 0.0005, 10.0);
    credit_changed(&credit, true, 10.0);
    struct credit_facts facts = {.now = 10.4, .slots = 2, .in_hand = 200, .base = 4};
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_KEEP);
    facts.now = 10.6;
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_SHRINK);
    facts.in_hand = 2;
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_KEEP, "nobody waits behind what runs");
}

Test(credit, growing_again_takes_a_second)
{
    struct credit credit = after(20, 0.0005, 10.0);
    credit_changed(&credit, false, 9.5);
    struct credit_facts facts = {.now = 10.1, .slots = 2, .in_hand = 4, .base = 4};
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_KEEP);
    credit_finished(&credit, 0.0005, 10.5);
    facts.now = 10.6;
    cr_assert_eq(credit_decide(&credit, &facts), CREDIT_GROW);
}
