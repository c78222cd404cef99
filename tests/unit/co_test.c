/* co_test.c: coroutines of one thread take turns, keep their registers and stacks, and wait without starving
 * the loop. */
#include <criterion/criterion.h>
#include <fenv.h>
#include <math.h>
#include <signal.h>
#include <unistd.h>
#include <umbel/error.h>
#include "common/clock.h"
#include "co_scene.h"

/* ---- beginning, passing, end ---- */

static void say_b_d(void *self)
{
    scene_say(self, "b");
    co_pass();
    scene_say(self, "d");
}

Test(co, they_take_turns)
{
    struct scene *scene = scene_new();
    co_start(scene->scheduler, 0, scene_say_a_c, scene);
    co_start(scene->scheduler, 0, say_b_d, scene);
    cr_assert_str_eq(scene->said, "", "nobody runs before the loop does");
    scene_play(scene);
    cr_assert_str_eq(scene->said, "abcd");
    cr_assert_null(co_self());
    scene_free(scene);
}

static void start_another(void *self)
{
    struct scene *scene = self;
    scene_say(scene, "1");
    co_start(co_scheduler_of(co_self()), 0, scene_say_a_c, scene);
    scene_say(scene, "2");
}

Test(co, one_starts_another)
{
    struct scene *scene = scene_new();
    co_start(scene->scheduler, 0, start_another, scene);
    scene_play(scene);
    cr_assert_str_eq(scene->said, "12ac");
    scene_free(scene);
}

static void count_me(void *self)
{
    struct scene *scene = self;
    co_pass();
    scene->count++;
}

Test(co, a_scheduler_cannot_go_before_its_coroutines)
{
    struct scene *scene = scene_new();
    for (int i = 0; i < 1000; i++)
        cr_assert(co_start(scene->scheduler, 0, count_me, scene));
    cr_assert_eq(co_scheduler_count(scene->scheduler), 1000);
    cr_assert_eq(co_scheduler_free(scene->scheduler), UMBEL_BUSY);
    scene_play(scene);
    cr_assert_eq(scene->count, 1000);
    scene_free(scene);
}

/* ---- what a switch keeps ---- */

static double harmonic(int from, int to)
{
    double sum = 0;
    for (int i = from; i < to; i++) {
        sum += 1.0 / i;
        co_pass();
    }
    return sum;
}

static void compute(void *self)
{
    struct scene *scene = self;
    volatile char deep[100000]; /* more than a page of its stack */
    deep[0] = deep[sizeof deep - 1] = 1;
    if (fabs(harmonic(1, 50) - 4.4792053383294253) < 1e-12 && deep[0] == deep[sizeof deep - 1])
        scene->count++;
}

static void round_up(void *self)
{
    struct scene *scene = self;
    fesetround(FE_UPWARD);
    co_pass();
    scene->code = fegetround();
}

static void round_as_found(void *self)
{
    struct scene *scene = self;
    scene->count += fegetround() == FE_TONEAREST;
    co_pass();
    scene->count += fegetround() == FE_TONEAREST;
}

Test(co, registers_and_the_stack_survive_a_switch)
{
    struct scene *scene = scene_new();
    for (int i = 0; i < 20; i++)
        co_start(scene->scheduler, 0, compute, scene);
    scene_play(scene);
    cr_assert_eq(scene->count, 20);
    scene_free(scene);
}

Test(co, rounding_modes_are_each_ones_own)
{
    struct scene *scene = scene_new();
    co_start(scene->scheduler, 0, round_up, scene);
    co_start(scene->scheduler, 0, round_as_found, scene);
    scene_play(scene);
    cr_assert_eq(scene->code, FE_UPWARD);
    cr_assert_eq(scene->count, 2);
    cr_assert_eq(fegetround(), FE_TONEAREST);
    scene_free(scene);
}

/* ---- parking ---- */

static void park(void *self)
{
    struct scene *scene = self;
    double began = clock_mono();
    scene->first = co_self();
    scene->code = co_park(began + scene->after);
    scene->after = clock_mono() - began;
    scene->first = NULL;
}

Test(co, a_park_ends_by_a_wake)
{
    struct scene *scene = scene_new();
    scene->after = 10;
    co_start(scene->scheduler, 0, park, scene);
    co_start(scene->scheduler, 0, scene_wake_first, scene);
    scene_play(scene);
    cr_assert_eq(scene->code, UMBEL_OK);
    cr_assert_lt(scene->after, 1);
    scene_free(scene);
}

Test(co, a_park_ends_at_its_deadline_and_not_before)
{
    struct scene *scene = scene_new();
    scene->after = 0.03;
    co_start(scene->scheduler, 0, park, scene);
    scene_play(scene);
    cr_assert_eq(scene->code, UMBEL_TIMEOUT);
    cr_assert(scene->after >= 0.03 && scene->after < 1, "%g", scene->after);
    scene_free(scene);
}

static void wake_myself_and_park(void *self)
{
    struct scene *scene = self;
    co_wake(co_self());
    co_wake(co_self());
    scene->code = co_park(clock_mono() + 10);
    scene->count = co_park(clock_mono());
}

Test(co, a_wake_before_the_park_is_kept_once)
{
    struct scene *scene = scene_new();
    scene->code = -1;
    co_start(scene->scheduler, 0, wake_myself_and_park, scene);
    scene_play(scene);
    cr_assert_eq(scene->code, UMBEL_OK);
    cr_assert_eq(scene->count, UMBEL_TIMEOUT, "two wakes are one permit");
    scene_free(scene);
}

static void note_time(void *self)
{
    struct scene *scene = self;
    double delay = (++scene->count * 7 % 100) * 1e-3, now = clock_mono();
    co_sleep_until(now + delay);
    if (clock_mono() < now + delay)
        scene->code++;
    if (now + delay < scene->after - 0.1) /* later than one that is due after it */
        scene->code++;
    scene->after = now + delay;
}

Test(co, sleepers_wake_in_the_order_of_their_times)
{
    struct scene *scene = scene_new();
    for (int i = 0; i < 300; i++)
        co_start(scene->scheduler, 0, note_time, scene);
    scene_play(scene);
    cr_assert_eq(scene->code, 0);
    scene_free(scene);
}

static void never_park(void *self)
{
    struct scene *scene = self;
    while (!scene->open) {
        co_pass();
        scene->count++;
    }
}

Test(co, who_never_parks_does_not_starve_the_loop)
{
    struct scene *scene = scene_new();
    uv_timer_t timer;
    timer.data = scene;
    uv_timer_init(&scene->loop.uv, &timer);
    uv_timer_start(&timer, scene_open, 20, 0);
    co_start(scene->scheduler, 0, never_park, scene);
    co_start(scene->scheduler, 0, never_park, scene);
    scene_play(scene);
    cr_assert_gt(scene->count, 2);
    scene_free(scene);
}

static void ping(void *self)
{
    struct scene *scene = self;
    for (struct co *me = co_self(); !scene->open; scene->count++) {
        co_wake(me == scene->first ? scene->second : scene->first);
        co_park(INFINITY);
    }
    co_wake(co_self() == scene->first ? scene->second : scene->first);
    while (scene->count >= 0 && scene->code++ == 0)
        co_park(clock_mono() + 10); /* the other one may still wake us */
}

Test(co, two_that_wake_each_other_do_not_starve_the_loop)
{
    struct scene *scene = scene_new();
    uv_timer_t timer;
    timer.data = scene;
    uv_timer_init(&scene->loop.uv, &timer);
    uv_timer_start(&timer, scene_open, 20, 0);
    scene->first = co_start(scene->scheduler, 0, ping, scene);
    scene->second = co_start(scene->scheduler, 0, ping, scene);
    scene_play(scene);
    scene_free(scene);
}

/* ---- stacks ---- */

static int dig(int depth)
{
    volatile char room[1000];
    room[0] = (char)depth;
    return depth ? dig(depth - 1) + room[0] : room[0];
}

static void dig_deep(void *self)
{
    struct scene *scene = self;
    scene->count = dig(scene->code);
}

Test(co, a_big_stack_holds_what_a_thread_would)
{
    struct scene *scene = scene_new();
    scene->code = 4000; /* four megabytes */
    cr_assert(co_start(scene->scheduler, CO_STACK_BIG, dig_deep, scene));
    scene_play(scene);
    scene_free(scene);
}

static void judge_fault(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    _exit(co_overflow_at(info->si_addr) == CO_STACK_SIZE ? 42 : 1);
}

Test(co, a_full_stack_is_a_fault_in_its_guard, .exit_code = 42)
{
    struct scene *scene = scene_new();
    struct sigaction action = {.sa_sigaction = judge_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    scene->code = 1 << 20;
    co_start(scene->scheduler, 0, dig_deep, scene);
    scene_play(scene);
}

/* A process that does not handle the fault itself. */
Test(co, a_full_stack_is_told_on_stderr, .signal = SIGSEGV)
{
    signal(SIGSEGV, SIG_DFL);
    struct scene *scene = scene_new();
    scene->code = 1 << 20;
    co_start(scene->scheduler, 0, dig_deep, scene);
    scene_play(scene);
}
