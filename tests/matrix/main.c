/* main.c: matrix list | matrix run CASE | matrix worker ...; see matrix.h. */
#include "matrix.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct matrix_case *const tables[] = {future_cases, many_cases, map_cases, cancel_cases,
                                                   end_cases};
enum { TABLES = sizeof tables / sizeof *tables };

void matrix_fail(const char *file, int line, const char *what, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    va_end(list);
    _exit(1);
}

void matrix_check_code(const char *file, int line, const char *what, int expected, int actual)
{
    if (expected != actual)
        matrix_fail(file, line, what, "%s was expected, it answered %s", umbel_code_name(expected),
                    umbel_code_name(actual));
}

/* ---- gates and marks ---- */

const char *gate_path(const struct matrix *m, const char *name)
{
    static _Thread_local char paths[8][300];
    static _Thread_local unsigned turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", m->folder, name);
    return path;
}

void gate_open(const struct matrix *m, const char *name)
{
    FILE *file = fopen(gate_path(m, name), "w");
    CHECK(file, "%s", name);
    fclose(file);
}

size_t marks(const struct matrix *m, const char *name)
{
    struct stat info;
    return stat(gate_path(m, name), &info) == 0 ? (size_t)info.st_size : 0;
}

void await_marks(const struct matrix *m, const char *name, size_t count)
{
    for (int i = 0; i < PATIENCE * 500 && marks(m, name) < count; i++)
        usleep(2000);
    CHECK(marks(m, name) >= count, "%zu of %zu marks '%s'", marks(m, name), count, name);
}

umbel_future *begun(const struct matrix *m, const char *task, const char *name)
{
    char mark[64];
    snprintf(mark, sizeof mark, "%s.begun", name);
    umbel_future *future = SUBMIT(m, task, gate_path(m, mark), gate_path(m, name));
    await_marks(m, mark, 1);
    return future;
}

void block_all(const struct matrix *m, umbel_future *blockers[BLOCKERS])
{
    for (int i = 0; i < BLOCKERS; i++)
        blockers[i] = SUBMIT(m, "m.gate", gate_path(m, "block.begun"), gate_path(m, "block"));
    for (int i = 0; i < BLOCKERS; i++)
        if (umbel_done(blockers[i]))
            CHECK_CODE(UMBEL_OK, umbel_exception(blockers[i], 0)); /* refused: the marks would never come */
    await_marks(m, "block.begun", m->can & NEEDS_CONCURRENCY ? 2 : 1);
}

void unblock(const struct matrix *m, umbel_future *blockers[BLOCKERS])
{
    gate_open(m, "block");
    for (int i = 0; i < BLOCKERS; i++) {
        int code = umbel_exception(blockers[i], PATIENCE);
        CHECK(code == UMBEL_OK || code == UMBEL_CANCELLED, "%s", umbel_error(blockers[i]));
    }
    free_all(blockers, BLOCKERS);
}

/* Workers hear of cancellations a moment later, but in their order. The gate is shut: what begins now found
 * the place of a blocker, whose cancellation was heard after all that were made before. */
static void await_cancels(const struct matrix *m, umbel_future *blockers[BLOCKERS])
{
    for (int i = 0; i < BLOCKERS; i++)
        CHECK_CODE(UMBEL_OK, umbel_cancel(blockers[i]));
    CHECK_CODE(UMBEL_OK,
               umbel_apply(m->client, "m.add", UMBEL_ARGS(1, 1), PATIENCE, NULL, .queue = m->queue));
}

void unblock_nothing(const struct matrix *m, umbel_future *blockers[BLOCKERS])
{
    if (m->can & NEEDS_INTERRUPT)
        await_cancels(m, blockers);
    unblock(m, blockers);
    umbel_future *after = SUBMIT(m, "m.add", 1, 1);
    CHECK_CODE(UMBEL_OK, umbel_exception(after, PATIENCE));
    CHECK_CODE(UMBEL_OK, umbel_drain(m->client, PATIENCE));
    CHECK(marks(m, "ran") == 0, "%zu ran", marks(m, "ran"));
    umbel_future_free(after);
}

void free_all(umbel_future **futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        umbel_future_free(futures[i]);
}

/* ---- the program ---- */

static const struct matrix_case *find(const char *name)
{
    for (int i = 0; i < TABLES; i++)
        for (const struct matrix_case *at = tables[i]; at->name; at++)
            if (strcmp(at->name, name) == 0)
                return at;
    return NULL;
}

static int list(void)
{
    for (int i = 0; i < TABLES; i++)
        for (const struct matrix_case *at = tables[i]; at->name; at++)
            printf("%s %u\n", at->name, at->needs);
    return 0;
}

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int run(const char *name)
{
    struct matrix m = {.broker = environment("MATRIX_BROKER"),
                       .backend = environment("MATRIX_BACKEND"),
                       .queue = environment("MATRIX_QUEUE"),
                       .folder = environment("MATRIX_FOLDER"),
                       .can = (unsigned)atoi(environment("MATRIX_CAN") ? environment("MATRIX_CAN") : "0")};
    const struct matrix_case *it = find(name);
    CHECK(it, "there is no case %s", name);
    CHECK(m.broker && m.queue && m.folder, "MATRIX_BROKER, MATRIX_QUEUE and MATRIX_FOLDER are not set");
    umbel_client_options options = {.broker = m.broker, .backend = m.backend, .timeout = PATIENCE};
    m.client = umbel_connect_with(&options);
    CHECK_CODE(UMBEL_OK, umbel_client_wait(m.client, PATIENCE));
    it->run(&m);
    if (m.client)
        umbel_close(m.client, PATIENCE);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0)
        return list();
    if (argc == 3 && strcmp(argv[1], "run") == 0)
        return run(argv[2]);
    return umbel_main(argc, argv);
}
