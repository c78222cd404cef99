/* pages.c: a pool of coroutines and a timeout. A thousand pages that each take a while, fetched at once in
 * this program; who takes too long is given up. The URL decides what runs it: pool=threads or pool=processes
 * do as well, with fewer at once.
 *
 *     cc -o pages pages.c $(pkg-config --cflags --libs umbel) && ./pages
 */
#include <stdio.h>
#include <umbel.h>
#include <umbel/executor.h>

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
    umbel_client *client =
        umbel_connect(argc > 1 ? argv[1] : "memory://?pool=coroutines&concurrency=1000", NULL);
    static umbel_future *pages[PAGES];
    int fetched = 0, late = 0;
    if (!client)
        return 1;
    for (int i = 0; i < PAGES; i++)
        pages[i] = umbel_submit(client, "page", UMBEL_ARGS(i));
    for (int i = 0; i < PAGES; i++) {
        int64_t number;
        if (umbel_get(pages[i], 30, &number) == UMBEL_OK)
            fetched++;
        else
            late++;
        umbel_future_free(pages[i]);
    }
    printf("%d fetched, %d given up\n", fetched, late);
    return umbel_close(client, 5) != UMBEL_OK;
}
