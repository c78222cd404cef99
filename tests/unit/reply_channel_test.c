/* reply_channel_test.c: names of reply channels. */
#include <criterion/criterion.h>
#include "common/reply_channel.h"
#include "common/str.h"

Test(reply_channel, is_one_of_ours_and_no_other)
{
    char one[REPLY_CHANNEL_SIZE], other[REPLY_CHANNEL_SIZE];
    reply_channel_make(one);
    reply_channel_make(other);
    cr_assert_eq(strlen(one), REPLY_CHANNEL_SIZE - 1);
    cr_assert(reply_channel_is(str_of(one)));
    cr_assert_str_neq(one, other);
}

Test(reply_channel, a_name_of_Pythons_is_none_of_ours)
{
    cr_assert(!reply_channel_is(STR("7c1f6e0a-58f2-4a57-9c53-0a4c4ddc1f3d")));
    cr_assert(!reply_channel_is(STR("umbel")));
    cr_assert(!reply_channel_is(STR_NONE));
}
