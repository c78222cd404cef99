#include <criterion/criterion.h>
#include "broker/part_list.h"
#include "common/str.h"

Test(part_list, what_becomes_of_a_part)
{
    const struct {
        const char *run;
        uint32_t kept, number;
        enum part_verdict verdict;
        const char *why;
    } rows[] = {
        {"", 0, 0, PART_BEGIN, "the first of all"},
        {"", 0, 1, PART_SUPERSEDED, "those before it were forgotten"},
        {"a", 3, 3, PART_APPEND, "the next"},
        {"a", 3, 2, PART_THERE, "sent twice"},
        {"a", 3, 0, PART_THERE, "sent twice"},
        {"a", 3, 4, PART_TOO_EARLY, "the one before it was refused"},
        {"b", 3, 0, PART_BEGIN, "a new run"},
        {"b", 3, 3, PART_SUPERSEDED, "another run has taken over"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct backend_part part = {.run = STR("a"), .number = rows[i].number};
        cr_assert_eq(part_decide(str_of(rows[i].run), rows[i].kept, &part), rows[i].verdict, "%s", rows[i].why);
    }
}

Test(part_list, a_list_grows_and_begins_anew)
{
    struct part_list list = {.count = 0};
    for (uint32_t i = 0; i < 100; i++)
        cr_assert_eq(part_list_add(&list, &(struct backend_part){.run = STR("a"), .number = i, .payload = STR("p")}),
                     UMBEL_OK);
    cr_assert_eq(list.count, 100);
    cr_assert_eq(part_list_add(&list, &(struct backend_part){.run = STR("b"), .payload = STR("q")}), UMBEL_OK);
    cr_assert_eq(list.count, 1);
    cr_assert(str_equal(list.payloads[0], STR("q")));
    cr_assert_eq(part_list_add(&list, &(struct backend_part){.run = STR_NONE}), UMBEL_BACKEND_REFUSED);
    part_list_fini(&list);
}
