#include <criterion/criterion.h>
#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <umbel/error.h>
#include "common/clock.h"
#include "common/co.h"
#include "common/loop.h"

/* A loop with a scheduler, and coroutines that write down what they did. */
struct scene {
    struct loop loop;
    struct co_scheduler *scheduler;
    struct co *first, *second;
    char said[100];
    int code, count;
    double after;
    bool open;
};

static struct scene *scene_new(void)
{
    struct scene *scene = calloc(1, sizeof *scene);
    cr_assert_eq(loop_init(&scene->loop), 0);
    scene->scheduler = co_scheduler_new(&scene->loop.uv);
    cr_assert(scene->scheduler);
    return scene;
}

/* Turns the loop until all coroutines have returned. */
static void play(struct scene *scene)
{
    double end = clock_mono() + 10;
    while (co_scheduler_count(scene->scheduler)) {
        cr_assert_lt(clock_mono(), end, "a coroutine never returned; it said: %s", scene->said);
        uv_run(&scene->loop.uv, UV_RUN_ONCE);
    }
}

static void scene_free(struct scene *scene)
{
    play(scene);
    cr_assert_eq(co_scheduler_free(scene->scheduler), 0);
    loop_fini(&scene->loop);
    free(scene);
}

static void say(struct scene *scene, const char *word)
{
    strncat(scene->said, word, sizeof scene->said - strlen(scene->said) - 1);
}

/* ---- beginning, passing, end ---- */

static void say_a_c(void *self)
{
    say(self, "a");
    co_pass();
    say(self, "c");
}

static void say_b_d(void *self)
{
    say(self, "b");
    co_pass();
    say(self, "d");
}

Test(co, they_take_turns)
{
    struct scene *scene = scene_new();
    co_start(scene->scheduler, 0, say_a_c, scene);
    co_start(scene->scheduler, 0, say_b_d, scene);
    cr_assert_str_eq(scene->said, "", "nobody runs before the loop does");
    play(scene);
    cr_assert_str_eq(scene->said, "abcd");
    cr_assert_null(co_self());
    scene_free(scene);
}

static void start_another(void *self)
{
    struct scene *scene = self;
    say(scene, "1");
    co_start(co_scheduler_of(co_self()), 0, say_a_c, scene);
    say(scene, "2");
}

Test(co, one_starts_another)
{
    struct scene *scene = scene_new();
    co_start(scene->scheduler, 0, start_another, scene);
    play(scene);
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
    play(scene);
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
    play(scene);
    cr_assert_eq(scene->count, 20);
    scene_free(scene);
}

Test(co, rounding_modes_are_each_ones_own)
{
    struct scene *scene = scene_new();
    co_start(scene->scheduler, 0, round_up, scene);
    co_start(scene->scheduler, 0, round_as_found, scene);
    play(scene);
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

static void wake_first(void *self)
{
    struct scene *scene = self;
    co_wake(scene->first);
}

Test(co, a_park_ends_by_a_wake)
{
    struct scene *scene = scene_new();
    scene->after = 10;
    co_start(scene->scheduler, 0, park, scene);
    co_start(scene->scheduler, 0, wake_first, scene);
    play(scene);
    cr_assert_eq(scene->code, UMBEL_OK);
    cr_assert_lt(scene->after, 1);
    scene_free(scene);
}

Test(co, a_park_ends_at_its_deadline_and_not_before)
{
    struct scene *scene = scene_new();
    scene->after = 0.03;
    co_start(scene->scheduler, 0, park, scene);
    play(scene);
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
    play(scene);
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
    play(scene);
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

static void on_timer(uv_timer_t *timer)
{
    struct scene *scene = timer->data;
    scene->open = true;
    uv_close((uv_handle_t *)timer, NULL);
}

Test(co, who_never_parks_does_not_starve_the_loop)
{
    struct scene *scene = scene_new();
    uv_timer_t timer;
    timer.data = scene;
    uv_timer_init(&scene->loop.uv, &timer);
    uv_timer_start(&timer, on_timer, 20, 0);
    co_start(scene->scheduler, 0, never_park, scene);
    co_start(scene->scheduler, 0, never_park, scene);
    play(scene);
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
    uv_timer_start(&timer, on_timer, 20, 0);
    scene->first = co_start(scene->scheduler, 0, ping, scene);
    scene->second = co_start(scene->scheduler, 0, ping, scene);
    play(scene);
    scene_free(scene);
}

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
    co_start(co_scheduler_of(root), 0, say_a_c, scene);
    say(scene, "<");
    scene->code = co_park(clock_mono() + 0.02);
    say(scene, ">");
    co_start(co_scheduler_of(root), 0, wake_first, scene);
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

/* ---- limits ---- */

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
    play(scene);
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
    say(scene, scene->count == 2 ? "both" : "left one behind");
}

static void poke_later(uv_timer_t *timer)
{
    struct scene *scene = timer->data;
    on_timer(timer);
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
    play(scene);
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
    play(scene);
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
    play(scene);
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
    play(scene);
    cr_assert_eq(scene->count, 1);
    cr_assert_lt(clock_mono() - began, 5);
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
    play(scene);
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
    play(scene);
}

/* A process that does not handle the fault itself. */
Test(co, a_full_stack_is_told_on_stderr, .signal = SIGSEGV)
{
    signal(SIGSEGV, SIG_DFL);
    struct scene *scene = scene_new();
    scene->code = 1 << 20;
    co_start(scene->scheduler, 0, dig_deep, scene);
    play(scene);
}
