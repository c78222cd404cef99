#include <criterion/criterion.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <umbel.h>
#include "client/timers.h"
#include "common/clock.h"

struct notes {
    int seen[64];
    atomic_int count;
    int number; /* of the next */
};

struct named {
    struct notes *notes;
    int name;
};

static void note(void *arg)
{
    struct named *named = arg;
    named->notes->seen[named->notes->count++] = named->name;
}

static umbel_timer add(struct timers *timers, double when, int priority, void (*call)(void *), void *arg)
{
    int code;
    return timers_add(timers, &(struct timed){.when = when, .priority = priority, .call = call, .arg = arg},
                      &code);
}

Test(timers, calls_run_by_time_then_priority_then_order_of_entry)
{
    struct timers timers;
    struct notes notes = {.count = 0};
    struct named names[6];
    const struct {
        double when;
        int priority;
    } rows[6] = {{2, 0}, {1, 5}, {1, -5}, {1, 5}, {0.5, 9}, {3, 0}};
    const int order[] = {4, 2, 1, 3, 0};
    timers_init(&timers, NULL);
    for (int i = 0; i < 6; i++) {
        names[i] = (struct named){&notes, i};
        add(&timers, rows[i].when, rows[i].priority, note, &names[i]);
    }
    cr_assert_float_eq(timers_due(&timers), 0.5, 1e-9);
    cr_assert_eq(timers_run(&timers, 2), 5);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(notes.seen[i], order[i], "call %d is %d", i, notes.seen[i]);
    cr_assert_eq(timers_count(&timers), 1);
    timers_fini(&timers);
}

Test(timers, a_cancelled_call_never_runs_and_its_number_is_never_given_again)
{
    struct timers timers;
    struct notes notes = {.count = 0};
    struct named one = {&notes, 1}, two = {&notes, 2};
    timers_init(&timers, NULL);
    umbel_timer first = add(&timers, 1, 0, note, &one);
    cr_assert(timers_cancel(&timers, first));
    cr_assert(!timers_cancel(&timers, first), "only once");
    umbel_timer second = add(&timers, 1, 0, note, &two);
    cr_assert_neq(first, second);
    cr_assert(!timers_cancel(&timers, first), "its place is another's now");
    cr_assert_eq(timers_run(&timers, 5), 1);
    cr_assert_eq(notes.seen[0], 2);
    cr_assert(!timers_cancel(&timers, second), "it has run");
    cr_assert(!timers_cancel(&timers, 0) && !timers_cancel(&timers, UINT64_MAX));
    timers_fini(&timers);
}

Test(timers, ten_thousand_keep_their_order_while_half_are_cancelled)
{
    enum { MANY = 10000 };
    static umbel_timer numbers[MANY];
    static double times[MANY];
    struct timers timers;
    uint32_t random = 7;
    double last = -1;
    timers_init(&timers, NULL);
    for (int i = 0; i < MANY; i++) {
        random = random * 1664525u + 1013904223u;
        times[i] = random >> 12;
        numbers[i] = add(&timers, times[i], 0, note, NULL);
    }
    for (int i = 0; i < MANY; i += 2)
        cr_assert(timers_cancel(&timers, numbers[i]));
    cr_assert_eq(timers_count(&timers), MANY / 2);
    while (timers_count(&timers)) {
        double due = timers_due(&timers);
        cr_assert_geq(due, last);
        last = due;
        cr_assert(
            timers_cancel(&timers, (umbel_timer)timers.places[timers.heap[0]].used << 32 | timers.heap[0]));
    }
    timers_fini(&timers);
}

struct again {
    struct timers *timers;
    int ran;
};

static void enter_again(void *arg)
{
    struct again *again = arg;
    again->ran++;
    add(again->timers, 0, 0, enter_again, again);
}

Test(timers, a_call_that_enters_itself_again_does_not_stop_the_world)
{
    struct timers timers;
    struct again again = {&timers, 0};
    timers_init(&timers, NULL);
    add(&timers, 0, 0, enter_again, &again);
    cr_assert_eq(timers_run(&timers, 1), 1);
    cr_assert_eq(timers_run(&timers, 1), 1);
    cr_assert_eq(again.ran, 2);
    timers_fini(&timers);
}

Test(timers, a_closed_set_takes_and_runs_nothing)
{
    struct timers timers;
    struct again again = {&timers, 0};
    int code = UMBEL_OK;
    timers_init(&timers, NULL);
    add(&timers, 0, 0, enter_again, &again);
    timers_close(&timers);
    cr_assert_eq(timers_run(&timers, 1), 0);
    cr_assert_eq(timers_due(&timers), INFINITY);
    cr_assert_eq(timers_add(&timers, &(struct timed){.call = enter_again}, &code), 0);
    cr_assert_eq(code, UMBEL_CLOSED);
    timers_fini(&timers);
}

/* ---- on a client ---- */

static umbel_client *connect_alone(bool manual)
{
    umbel_client_options options = {.broker = "memory://timers", .manual_callbacks = manual, .timeout = 5};
    return umbel_connect_with(&options);
}

Test(timers, a_client_runs_its_calls_when_they_are_due_and_not_before, .timeout = 20)
{
    umbel_client *client = connect_alone(false);
    struct notes notes = {.count = 0};
    struct named soon = {&notes, 1}, later = {&notes, 2}, low = {&notes, 3}, at = {&notes, 4},
                 never = {&notes, 9};
    double start = umbel_clock();
    umbel_timer cancelled = umbel_call_later(client, 0.05, note, &never);
    cr_assert(umbel_enter_at(client, start + 0.08, 7, note, &at));
    cr_assert(umbel_enter(client, 0.04, 2, note, &low));
    cr_assert(umbel_call_later(client, 0.02, note, &later));
    cr_assert(umbel_call_soon(client, note, &soon));
    cr_assert_eq(umbel_timer_cancel(client, cancelled), UMBEL_OK);
    cr_assert_eq(umbel_timer_cancel(client, cancelled), UMBEL_NOT_FOUND);
    cr_assert_eq(umbel_timers_wait(client, 5), UMBEL_OK);
    cr_assert_geq(umbel_clock() - start, 0.08);
    cr_assert_eq(notes.count, 4);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(notes.seen[i], i + 1);
    cr_assert_eq(umbel_timer_count(client), 0);
    umbel_close(client, 1);
}

Test(timers, a_manual_client_runs_them_where_it_dispatches, .timeout = 20)
{
    umbel_client *client = connect_alone(true);
    struct notes notes = {.count = 0};
    struct named one = {&notes, 1}, two = {&notes, 2};
    umbel_call_later(client, 0.02, note, &one);
    umbel_call_later(client, 0.04, note, &two);
    for (int ran = 0; ran < 2;) {
        struct pollfd readable = {.fd = umbel_client_fd(client), .events = POLLIN};
        cr_assert_eq(poll(&readable, 1, 5000), 1);
        cr_assert_eq(notes.count, ran, "nothing runs before it is dispatched");
        ran += umbel_client_dispatch(client);
    }
    cr_assert_eq(notes.count, 2);
    umbel_call_later(client, 0.02, note, &one);
    umbel_call_later(client, 0.03, note, &one);
    cr_assert_eq(umbel_timers_wait(client, 5), UMBEL_OK);
    cr_assert_eq(notes.count, 4);
    umbel_close(client, 1);
}

Test(timers, what_is_not_due_is_dropped_when_the_client_closes, .timeout = 20)
{
    umbel_client *client = connect_alone(false);
    struct notes notes = {.count = 0};
    struct named one = {&notes, 1};
    umbel_call_later(client, 60, note, &one);
    cr_assert_eq(umbel_timers_wait(client, 0.02), UMBEL_TIMEOUT);
    cr_assert_eq(umbel_call_later(client, NAN, note, &one), 0);
    cr_assert_neq(umbel_client_error(client)[0], '\0');
    cr_assert_eq(umbel_close(client, 1), UMBEL_OK);
    cr_assert_eq(notes.count, 0);
}

struct flood {
    umbel_client *client;
    atomic_int *ran;
};

static void count_one(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void *enter_many(void *arg)
{
    struct flood *flood = arg;
    for (int i = 0; i < 2000; i++) {
        umbel_timer kept = umbel_call_later(flood->client, (i % 7) * 1e-3, count_one, flood->ran);
        umbel_timer gone = umbel_call_later(flood->client, 30, count_one, flood->ran);
        cr_assert(kept && gone);
        cr_assert_eq(umbel_timer_cancel(flood->client, gone), UMBEL_OK);
    }
    return NULL;
}

Test(timers, any_thread_enters_and_cancels, .timeout = 60)
{
    atomic_int ran = 0;
    umbel_client *client = connect_alone(false);
    struct flood flood = {client, &ran};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, enter_many, &flood);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(umbel_timers_wait(client, 30), UMBEL_OK);
    cr_assert_eq(ran, 8000);
    umbel_close(client, 1);
}
