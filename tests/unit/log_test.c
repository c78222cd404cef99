#include <criterion/criterion.h>
#include <string.h>

#include "common/log.h"

struct sink {
    int lines;
    char last[8192];
};

static void keep(void *self, umbel_level level, const char *area, const char *line)
{
    struct sink *sink = self;
    (void)level, (void)area;
    sink->lines++;
    strcpy(sink->last, line);
}

Test(log, only_wanted_levels_are_made)
{
    struct sink sink = {0};
    struct log log = {UMBEL_WARNING, keep, &sink};
    log_line(&log, UMBEL_INFO, "test", "no");
    cr_assert_eq(sink.lines, 0);
    log_line(&log, UMBEL_ERROR, "test", "yes %d", 1);
    cr_assert_str_eq(sink.last, "yes 1");
    log_line(NULL, UMBEL_ERROR, "test", "nowhere");
}

Test(log, a_line_stays_one_line)
{
    struct sink sink = {0};
    struct log log = {UMBEL_DEBUG, keep, &sink};
    log_line(&log, UMBEL_INFO, "test", "a%sb", "\n\r\t\x1b[31m\x7f\xC2\x9B");
    cr_assert_str_eq(sink.last, "a    [31m   b");
    log_line(&log, UMBEL_INFO, "test", "caf\xC3\xA9 \xC2\xA0");
    cr_assert_str_eq(sink.last, "caf\xC3\xA9 \xC2\xA0");
}

Test(log, a_long_line_is_cut_between_characters)
{
    struct sink sink = {0};
    struct log log = {UMBEL_DEBUG, keep, &sink};
    char text[6001];
    for (int shift = 0; shift < 2; shift++) {
        for (size_t i = 0; i + 1 < sizeof text; i += 2)
            memcpy(text + i, "\xC3\xA9", 2);
        text[6000] = '\0';
        log_line(&log, UMBEL_INFO, "test", "%s%s", shift ? "x" : "", text);
        size_t size = strlen(sink.last);
        cr_assert(size < 4096 && size > 4000 && strcmp(sink.last + size - 3, "...") == 0);
        cr_assert_eq((unsigned char)sink.last[size - 4], 0xA9);
    }
}
