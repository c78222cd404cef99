#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <umbel/worker.h>
#include <unistd.h>
#include "client/program.h"

static struct program_line parse(int argc, ...)
{
    char *argv[16] = {0};
    va_list words;
    va_start(words, argc);
    for (int i = 0; i < argc; i++)
        argv[i] = va_arg(words, char *);
    va_end(words);
    struct program_line line;
    program_parse(&line, NULL, argc, argv);
    return line;
}

Test(program, options_stand_before_the_command)
{
    struct program_line line = parse(9, "umbel", "-A", "a.so", "-A", "b.so", "-b", "memory://", "call", "-A");
    cr_assert_eq(line.ask, PROGRAM_RUN);
    cr_assert_eq(line.globals.module_count, 2);
    cr_assert_str_eq(line.globals.modules[1], "b.so");
    cr_assert_str_eq(line.globals.broker, "memory://");
    cr_assert_eq(line.command_at, 7);
}

Test(program, the_environment_gives_what_the_line_does_not)
{
    setenv("UMBEL_BROKER_URL", "memory://from-env", 1);
    setenv("UMBEL_RESULT_BACKEND", "", 1);
    struct program_line line = parse(2, "umbel", "call");
    cr_assert_str_eq(line.globals.broker, "memory://from-env");
    cr_assert_null(line.globals.backend, "empty is as good as unset");
    line = parse(4, "umbel", "-b", "memory://from-line", "call");
    cr_assert_str_eq(line.globals.broker, "memory://from-line");
}

Test(program, started_without_standard_descriptors_it_does_not_give_their_numbers_away)
{
    pid_t child = fork();
    if (child == 0) {
        char *argv[] = {"umbel", "--version", NULL};
        close_range(0, 2, 0);
        umbel_main_with(NULL, 2, argv);
        _exit(open("/dev/null", O_RDONLY) > 2 ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    cr_assert_eq(status, 0);
}

Test(program, a_mistyped_command_is_answered_with_the_nearest)
{
    struct program_line line = parse(2, "umbel", "calk");
    cr_assert_eq(line.ask, PROGRAM_USAGE);
    cr_assert(strstr(line.why, "did you mean 'call'?"), "%s", line.why);
    line = parse(2, "umbel", "frobnicate");
    cr_assert_eq(line.ask, PROGRAM_USAGE);
    cr_assert(!strstr(line.why, "did you mean"), "%s", line.why);
}

Test(program, a_wrong_option_or_a_missing_value_is_named)
{
    struct program_line line = parse(3, "umbel", "--frobnicate", "call");
    cr_assert_eq(line.ask, PROGRAM_USAGE);
    cr_assert(strstr(line.why, "--frobnicate"), "%s", line.why);
    line = parse(2, "umbel", "-b");
    cr_assert_eq(line.ask, PROGRAM_USAGE);
    cr_assert(strstr(line.why, "-b"), "%s", line.why);
}

Test(program, every_command_has_a_summary_and_a_usage)
{
    const char *names[] = {"call", "result", "purge", "dead"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct command *command = program_find(names[i]);
        cr_assert(command);
        cr_assert(strlen(command->summary) > 10 && strncmp(command->usage, "usage: umbel ", 13) == 0);
    }
}
