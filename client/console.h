/* console.h: what the commands say to a person, and how they end. */
#ifndef CLIENT_CONSOLE_H
#define CLIENT_CONSOLE_H

#include <stdbool.h>
#include <umbel/client.h>
#include "common/command.h"

/* The exit code for an error of the library. */
int console_exit(int code);
/* "umbel COMMAND: ..." on stderr, with a line end. */
void console_complain(const char *command, const char *format, ...) UMBEL_PRINTF(2, 3);
/* As console_complain, with a hint at --help; answers EXIT_USAGE. */
int console_usage(const char *command, const char *format, ...) UMBEL_PRINTF(2, 3);
/* A number of seconds, 0 or more; false when `text` is none. */
bool console_seconds(const char *text, double *seconds);
/* The value of an option that may be left out, as in `--wait` and `--wait 5`: takes the next word if it is a
 * number. `at` is getopt's optind. */
bool console_maybe_seconds(const char *value, int argc, char **argv, int *at, double *seconds);
/* A line that is overwritten while something lasts, on stderr and only at a terminal; `text` NULL takes it
 * away. */
void console_progress(const char *text);
/* A client for the URLs on the line. NULL after having complained, with *exit_code set. */
umbel_client *console_connect(const char *command, const struct command_globals *globals, double timeout,
                              int *exit_code);

#endif
