#include <criterion/criterion.h>
#include <math.h>
#include <time.h>

#include "common/clock.h"
#include "common/str.h"

Test(clock, writes_what_celery_writes)
{
    char text[CLOCK_ISO_SIZE];
    size_t size = clock_iso(text, 1795252295.050829, false);
    cr_assert_str_eq(text, "2026-11-21T09:11:35.050829");
    cr_assert_eq(size, strlen(text));
    clock_iso(text, 1795252110.477609, true);
    cr_assert_str_eq(text, "2026-11-21T09:08:30.477609+00:00");
    clock_iso(text, 951782400.0, false);
    cr_assert_str_eq(text, "2000-02-29T00:00:00.000000");
    clock_iso(text, 59.9999999, false);
    cr_assert_str_eq(text, "1970-01-01T00:01:00.000000");
}

Test(clock, any_number_gives_a_date)
{
    char text[CLOCK_ISO_SIZE];
    clock_iso(text, NAN, true);
    cr_assert_str_eq(text, "0001-01-01T00:00:00.000000+00:00");
    clock_iso(text, INFINITY, true);
    cr_assert_str_eq(text, "9999-12-31T23:59:59.000000+00:00");
    clock_iso(text, -1.5, false);
    cr_assert_str_eq(text, "1969-12-31T23:59:58.500000");
}

Test(clock, reads_every_form)
{
    static const struct {
        const char *text;
        double when;
    } rows[] = {
        {"2026-11-21T09:11:35.050829", 1795252295.050829},
        {"2026-11-21T09:11:35.050829Z", 1795252295.050829},
        {"2026-11-21T09:11:35+00:00", 1795252295},
        {"2026-11-21 10:11:35+01:00", 1795252295},
        {"2026-11-21T03:41:35-0530", 1795252295},
        {"2026-11-21T10:11:35+01", 1795252295},
        {"2026-11-21T09:11", 1795252260},
        {"1970-01-01", 0},
        {"0001-01-01T00:00:00", -62135596800.0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double when = -1;
        cr_assert_eq(clock_parse(str_of(rows[i].text), &when), UMBEL_OK, "%s", rows[i].text);
        cr_assert_float_eq(when, rows[i].when, 1e-6, "%s gave %f", rows[i].text, when);
    }
}

Test(clock, refuses_what_is_no_date)
{
    static const char *const rows[] = {"",
                                       "tomorrow",
                                       "2026-13-01",
                                       "2026-02-29",
                                       "2026-11-21T",
                                       "2026-11-21T24:00",
                                       "2026-11-21T09:11:35x",
                                       "2026-11-21T09:11:35+",
                                       "2026-11-21T09:11:35+0",
                                       "2026-11-21T09:11:35Zjunk",
                                       "2026-11-21T09:11:35+01:00:00:00",
                                       "1795252295"};
    double when = 42;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(clock_parse(str_of(rows[i]), &when), UMBEL_BAD_VALUE, "%s", rows[i]);
    cr_assert_eq(clock_parse(STR_NONE, &when), UMBEL_BAD_VALUE);
    cr_assert_eq(when, 42);
}

Test(clock, every_day_of_eight_centuries_is_the_c_librarys)
{
    for (int64_t day = -135140; day < 157055; day++) { /* 1600 to 2400 */
        char text[CLOCK_ISO_SIZE], expected[CLOCK_ISO_SIZE];
        time_t when = (time_t)(day * 86400 + 86399);
        struct tm tm;
        double back;
        gmtime_r(&when, &tm);
        strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000000", &tm);
        clock_iso(text, (double)when, false);
        cr_assert_eq(strcmp(text, expected), 0, "%s is not %s", text, expected);
        cr_assert(clock_parse(str_of(text), &back) == UMBEL_OK && back == (double)when);
    }
}

Test(clock, what_is_written_is_read_back)
{
    for (double when = -6e10; when < 2e11; when += 123456789.123) {
        char text[CLOCK_ISO_SIZE];
        double back;
        clock_iso(text, when, true);
        cr_assert_eq(clock_parse(str_of(text), &back), UMBEL_OK, "%s", text);
        cr_assert_float_eq(back, when, 1e-4);
    }
}
