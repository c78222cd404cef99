/* uv_queue.c: no-op tasks through libuv's thread pool and through executors of Umbel, in turns, in one
 * process.
 *
 *     uv_queue [--count N] [--turns N] [--alone] [POOL ...]       POOL: solo, processes, threads, coroutines;
 *                                                                 default solo processes
 *
 * libuv: N times uv_queue_work from one loop until the last after-work callback has run. Umbel: N times
 * umbel_submit_call, then umbel_get of each. With --alone each call is waited for before the next. Either way
 * one thread works, unless UV_THREADPOOL_SIZE says otherwise. One JSON line per turn, then a line of medians:
 * calls per second, and the share of libuv's. */
#undef UMBEL_NO_MODULE
#include <umbel.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

enum { POOLS_MAX = 6, TURNS_MAX = 50, WARM = 1000 };

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

static void do_uv(uv_loop_t *loop, uv_work_t *requests, size_t count, bool alone)
{
    for (size_t i = 0; i < count; i++) {
        uv_queue_work(loop, &requests[i], work, after_work);
        if (alone)
            uv_run(loop, UV_RUN_DEFAULT);
    }
    uv_run(loop, UV_RUN_DEFAULT);
}

static double measure_uv(size_t count, bool alone)
{
    uv_loop_t loop;
    uv_work_t *requests = calloc(count, sizeof *requests);
    uv_loop_init(&loop);
    returned = 0;
    double begin = now();
    do_uv(&loop, requests, count, alone);
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

static void get(umbel_future *future, size_t number)
{
    if (umbel_get(future, 60, (void *)NULL)) {
        fprintf(stderr, "uv_queue: call %zu: %s\n", number, umbel_error(future));
        exit(1);
    }
    umbel_future_free(future);
}

static double measure_umbel(umbel_client *client, umbel_future **futures, size_t count, bool alone)
{
    double begin = now();
    for (size_t i = 0; i < count; i++) {
        futures[i] = umbel_submit_call(client, nothing, UMBEL_ARGS());
        if (alone)
            get(futures[i], i);
    }
    for (size_t i = 0; i < count && !alone; i++)
        get(futures[i], i);
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
    bool alone = false;
    const char *names[POOLS_MAX] = {"solo", "processes"};
    umbel_client *clients[POOLS_MAX];
    static double rates[POOLS_MAX + 1][TURNS_MAX];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
            count = (size_t)atol(argv[++i]);
        else if (strcmp(argv[i], "--turns") == 0 && i + 1 < argc)
            turns = (size_t)atol(argv[++i]);
        else if (strcmp(argv[i], "--alone") == 0)
            alone = true;
        else if (pools < POOLS_MAX)
            names[pools++] = argv[i];
    }
    setenv("UV_THREADPOOL_SIZE", "1", 0);
    pools = pools ? pools : 2;
    turns = turns < TURNS_MAX ? turns : TURNS_MAX;
    umbel_future **futures = calloc(count > WARM ? count : WARM, sizeof(umbel_future *));
    for (size_t p = 0; p < pools; p++) {
        char url[80];
        snprintf(url, sizeof url, "memory://?pool=%s&concurrency=1", names[p]);
        clients[p] = umbel_connect(url, NULL);
        measure_umbel(clients[p], futures, WARM, alone);
    }
    measure_uv(WARM, alone);
    for (size_t turn = 0; turn < turns; turn++) {
        rates[0][turn] = measure_uv(count, alone);
        printf("{\"turn\": %zu, \"uv_queue_work\": %.0f", turn, rates[0][turn]);
        for (size_t p = 0; p < pools; p++) {
            rates[p + 1][turn] = measure_umbel(clients[p], futures, count, alone);
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
