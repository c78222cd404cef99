/* co_scheduler.c: the loop's side: whom to run when. See co.h.
 *
 * Ready coroutines run in a prepare callback, just before the loop would wait; what they make ready runs in
 * the same pass, until a turn's share is used up, so that sockets and timers get theirs. One timer stands for
 * the earliest deadline. One async handle brings wake-ups from other threads. */
#include "common/co_inside.h"

#include <assert.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <umbel/error.h>
#include "common/clock.h"

/* Coroutines run between two polls. */
#define TURN_SHARE 512

static void on_prepare(uv_prepare_t *prepare);
static void on_timer(uv_timer_t *timer);

/* Its only effect is that the loop's next poll does not wait. */
static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

void co_scheduler_stir(struct co_scheduler *scheduler)
{
    if (scheduler->has_root && scheduler->root.state == CO_READY)
        uv_stop(scheduler->loop);
    if (!uv_is_active((uv_handle_t *)&scheduler->idle))
        uv_idle_start(&scheduler->idle, on_idle);
}

/* ---- running ---- */

static struct co *take_ready(struct co_list *ready)
{
    struct co *co = ready->first;
    if (co && !(ready->first = co->next_ready))
        ready->last = &ready->first;
    return co;
}

static void take_later(struct co_scheduler *scheduler)
{
    struct co_list *later = &scheduler->later;
    if (!later->first)
        return;
    *scheduler->ready.last = later->first;
    scheduler->ready.last = later->last;
    *later = (struct co_list){.last = &later->first};
}

/* The time left in whole milliseconds, upwards: the loop's timers know no less. */
static void arm(struct co_scheduler *scheduler)
{
    const struct co *first = co_heap_first(&scheduler->heap);
    double deadline = first ? first->deadline : INFINITY;
    if (deadline == scheduler->armed)
        return;
    scheduler->armed = deadline;
    if (!first) {
        uv_timer_stop(&scheduler->timer);
        return;
    }
    double left = fmin(fmax(deadline - clock_mono(), 0), 1e6);
    uv_update_time(scheduler->loop);
    uv_timer_start(&scheduler->timer, on_timer, (uint64_t)ceil(left * 1e3), 0);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct co_scheduler *scheduler = prepare->data;
    struct co *co;
    take_later(scheduler);
    for (int share = TURN_SHARE; share > 0 && (co = take_ready(&scheduler->ready)); share--)
        co_resume(co);
    if (!scheduler->ready.first && !scheduler->later.first &&
        !(scheduler->has_root && scheduler->root.state == CO_READY))
        uv_idle_stop(&scheduler->idle);
    arm(scheduler);
}

static void on_timer(uv_timer_t *timer)
{
    struct co_scheduler *scheduler = timer->data;
    double now = clock_mono();
    struct co *co;
    scheduler->armed = NAN; /* whatever comes first is news */
    while ((co = co_heap_first(&scheduler->heap)) && co->deadline <= now) {
        co_heap_remove(&scheduler->heap, co);
        co_make_ready(co);
    }
}

void co_scheduler_run_root(struct co_scheduler *scheduler)
{
    co_set_self(NULL);
    while (scheduler->root.state == CO_PARKED)
        uv_run(scheduler->loop, UV_RUN_DEFAULT);
    co_set_self(&scheduler->root);
}

void co_scheduler_turn(struct co_scheduler *scheduler)
{
    co_set_self(NULL);
    uv_run(scheduler->loop, UV_RUN_NOWAIT);
    co_set_self(&scheduler->root);
}

/* ---- from elsewhere ---- */

void co_wake_from(struct co *co)
{
    struct co_scheduler *scheduler = co->scheduler;
    uv_mutex_lock(&scheduler->lock);
    bool news = !co->far;
    if (news) {
        co->far = true;
        co->next_far = scheduler->far;
        scheduler->far = co;
    }
    uv_mutex_unlock(&scheduler->lock);
    if (news)
        uv_async_send(&scheduler->async);
}

void co_poke(struct co_scheduler *scheduler)
{
    atomic_store(&scheduler->poked, true);
    uv_async_send(&scheduler->async);
}

void co_scheduler_forget_far(struct co_scheduler *scheduler, struct co *co)
{
    uv_mutex_lock(&scheduler->lock);
    for (struct co **at = &scheduler->far; co->far && *at; at = &(*at)->next_far)
        if (*at == co) {
            *at = co->next_far;
            break;
        }
    uv_mutex_unlock(&scheduler->lock);
}

static void on_async(uv_async_t *async)
{
    struct co_scheduler *scheduler = async->data;
    uv_mutex_lock(&scheduler->lock);
    for (struct co *co; (co = scheduler->far);) {
        scheduler->far = co->next_far;
        co->far = false;
        co_wake(co);
    }
    uv_mutex_unlock(&scheduler->lock);
    if (!atomic_exchange(&scheduler->poked, false))
        return;
    for (struct co *co = scheduler->all; co; co = co->after)
        co_wake(co);
    if (scheduler->has_root)
        co_wake(&scheduler->root);
}

/* ---- beginning and end ---- */

static void on_closed(uv_handle_t *handle)
{
    struct co_scheduler *scheduler = handle->data;
    if (--scheduler->open_handles)
        return;
    uv_mutex_destroy(&scheduler->lock);
    co_heap_fini(&scheduler->heap);
    free(scheduler);
}

/* Of the C++ runtime, if there is one: where this thread's exceptions are kept. Modules are loaded privately,
 * so theirs is not among the global names. */
static struct co_exceptions *thread_exceptions(void)
{
    void *(*get)(void) = NULL;
    void *library = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void *found = dlsym(library ? library : RTLD_DEFAULT, "__cxa_get_globals");
    *(void **)&get = found;
    struct co_exceptions *exceptions = get ? get() : NULL;
    if (library)
        dlclose(library);
    return exceptions;
}

static void adopt(struct co_scheduler *scheduler, uv_handle_t *handle)
{
    handle->data = scheduler;
    scheduler->open_handles++;
}

static void open_handles(struct co_scheduler *scheduler)
{
    uv_loop_t *loop = scheduler->loop;
    uv_prepare_init(loop, &scheduler->prepare);
    uv_idle_init(loop, &scheduler->idle);
    uv_timer_init(loop, &scheduler->timer);
    adopt(scheduler, (uv_handle_t *)&scheduler->prepare);
    adopt(scheduler, (uv_handle_t *)&scheduler->idle);
    adopt(scheduler, (uv_handle_t *)&scheduler->timer);
    adopt(scheduler, (uv_handle_t *)&scheduler->async);
    uv_prepare_start(&scheduler->prepare, on_prepare);
}

struct co_scheduler *co_scheduler_new(uv_loop_t *loop)
{
    struct co_scheduler *scheduler = calloc(1, sizeof *scheduler);
    if (!scheduler)
        return NULL;
    scheduler->loop = loop;
    scheduler->ready.last = &scheduler->ready.first;
    scheduler->later.last = &scheduler->later.first;
    scheduler->armed = INFINITY;
    scheduler->exceptions = thread_exceptions();
    co_fiber_adopt(&scheduler->home_fiber);
    if (!co_heap_reserve(&scheduler->heap, 1) || uv_mutex_init(&scheduler->lock)) {
        co_heap_fini(&scheduler->heap);
        free(scheduler);
        return NULL;
    }
    if (uv_async_init(loop, &scheduler->async, on_async)) {
        uv_mutex_destroy(&scheduler->lock);
        co_heap_fini(&scheduler->heap);
        free(scheduler);
        return NULL;
    }
    open_handles(scheduler);
    co_overflow_thread();
    return scheduler;
}

int co_scheduler_free(struct co_scheduler *scheduler)
{
    if (scheduler->count)
        return UMBEL_BUSY;
    co_stacks_fini(&scheduler->stacks);
    co_poller_free(scheduler->poller);
    uv_close((uv_handle_t *)&scheduler->prepare, on_closed);
    uv_close((uv_handle_t *)&scheduler->idle, on_closed);
    uv_close((uv_handle_t *)&scheduler->timer, on_closed);
    uv_close((uv_handle_t *)&scheduler->async, on_closed);
    return UMBEL_OK;
}

size_t co_scheduler_count(const struct co_scheduler *scheduler)
{
    return scheduler->count;
}

uv_loop_t *co_scheduler_loop(const struct co_scheduler *scheduler)
{
    return scheduler->loop;
}
