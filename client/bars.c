/* bars.c: see bars.h. Bars are of block letters where the locale's name says UTF-8, else of '#'. */
#include "client/bars.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 14, WIDTH = 40, EIGHTHS = 8 };

static double ms(uint64_t ns)
{
    return (double)ns * 1e-6;
}

static bool speaks_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *locale = getenv(names[i]);
        if (locale && *locale)
            return strstr(locale, "UTF-8") || strstr(locale, "utf8") || strstr(locale, "UTF8");
    }
    return false;
}

static void print_bar(uint64_t count, uint64_t largest, bool utf8)
{
    static const char *const parts[EIGHTHS] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    uint64_t eighths = largest ? (count * WIDTH * EIGHTHS + largest - 1) / largest : 0;
    for (uint64_t i = 0; i < eighths / EIGHTHS; i++)
        fputs(utf8 ? "█" : "#", stdout);
    if (eighths % EIGHTHS)
        fputs(utf8 ? parts[eighths % EIGHTHS] : eighths < EIGHTHS ? "." : "", stdout);
    int used = (int)(eighths / EIGHTHS) + (eighths % EIGHTHS && (utf8 || eighths < EIGHTHS));
    printf("%*s", WIDTH - used + 1, "");
}

void bars_print(const struct histogram *histogram)
{
    struct histogram_row rows[ROWS];
    size_t count = histogram_rows(histogram, rows, ROWS);
    bool utf8 = speaks_utf8();
    uint64_t largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = rows[i].count > largest ? rows[i].count : largest;
    printf("  p50 %.3g ms, p90 %.3g ms, p99 %.3g ms, longest %.3g ms\n",
           ms(histogram_quantile(histogram, 0.5)), ms(histogram_quantile(histogram, 0.9)),
           ms(histogram_quantile(histogram, 0.99)), ms(histogram->most));
    for (size_t i = 0; i < count; i++) {
        printf("  up to %7.3g ms  ", ms(rows[i].bound));
        print_bar(rows[i].count, largest, utf8);
        printf("%5.1f %%\n", 100.0 * (double)rows[i].count / (double)histogram->count);
    }
}

void bars_json(umbel_value *map, const struct histogram *histogram)
{
    struct histogram_row rows[ROWS];
    size_t count = histogram_rows(histogram, rows, ROWS);
    umbel_add_double(map, "p50_ms", ms(histogram_quantile(histogram, 0.5)));
    umbel_add_double(map, "p90_ms", ms(histogram_quantile(histogram, 0.9)));
    umbel_add_double(map, "p99_ms", ms(histogram_quantile(histogram, 0.99)));
    umbel_add_double(map, "max_ms", ms(histogram->most));
    umbel_value *list = umbel_add_list(map, "histogram");
    for (size_t i = 0; i < count; i++) {
        umbel_value *row = umbel_add_list(list, NULL);
        umbel_add_double(row, NULL, ms(rows[i].bound));
        umbel_add_int(row, NULL, (int64_t)rows[i].count);
    }
}
