/* as_completed.c: results in the order in which they come, and one that comes too late.
 *
 *     ./as_completed                                 threads of this program
 *     ./as_completed sqlite:/tmp/u.db                workers on this machine: the same program is one
 *     ./as_completed -b sqlite:/tmp/u.db worker -c 4
 *     ./as_completed amqp://localhost// redis://localhost/0    workers on a cluster */
#include <stdio.h>
#include <umbel.h>

UMBEL_TASK(nap, "nap")
{
    double seconds;
    if (umbel_args(task, &seconds))
        return;
    umbel_sleep(task, seconds);
    umbel_return(task, seconds);
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == '-')
        return umbel_main(argc, argv);
    umbel_client *client =
        umbel_connect(argc > 1 ? argv[1] : "memory://?pool=threads&concurrency=4", argc > 2 ? argv[2] : NULL);

    const double naps[] = {60, 0.9, 0.5, 0.1};
    umbel_future *futures[4], *future;
    for (int i = 0; i < 4; i++)
        futures[i] = umbel_submit(client, "nap", UMBEL_ARGS(naps[i]));

    umbel_completed *completed = umbel_as_completed(futures, 4, 4.0); /* for all of them together */
    int code;
    while ((code = umbel_completed_next(completed, &future)) == UMBEL_OK) {
        double seconds;
        if (umbel_get(future, 0, &seconds) == UMBEL_OK)
            printf("%g\n", seconds);
        else
            printf("%s\n", umbel_error(future));
    }
    umbel_completed_free(completed);

    if (code == UMBEL_TIMEOUT && umbel_cancel(futures[0]) == UMBEL_OK)
        printf("the last takes too long\n");
    for (int i = 0; i < 4; i++)
        umbel_future_free(futures[i]);
    return umbel_close(client, 1);
}
