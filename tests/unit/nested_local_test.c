/* nested_local_test.c: tasks that call tasks inside one program: an executor's pools at a concurrency of one.
 */
#include <criterion/criterion.h>
#include <umbel/executor.h>
#include "worker/task_client.h"

static void fib(umbel_task *task)
{
    int64_t n, a = 0, b = 0;
    if (umbel_args(task, &n))
        return;
    if (n < 2) {
        umbel_return(task, n);
        return;
    }
    umbel_client *client = umbel_task_client(task);
    umbel_future *left = umbel_submit(client, "fib", UMBEL_ARGS(n - 1));
    umbel_future *right = umbel_submit(client, "fib", UMBEL_ARGS(n - 2));
    if (umbel_get(left, 60, &a) || umbel_get(right, 60, &b))
        umbel_fail(task, "RuntimeError", "%s%s", umbel_error(left), umbel_error(right));
    else
        umbel_return(task, a + b);
    umbel_future_free(left);
    umbel_future_free(right);
}

static const umbel_task_def fib_def = {.size = sizeof fib_def, .name = "fib", .run = fib};
static const umbel_task_def *const defs[] = {&fib_def};
static const umbel_module_table module = {UMBEL_MODULE_MAGIC, UMBEL_ABI, UMBEL_VERSION, defs,
                                          defs + 1,           NULL,      NULL};

static void check(const char *url, int64_t n, int64_t expected)
{
    umbel_client *client = umbel_connect_with(&(umbel_client_options){.broker = url, .module = &module});
    umbel_future *futures[8];
    int64_t value;
    for (int i = 0; i < 8; i++)
        futures[i] = umbel_submit(client, "fib", UMBEL_ARGS(i < 7 ? 5 : n));
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(umbel_get(futures[i], 60, &value), UMBEL_OK, "%s: %s", url, umbel_error(futures[i]));
        cr_assert_eq(value, i < 7 ? 5 : expected);
        umbel_future_free(futures[i]);
    }
    cr_assert_eq(umbel_close(client, 5), UMBEL_OK);
}

Test(nested_local, solo)
{
    check("memory://?pool=solo", 10, 55);
}

Test(nested_local, one_thread)
{
    check("memory://?pool=threads&concurrency=1", 10, 55);
}

Test(nested_local, four_threads)
{
    check("memory://?pool=threads&concurrency=4", 12, 144);
}

Test(nested_local, one_coroutine)
{
    check("memory://?pool=coroutines&concurrency=1", 10, 55);
}

Test(nested_local, one_process)
{
    check("memory://?pool=processes&concurrency=1", 8, 21);
}
