/* parts.c: reads results in parts: parts BROKER BACKEND QUEUE count|retry|slow|progress. Prints what it saw.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <umbel.h>

static umbel_client *client;
static const char *queue;

static int count(void)
{
    umbel_future *future = umbel_submit(client, "parts.count", UMBEL_ARGS(1000), .queue = queue);
    int64_t value, expected = 0;
    int code;
    while ((code = umbel_next(future, 20, &value)) == UMBEL_OK && value == expected)
        expected++;
    printf("%lld parts\n", (long long)expected);
    int64_t total = 0;
    int last = umbel_get(future, 5, &total);
    int again = umbel_next(future, 0, &value);
    umbel_future_free(future);
    return code != UMBEL_EXHAUSTED || last != UMBEL_OK || total != expected || again != UMBEL_EXHAUSTED;
}

static int retry(void)
{
    umbel_future *future = umbel_submit(client, "parts.retry", UMBEL_ARGS(), .queue = queue);
    const char *between = "[";
    int64_t value;
    int code;
    while ((code = umbel_next(future, 20, &value)) == UMBEL_OK || code == UMBEL_RESTARTED) {
        if (code == UMBEL_OK)
            printf("%s%lld", between, (long long)value);
        else
            printf("%sagain", between);
        between = " ";
    }
    printf("] %s\n", code == UMBEL_EXHAUSTED ? "exhausted" : umbel_error(future));
    umbel_future_free(future);
    return 0;
}

static int slow(void)
{
    umbel_future *future = umbel_submit(client, "parts.count", UMBEL_ARGS(3, 0.5), .queue = queue);
    int64_t value, seen = 0;
    const char *text;
    if (umbel_next(future, 0.1, &value) != UMBEL_TIMEOUT || !strstr(umbel_error(future), "0.1 s"))
        return 1;
    if (umbel_next(future, 20, &text) != UMBEL_BAD_TYPE)
        return 2; /* it counts as read */
    for (seen = 1; umbel_next(future, 20, &value) == UMBEL_OK; seen++)
        if (value != seen)
            return 3;
    printf("timeout, then %lld parts\n", (long long)seen);
    umbel_future_free(future);
    return 0;
}

static void show(umbel_future *future, void *arg)
{
    int64_t percent = 0;
    atomic_int *calls = arg;
    umbel_value_int(umbel_result(future), &percent);
    printf("%lld ", (long long)percent);
    atomic_fetch_add(calls, 1);
}

static int progress(void)
{
    atomic_int calls = 0;
    int64_t total = 0;
    umbel_future *future = umbel_submit(client, "parts.progress", UMBEL_ARGS(), .queue = queue);
    umbel_on_progress(future, show, &calls);
    int code = umbel_get(future, 20, &total);
    printf("then %lld\n", (long long)total);
    umbel_future_free(future);
    return code;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } rows[] = {{"count", count}, {"retry", retry}, {"slow", slow}, {"progress", progress}};
    if (argc != 5)
        return 2;
    client = umbel_connect(argv[1], *argv[2] ? argv[2] : NULL);
    queue = argv[3];
    int code = 2;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, argv[4]) == 0)
            code = rows[i].run();
    umbel_close(client, 1);
    return code;
}
