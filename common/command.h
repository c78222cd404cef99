/* command.h: a command of the `umbel` program is one file that exports one row. The table is in
 * client/program.c. */
#ifndef COMMON_COMMAND_H
#define COMMON_COMMAND_H

#include <umbel/task.h>

/* Exit codes, documented in `umbel --help`. */
enum exit_code {
    EXIT_DONE = 0,
    EXIT_TASK_FAILED = 1, /* the task failed or was revoked; a node did not answer */
    EXIT_USAGE = 2,       /* the command line cannot be understood */
    EXIT_TIMED_OUT = 3,   /* no answer within the time allowed */
    EXIT_AWAY = 4,        /* broker or backend cannot be reached, or refused */
    EXIT_SOFTWARE = 70    /* Umbel's own fault */
};

/* What stands before the command's name on the line: `umbel -A tasks.so -b URL worker ...`. */
struct command_globals {
    const char *program;                  /* argv[0] */
    const umbel_module_table *own_module; /* tasks of the user's own binary, or NULL */
    const char *modules[32];              /* -A, in order */
    int module_count;
    const char *broker;  /* -b, or UMBEL_BROKER_URL, or NULL */
    const char *backend; /* --result-backend, or UMBEL_RESULT_BACKEND, or NULL */
};

struct command {
    const char *name;
    const char *summary; /* one line of `umbel --help` */
    const char *usage;   /* what `umbel NAME --help` prints */
    /* argv[0] is the command's name. Answers an exit code. */
    int (*run)(const struct command_globals *globals, int argc, char **argv);
    const struct command *inner; /* runs instead when its name is the next word; or NULL */
};

#endif
