/* trees.c: trees of calls over any broker and pool: caller and worker in one program.
 *
 *     trees call TASK N      prints the result; TREES_BROKER, TREES_BACKEND, TREES_QUEUE say over what
 *     trees worker ...       umbel's own worker, with these tasks */
#undef UMBEL_NO_MODULE
#include "board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbel.h>

#define PATIENCE 900.0

static void wait_for_both(umbel_task *task, umbel_future *const half[2])
{
    int64_t left, right;
    board_wait();
    int code = umbel_get(half[0], PATIENCE, &left);
    bool first = code != UMBEL_OK;
    if (!code)
        code = umbel_get(half[1], PATIENCE, &right);
    board_go_on();
    if (code)
        umbel_fail(task, umbel_code_name(code), "%s", umbel_error(half[!first]));
    else
        umbel_return(task, left + right);
}

static void call_both(umbel_task *task, const char *name, int64_t first, int64_t second)
{
    umbel_client *client = umbel_task_client(task);
    umbel_future *half[2] = {umbel_submit(client, name, UMBEL_ARGS(first)),
                             umbel_submit(client, name, UMBEL_ARGS(second))};
    wait_for_both(task, half);
    umbel_future_free(half[0]);
    umbel_future_free(half[1]);
}

/* Each calls two, down to 1 and 0: fib(20) is 21,891 tasks, 20 of them below each other. */
UMBEL_TASK(fib, "trees.fib")
{
    int64_t n;
    if (umbel_args(task, &n))
        return;
    board_begin();
    if (n < 2)
        umbel_return(task, n);
    else
        call_both(task, "trees.fib", n - 1, n - 2);
    board_end();
}

/* A full tree: of depth 12 it has 8,191 nodes, and 4,096 leaves, each of which counts. */
UMBEL_TASK(sum, "trees.sum")
{
    int64_t depth;
    if (umbel_args(task, &depth))
        return;
    board_begin();
    if (depth == 0)
        umbel_return(task, 1);
    else
        call_both(task, "trees.sum", depth - 1, depth - 1);
    board_end();
}

static int call(const char *task, int64_t n)
{
    const char *backend = getenv("TREES_BACKEND"), *queue = getenv("TREES_QUEUE");
    umbel_client_options options = {.broker = getenv("TREES_BROKER"),
                                    .backend = backend && *backend ? backend : NULL,
                                    .timeout = PATIENCE};
    umbel_client *client = umbel_connect_with(&options);
    umbel_future *future = umbel_submit(client, task, UMBEL_ARGS(n), .queue = queue, .create_queue = true);
    int64_t value;
    int code = umbel_get(future, PATIENCE, &value);
    if (code)
        fprintf(stderr, "%s: %s\n", umbel_code_name(code), umbel_error(future));
    else
        printf("%lld\n", (long long)value);
    umbel_future_free(future);
    umbel_close(client, 20);
    return code != UMBEL_OK;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "call") == 0)
        return call(argv[2], atoll(argv[3]));
    return umbel_main(argc, argv);
}
