#include <criterion/criterion.h>
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

static bool rests_after(struct loop_pace *pace, uint64_t now, uint32_t items)
{
    pace->items += items;
    return loop_pace_rests(pace, now);
}

Test(loop, rests_only_while_items_come_fast)
{
    struct loop_pace pace = {.since = 1000};
    uint64_t now = pace.since;
    cr_assert_not(rests_after(&pace, now += 100000, 50), "one burst is no rate");
    cr_assert(rests_after(&pace, now += LOOP_WINDOW_NS, 50));
    cr_assert(rests_after(&pace, now += 100000, 0), "until the window is over");
    cr_assert_not(rests_after(&pace, now += LOOP_WINDOW_NS, 1), "one task alone pays no delay");
    cr_assert_not(rests_after(&pace, now + 1000000000, 5));
}
