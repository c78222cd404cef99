/* client.c: one client used from four threads at once, for the thread sanitizer; and its rate.
 *
 *     stress_client          every way to use a future, from four threads
 *     stress_client rate N   submits N tasks, gets them all, prints rates and CPU time per task
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <umbel.h>
#include "tests/stress/check.h"
#include "tests/stress/fake_worker.h"

enum { THREADS = 4, ROUNDS = 300, MANY = 32 };

static const char url[] = "memory://stress";
static atomic_int called;

static void count_call(umbel_future *future, void *arg)
{
    (void)arg;
    CHECK(umbel_done(future));
    atomic_fetch_add(&called, 1);
}

static void set_flag(umbel_future *future, void *flag)
{
    CHECK(umbel_done(future));
    atomic_store((atomic_bool *)flag, true);
    atomic_fetch_add(&called, 1);
}

static void get_one(umbel_client *client, int i)
{
    umbel_future *future = umbel_submit(client, i % 8 ? "add" : "python", UMBEL_ARGS(i, 1));
    int64_t value = 0;
    atomic_bool flag = false;
    CHECK(umbel_on_done(future, set_flag, &flag) == UMBEL_OK);
    int code = umbel_get(future, 20, &value);
    if (code)
        fprintf(stderr, "%s\n", umbel_error(future));
    CHECK(code == UMBEL_OK && value == i + 1);
    for (double limit = clock_mono() + 20; !atomic_load(&flag) && clock_mono() < limit;)
        sched_yield(); /* the wait may end first, and who gives the future back then is not called */
    umbel_future_free(future);
}

static void fail_one(umbel_client *client)
{
    umbel_future *future = umbel_submit(client, "fail", UMBEL_ARGS());
    CHECK(umbel_get(future, 20, NULL) == UMBEL_FAILED);
    CHECK(strcmp(umbel_error_type(future), "ValueError") == 0);
    CHECK(strstr(umbel_error(future), "ValueError: bad"));
    umbel_forget(future);
}

static void wait_for_many(umbel_client *client)
{
    umbel_future *futures[MANY];
    for (int i = 0; i < MANY; i++)
        futures[i] = umbel_submit(client, "add", UMBEL_ARGS(i, i));
    CHECK(umbel_wait(futures, MANY, UMBEL_FIRST_COMPLETED, 20) == UMBEL_OK);
    CHECK(umbel_wait(futures, MANY, UMBEL_ALL_COMPLETED, 20) == UMBEL_OK);
    for (int i = 0; i < MANY; i++) {
        CHECK(umbel_value_kind(umbel_result(futures[i])) == UMBEL_INT);
        umbel_future_free(futures[i]);
    }
}

static void give_back_early(umbel_client *client, int i)
{
    umbel_future *future = umbel_submit(client, i % 2 ? "silent" : "add", UMBEL_ARGS(1, 2));
    umbel_on_done(future, count_call, NULL);
    if (i % 3)
        umbel_get(future, 0, NULL);
    umbel_future *twin = umbel_future_from_id(client, umbel_future_id(future));
    umbel_future_free(future);
    if (i % 2 == 0)
        CHECK(umbel_get(twin, 20, NULL) == UMBEL_OK);
    umbel_future_free(twin);
}

static void *use(void *arg)
{
    umbel_client *client = arg;
    for (int i = 0; i < ROUNDS; i++) {
        get_one(client, i);
        give_back_early(client, i);
        if (i % 10 == 0) {
            fail_one(client);
            wait_for_many(client);
            CHECK(umbel_flush(client, 20) == UMBEL_OK);
            CHECK(*umbel_client_error(client) == '\0');
        }
    }
    return NULL;
}

static int stress(void)
{
    struct fake_worker *worker = fake_worker_new(url);
    umbel_client *client = umbel_connect(url, url);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, use, client);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    umbel_future *held = umbel_submit(client, "silent", UMBEL_ARGS());
    CHECK(umbel_close(client, 5) == UMBEL_OK);
    CHECK(umbel_get(held, 5, NULL) == UMBEL_CLOSED);
    umbel_future_free(held);
    fake_worker_free(worker);
    CHECK(atomic_load(&called) >= THREADS * ROUNDS);
    puts("ok");
    return 0;
}

/* ---- rate ---- */

static double cpu_of(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static int rate(long n)
{
    struct fake_worker *worker = fake_worker_new(url);
    umbel_client *client = umbel_connect(url, url);
    CHECK(umbel_client_wait(client, 5) == UMBEL_OK);
    umbel_future **futures = calloc((size_t)n, sizeof *futures);
    double start = clock_mono(), cpu = cpu_of(RUSAGE_SELF), own = cpu_of(RUSAGE_THREAD);
    for (long i = 0; i < n; i++)
        futures[i] = umbel_submit(client, "add", UMBEL_ARGS(i, 1));
    double submitted = clock_mono() - start, submit_cpu = cpu_of(RUSAGE_THREAD) - own;
    for (long i = 0; i < n; i++) {
        int64_t value = 0;
        CHECK(umbel_get(futures[i], 60, &value) == UMBEL_OK && value == i + 1);
        umbel_future_free(futures[i]);
    }
    double all = clock_mono() - start, count = (double)n;
    printf("submit: %.0f/s, %.2f us of CPU each; all: %.0f/s, %.2f us of CPU each (caller %.2f us)\n",
           count / submitted, submit_cpu / count * 1e6, count / all,
           (cpu_of(RUSAGE_SELF) - cpu) / count * 1e6, (cpu_of(RUSAGE_THREAD) - own) / count * 1e6);
    free(futures);
    umbel_close(client, 5);
    fake_worker_free(worker);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "rate") == 0)
        return rate(atol(argv[2]));
    return stress();
}
