/* thread_pool.c: the vocabulary of concurrent.futures: submit, result, exception, map, shutdown.
 *
 *     cc -o thread_pool thread_pool.c $(pkg-config --cflags --libs umbel)
 *     ./thread_pool                                  threads of this program
 *     ./thread_pool sqlite:/tmp/u.db                 workers on this machine: the same program is one
 *     ./thread_pool -b sqlite:/tmp/u.db worker -P threads -c 4
 *     ./thread_pool amqp://localhost// redis://localhost/0    workers on a cluster */
#include <stdio.h>
#include <string.h>
#include <umbel.h>

/* What would be a download: it waits, and then has a size or an error. */
UMBEL_TASK(load, "page.load")
{
    const char *url;
    if (umbel_args(task, &url))
        return;
    umbel_sleep(task, 0.1);
    if (strstr(url, "nowhere"))
        umbel_fail(task, "OSError", "no such host");
    else
        umbel_return(task, strlen(url));
}

int main(int argc, char **argv)
{
    const char *urls[4] = {"http://one/", "http://second/", "http://nowhere/", "http://the-fourth/"};
    if (argc > 1 && argv[1][0] == '-')
        return umbel_main(argc, argv);
    umbel_client *pool =
        umbel_connect(argc > 1 ? argv[1] : "memory://?pool=threads&concurrency=4", argc > 2 ? argv[2] : NULL);

    umbel_future *pages[4];
    for (int i = 0; i < 4; i++)
        pages[i] = umbel_submit(pool, "page.load", UMBEL_ARGS(urls[i]));
    for (int i = 0; i < 4; i++) {
        int size;
        if (umbel_get(pages[i], 10, &size) == UMBEL_OK)
            printf("%s has %d bytes\n", urls[i], size);
        else if (umbel_exception(pages[i], 0) == UMBEL_FAILED)
            printf("%s: %s: %s\n", urls[i], umbel_error_type(pages[i]), umbel_error_message(pages[i]));
        umbel_future_free(pages[i]);
    }

    umbel_value *list = umbel_list_new();
    for (int i = 0; i < 4; i++)
        umbel_add_str(list, NULL, urls[i]);
    umbel_mapping *sizes = umbel_map(pool, "page.load", list, .timeout = 10);
    int size, code, sum = 0; /* a call that failed, fails alone */
    while ((code = umbel_map_next(sizes, &size)) != UMBEL_EXHAUSTED && code != UMBEL_TIMEOUT)
        sum += code == UMBEL_OK ? size : 0;
    printf("all of them have %d bytes\n", sum);
    umbel_map_free(sizes);
    umbel_value_free(list);
    umbel_shutdown(pool, false, 10);
    return umbel_close(pool, 1);
}
