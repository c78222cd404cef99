/* audience_test.c: which notices a backend of one process waits for. */
#include <criterion/criterion.h>

#include "broker/audience.h"

TestSuite(audience, .timeout = 20);

Test(audience, a_task_and_a_channel_of_one_name_are_two_things)
{
    struct audience audience;
    audience_init(&audience);
    cr_assert(audience_add(&audience, AUDIENCE_TASK, STR("x")));
    cr_assert(audience_wants(&audience, STR("x"), STR_NONE));
    cr_assert_not(audience_wants(&audience, STR("y"), STR("x")));
    cr_assert(audience_add(&audience, AUDIENCE_CHANNEL, STR("x")));
    cr_assert(audience_wants(&audience, STR("y"), STR("x")));
    audience_drop(&audience, AUDIENCE_TASK, STR("x"));
    cr_assert_not(audience_wants(&audience, STR("x"), STR_NONE));
    cr_assert(audience_wants(&audience, STR("y"), STR("x")));
    audience_fini(&audience);
}

Test(audience, a_name_is_in_once_however_often_it_is_added)
{
    struct audience audience;
    audience_init(&audience);
    cr_assert(audience_add(&audience, AUDIENCE_TASK, STR("x")));
    cr_assert(audience_add(&audience, AUDIENCE_TASK, STR("x")));
    cr_assert_eq(audience.tasks, 1u);
    audience_drop(&audience, AUDIENCE_TASK, STR("x"));
    audience_drop(&audience, AUDIENCE_TASK, STR("x"));
    cr_assert_eq(audience.tasks, 0u);
    cr_assert_not(audience_wants(&audience, STR("x"), STR_NONE));
    audience_fini(&audience);
}

Test(audience, names_of_every_length_are_found)
{
    static char text[70000];
    struct audience audience;
    memset(text, 'n', sizeof text);
    audience_init(&audience);
    for (size_t size = 3; size < sizeof text; size *= 2)
        cr_assert(audience_add(&audience, AUDIENCE_TASK, (umbel_str){text, size}));
    for (size_t size = 3; size < sizeof text; size *= 2) {
        cr_assert(audience_wants(&audience, (umbel_str){text, size}, STR_NONE), "%zu", size);
        cr_assert_not(audience_wants(&audience, (umbel_str){text, size + 1}, STR_NONE), "%zu", size);
        audience_drop(&audience, AUDIENCE_TASK, (umbel_str){text, size});
        cr_assert_not(audience_wants(&audience, (umbel_str){text, size}, STR_NONE), "%zu", size);
    }
    audience_fini(&audience);
}
