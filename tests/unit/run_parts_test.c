#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <umbel/error.h>
#include "common/str.h"
#include "worker/part_window.h"
#include "worker/run_parts.h"

static struct run_parts with(uint32_t count)
{
    static struct run_parts parts;
    run_parts_init(&parts);
    for (uint32_t i = 0; i < count; i++)
        cr_assert(run_parts_add(&parts, STR("part"), i, 4));
    return parts;
}

/* A copy of an empty list would point into the old one, so tests work on this. */
#define PARTS(name, count)                                                                                   \
    struct run_parts name = with(count);                                                                     \
    if (!name.oldest)                                                                                        \
    name.last = &name.oldest

static uint32_t next(struct run_parts *parts)
{
    uint32_t number = UINT32_MAX;
    run_parts_next(parts, &number);
    return number;
}

static void drop(struct run_parts *parts)
{
    for (struct run_part *part; (part = run_parts_take(parts));)
        free(part);
}

Test(run_parts, parts_are_sent_once_each_in_order)
{
    PARTS(parts, 3);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(next(&parts), i);
    cr_assert_eq(next(&parts), UINT32_MAX);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert(run_parts_answered(&parts, UMBEL_OK));
        struct run_part *part = run_parts_take(&parts);
        cr_assert_eq(part->source, i);
        free(part);
    }
    cr_assert_null(parts.oldest);
    cr_assert(run_parts_add(&parts, STR("more"), 3, 4));
    cr_assert_eq(next(&parts), 3);
    drop(&parts);
}

Test(run_parts, after_a_refusal_all_answers_are_awaited_and_then_the_rest_is_sent_again)
{
    PARTS(parts, 4);
    for (int i = 0; i < 3; i++)
        next(&parts);
    cr_assert(run_parts_answered(&parts, UMBEL_OK));
    free(run_parts_take(&parts));
    cr_assert(!run_parts_answered(&parts, UMBEL_BACKEND_REFUSED));
    cr_assert_eq(next(&parts), UINT32_MAX, "nothing is sent meanwhile");
    cr_assert(!run_parts_again(&parts), "one is still under way");
    cr_assert(!run_parts_answered(&parts, UMBEL_OK), "it is sent again all the same");
    cr_assert(run_parts_again(&parts));
    cr_assert(!run_parts_again(&parts), "once");
    for (uint32_t i = 1; i < 4; i++)
        cr_assert_eq(next(&parts), i);
    drop(&parts);
}

Test(run_parts, a_superseded_run_sends_nothing_more)
{
    PARTS(parts, 3);
    next(&parts);
    cr_assert(!run_parts_answered(&parts, UMBEL_ALREADY_DONE));
    cr_assert(parts.superseded);
    cr_assert_eq(next(&parts), UINT32_MAX);
    drop(&parts);
}

Test(run_parts, runs_have_names_of_their_own)
{
    struct run_parts one, other;
    run_parts_init(&one);
    run_parts_init(&other);
    cr_assert_eq(strlen(one.name), RUN_NAME_SIZE - 1);
    cr_assert_str_neq(one.name, other.name);
}

Test(run_parts, a_window_lets_in_one_of_any_size_and_then_as_much_as_fits)
{
    _Atomic uint64_t given = 0, taken = 0;
    cr_assert(part_window_enter(&given, &taken, 500, 100));
    cr_assert(!part_window_enter(&given, &taken, 1, 100));
    atomic_fetch_add(&taken, 500);
    cr_assert(part_window_enter(&given, &taken, 60, 100));
    cr_assert(part_window_enter(&given, &taken, 40, 100));
    cr_assert(!part_window_enter(&given, &taken, 1, 100));
}
