/* loop.c: see loop.h. The hooks hang on a prepare handle, which libuv runs after timers and before it
 * computes how long to wait; so what the last poll and the timers produced is carried out before the thread
 * sleeps, and a mark made while polling costs no extra turn. */
#include "common/loop.h"

#include <assert.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <umbel/error.h>
#include "common/clock.h"

static struct turn_hook *take_first(struct loop *loop)
{
    struct turn_hook *hook = loop->first;
    loop->first = hook->next;
    if (!loop->first)
        loop->last = &loop->first;
    hook->next = NULL;
    hook->marked = false;
    return hook;
}

static void run_hooks(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;
    while (loop->first) {
        struct turn_hook *hook = take_first(loop);
        hook->call(hook->self);
    }
}

static void on_async(uv_async_t *async)
{
    struct loop *loop = async->data;
    if (loop->woken)
        loop->woken(loop->woken_self);
}

void loop_give_way(void)
{
    struct sched_param none = {0};
    if (sched_getscheduler(0) == SCHED_OTHER)
        sched_setscheduler(0, SCHED_BATCH, &none);
}

int loop_init(struct loop *loop)
{
    *loop = (struct loop){.last = &loop->first};
    if (uv_loop_init(&loop->uv) < 0)
        return UMBEL_SYSTEM;
    if (uv_async_init(&loop->uv, &loop->async, on_async) < 0) {
        uv_loop_close(&loop->uv);
        return UMBEL_SYSTEM;
    }
    loop->async.data = loop;
    uv_prepare_init(&loop->uv, &loop->prepare);
    loop->prepare.data = loop;
    uv_prepare_start(&loop->prepare, run_hooks);
    return UMBEL_OK;
}

/* Each turn lets closed handles and cancelled requests finish; a stop asked for earlier only ends one turn.
 * The wait is ours and not libuv's, for a loop without handles cannot be given a time limit. */
bool loop_fini_within(struct loop *loop, double seconds)
{
    double end = clock_mono() + seconds;
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->async, NULL);
    uv_run(&loop->uv, UV_RUN_NOWAIT);
    while (uv_loop_close(&loop->uv) == UV_EBUSY) {
        struct pollfd woken = {uv_backend_fd(&loop->uv), POLLIN, 0};
        double left = end - clock_mono();
        if (left <= 0)
            return false;
        poll(&woken, 1, uv_backend_timeout(&loop->uv) == 0 ? 0 : (int)fmin(left * 1000, 1000) + 1);
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    }
    return true;
}

void loop_fini(struct loop *loop)
{
    loop_fini_within(loop, INFINITY);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

void loop_on_wake(struct loop *loop, void (*woken)(void *self), void *self)
{
    loop->woken = woken;
    loop->woken_self = self;
}

void loop_wake(struct loop *loop)
{
    uv_async_send(&loop->async);
}

void loop_mark(struct loop *loop, struct turn_hook *hook)
{
    if (hook->marked)
        return;
    hook->marked = true;
    hook->next = NULL;
    *loop->last = hook;
    loop->last = &hook->next;
}

void loop_unmark(struct loop *loop, struct turn_hook *hook)
{
    if (!hook->marked)
        return;
    struct turn_hook **at = &loop->first;
    while (*at != hook)
        at = &(*at)->next;
    *at = hook->next;
    if (!hook->next)
        loop->last = at;
    hook->next = NULL;
    hook->marked = false;
}
