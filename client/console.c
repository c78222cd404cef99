/* console.c: see console.h. Part of the program, not of the library: it prints. */
#include "client/console.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int console_exit(int code)
{
    switch (code) {
    case UMBEL_OK:
        return EXIT_DONE;
    case UMBEL_FAILED:
    case UMBEL_REVOKED:
        return EXIT_TASK_FAILED;
    case UMBEL_TIMEOUT:
        return EXIT_TIMED_OUT;
    case UMBEL_BAD_URL:
    case UMBEL_BAD_ARGUMENT:
    case UMBEL_BAD_VALUE:
    case UMBEL_NOT_SUPPORTED:
    case UMBEL_TOO_DEEP:
    case UMBEL_TOO_LARGE:
        return EXIT_USAGE;
    case UMBEL_NO_MEMORY:
    case UMBEL_SYSTEM:
        return EXIT_SOFTWARE;
    default:
        return EXIT_AWAY;
    }
}

static void complain(const char *command, const char *format, va_list arguments)
{
    console_progress(NULL);
    fprintf(stderr, "umbel %s: ", command);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void console_complain(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(command, format, arguments);
    va_end(arguments);
}

int console_usage(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(command, format, arguments);
    va_end(arguments);
    fprintf(stderr, "Try 'umbel %s --help'.\n", command);
    return EXIT_USAGE;
}

bool console_seconds(const char *text, double *seconds)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0) || isinf(value))
        return false;
    *seconds = value;
    return true;
}

bool console_maybe_seconds(const char *value, int argc, char **argv, int *at, double *seconds)
{
    if (value)
        return console_seconds(value, seconds);
    if (*at < argc && console_seconds(argv[*at], seconds))
        (*at)++;
    return true;
}

void console_progress(const char *text)
{
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K%s", text ? text : "");
    fflush(stderr);
}

umbel_client *console_connect(const char *command, const struct command_globals *globals, double timeout,
                              int *exit_code)
{
    umbel_client_options options = {
        .broker = globals->broker, .backend = globals->backend, .timeout = timeout};
    umbel_client *client = umbel_connect_with(&options);
    if (!client) {
        console_complain(command, "%s", umbel_strerror(UMBEL_NO_MEMORY));
        *exit_code = EXIT_SOFTWARE;
        return NULL;
    }
    int code = umbel_client_wait(client, 0);
    if (code != UMBEL_BAD_URL)
        return client;
    *exit_code = console_usage(command, "%s", umbel_client_error(client));
    umbel_close(client, 0);
    return NULL;
}
