/* nested.c: tasks that call tasks and wait for them. */
#include <signal.h>
#include <stdlib.h>
#include <umbel.h>
#include <unistd.h>

/* The code of the first that went wrong is the task's failure. */
static int wait_for(umbel_task *task, umbel_future *future, double timeout, int64_t *value)
{
    int code = umbel_get(future, timeout, value);
    if (code)
        umbel_fail(task, umbel_code_name(code), "%s", umbel_error(future));
    return code;
}

/* fib(20) is 21,891 tasks: each calls two, down to 1 and 0. */
UMBEL_TASK(fib, "nested.fib")
{
    int64_t n, a = 0, b = 0;
    if (umbel_args(task, &n))
        return;
    if (n < 2) {
        umbel_return(task, n);
        return;
    }
    umbel_client *client = umbel_task_client(task);
    umbel_future *left = umbel_submit(client, "nested.fib", UMBEL_ARGS(n - 1));
    umbel_future *right = umbel_submit(client, "nested.fib", UMBEL_ARGS(n - 2));
    if (!wait_for(task, left, 120, &a) && !wait_for(task, right, 120, &b))
        umbel_return(task, a + b);
    umbel_future_free(left);
    umbel_future_free(right);
}

/* The leaves of a binary tree, each counts 1. */
UMBEL_TASK(tree, "nested.tree")
{
    int64_t depth, sum = 0, part;
    umbel_future *half[2];
    if (umbel_args(task, &depth))
        return;
    if (depth == 0) {
        umbel_return(task, 1);
        return;
    }
    for (int i = 0; i < 2; i++)
        half[i] = umbel_submit(umbel_task_client(task), "nested.tree", UMBEL_ARGS(depth - 1));
    if (umbel_wait(half, 2, UMBEL_ALL_COMPLETED, 120))
        umbel_fail(task, "TimeoutError", "the halves did not end");
    for (int i = 0; i < 2; i++) {
        if (!wait_for(task, half[i], 0, &part))
            sum += part;
        umbel_future_free(half[i]);
    }
    umbel_return(task, sum);
}

/* One below the other, so deep. */
UMBEL_TASK(chain, "nested.chain")
{
    int64_t depth, below = 0;
    if (umbel_args(task, &depth))
        return;
    if (depth > 0) {
        umbel_future *next = umbel_submit(umbel_task_client(task), "nested.chain", UMBEL_ARGS(depth - 1));
        int code = wait_for(task, next, 60, &below);
        umbel_future_free(next);
        if (code)
            return;
    }
    umbel_return(task, below + 1);
}

/* What it is and who called it. */
UMBEL_TASK(family, "nested.family")
{
    int64_t generations;
    if (umbel_args(task, &generations))
        return;
    umbel_value *out = umbel_map_new();
    umbel_add_str(out, "id", umbel_task_id(task));
    umbel_add_str(out, "root", umbel_task_root_id(task));
    umbel_add_str(out, "parent", umbel_task_parent_id(task) ? umbel_task_parent_id(task) : "");
    umbel_add_str(out, "queue", umbel_task_queue(task));
    if (generations > 1) {
        umbel_future *child =
            umbel_submit(umbel_task_client(task), "nested.family", UMBEL_ARGS(generations - 1));
        if (umbel_wait(&child, 1, UMBEL_ALL_COMPLETED, 30) == UMBEL_OK && umbel_result(child))
            umbel_add_value(out, "child", umbel_result(child));
        umbel_future_free(child);
    }
    umbel_return(task, (const umbel_value *)out);
    umbel_value_free(out);
}

/* Calls any task on any queue and gives back what it gave, or how it failed. */
UMBEL_TASK(call, "nested.call")
{
    const char *name, *queue;
    const umbel_value *argument;
    if (umbel_args(task, &name, &queue, &argument))
        return;
    umbel_submit_options options = {.queue = *queue ? queue : NULL};
    umbel_future *future = umbel_submit_with(umbel_task_client(task), name, UMBEL_ARGS(argument), &options);
    int code = umbel_wait(&future, 1, UMBEL_ALL_COMPLETED, 30);
    if (code == UMBEL_OK)
        code = umbel_future_code(future);
    if (code == UMBEL_OK)
        umbel_return(task, umbel_result(future));
    else
        umbel_fail(task, umbel_error_type(future) ? umbel_error_type(future) : umbel_code_name(code), "%s",
                   umbel_error(future));
    umbel_future_free(future);
}

/* Calls and does not wait. */
UMBEL_TASK(spread, "nested.spread")
{
    const char *name;
    int64_t count;
    if (umbel_args(task, &name, &count))
        return;
    for (int64_t i = 0; i < count; i++)
        umbel_future_free(umbel_submit(umbel_task_client(task), name, UMBEL_ARGS(i)));
    umbel_return(task, count);
}

/* As spread, but not at once. */
UMBEL_TASK(late, "nested.late")
{
    double seconds;
    const char *name;
    int64_t argument;
    if (umbel_args(task, &seconds, &name, &argument) || umbel_sleep(task, seconds))
        return;
    umbel_future_free(umbel_submit(umbel_task_client(task), name, UMBEL_ARGS(argument)));
    umbel_return(task, 1);
}

static int nap_elsewhere(umbel_task *task, void *argument)
{
    double *seconds = argument;
    umbel_future *nap = umbel_submit(umbel_task_client(task), "nested.nap", UMBEL_ARGS(*seconds));
    int64_t pid;
    int code = umbel_get(nap, 8, &pid);
    umbel_future_free(nap);
    return code;
}

/* Four coroutines of one task wait, each for a call of its own. */
UMBEL_TASK(pair, "nested.pair")
{
    double seconds[] = {0.5, 0.5, 0.5, 0.5};
    int codes[4] = {-1, -1, -1, -1};
    umbel_coroutine *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = umbel_spawn(task, nap_elsewhere, &seconds[i]);
    for (int i = 0; i < 4; i++)
        if (umbel_join(task, all[i], -1, &codes[i]) || codes[i])
            umbel_fail(task, "TimeoutError", "call %d: %s", i, umbel_code_name(codes[i]));
    umbel_return(task, codes[0] + codes[3]);
}

/* Sleeps, and is there. */
UMBEL_TASK(nap, "nested.nap")
{
    double seconds;
    if (umbel_args(task, &seconds))
        return;
    if (umbel_sleep(task, seconds) == UMBEL_OK)
        umbel_return(task, getpid());
}

UMBEL_TASK(fail, "nested.fail")
{
    umbel_fail(task, "ValueError", "as it was told");
}

/* Dies, the first time it runs. */
UMBEL_TASK(die_once, "nested.die_once")
{
    if (umbel_task_deaths(task) == 0)
        raise(SIGKILL);
    umbel_return(task, umbel_task_deaths(task));
}

/* Waits for a nap; its own child dies meanwhile, the first time, by somebody else's hand. */
UMBEL_TASK(waiting_pid, "nested.waiting_pid")
{
    double seconds;
    if (umbel_args(task, &seconds))
        return;
    umbel_log(task, "waiting in %d", (int)getpid());
    umbel_future *nap = umbel_submit(umbel_task_client(task), "nested.nap", UMBEL_ARGS(seconds));
    int64_t pid;
    if (!wait_for(task, nap, 60, &pid))
        umbel_return(task, umbel_task_deaths(task));
    umbel_future_free(nap);
}
