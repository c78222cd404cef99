/* redis_channels_test.c: a set of names against a plain array of flags. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/redis_channels.h"
#include "common/str.h"

TestSuite(redis_channels, .timeout = 30);

static size_t walk(const struct redis_channels *set)
{
    size_t at = 0, count = 0;
    while (redis_channels_next(set, &at).data)
        count++;
    return count;
}

Test(redis_channels, a_name_is_there_once)
{
    struct redis_channels set = {0};
    cr_assert_eq(redis_channels_add(&set, STR("meta-"), STR("1")), UMBEL_OK);
    cr_assert_eq(redis_channels_add(&set, STR("meta-"), STR("1")), UMBEL_ALREADY_DONE);
    cr_assert_eq(redis_channels_add(&set, STR("meta"), STR("-1")), UMBEL_ALREADY_DONE);
    cr_assert_eq(redis_channels_add(&set, STR("meta-"), STR("11")), UMBEL_OK);
    cr_assert_eq(walk(&set), 2);
    redis_channels_fini(&set);
}

Test(redis_channels, removing_what_is_not_there_is_harmless)
{
    struct redis_channels set = {0};
    cr_assert_not(redis_channels_remove(&set, STR("a"), STR("b")));
    cr_assert_eq(redis_channels_add(&set, STR_NONE, STR("x")), UMBEL_OK);
    cr_assert_not(redis_channels_remove(&set, STR("a"), STR("b")));
    cr_assert(redis_channels_remove(&set, STR("x"), STR_NONE));
    cr_assert_eq(walk(&set), 0);
    redis_channels_fini(&set);
}

Test(redis_channels, it_holds_a_hundred_thousand)
{
    struct redis_channels set = {0};
    char name[32];
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "%d", i);
        cr_assert_eq(redis_channels_add(&set, STR("celery-task-meta-"), str_of(name)), UMBEL_OK);
    }
    cr_assert_eq(walk(&set), 100000);
    for (int i = 0; i < 100000; i++) {
        snprintf(name, sizeof name, "%d", i);
        cr_assert(redis_channels_remove(&set, STR("celery-task-meta-"), str_of(name)));
    }
    cr_assert_eq(set.count, 0);
    redis_channels_fini(&set);
}

Test(redis_channels, it_agrees_with_an_array_of_flags_whatever_is_done)
{
    struct redis_channels set = {0};
    bool there[300] = {false};
    char name[32];
    size_t count = 0;
    srand(7);
    for (int step = 0; step < 200000; step++) {
        int n = rand() % 300;
        snprintf(name, sizeof name, "%d", n);
        if (rand() % 2) {
            int wanted = there[n] ? UMBEL_ALREADY_DONE : UMBEL_OK;
            cr_assert_eq(redis_channels_add(&set, STR("c"), str_of(name)), wanted);
            count += !there[n];
            there[n] = true;
        } else {
            cr_assert_eq(redis_channels_remove(&set, STR("c"), str_of(name)), there[n]);
            count -= there[n];
            there[n] = false;
        }
        cr_assert_eq(set.count, count);
    }
    cr_assert_eq(walk(&set), count);
    redis_channels_fini(&set);
}
