/* histogram_test.c: quantiles are near the truth, rows hold everything. */
#include <criterion/criterion.h>
#include "common/histogram.h"

static struct histogram histogram;

static void near(uint64_t value, uint64_t truth)
{
    cr_assert_geq(value, truth, "%lu of %lu", value, truth);
    cr_assert_leq((double)value, (double)truth * 1.035, "%lu of %lu", value, truth);
}

Test(histogram, quantiles_are_off_by_three_per_cent_at_most)
{
    histogram_init(&histogram);
    cr_assert_eq(histogram_quantile(&histogram, 0.5), 0);
    for (uint64_t i = 1; i <= 100000; i++)
        histogram_add(&histogram, i * 1000);
    near(histogram_quantile(&histogram, 0.5), 50000000);
    near(histogram_quantile(&histogram, 0.99), 99000000);
    cr_assert_eq(histogram_quantile(&histogram, 1), 100000000);
    near(histogram_quantile(&histogram, 0), 1000);
}

Test(histogram, any_number_finds_a_bin)
{
    static const uint64_t numbers[] = {0,  1,    31,   32,       33,         63,
                                       64, 1023, 1024, 1u << 31, 1ull << 40, UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        histogram_init(&histogram);
        histogram_add(&histogram, numbers[i]);
        cr_assert_eq(histogram_quantile(&histogram, 0.5), numbers[i]);
    }
}

Test(histogram, rows_hold_everything_in_even_steps)
{
    struct histogram_row rows[12];
    histogram_init(&histogram);
    cr_assert_eq(histogram_rows(&histogram, rows, 12), 0);
    for (int i = 0; i < 90; i++)
        histogram_add(&histogram, 140000);
    histogram_add(&histogram, 900000);
    histogram_add(&histogram, 4000000);
    size_t count = histogram_rows(&histogram, rows, 12);
    static const struct histogram_row wanted[] = {{150000, 90}, {200000, 0},  {300000, 0},  {500000, 0},
                                                  {700000, 0},  {1000000, 1}, {1500000, 0}, {2000000, 0},
                                                  {3000000, 0}, {5000000, 1}};
    cr_assert_eq(count, 10);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(rows[i].bound, wanted[i].bound, "row %zu: %lu", i, rows[i].bound);
        cr_assert_eq(rows[i].count, wanted[i].count, "row %zu: %lu", i, rows[i].count);
    }
    cr_assert_eq(histogram_rows(&histogram, rows, 3), 3);
    cr_assert_eq(rows[2].count, 2, "the last row holds the rest");
    cr_assert_eq(rows[2].bound, 4000000, "and says how far it goes");
}
