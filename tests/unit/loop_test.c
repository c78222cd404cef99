#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/loop.h"

struct probe {
    struct loop loop;
    struct turn_hook first, second;
    int firsts, seconds, turns;
    uv_timer_t timer;
};

static void call_first(void *self)
{
    struct probe *probe = self;
    probe->firsts++;
    loop_mark(&probe->loop, &probe->second);
}

static void call_second(void *self)
{
    struct probe *probe = self;
    probe->seconds++;
    cr_assert_eq(probe->firsts, probe->seconds, "both ran in one pass");
    if (probe->seconds == 3)
        loop_stop(&probe->loop);
}

static void on_timer(uv_timer_t *timer)
{
    struct probe *probe = timer->data;
    loop_mark(&probe->loop, &probe->first);
    loop_mark(&probe->loop, &probe->first);
}

static void probe_init(struct probe *probe)
{
    *probe = (struct probe){0};
    cr_assert_eq(loop_init(&probe->loop), 0);
    probe->first = (struct turn_hook){.call = call_first, .self = probe};
    probe->second = (struct turn_hook){.call = call_second, .self = probe};
}

Test(loop, a_hook_marked_by_a_hook_runs_in_the_same_pass)
{
    struct probe probe;
    probe_init(&probe);
    uv_timer_init(&probe.loop.uv, &probe.timer);
    probe.timer.data = &probe;
    uv_timer_start(&probe.timer, on_timer, 0, 1);
    loop_run(&probe.loop);
    cr_assert_eq(probe.firsts, 3, "a hook marked twice runs once");
    uv_close((uv_handle_t *)&probe.timer, NULL);
    loop_fini(&probe.loop);
}

Test(loop, an_unmarked_hook_does_not_run_and_the_others_do)
{
    struct probe probe;
    probe_init(&probe);
    struct turn_hook stop = {.call = (void (*)(void *))loop_stop, .self = &probe.loop};
    loop_mark(&probe.loop, &stop);
    loop_mark(&probe.loop, &probe.first);
    loop_unmark(&probe.loop, &probe.first);
    loop_unmark(&probe.loop, &probe.second);
    loop_mark(&probe.loop, &probe.second);
    loop_unmark(&probe.loop, &probe.second);
    cr_assert_eq(probe.loop.last, &stop.next, "the list ends at the hook that is left");
    loop_run(&probe.loop);
    cr_assert_eq(probe.firsts + probe.seconds, 0);
    loop_fini(&probe.loop);
}

static void woken(void *self)
{
    struct probe *probe = self;
    probe->turns++;
    loop_stop(&probe->loop);
}

static void wake_often(void *self)
{
    struct probe *probe = self;
    for (int i = 0; i < 100; i++)
        loop_wake(&probe->loop);
}

Test(loop, wakes_from_another_thread_are_coalesced)
{
    struct probe probe;
    probe_init(&probe);
    loop_on_wake(&probe.loop, woken, &probe);
    uv_thread_t thread;
    uv_thread_create(&thread, wake_often, &probe);
    uv_thread_join(&thread);
    loop_run(&probe.loop);
    cr_assert_eq(probe.turns, 1);
    loop_fini(&probe.loop);
}

static void *policy_of_a_thread(void *giving)
{
    if (giving)
        loop_give_way();
    return (void *)(intptr_t)sched_getscheduler(0);
}

Test(loop, a_thread_gives_way_for_itself_alone)
{
    pthread_t thread;
    void *policy;
    int before = sched_getscheduler(0);
    pthread_create(&thread, NULL, policy_of_a_thread, &before);
    pthread_join(thread, &policy);
    cr_assert_eq((intptr_t)policy, before == SCHED_OTHER ? SCHED_BATCH : before);
    cr_assert_eq(sched_getscheduler(0), before);
}

static void on_name(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    (void)request, (void)status;
    uv_freeaddrinfo(addresses);
}

/* The look-up of this name takes three seconds: see client_test.c. */
Test(loop, a_silent_name_server_holds_nobody_up)
{
    static struct loop loop; /* stays until the process is over */
    static uv_getaddrinfo_t request;
    cr_assert_eq(loop_init(&loop), 0);
    cr_assert_eq(uv_getaddrinfo(&loop.uv, &request, on_name, "silent.example", NULL, NULL), 0);
    usleep(50000);
    double since = clock_mono();
    cr_assert_not(loop_fini_within(&loop, 0.05));
    cr_assert_lt(clock_mono() - since, 0.3);
}
