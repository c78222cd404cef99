/* pages.c: the vocabulary of gevent: a pool of coroutines and a timeout. A thousand pages that each take a
 * while, fetched at once; what takes too long is given up.
 *
 *     ./pages                                        coroutines of this program
 *     ./pages sqlite:/tmp/u.db                       workers on this machine: the same program is one
 *     ./pages -b sqlite:/tmp/u.db worker -P coroutines -c 1000
 *     ./pages amqp://localhost// redis://localhost/0    workers on a cluster */
#include <stdio.h>
#include <umbel.h>

#define PAGES 1000

/* Stands for umbel_dial, umbel_write and umbel_read; every tenth server hangs. */
static int fetch(umbel_task *task, int64_t page)
{
    return umbel_sleep(task, page % 10 ? 0.1 : 60);
}

UMBEL_TASK(page, "page")
{
    int64_t number;
    umbel_timeout limit;
    if (umbel_args(task, &number))
        return;
    umbel_timeout_begin(task, &limit, 0.5);
    int code = fetch(task, number);
    if (umbel_timeout_end(task, &limit) || code)
        umbel_fail(task, "TimeoutError", "page %d took longer than half a second", (int)number);
    else
        umbel_return(task, number);
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == '-')
        return umbel_main(argc, argv);
    umbel_client *client = umbel_connect(argc > 1 ? argv[1] : "memory://?pool=coroutines&concurrency=1000",
                                         argc > 2 ? argv[2] : NULL);
    static umbel_future *pages[PAGES];
    int fetched = 0, late = 0;
    for (int i = 0; i < PAGES; i++)
        pages[i] = umbel_submit(client, "page", UMBEL_ARGS(i));
    for (int i = 0; i < PAGES; i++) {
        int64_t number;
        if (umbel_get(pages[i], 30, &number) == UMBEL_OK)
            fetched++;
        else if (umbel_future_code(pages[i]) == UMBEL_FAILED)
            late++;
        umbel_future_free(pages[i]);
    }
    printf("%d fetched, %d given up\n", fetched, late);
    return umbel_close(client, 5);
}
