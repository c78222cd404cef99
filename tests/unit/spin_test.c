/* spin_test.c: when a wait looks before it sleeps, and that calls over memory:// are all that does. */
#include <criterion/criterion.h>
#include <time.h>
#include <umbel/executor.h>
#include "client/client.h"
#include "client/spin.h"

/* Of so many waits that find nothing, or all find something, how many looked. */
static int looks_of(struct spin *spin, int waits, bool found)
{
    int looks = 0;
    for (int i = 0; i < waits; i++) {
        if (!spin_try(spin))
            continue;
        spin_tried(spin, found);
        looks++;
    }
    return looks;
}

Test(spin, looks_that_find_something_go_on)
{
    struct spin spin = {0};
    cr_assert_eq(looks_of(&spin, 1000, true), 1000);
}

Test(spin, looks_that_find_nothing_become_rare)
{
    struct spin spin = {0};
    cr_assert_eq(looks_of(&spin, SPIN_MISSES, false), SPIN_MISSES);
    cr_assert_eq(looks_of(&spin, 10 * SPIN_REST, false), 10);
}

Test(spin, one_that_finds_something_brings_them_back)
{
    struct spin spin = {0};
    looks_of(&spin, SPIN_MISSES, false);
    cr_assert_eq(looks_of(&spin, SPIN_REST, true), 1, "the last of them tries");
    cr_assert_eq(looks_of(&spin, 100, true), 100);
}

Test(spin, misses_that_are_not_in_a_row_are_forgotten)
{
    struct spin spin = {0};
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(looks_of(&spin, SPIN_MISSES - 1, false), SPIN_MISSES - 1);
        cr_assert_eq(looks_of(&spin, 1, true), 1);
    }
}

/* ---- who looks ---- */

static const char *const pools[] = {"memory://?pool=solo", "memory://?pool=threads&concurrency=1",
                                    "memory://?pool=coroutines&concurrency=1",
                                    "memory://?pool=processes&concurrency=1"};
enum { POOLS = sizeof pools / sizeof *pools };

static void nap(umbel_task *task)
{
    umbel_sleep(task, 0.02);
}

static void long_nap(umbel_task *task)
{
    umbel_sleep(task, 0.5);
}

static double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void get_all(umbel_future **futures, int count)
{
    for (int i = 0; i < count; i++) {
        cr_assert_eq(umbel_get(futures[i], 20, (void *)NULL), UMBEL_OK, "%s", umbel_error(futures[i]));
        umbel_future_free(futures[i]);
    }
}

Test(spin, waits_for_long_calls_find_nothing_and_stop_looking, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        struct spin *spin = &client->engine.direct.spin;
        for (int n = 0; n < SPIN_MISSES; n++)
            get_all((umbel_future *[]){umbel_submit_call(client, nap, UMBEL_ARGS())}, 1);
        cr_assert_eq(atomic_load(&spin->rest), SPIN_REST - 1, "%s", pools[i]);
        umbel_close(client, 5);
    }
}

Test(spin, a_wait_for_a_long_call_takes_no_processor, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        get_all((umbel_future *[]){umbel_submit_call(client, nap, UMBEL_ARGS())}, 1);
        double before = processor_seconds();
        get_all((umbel_future *[]){umbel_submit_call(client, long_nap, UMBEL_ARGS())}, 1);
        cr_assert_lt(processor_seconds() - before, 0.1, "%s", pools[i]);
        umbel_close(client, 5);
    }
}

Test(spin, nobody_looks_for_a_message_or_for_one_of_many, .timeout = 60)
{
    for (size_t i = 0; i < POOLS; i++) {
        umbel_client *client = umbel_connect(pools[i], NULL);
        umbel_future *two[] = {umbel_submit_call(client, nap, UMBEL_ARGS(), .priority = 1),
                               umbel_submit_call(client, nap, UMBEL_ARGS(), .expires = 60)};
        get_all(two, 2);
        two[0] = umbel_submit_call(client, nap, UMBEL_ARGS());
        two[1] = umbel_submit_call(client, nap, UMBEL_ARGS());
        cr_assert_eq(umbel_get(two[0], 20, (void *)NULL), UMBEL_OK);
        cr_assert_eq(atomic_load(&client->engine.direct.spin.misses), 0, "%s", pools[i]);
        get_all(two, 2);
        umbel_close(client, 5);
    }
}
