/* program.h: what the command line says before a command's name, and which command it names. */
#ifndef CLIENT_PROGRAM_H
#define CLIENT_PROGRAM_H

#include <stddef.h>
#include "common/command.h"

/* What the line asks for. */
enum program_ask { PROGRAM_RUN, PROGRAM_HELP, PROGRAM_VERSION, PROGRAM_USAGE };

struct program_line {
    enum program_ask ask;
    struct command_globals globals;
    int command_at; /* index in argv of the command's name (PROGRAM_RUN) */
    char why[200];  /* what is wrong with the line (PROGRAM_USAGE) */
};

/* Takes the line apart without running anything. Strings are borrowed from argv and the environment. */
void program_parse(struct program_line *line, const umbel_module_table *own, int argc, char **argv);
/* The command of that name, or NULL. */
const struct command *program_find(const char *name);
/* The command whose name is closest to a mistyped one, or NULL when nothing is close. */
const struct command *program_closest(const char *name);

#endif
