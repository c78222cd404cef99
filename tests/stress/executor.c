/* executor.c: clients and executors under abuse, for the sanitizers: every call that ends something while
 * other threads are in the middle of everything else.
 *
 *     stress_executor [NAME]    all scenes, or one
 */
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <umbel.h>
#include <umbel/executor.h>
#include <umbel/timer.h>
#include "tests/stress/check.h"

/* ---- tasks ---- */

static void square(umbel_task *task)
{
    int64_t x = 0;
    if (!umbel_args(task, &x))
        umbel_return(task, x * x);
}

static void count_up(umbel_task *task)
{
    for (int i = 0; i < 20; i++)
        if (umbel_yield(task, i))
            return;
    umbel_return(task, 20);
}

static atomic_bool stubborn_go, stubborn_over;

/* It does not look whether it is wanted, and afterwards calls as a task may. */
static void stubborn(umbel_task *task)
{
    while (!atomic_load(&stubborn_go))
        usleep(1000);
    umbel_future *future = umbel_submit_call(umbel_task_client(task), square, UMBEL_ARGS(3));
    CHECK(umbel_get(future, 0.2, NULL) == UMBEL_CLOSED);
    umbel_future_free(future);
    atomic_store(&stubborn_over, true);
}

/* ---- orders given while the client closes ---- */

enum { ORDERERS = 3, HELD = 64 };

struct orderer {
    umbel_future *futures[HELD];
    atomic_bool *go;
};

static void *give_orders(void *self)
{
    struct orderer *orderer = self;
    while (!atomic_load(orderer->go))
        sched_yield();
    for (int i = 0; i < HELD; i++) {
        umbel_future *future = orderer->futures[i];
        if (i % 4 == 0)
            umbel_cancel(future);
        else if (i % 4 == 1)
            umbel_next(future, 0, NULL);
        if (i % 2)
            umbel_forget(future);
        else
            umbel_future_free(future);
    }
    return NULL;
}

/* The result backend has closed, the broker not yet: whoever cancels then must not reach it. */
static void orders_reach_no_backend_that_is_closed(void)
{
    char path[] = "/tmp/umbel-stress-XXXXXX", url[64], command[64];
    CHECK(mkdtemp(path));
    snprintf(url, sizeof url, "sqlite:%s/queue", path);
    for (int round = 0; round < 10; round++) {
        umbel_client *client = umbel_connect(url, "memory://stress-orders");
        struct orderer orderers[ORDERERS];
        pthread_t threads[ORDERERS];
        atomic_bool go = false;
        for (int i = 0; i < ORDERERS; i++) {
            orderers[i].go = &go;
            for (int j = 0; j < HELD; j++)
                orderers[i].futures[j] = umbel_submit(client, "nobody", UMBEL_ARGS(), .create_queue = true);
            pthread_create(&threads[i], NULL, give_orders, &orderers[i]);
        }
        umbel_flush(client, 10);
        if (round % 2)
            atomic_store(&go, true);
        umbel_future *last = umbel_future_from_id(client, "some-id");

        atomic_store(&go, true);
        umbel_close(client, 5);
        for (int i = 0; i < ORDERERS; i++)
            pthread_join(threads[i], NULL);
        CHECK(umbel_get(last, 1, NULL) == UMBEL_CLOSED);
        umbel_future_free(last);
    }
    snprintf(command, sizeof command, "rm -r %s", path);
    CHECK(system(command) == 0);
}

/* ---- who waits while it is cancelled and closed ---- */

static void *wait_long(void *future)
{
    double begun = umbel_clock();
    int code = umbel_get((umbel_future *)future, 20, NULL);
    CHECK(umbel_clock() - begun < 10);
    CHECK(code == UMBEL_CANCELLED || code == UMBEL_CLOSED);
    return NULL;
}

static atomic_int told;

static void count_told(umbel_future *future, void *arg)
{
    (void)arg;
    CHECK(umbel_done(future));
    atomic_fetch_add(&told, 1);
}

struct canceller {
    umbel_future *future;
    atomic_bool *go;
};

static void *cancel_it(void *self)
{
    struct canceller *canceller = self;
    while (!atomic_load(canceller->go))
        sched_yield();
    umbel_cancel(canceller->future);
    return NULL;
}

static void a_cancel_in_the_last_moment_wakes_who_waits(void)
{
    enum { ROUNDS = 400 };
    atomic_store(&told, 0);
    for (int round = 0; round < ROUNDS; round++) {
        umbel_client *client = umbel_connect("memory://stress-last", NULL);
        umbel_future *future = umbel_submit(client, "nobody", UMBEL_ARGS(), .create_queue = true);
        atomic_bool go = false;
        struct canceller canceller = {future, &go};
        pthread_t waits, cancels;
        umbel_on_done(future, count_told, NULL);
        pthread_create(&waits, NULL, wait_long, future);
        pthread_create(&cancels, NULL, cancel_it, &canceller);
        umbel_flush(client, 10);
        atomic_store(&go, true);
        for (volatile int i = 0; i < round * 50; i++)
            ;
        umbel_close(client, 1);
        pthread_join(cancels, NULL);
        pthread_join(waits, NULL);
        CHECK(atomic_load(&told) == round + 1);
        umbel_future_free(future);
    }
}

/* ---- a task that outlives its executor ---- */

static void a_task_left_behind_finds_its_client_closed(void)
{
    umbel_client *client = umbel_connect("memory://?pool=threads&concurrency=2", NULL);
    umbel_future *future = umbel_submit_call(client, stubborn, UMBEL_ARGS());
    for (int tries = 0; tries < 5000 && !umbel_running(future); tries++)
        usleep(1000);
    umbel_future_free(future);
    umbel_close(client, 0.1);
    atomic_store(&stubborn_go, true);
    for (int tries = 0; tries < 10000 && !atomic_load(&stubborn_over); tries++)
        usleep(1000);
    CHECK(atomic_load(&stubborn_over));
}

/* ---- everything at once, then the end ---- */

struct mob {
    umbel_client *client;
    atomic_bool over;
};

static void nothing(void *arg)
{
    (void)arg;
}

static void *map_on(void *self)
{
    struct mob *mob = self;
    umbel_value *list = umbel_list_new();
    for (int i = 0; i < 100; i++)
        umbel_add_int(list, NULL, i);
    for (int round = 0; !atomic_load(&mob->over); round++) {
        umbel_mapping *mapping =
            umbel_map(mob->client, NULL, list, .function = square, .unordered = round % 2 == 1, .ahead = 30);
        int64_t value = 0;
        for (int i = 0; i < 60 + round % 50; i++) {
            int code = umbel_map_next(mapping, &value);
            CHECK(code != UMBEL_TIMEOUT);
            if (code)
                break;
            CHECK(value == (int64_t)(umbel_map_index(mapping) * umbel_map_index(mapping)));
        }
        umbel_map_free(mapping);
    }
    umbel_value_free(list);
    return NULL;
}

static void free_it(umbel_future *future, void *arg)
{
    (void)arg;
    umbel_future_free(future);
}

static void *complete_on(void *self)
{
    struct mob *mob = self;
    enum { MANY = 40 };
    while (!atomic_load(&mob->over)) {
        umbel_future *futures[MANY], *next;
        for (int i = 0; i < MANY; i++)
            futures[i] = umbel_submit_call(mob->client, square, UMBEL_ARGS(i));
        umbel_completed *completed = umbel_as_completed(futures, MANY, 20);
        for (int i = 0; i < MANY / 2; i++) {
            CHECK(umbel_completed_next(completed, &next) == UMBEL_OK);
            CHECK(umbel_done(next));
            umbel_cancel(futures[MANY - 1 - i]);
        }
        for (int i = 0; i < MANY; i += 2)
            umbel_future_free(futures[i]);
        umbel_completed_free(completed);
        for (int i = 1; i < MANY; i += 2)
            if (umbel_on_done(futures[i], free_it, NULL))
                umbel_future_free(futures[i]);
    }
    return NULL;
}

static void *read_parts(void *self)
{
    struct mob *mob = self;
    while (!atomic_load(&mob->over)) {
        umbel_future *future = umbel_submit_call(mob->client, count_up, UMBEL_ARGS());
        int64_t part = -1, last = -1;
        int code;
        while ((code = umbel_next(future, 20, &part)) == UMBEL_OK)
            CHECK(part == ++last);
        if (code == UMBEL_TIMEOUT || (code == UMBEL_EXHAUSTED && last != 19)) {
            fprintf(stderr, "parts ended with %d after %d: %s\n", code, (int)last, umbel_error(future));
            exit(1);
        }
        umbel_future_free(future);
    }
    return NULL;
}

static void *time_calls(void *self)
{
    struct mob *mob = self;
    umbel_timer timers[32];
    while (!atomic_load(&mob->over)) {
        for (int i = 0; i < 32; i++)
            timers[i] = umbel_enter(mob->client, i * 0.0005, i % 3, nothing, NULL);
        for (int i = 0; i < 32; i += 2)
            umbel_timer_cancel(mob->client, timers[i]);
        umbel_timers_wait(mob->client, 5);
    }
    return NULL;
}

static void everything_on(const char *url, int end)
{
    static void *(*const runs[])(void *) = {map_on, complete_on, read_parts, time_calls, map_on};
    enum { RUNS = sizeof runs / sizeof *runs };
    struct mob mob = {.client = umbel_connect(url, NULL)};
    pthread_t threads[RUNS];
    for (size_t i = 0; i < RUNS; i++)
        pthread_create(&threads[i], NULL, runs[i], &mob);
    usleep(700000);
    int code = end == 0   ? umbel_shutdown(mob.client, false, 30)
               : end == 1 ? umbel_shutdown(mob.client, true, 30)
                          : umbel_terminate(mob.client, 30);
    CHECK(code == UMBEL_OK);
    atomic_store(&mob.over, true);
    for (size_t i = 0; i < RUNS; i++)
        pthread_join(threads[i], NULL);
    CHECK(umbel_close(mob.client, 10) == UMBEL_OK);
}

static void everything_at_once_and_then_the_end(void)
{
    for (int end = 0; end < 3; end++) {
        everything_on("memory://?pool=threads&concurrency=3", end);
        everything_on("memory://?pool=coroutines&concurrency=8", end);
        everything_on("memory://?pool=solo", end);
    }
}

/* ---- a thousand of them ---- */

static size_t entries(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    CHECK(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void open_and_close(const char *url, int times)
{
    for (int i = 0; i < times; i++) {
        umbel_client *client = umbel_connect(url, NULL);
        int64_t value = 0;
        umbel_future *future = umbel_submit_call(client, square, UMBEL_ARGS(9));
        int code = umbel_get(future, 20, &value);
        if (code || value != 81) {
            fprintf(stderr, "%s, the %d.: %d: %s\n", url, i, code, umbel_error(future));
            exit(1);
        }
        umbel_future_free(future);
        CHECK(umbel_close(client, 5) == UMBEL_OK);
    }
}

static void executors_leave_nothing(void)
{
    open_and_close("memory://?pool=solo", 5);
    open_and_close("memory://?pool=processes&concurrency=1", 1);
    size_t files = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    open_and_close("memory://?pool=solo", 400);
    open_and_close("memory://?pool=threads&concurrency=2", 300);
    open_and_close("memory://?pool=coroutines&concurrency=2", 300);
    open_and_close("memory://?pool=processes&concurrency=1", 20);
    for (int i = 0; i < 2000 && entries("/proc/self/task") > threads; i++)
        usleep(1000);
    CHECK(entries("/proc/self/fd") == files);
    CHECK(entries("/proc/self/task") == threads);
    CHECK(waitpid(-1, NULL, WNOHANG) == -1);
}

/* ---- closing out of a callback ---- */

static void close_it(void *client)
{
    umbel_close(client, 0);
}

static void close_client(umbel_future *future, void *client)
{
    umbel_future_free(future);
    umbel_close(client, 0);
}

static void a_dispatched_callback_may_close_its_client(void)
{
    umbel_client_options options = {.broker = "memory://stress-dispatch", .manual_callbacks = true};
    umbel_client *client = umbel_connect_with(&options);
    CHECK(umbel_call_soon(client, close_it, client));
    usleep(5000);
    CHECK(umbel_client_dispatch(client) == 1);
    client = umbel_connect_with(&options);
    umbel_future *future = umbel_submit(client, "nobody", UMBEL_ARGS(), .create_queue = true);
    umbel_on_done(future, close_client, client);
    umbel_cancel(future);
    for (int i = 0; i < 1000 && !umbel_client_dispatch(client); i++)
        usleep(1000);
}

/* ---- a timed call that enters itself again ---- */

static void again(void *client)
{
    umbel_call_at(client, -INFINITY, again, client);
}

static void a_call_that_is_always_due_stops_nothing(void)
{
    umbel_client *client = umbel_connect("memory://?pool=threads&concurrency=1", NULL);
    umbel_call_soon(client, again, client);
    usleep(20000);
    umbel_future *future = umbel_submit_call(client, square, UMBEL_ARGS(4));
    CHECK(umbel_get(future, 10, NULL) == UMBEL_OK);
    umbel_future_free(future);
    for (int i = 0; i < 10000 && umbel_timer_count(client) != 1; i++) /* it may be running just now */
        usleep(100);
    CHECK(umbel_timer_count(client) == 1);
    CHECK(umbel_close(client, 5) == UMBEL_OK);
}

/* ---- a mapping whose source is wrong half way ---- */

static void calls_before_a_wrong_one_are_made(void)
{
    umbel_client *client = umbel_connect("memory://?pool=solo", NULL);
    umbel_value *list = umbel_list_new();
    for (int i = 0; i < 5; i++)
        umbel_add_int(umbel_add_list(list, NULL), NULL, i);
    umbel_add_int(list, NULL, 5);
    umbel_mapping *mapping = umbel_starmap(client, "umbel.ping", list, .chunk = 4);
    for (int i = 0; i < 5; i++)
        CHECK(umbel_map_next(mapping, NULL) == UMBEL_OK);
    CHECK(umbel_map_next(mapping, NULL) == UMBEL_BAD_TYPE);
    CHECK(umbel_map_next(mapping, NULL) == UMBEL_EXHAUSTED);
    umbel_map_free(mapping);
    umbel_value_free(list);
    CHECK(umbel_close(client, 5) == UMBEL_OK);
}

/* ---- a fork in the middle ---- */

static void *submit_on(void *self)
{
    struct mob *mob = self;
    while (!atomic_load(&mob->over)) {
        umbel_future *future = umbel_submit_call(mob->client, square, UMBEL_ARGS(2));
        umbel_get(future, 20, NULL);
        umbel_future_free(future);
    }
    return NULL;
}

static void use_all_in_child(umbel_client *client, umbel_future **futures, size_t count,
                             umbel_completed *completed, umbel_mapping *mapping)
{
    umbel_future *next;
    alarm(10);
    CHECK(umbel_completed_next(completed, &next) == UMBEL_FORKED);
    umbel_completed_free(completed);
    CHECK(umbel_map_next(mapping, NULL) == UMBEL_FORKED);
    umbel_map_free(mapping);
    completed = umbel_as_completed(futures, count, 1);
    CHECK(umbel_completed_next(completed, &next) == UMBEL_FORKED);
    umbel_completed_free(completed);
    CHECK(umbel_gather(futures, count, false, 1) == UMBEL_FORKED);
    CHECK(umbel_cancel(futures[0]) == UMBEL_FORKED);
    CHECK(umbel_shutdown(client, true, 1) == UMBEL_FORKED);
    CHECK(umbel_drain(client, 1) == UMBEL_FORKED);
    CHECK(umbel_call_soon(client, nothing, NULL) == 0);
    for (size_t i = 0; i < count; i++)
        umbel_future_free(futures[i]);
    CHECK(umbel_close(client, 1) == UMBEL_FORKED);
    _exit(0);
}

static void a_child_can_ask_and_give_back_everything(void)
{
    struct mob mob = {.client = umbel_connect("memory://?pool=threads&concurrency=2", NULL)};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, submit_on, &mob);
    umbel_value *list = umbel_list_new();
    for (int i = 0; i < 50; i++)
        umbel_add_int(list, NULL, i);
    for (int round = 0; round < 100; round++) {
        enum { MANY = 50 };
        umbel_future *futures[MANY];
        for (int i = 0; i < MANY; i++)
            futures[i] = umbel_submit_call(mob.client, square, UMBEL_ARGS(i));
        umbel_completed *completed = umbel_as_completed(futures, MANY, 20);
        umbel_mapping *mapping = umbel_map(mob.client, NULL, list, .function = square, .unordered = true);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            use_all_in_child(mob.client, futures, MANY, completed, mapping);
        int status = 0;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        umbel_completed_free(completed);
        umbel_map_free(mapping);
        for (int i = 0; i < MANY; i++)
            umbel_future_free(futures[i]);
    }
    atomic_store(&mob.over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    umbel_value_free(list);
    umbel_close(mob.client, 10);
}

/* ---- main ---- */

static const struct scene {
    const char *name;
    void (*play)(void);
} scenes[] = {
    {"orders", orders_reach_no_backend_that_is_closed},
    {"last", a_cancel_in_the_last_moment_wakes_who_waits},
    {"behind", a_task_left_behind_finds_its_client_closed},
    {"everything", everything_at_once_and_then_the_end},
    {"thousand", executors_leave_nothing},
    {"dispatch", a_dispatched_callback_may_close_its_client},
    {"again", a_call_that_is_always_due_stops_nothing},
    {"source", calls_before_a_wrong_one_are_made},
    {"fork", a_child_can_ask_and_give_back_everything},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        if (argc > 1 && strcmp(argv[1], scenes[i].name) != 0)
            continue;
        scenes[i].play();
        printf("%s: ok\n", scenes[i].name);
        fflush(stdout);
    }
    return 0;
}
