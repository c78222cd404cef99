/* uv_queue.c: no-op tasks through libuv's thread pool and through executors of Umbel, in turns, in one
 * process.
 *
 *     uv_queue [--count N] [--turns N] [POOL ...]       POOL: solo, processes, threads; default solo
 * processes
 *
 * libuv: N times uv_queue_work from one loop until the last after-work callback has run (its threads:
 * UV_THREADPOOL_SIZE, 4 by default). Umbel: N times umbel_submit_call, then umbel_get of each. One JSON line
 * per turn, then a line of medians: calls per second, and the share of libuv's. */
#undef UMBEL_NO_MODULE
#include <umbel.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

enum { POOLS_MAX = 6, TURNS_MAX = 50 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- libuv ---- */

static size_t returned;

static void work(uv_work_t *request)
{
    (void)request;
}

static void after_work(uv_work_t *request, int status)
{
    (void)request, (void)status;
    returned++;
}

static double measure_uv(size_t count)
{
    uv_loop_t loop;
    uv_work_t *requests = calloc(count, sizeof *requests);
    uv_loop_init(&loop);
    returned = 0;
    double begin = now();
    for (size_t i = 0; i < count; i++)
        uv_queue_work(&loop, &requests[i], work, after_work);
    uv_run(&loop, UV_RUN_DEFAULT);
    double seconds = now() - begin;
    if (returned != count)
        abort();
    uv_loop_close(&loop);
    free(requests);
    return (double)count / seconds;
}

/* ---- Umbel ---- */

static void nothing(umbel_task *task)
{
    (void)task;
}

static double measure_umbel(umbel_client *client, umbel_future **futures, size_t count)
{
    double begin = now();
    for (size_t i = 0; i < count; i++)
        futures[i] = umbel_submit_call(client, nothing, UMBEL_ARGS());
    for (size_t i = 0; i < count; i++) {
        int code = umbel_get(futures[i], 60, (void *)NULL);
        if (code) {
            fprintf(stderr, "uv_queue: call %zu: %s\n", i, umbel_error(futures[i]));
            exit(1);
        }
        umbel_future_free(futures[i]);
    }
    return (double)count / (now() - begin);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *rates, size_t count)
{
    qsort(rates, count, sizeof *rates, compare);
    return rates[count / 2];
}

int main(int argc, char **argv)
{
    size_t count = 100000, turns = 5, pools = 0;
    const char *names[POOLS_MAX] = {"solo", "processes"};
    umbel_client *clients[POOLS_MAX];
    static double rates[POOLS_MAX + 1][TURNS_MAX];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
            count = (size_t)atol(argv[++i]);
        else if (strcmp(argv[i], "--turns") == 0 && i + 1 < argc)
            turns = (size_t)atol(argv[++i]);
        else if (pools < POOLS_MAX)
            names[pools++] = argv[i];
    }
    pools = pools ? pools : 2;
    turns = turns < TURNS_MAX ? turns : TURNS_MAX;
    umbel_future **futures = calloc(count, sizeof(umbel_future *));
    for (size_t p = 0; p < pools; p++) {
        char url[80];
        snprintf(url, sizeof url, "memory://?pool=%s&concurrency=1", names[p]);
        clients[p] = umbel_connect(url, NULL);
        measure_umbel(clients[p], futures, 1000); /* warm */
    }
    measure_uv(1000);
    for (size_t turn = 0; turn < turns; turn++) {
        rates[0][turn] = measure_uv(count);
        printf("{\"turn\": %zu, \"uv_queue_work\": %.0f", turn, rates[0][turn]);
        for (size_t p = 0; p < pools; p++) {
            rates[p + 1][turn] = measure_umbel(clients[p], futures, count);
            printf(", \"%s\": %.0f", names[p], rates[p + 1][turn]);
        }
        printf("}\n");
        fflush(stdout);
    }
    double uv = median(rates[0], turns);
    printf("{\"median\": true, \"uv_queue_work\": %.0f", uv);
    for (size_t p = 0; p < pools; p++) {
        double rate = median(rates[p + 1], turns);
        printf(", \"%s\": %.0f, \"%s_share\": %.3f", names[p], rate, names[p], rate / uv);
        umbel_close(clients[p], 5);
    }
    printf("}\n");
    free(futures);
    return 0;
}
