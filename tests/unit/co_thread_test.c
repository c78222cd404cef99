/* co_thread_test.c: coroutines and threads: a wake from another thread is never lost, and a plain thread that
 * waits runs its own coroutines. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <umbel/error.h>
#include "common/clock.h"
#include "co_scene.h"

/* ---- other threads ---- */

/* Two threads hand a number to a coroutine, each waiting until it was taken. */
struct counter {
    pthread_mutex_t lock;
    struct co *taker; /* NULL: it does not wait */
    int given, taken, most;
};

static void give(struct counter *counter)
{
    pthread_mutex_lock(&counter->lock);
    counter->given++;
    if (counter->taker)
        co_wake_from(counter->taker);
    pthread_mutex_unlock(&counter->lock);
}

static void *give_many(void *self)
{
    struct counter *counter = self;
    for (int i = 0; i < 20000; i++)
        give(counter);
    return NULL;
}

static void take_all(void *self)
{
    struct counter *counter = self;
    double end = clock_mono() + 20;
    while (counter->taken < counter->most) {
        pthread_mutex_lock(&counter->lock);
        counter->taken += counter->given;
        counter->given = 0;
        counter->taker = co_self();
        pthread_mutex_unlock(&counter->lock);
        int code = counter->taken < counter->most ? co_park(end) : UMBEL_OK;
        pthread_mutex_lock(&counter->lock);
        counter->taker = NULL;
        pthread_mutex_unlock(&counter->lock);
        if (code)
            return;
    }
}

Test(co, no_wake_from_another_thread_is_lost)
{
    struct scene *scene = scene_new();
    struct counter counter = {.lock = PTHREAD_MUTEX_INITIALIZER, .most = 40000};
    pthread_t one, other;
    co_start(scene->scheduler, 0, take_all, &counter);
    pthread_create(&one, NULL, give_many, &counter);
    pthread_create(&other, NULL, give_many, &counter);
    double end = clock_mono() + 30;
    while (co_scheduler_count(scene->scheduler) && clock_mono() < end)
        uv_run(&scene->loop.uv, UV_RUN_ONCE);
    pthread_join(one, NULL);
    pthread_join(other, NULL);
    cr_assert_eq(counter.taken, 40000);
    scene_free(scene);
}

/* ---- a plain thread ---- */

static void *as_root(void *self)
{
    struct scene *scene = self;
    cr_assert_null(co_self());
    struct co *root = co_thread_enter();
    cr_assert(root && co_self() == root);
    scene->first = root;
    co_start(co_scheduler_of(root), 0, scene_say_a_c, scene);
    scene_say(scene, "<");
    scene->code = co_park(clock_mono() + 0.02);
    scene_say(scene, ">");
    co_start(co_scheduler_of(root), 0, scene_wake_first, scene);
    scene->count = co_park(clock_mono() + 10);
    co_thread_leave();
    cr_assert_null(co_self());
    return NULL;
}

Test(co, a_thread_that_waits_runs_its_coroutines)
{
    struct scene *scene = scene_new();
    pthread_t thread;
    pthread_create(&thread, NULL, as_root, scene);
    pthread_join(thread, NULL);
    cr_assert_str_eq(scene->said, "<ac>");
    cr_assert_eq(scene->code, UMBEL_TIMEOUT);
    cr_assert_eq(scene->count, UMBEL_OK);
    scene_free(scene);
}

static void *root_takes(void *self)
{
    co_thread_enter();
    take_all(self);
    co_thread_leave();
    return NULL;
}

Test(co, no_wake_of_a_thread_is_lost)
{
    struct counter counter = {.lock = PTHREAD_MUTEX_INITIALIZER, .most = 40000};
    pthread_t one, other, taker;
    pthread_create(&taker, NULL, root_takes, &counter);
    pthread_create(&one, NULL, give_many, &counter);
    pthread_create(&other, NULL, give_many, &counter);
    pthread_join(one, NULL);
    pthread_join(other, NULL);
    pthread_join(taker, NULL);
    cr_assert_eq(counter.taken, 40000);
}
