/* co_limit_test.c: what ends a coroutine's wait before its time: a limit, its owner, a cancellation. */
#include <criterion/criterion.h>
#include <math.h>
#include <umbel/error.h>
#include "common/clock.h"
#include "co_scene.h"

static void sleep_in_limits(void *self)
{
    struct scene *scene = self;
    double now = clock_mono();
    double outer = co_limit_narrow(now + 0.02), inner = co_limit_narrow(now + 10);
    scene->code = co_sleep_until(now + 5);
    co_limit_restore(inner);
    cr_assert(co_stopping(), "the outer one cut the inner one short");
    co_limit_restore(outer);
    scene->after = clock_mono() - now;
    scene->count = co_sleep_until(clock_mono() + 0.001);
}

Test(co, a_limit_ends_the_waits_under_it_and_no_others)
{
    struct scene *scene = scene_new();
    co_start(scene->scheduler, 0, sleep_in_limits, scene);
    scene_play(scene);
    cr_assert_eq(scene->code, UMBEL_TIMEOUT);
    cr_assert(scene->after >= 0.02 && scene->after < 1);
    cr_assert_eq(scene->count, UMBEL_OK);
    scene_free(scene);
}

static bool is_open(void *self)
{
    return ((struct scene *)self)->open;
}

static void sleep_and_note(void *self)
{
    struct scene *scene = self;
    scene->count += co_sleep_until(clock_mono() + 10) == UMBEL_TIMEOUT;
}

static void own_and_wait(void *self)
{
    struct scene *scene = self;
    struct co_owner owner = {.interrupted = is_open, .self = scene, .limit = INFINITY};
    co_own(&owner);
    co_start(scene->scheduler, 0, sleep_and_note, scene);
    sleep_and_note(scene);
    scene->code = co_pass();
    co_disown(&owner);
    scene_say(scene, scene->count == 2 ? "both" : "left one behind");
}

static void poke_later(uv_timer_t *timer)
{
    struct scene *scene = timer->data;
    scene_open(timer);
    co_poke(scene->scheduler);
}

Test(co, an_interruption_ends_every_wait_of_the_owner)
{
    struct scene *scene = scene_new();
    uv_timer_t timer;
    timer.data = scene;
    uv_timer_init(&scene->loop.uv, &timer);
    uv_timer_start(&timer, poke_later, 20, 0);
    co_start(scene->scheduler, 0, own_and_wait, scene);
    scene_play(scene);
    cr_assert_str_eq(scene->said, "both");
    cr_assert_eq(scene->code, UMBEL_TIMEOUT);
    scene_free(scene);
}

static void own_and_return(void *self)
{
    struct scene *scene = self;
    struct co_owner owner = {.limit = INFINITY};
    co_own(&owner);
    for (int i = 0; i < 10; i++)
        co_start(scene->scheduler, 0, sleep_and_note, scene);
    co_pass();
    co_disown(&owner);
    scene->code = scene->count;
}

Test(co, the_end_of_an_owner_ends_all_that_it_started)
{
    struct scene *scene = scene_new();
    double began = clock_mono();
    co_start(scene->scheduler, 0, own_and_return, scene);
    scene_play(scene);
    cr_assert_eq(scene->code, 10, "and it waited for them");
    cr_assert_lt(clock_mono() - began, 5);
    scene_free(scene);
}

static void own_until(void *self)
{
    struct scene *scene = self;
    struct co_owner owner = {.limit = clock_mono() + 0.02};
    co_own(&owner);
    sleep_and_note(scene);
    scene->code = co_park_firmly(clock_mono() + 0.01);
    co_disown(&owner);
}

Test(co, a_limit_of_the_owner_ends_waits_but_not_firm_ones)
{
    struct scene *scene = scene_new();
    double began = clock_mono();
    co_start(scene->scheduler, 0, own_until, scene);
    scene_play(scene);
    cr_assert_eq(scene->count, 1);
    cr_assert_eq(scene->code, UMBEL_TIMEOUT);
    cr_assert_geq(clock_mono() - began, 0.03, "the firm one lasted");
    scene_free(scene);
}

static void cancel_first(void *self)
{
    struct scene *scene = self;
    co_cancel(scene->first);
}

Test(co, a_cancelled_one_waits_no_more)
{
    struct scene *scene = scene_new();
    scene->first = co_start(scene->scheduler, 0, sleep_and_note, scene);
    co_start(scene->scheduler, 0, cancel_first, scene);
    double began = clock_mono();
    scene_play(scene);
    cr_assert_eq(scene->count, 1);
    cr_assert_lt(clock_mono() - began, 5);
    scene_free(scene);
}
