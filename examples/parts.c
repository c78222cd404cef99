/* parts.c: a task that tells how far it is and gives its result in parts, and a client that reads them as
 * they come.
 *
 *     ./parts                                        a thread of this program
 *     ./parts sqlite:/tmp/u.db                       workers on this machine: the same program is one
 *     ./parts -b sqlite:/tmp/u.db worker
 *     ./parts amqp://localhost// redis://localhost/0    workers on a cluster */
#include <stdio.h>
#include <umbel.h>

UMBEL_TASK(primes, "primes")
{
    int limit, found = 0;
    if (umbel_args(task, &limit))
        return;
    for (int n = 2, d; n <= limit; n++) {
        for (d = 2; d * d <= n && n % d; d++)
            ;
        if (d * d <= n)
            continue;
        if (umbel_yield(task, n)) /* the part could not be given: interrupted, or no memory */
            return;
        if (++found % 5 == 0) {
            umbel_progress(task, n * 100 / limit);
            umbel_sleep(task, 0.2); /* reports that follow closely are seen as one */
        }
    }
    umbel_return(task, found);
}

static void report(umbel_future *future, void *arg)
{
    (void)arg;
    int64_t percent;
    if (umbel_value_int(umbel_result(future), &percent) == UMBEL_OK)
        fprintf(stderr, "%d%%\n", (int)percent);
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == '-')
        return umbel_main(argc, argv);
    umbel_client *client =
        umbel_connect(argc > 1 ? argv[1] : "memory://?pool=threads", argc > 2 ? argv[2] : NULL);

    umbel_future *primes = umbel_submit(client, "primes", UMBEL_ARGS(50));
    umbel_on_progress(primes, report, NULL);
    int prime, found, code;
    while ((code = umbel_next(primes, 10, &prime)) == UMBEL_OK || code == UMBEL_RESTARTED)
        code ? printf("from the start:") : printf(" %d", prime);
    printf("\n");
    if (code == UMBEL_EXHAUSTED && umbel_get(primes, 0, &found) == UMBEL_OK)
        printf("%d primes\n", found);
    else
        printf("%s\n", umbel_error(primes));
    umbel_future_free(primes);
    return umbel_close(client, 1);
}
