/* sched.c: Python's sched, on a client's loop. Needs no broker.
 *
 *     cc -o sched sched.c $(pkg-config --cflags --libs umbel) && ./sched
 */
#include <stdio.h>
#include <umbel.h>

struct event {
    umbel_client *client;
    const char *text;
    double start;
    int left; /* how often it comes again */
};

static void say(void *arg)
{
    const struct event *event = arg;
    printf("%3.0f ms: %s\n", (umbel_clock() - event->start) * 1e3, event->text);
}

/* A call may enter itself again: that makes it periodic. */
static void tick(void *arg)
{
    struct event *event = arg;
    say(event);
    if (--event->left > 0)
        umbel_call_later(event->client, 0.04, tick, event);
}

int main(void)
{
    umbel_client *client = umbel_connect("memory://sched", NULL);
    if (!client)
        return 1;
    double start = umbel_clock();
    struct event ticks = {client, "tick", start, 3};
    struct event now = {client, "at once", start, 0}, first = {client, "priority 1", start, 0},
                 second = {client, "priority 2", start, 0}, last = {client, "the last", start, 0},
                 never = {client, "never", start, 0};
    double moment = start + 0.1;
    umbel_enter_at(client, moment, 2, say, &second);
    umbel_call_at(client, moment + 0.05, say, &last);
    umbel_enter_at(client, moment, 1, say, &first);
    umbel_enter(client, 0.02, 0, tick, &ticks);
    umbel_timer timer = umbel_call_later(client, 0.06, say, &never);
    umbel_call_soon(client, say, &now);
    umbel_timer_cancel(client, timer);
    int code = umbel_timers_wait(client, 5.0);
    umbel_close(client, 1.0);
    return code;
}
