/* timer.c: the public calls of timer.h. A client that cannot be used has no loop, so it takes no timed call.
 */
#include <umbel/timer.h>

#include <math.h>
#include "client/client.h"
#include "common/clock.h"

static const double WHEN_MAX = 1e12;

double umbel_clock(void)
{
    return clock_mono();
}

static umbel_timer refuse(umbel_client *client, int code, const char *why)
{
    if (code != UMBEL_FORKED)
        client_say(client, why);
    return 0;
}

static umbel_timer enter(umbel_client *client, double when, int priority, void (*call)(void *arg), void *arg)
{
    int code = client_check(client);
    if (!client)
        return 0;
    if (code != UMBEL_OK)
        return refuse(client, code, client->broken ? client->broken_why : umbel_strerror(code));
    if (isnan(when) || when > WHEN_MAX || !call)
        return refuse(client, UMBEL_BAD_ARGUMENT,
                      "a timed call needs a function and a time that is a number");
    struct timed what = {.when = fmax(when, 0), .priority = priority, .call = call, .arg = arg};
    umbel_timer timer = timers_add(&client->engine.timers, &what, &code);
    return timer ? timer : refuse(client, code, umbel_strerror(code));
}

umbel_timer umbel_call_soon(umbel_client *client, void (*call)(void *arg), void *arg)
{
    return enter(client, clock_mono(), 0, call, arg);
}

umbel_timer umbel_call_later(umbel_client *client, double seconds, void (*call)(void *arg), void *arg)
{
    return enter(client, clock_mono() + seconds, 0, call, arg);
}

umbel_timer umbel_call_at(umbel_client *client, double when, void (*call)(void *arg), void *arg)
{
    return enter(client, when, 0, call, arg);
}

umbel_timer umbel_enter(umbel_client *client, double seconds, int priority, void (*call)(void *arg),
                        void *arg)
{
    return enter(client, clock_mono() + seconds, priority, call, arg);
}

umbel_timer umbel_enter_at(umbel_client *client, double when, int priority, void (*call)(void *arg),
                           void *arg)
{
    return enter(client, when, priority, call, arg);
}

static bool is_usable(umbel_client *client)
{
    return client && fork_mark_is_ours(&client->mark) && client->opened;
}

int umbel_timer_cancel(umbel_client *client, umbel_timer timer)
{
    if (!client)
        return UMBEL_NO_MEMORY;
    if (!fork_mark_is_ours(&client->mark))
        return UMBEL_FORKED;
    return client->opened && timers_cancel(&client->engine.timers, timer) ? UMBEL_OK : UMBEL_NOT_FOUND;
}

size_t umbel_timer_count(umbel_client *client)
{
    return is_usable(client) ? timers_count(&client->engine.timers) : 0;
}

int umbel_timers_wait(umbel_client *client, double timeout)
{
    int code = client_check(client);
    if (code != UMBEL_OK)
        return code;
    struct timers *timers = &client->engine.timers;
    bool manual = client->callbacks.fd >= 0;
    double deadline = clock_mono() + client_timeout(client, timeout);
    bool time_left = timers_rest(timers, manual, deadline);
    while (manual && time_left && timers_count(timers)) {
        umbel_client_dispatch(client);
        time_left = timers_rest(timers, manual, deadline);
    }
    return !time_left ? UMBEL_TIMEOUT : client_check(client);
}
