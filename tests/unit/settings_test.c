#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "worker/settings.h"

static char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

static char *some_environment(const char *name)
{
    static char four[] = "4", seven[] = "seven", debug[] = "debug";
    if (strcmp(name, "UMBEL_CONCURRENCY") == 0)
        return four;
    if (strcmp(name, "UMBEL_LOGLEVEL") == 0)
        return debug;
    return strcmp(name, "UMBEL_MAX_DEATHS") == 0 ? seven : NULL;
}

static int read_words(struct settings *settings, char *why, size_t size, int argc, char **argv)
{
    struct buffer text;
    buffer_init(&text, 4096);
    int code = settings_read(settings, argc, argv, no_environment, &text);
    snprintf(why, size, "%.*s", (int)buffer_length(&text), (const char *)buffer_head(&text));
    buffer_fini(&text);
    return code;
}
#define READ(...)                                                                                            \
    read_words(&settings, why, sizeof why,                                                                   \
               (int)(sizeof((char *[]){"worker", __VA_ARGS__}) / sizeof(char *)),                            \
               (char *[]){"worker", __VA_ARGS__})

Test(settings, defaults_are_celerys_where_celery_has_them)
{
    struct settings settings;
    char why[512];
    cr_assert_eq(read_words(&settings, why, sizeof why, 1, (char *[]){"worker"}), UMBEL_OK, "%s", why);
    cr_assert_str_eq(settings.queues, "celery");
    cr_assert_str_eq(settings.pool, "prefork");
    cr_assert_str_eq(settings.hostname, "umbel@%h");
    cr_assert_eq(settings.loglevel, UMBEL_WARNING);
    cr_assert_eq(settings.max_deaths, 3);
    cr_assert_eq(settings.result_expires, 86400.0);
    cr_assert_not(settings.task_events);
}

Test(settings, every_way_to_write_an_option_is_read)
{
    struct settings settings;
    char why[512];
    cr_assert_eq(
        READ("-c", "4", "-Qa,b", "--pool=solo", "-l", "INFO", "-E", "--time-limit", "1.5", "-n=w@%h"),
        UMBEL_OK, "%s", why);
    cr_assert_eq(settings.concurrency, 4);
    cr_assert_str_eq(settings.queues, "a,b");
    cr_assert_str_eq(settings.pool, "solo");
    cr_assert_str_eq(settings.hostname, "w@%h");
    cr_assert_eq(settings.loglevel, UMBEL_INFO);
    cr_assert_eq(settings.time_limit, 1.5);
    cr_assert(settings.task_events);
}

Test(settings, a_wrong_value_is_told_with_what_is_allowed)
{
    struct settings settings;
    char why[512];
    cr_assert_eq(READ("-c", "many"), UMBEL_BAD_ARGUMENT);
    cr_assert_str_eq(why, "--concurrency is a whole number from 0 to 100000, not 'many'");
    cr_assert_eq(READ("-c", "1.5"), UMBEL_BAD_ARGUMENT);
    cr_assert_eq(READ("-c", "1025"), UMBEL_BAD_ARGUMENT);
    cr_assert_eq(READ("-c", "-1"), UMBEL_BAD_ARGUMENT);
    cr_assert_eq(READ("--max-deaths", "0"), UMBEL_BAD_ARGUMENT);
    cr_assert_eq(READ("--time-limit", "nan"), UMBEL_BAD_ARGUMENT);
    cr_assert_eq(READ("-l", "loud"), UMBEL_BAD_ARGUMENT);
    cr_assert_str_eq(why, "--loglevel is debug, info, warning or error, not 'loud'");
    cr_assert_eq(READ("--log-format", "xml"), UMBEL_BAD_ARGUMENT);
    cr_assert_eq(READ("--result-serializer", "pickle"), UMBEL_BAD_ARGUMENT);
    cr_assert_eq(READ("--soft-time-limit", "5", "--time-limit", "4"), UMBEL_BAD_ARGUMENT);
    cr_assert_eq(READ("-c"), UMBEL_BAD_ARGUMENT);
    cr_assert_str_eq(why, "--concurrency needs a value");
}

Test(settings, an_unknown_option_points_to_the_help)
{
    struct settings settings;
    char why[512];
    cr_assert_eq(READ("--frobnicate"), UMBEL_BAD_ARGUMENT);
    cr_assert(strstr(why, "--frobnicate") && strstr(why, "--help"));
    cr_assert_eq(READ("-b", "amqp://"), UMBEL_BAD_ARGUMENT);
    cr_assert(strstr(why, "before the command"));
    cr_assert_eq(READ("a"), UMBEL_BAD_ARGUMENT);
}

Test(settings, help_wins)
{
    struct settings settings;
    char why[512];
    cr_assert_eq(READ("--help"), UMBEL_OK);
    cr_assert(settings.help);
    cr_assert(strstr(settings_usage, "--max-memory-per-child KIB"));
}

Test(settings, the_line_wins_over_the_environment_and_both_are_checked)
{
    struct settings settings;
    struct buffer why;
    buffer_init(&why, 4096);
    cr_assert_eq(settings_read(&settings, 3, (char *[]){"worker", "-c", "2"}, some_environment, &why),
                 UMBEL_BAD_ARGUMENT);
    cr_assert(memmem(buffer_head(&why), buffer_length(&why), "UMBEL_MAX_DEATHS", 16),
              "the variable is named");
    cr_assert_eq(settings.concurrency, 4);
    cr_assert_eq(settings.loglevel, UMBEL_DEBUG);
    buffer_fini(&why);
}

Test(settings, only_coroutines_are_thousands)
{
    struct settings settings;
    char why[512];
    cr_assert_eq(READ("-P", "coroutines", "-c", "20000", "--processes", "2"), UMBEL_OK, "%s", why);
    cr_assert_eq(settings.concurrency, 20000);
    cr_assert_eq(settings.processes, 2);
    cr_assert_eq(READ("-P", "threads", "-c", "1025"), UMBEL_BAD_ARGUMENT);
    cr_assert_str_eq(why, "--concurrency is 1024 at most with the pool threads; coroutines can be 100000");
}
