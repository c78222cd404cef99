/* What is remembered of messages that were sent again. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "common/str.h"
#include "worker/copies.h"

static struct copies copies;

static void setup(void)
{
    copies_init(&copies);
}

static void teardown(void)
{
    copies_fini(&copies);
}

TestSuite(copies, .init = setup, .fini = teardown);

static umbel_str name(char text[24], unsigned number)
{
    snprintf(text, 24, "id-%u", number);
    return str_of(text);
}

Test(copies, nothing_is_held_and_no_memory_is_taken_before_the_first)
{
    cr_assert_not(copies_any(&copies));
    cr_assert_not(copies_holds(&copies, STR("id-1")));
}

Test(copies, each_is_known_until_as_many_others_came_as_are_kept)
{
    char text[24];
    for (unsigned i = 0; i < 3 * COPIES_MAX; i++) {
        copies_add(&copies, name(text, i));
        if (i % 1000 == 0 && i > COPIES_MAX)
            cr_assert(copies_holds(&copies, name(text, i - COPIES_MAX)), "%u of %u", i - COPIES_MAX, i);
    }
}

Test(copies, an_unknown_one_is_rarely_taken_for_known)
{
    char text[24];
    unsigned wrong = 0;
    for (unsigned i = 0; i < 2 * COPIES_MAX; i++)
        copies_add(&copies, name(text, i));
    for (unsigned i = 0; i < 10000; i++)
        wrong += copies_holds(&copies, name(text, 10000000 + i));
    cr_assert_lt(wrong, 500);
}
