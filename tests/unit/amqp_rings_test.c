#include <criterion/criterion.h>
#include <stdio.h>
#include "broker/amqp_confirms.h"
#include "broker/amqp_tags.h"
#include "common/str.h"

/* ---- confirms ---- */

static struct amqp_confirms confirms_of(uint64_t count)
{
    struct amqp_confirms confirms;
    amqp_confirms_init(&confirms);
    for (uint64_t i = 1; i <= count; i++) {
        cr_assert(amqp_confirms_reserve(&confirms));
        amqp_confirms_add(&confirms, 1000 + i, i % 3);
    }
    return confirms;
}

/* The tokens that one confirmation ends, as text. */
static const char *taken(struct amqp_confirms *confirms, uint64_t number, bool multiple, char out[256])
{
    uint64_t token;
    size_t size = 0;
    out[0] = '\0';
    while (amqp_confirms_take(confirms, number, multiple, &token))
        size += (size_t)snprintf(out + size, 256 - size, "%d ", (int)token - 1000);
    return out;
}

Test(amqp_confirms, up_to_covers_all_that_is_pending_and_nothing_twice)
{
    char out[256];
    struct amqp_confirms confirms = confirms_of(6);
    cr_assert_str_eq(taken(&confirms, 2, false, out), "2 ");
    cr_assert_str_eq(taken(&confirms, 2, false, out), "");
    cr_assert_str_eq(taken(&confirms, 4, true, out), "1 3 4 ");
    cr_assert_str_eq(taken(&confirms, 4, true, out), "");
    cr_assert_str_eq(taken(&confirms, 6, false, out), "6 ");
    cr_assert_str_eq(taken(&confirms, 6, true, out), "5 ");
    amqp_confirms_fini(&confirms);
}

Test(amqp_confirms, numbers_never_given_out_are_ignored)
{
    char out[256];
    struct amqp_confirms confirms = confirms_of(2);
    cr_assert_str_eq(taken(&confirms, 0, false, out), "");
    cr_assert_str_eq(taken(&confirms, 3, false, out), "");
    cr_assert_str_eq(taken(&confirms, 0, true, out), "");
    cr_assert_str_eq(taken(&confirms, UINT64_MAX, true, out), "1 2 ");
    cr_assert_str_eq(taken(&confirms, UINT64_MAX, true, out), "");
    amqp_confirms_fini(&confirms);
}

Test(amqp_confirms, the_ring_grows_while_its_window_moves)
{
    struct amqp_confirms confirms = confirms_of(200);
    uint64_t token, expected = 1;
    for (; expected <= 150; expected++)
        cr_assert(amqp_confirms_take(&confirms, expected, false, &token));
    for (uint64_t i = 201; i <= 5000; i++) {
        cr_assert(amqp_confirms_reserve(&confirms));
        amqp_confirms_add(&confirms, 1000 + i, 0);
    }
    while (amqp_confirms_take(&confirms, 5000, true, &token))
        cr_assert_eq(token, 1000 + expected++);
    cr_assert_eq(expected, 5001);
    amqp_confirms_fini(&confirms);
}

Test(amqp_confirms, two_returns_of_one_mark_end_two_publishes_in_their_order)
{
    char out[256];
    uint64_t token;
    struct amqp_confirms confirms = confirms_of(6); /* marks 1 2 0 1 2 0 */
    cr_assert(amqp_confirms_return(&confirms, 1, &token));
    cr_assert_eq(token, 1001);
    cr_assert(amqp_confirms_return(&confirms, 1, &token));
    cr_assert_eq(token, 1004);
    cr_assert_not(amqp_confirms_return(&confirms, 1, &token), "there is no third");
    cr_assert_str_eq(taken(&confirms, 6, true, out), "2 3 5 6 ", "what was returned is not confirmed again");
    amqp_confirms_fini(&confirms);
}

Test(amqp_confirms, a_mark_tells_messages_apart)
{
    uint64_t mark = amqp_confirms_mark(STR(""), STR("q"), STR("id"), STR("id"), 10);
    cr_assert_eq(mark, amqp_confirms_mark(STR_NONE, STR("q"), STR("id"), STR("id"), 10));
    cr_assert_neq(mark, amqp_confirms_mark(STR("q"), STR(""), STR("id"), STR("id"), 10));
    cr_assert_neq(mark, amqp_confirms_mark(STR(""), STR("r"), STR("id"), STR("id"), 10));
    cr_assert_neq(mark, amqp_confirms_mark(STR(""), STR("q"), STR("ie"), STR("id"), 10));
    cr_assert_neq(mark, amqp_confirms_mark(STR(""), STR("q"), STR("id"), STR("ie"), 10));
    cr_assert_neq(mark, amqp_confirms_mark(STR(""), STR("q"), STR("id"), STR("id"), 11));
}

/* ---- tags ---- */

struct said {
    char text[256];
    size_t size;
};

static void say(void *self, struct amqp_settlement s)
{
    struct said *said = self;
    said->size += (size_t)snprintf(said->text + said->size, sizeof said->text - said->size, "%s%d%s ",
                                   s.requeue ? "-" : "", (int)s.number, s.multiple ? "*" : "");
}

static const char *told(struct amqp_tags *tags, struct said *said)
{
    *said = (struct said){.size = 0};
    amqp_tags_tell(tags, 0, say, said);
    return said->text;
}

static void settle(struct amqp_tags *tags, int number)
{
    size_t cost;
    cr_assert(amqp_tags_settle(tags, (uint64_t)abs(number), number < 0, &cost));
    cr_assert_eq(cost, (size_t)abs(number) * 10);
}

static struct amqp_tags tags_of(uint64_t count)
{
    struct amqp_tags tags;
    amqp_tags_init(&tags);
    for (uint64_t i = 1; i <= count; i++)
        cr_assert(amqp_tags_add(&tags, i, i * 10));
    return tags;
}

/* What is settled in one turn (0 ends it), and what is then told: "n" one, "n*" up to, "-n" handed back. */
static const struct {
    int settled[8];
    const char *told;
} turns[] = {
    {{1}, "1 "},
    {{2, 3}, "2 3 "},
    {{1, 2, 3}, "3* "},
    {{3, 1, 2}, "3* "},
    {{1, 2, 4, 6}, "2* 4 6 "},
    {{-1, 2, 3}, "-1 3* "},
    {{1, 2, -3}, "-3 2* "},
    {{1, -2, 3, 5}, "-2 3* 5 "},
    {{-4}, "-4 "},
    {{6, 5, 4, 3, 2, 1}, "6* "},
    {{-1, -2}, "-1 -2 "},
};

Test(amqp_tags, the_finished_prefix_is_told_as_one_and_the_rest_singly)
{
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        struct amqp_tags tags = tags_of(6);
        struct said said;
        for (size_t j = 0; j < 8 && turns[i].settled[j]; j++)
            settle(&tags, turns[i].settled[j]);
        cr_assert_str_eq(told(&tags, &said), turns[i].told, "turn %zu: %s", i, said.text);
        cr_assert_str_eq(told(&tags, &said), "", "and nothing twice");
        amqp_tags_fini(&tags);
    }
}

Test(amqp_tags, what_was_told_singly_is_not_the_end_of_an_up_to)
{
    struct amqp_tags tags = tags_of(5);
    struct said said;
    settle(&tags, 3);
    cr_assert_str_eq(told(&tags, &said), "3 ");
    settle(&tags, 1);
    settle(&tags, 2);
    cr_assert_str_eq(told(&tags, &said), "2* ", "the broker does not know 3 any more");
    settle(&tags, 4);
    cr_assert_str_eq(told(&tags, &said), "4 ");
    amqp_tags_fini(&tags);
}

Test(amqp_tags, a_few_acknowledgements_wait_until_one_covers_them)
{
    struct amqp_tags tags = tags_of(6);
    struct said said = {.size = 0};
    settle(&tags, 2);
    settle(&tags, 3);
    settle(&tags, -5);
    cr_assert_eq(amqp_tags_tell(&tags, 2, say, &said), 2);
    cr_assert_str_eq(said.text, "-5 ", "what is handed back does not wait");
    settle(&tags, 1);
    said = (struct said){.size = 0};
    cr_assert_eq(amqp_tags_tell(&tags, 2, say, &said), 0);
    cr_assert_str_eq(said.text, "3* ");
    settle(&tags, 6);
    said = (struct said){.size = 0};
    cr_assert_eq(amqp_tags_tell(&tags, 2, say, &said), 1);
    cr_assert_str_eq(said.text, "");
    cr_assert_str_eq(told(&tags, &said), "6 ", "until it is asked for");
    amqp_tags_fini(&tags);
}

Test(amqp_tags, what_cannot_be_covered_does_not_wait_for_ever)
{
    struct amqp_tags tags = tags_of(6);
    struct said said = {.size = 0};
    for (int i = 2; i <= 4; i++) {
        settle(&tags, i);
        cr_assert_eq(amqp_tags_tell(&tags, 2, say, &said), i < 4 ? (size_t)i - 1 : 0);
    }
    cr_assert_str_eq(said.text, "2 3 4 ", "1 runs on");
    amqp_tags_fini(&tags);
}

Test(amqp_tags, only_open_deliveries_can_be_settled_and_numbers_must_follow)
{
    struct amqp_tags tags = tags_of(3);
    struct said said;
    size_t cost;
    settle(&tags, 1);
    cr_assert_not(amqp_tags_settle(&tags, 1, false, &cost));
    cr_assert_not(amqp_tags_settle(&tags, 0, false, &cost));
    cr_assert_not(amqp_tags_settle(&tags, 4, false, &cost));
    cr_assert_not(amqp_tags_add(&tags, 5, 0));
    cr_assert_not(amqp_tags_add(&tags, 3, 0));
    cr_assert_eq(tags.open, 2);
    amqp_tags_restart(&tags);
    cr_assert_not(amqp_tags_settle(&tags, 2, false, &cost));
    cr_assert_str_eq(told(&tags, &said), "");
    amqp_tags_fini(&tags);
}

Test(amqp_tags, a_slow_first_one_lets_the_ring_grow)
{
    struct amqp_tags tags = tags_of(1);
    struct said said;
    for (int i = 2; i <= 1000; i++) {
        cr_assert(amqp_tags_add(&tags, (uint64_t)i, (size_t)i * 10));
        settle(&tags, i);
        said = (struct said){.size = 0};
        amqp_tags_tell(&tags, 0, say, &said);
    }
    settle(&tags, 1);
    cr_assert_str_eq(told(&tags, &said), "1 ");
    cr_assert_eq(tags.first, 1001);
    amqp_tags_fini(&tags);
}
