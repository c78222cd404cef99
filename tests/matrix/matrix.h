/* matrix.h: a table of cases, each a few lines of a program that does not know over what it runs.
 *
 * The program `matrix` runs one case over one broker, and is the worker as well: its own tasks, in tasks.c.
 * What a column cannot do is a flag of its; a case that needs it is not run there. */
#ifndef MATRIX_H
#define MATRIX_H

#undef UMBEL_NO_MODULE
#include <umbel.h>

enum {
    NEEDS_POOL = 1,        /* a pool of its own: functions, exact umbel_running */
    NEEDS_INTERRUPT = 2,   /* a task that runs can be told to stop: all but solo */
    NEEDS_KILL = 4,        /* one that does not listen is killed: processes, prefork */
    NEEDS_CONCURRENCY = 8, /* two tasks at once: all but solo */
    NEEDS_LIMIT = 16,   /* a hard limit ends a task that does not listen: all but solo, and coroutines here */
    NEEDS_PARALLEL = 32 /* two tasks that do not park run at once: all but solo and coroutines */
};

struct matrix {
    umbel_client *client;
    const char *broker, *backend, *queue, *folder;
    unsigned can;
};

struct matrix_case {
    const char *name;
    void (*run)(struct matrix *m);
    unsigned needs;
};

extern const struct matrix_case future_cases[], many_cases[], map_cases[], cancel_cases[], end_cases[];

#define CHECK(condition, ...)                                                                                \
    ((condition) ? (void)0 : matrix_fail(__FILE__, __LINE__, #condition, " " __VA_ARGS__))
#define CHECK_CODE(expected, actual) matrix_check_code(__FILE__, __LINE__, #actual, (expected), (actual))

_Noreturn void matrix_fail(const char *file, int line, const char *what, const char *format, ...)
    UMBEL_PRINTF(4, 5);
void matrix_check_code(const char *file, int line, const char *what, int expected, int actual);

#define PATIENCE 20.0

/* Submits on this run's queue. */
#define SUBMIT(m, task, ...) umbel_submit((m)->client, (task), UMBEL_ARGS(__VA_ARGS__), .queue = (m)->queue)

/* A gate is a file: tasks wait until it is there. Path in a static buffer per name's first letter. */
const char *gate_path(const struct matrix *m, const char *name);
void gate_open(const struct matrix *m, const char *name);
/* A mark is a file, too: how many bytes were added to it by tasks. */
size_t marks(const struct matrix *m, const char *name);
/* Waits until there are that many. */
void await_marks(const struct matrix *m, const char *name, size_t count);
/* A task that has begun (it leaves a mark) and waits at its gate: "m.gate" or, deaf to interruption,
 * "m.deaf". */
umbel_future *begun(const struct matrix *m, const char *task, const char *name);
/* Fills every slot there may be with tasks at the gate "block"; what is submitted behind them stays pending.
 */
enum { BLOCKERS = 4 };
void block_all(const struct matrix *m, umbel_future *blockers[BLOCKERS]);
void unblock(const struct matrix *m, umbel_future *blockers[BLOCKERS]);
/* Unblocks, where all that was submitted behind was cancelled: nothing of it runs, so no mark "ran" is left.
 */
void unblock_nothing(const struct matrix *m, umbel_future *blockers[BLOCKERS]);
void free_all(umbel_future **futures, size_t count);

#endif
