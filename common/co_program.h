/* co_program.h: a child program: started, fed, read, and waited for. */
#ifndef COMMON_CO_PROGRAM_H
#define COMMON_CO_PROGRAM_H

#include <stdbool.h>
#include <umbel/value.h>
#include "common/buffer.h"

struct co_program {
    const char *const *argv;        /* argv[0] is looked up in PATH; ends with NULL */
    const char *const *environment; /* NULL: ours */
    const char *directory;          /* NULL: ours */
    umbel_str input;
};

struct co_program_end {
    struct buffer *out, *err; /* the caller's; filled up to their maximum, the rest is dropped */
    int status;               /* as waitpid gives it */
    bool cut;                 /* something was dropped */
};

/* Parks until the program has ended. At the deadline it is killed: UMBEL_TIMEOUT, with what it had written so
 * far. UMBEL_NOT_FOUND: there is no such program; UMBEL_SYSTEM: errno says why. What it leaves running is not
 * waited for. */
int co_program_run(const struct co_program *program, double deadline, struct co_program_end *end);

#endif
