/* gather.c: the vocabulary of asyncio: gather, wait, wait_for, cancel, on a pool of coroutines.
 *
 *     ./gather                                       coroutines of this program
 *     ./gather sqlite:/tmp/u.db                      workers on this machine: the same program is one
 *     ./gather -b sqlite:/tmp/u.db worker -P coroutines
 *     ./gather amqp://localhost// redis://localhost/0    workers on a cluster */
#include <stdio.h>
#include <umbel.h>

UMBEL_TASK(factorial, "factorial")
{
    int64_t n, product = 1;
    if (umbel_args(task, &n))
        return;
    if (n < 0) {
        umbel_fail(task, "ValueError", "there is no factorial of %d", (int)n);
        return;
    }
    for (int64_t i = 2; i <= n; i++) {
        umbel_sleep(task, 0.05); /* await asyncio.sleep */
        product *= i;
    }
    umbel_return(task, product);
}

UMBEL_TASK(eternity, "eternity")
{
    umbel_sleep(task, 3600); /* ends when the task is cancelled */
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == '-')
        return umbel_main(argc, argv);
    umbel_client *loop =
        umbel_connect(argc > 1 ? argv[1] : "memory://?pool=coroutines", argc > 2 ? argv[2] : NULL);

    umbel_future *all[4];
    for (int i = 0; i < 4; i++)
        all[i] = umbel_submit(loop, "factorial", UMBEL_ARGS(3 * i - 1)); /* -1, 2, 5, 8 */
    if (umbel_wait(all, 4, UMBEL_FIRST_EXCEPTION, 10) == UMBEL_OK)
        printf("the first error: %s\n", umbel_error_message(all[0]));
    int code = umbel_gather(all, 4, false, 10); /* return_exceptions=True: waits for all */
    printf("gather: %s\n", umbel_strerror(code));
    for (int i = 0; i < 4; i++) {
        long value;
        if (umbel_get(all[i], 0, &value) == UMBEL_OK)
            printf("factorial %d = %ld\n", 3 * i - 1, value);
        umbel_future_free(all[i]);
    }

    umbel_future *eternity = umbel_submit(loop, "eternity", UMBEL_ARGS());
    if (umbel_exception(eternity, 0.2) == UMBEL_TIMEOUT && umbel_cancel(eternity) == UMBEL_OK) /* wait_for */
        printf("timeout, %s\n", umbel_cancelled(eternity) ? "cancelled" : "still there");
    umbel_future_free(eternity);
    return umbel_close(loop, 1);
}
