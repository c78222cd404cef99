/* direct.c: see direct.h. What was submitted can only be lost by closing, so it counts as accepted at once.
 */
#include "client/direct.h"

#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "client/client.h"
#include "common/clock.h"
#include "common/co.h"
#include "common/uuid.h"
#include "worker/local.h"
#include "worker/nest_route.h"

enum { STORED_MAX = 80 << 20 };

void direct_init(struct direct *direct, struct loop *loop, struct turn_hook *turn, struct inbox *inbox)
{
    *direct = (struct direct){.loop = loop, .turn = turn, .inbox = inbox};
    pthread_mutex_init(&direct->lock, NULL);
    direct->submitted_last = &direct->submitted;
    direct->waiting_last = &direct->waiting;
    link_init(&direct->given);
}

void direct_fini(struct direct *direct)
{
    assert(!direct->submitted && !direct->waiting && link_alone(&direct->given));
    pthread_mutex_destroy(&direct->lock);
}

/* ---- on the caller's thread ---- */

bool direct_takes(const struct direct *direct, const umbel_submit_options *options)
{
    return direct->local && !options->id && !options->headers && !options->shadow && options->priority == 0 &&
           options->expires == 0 && options->countdown == 0 && options->ignore_result != UMBEL_ON &&
           !(options->queue && nest_is_nested(str_of(options->queue)));
}

umbel_future *direct_make(umbel_client *client, const char *task, umbel_function *function,
                          const char *shadow, umbel_str body, enum codec codec,
                          const umbel_submit_options *options)
{
    umbel_str name = str_of(task), queue = options->queue ? str_of(options->queue) : STR("celery");
    umbel_future *future = future_new_direct(client, name, body.size + queue.size);
    struct direct_call *call = future ? future->direct : NULL;
    if (!call)
        return future;
    if (body.size)
        memcpy(call->room, body.data, body.size);
    memcpy(call->room + body.size, queue.data, queue.size);
    call->body = (umbel_str){call->room, body.size};
    call->queue = (umbel_str){call->room + body.size, queue.size};
    call->task = (umbel_str){future->name, name.size};
    call->function = function;
    call->shadow = shadow;
    call->codec = codec;
    call->time_limit = options->time_limit;
    call->soft_time_limit = options->soft_time_limit;
    return future;
}

/* Of one writer at a time. */
static void count(atomic_ulong *counter)
{
    unsigned long before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + 1, memory_order_relaxed);
}

int direct_put(struct direct *direct, umbel_future *future)
{
    struct waker *waker = direct->inbox->waker;
    future_ref(future);
    future->direct->next = NULL;
    pthread_mutex_lock(&direct->lock);
    bool shut = direct->shut, wake = !shut && !direct->submitted;
    if (!shut) {
        *direct->submitted_last = future;
        direct->submitted_last = &future->direct->next;
        count(&direct->put);
    }
    if (wake)
        waker_promise(waker);
    pthread_mutex_unlock(&direct->lock);
    if (wake)
        waker_wake(waker);
    if (shut)
        future_unref(future);
    return shut ? UMBEL_CLOSED : UMBEL_OK;
}

/* Of several, the first would be looked for while the others need the processors. */
static bool is_alone(const struct direct *direct)
{
    return atomic_load_explicit(&direct->put, memory_order_relaxed) -
               atomic_load_explicit(&direct->ended, memory_order_relaxed) ==
           1;
}

/* It gives way between two looks: whoever is to answer may need this very processor. A coroutine would hold
 * up its thread. */
bool direct_look(struct direct *direct, umbel_future *future)
{
    if (!future->direct || !is_alone(direct) || co_self() || !spin_try(&direct->spin))
        return false;
    uint64_t end = clock_mono_ns() + SPIN_NS;
    bool found = false;
    while (!found && clock_mono_ns() < end) {
        sched_yield();
        found = future_finished(future);
    }
    spin_tried(&direct->spin, found);
    return found;
}

void direct_shut(struct direct *direct)
{
    pthread_mutex_lock(&direct->lock);
    direct->shut = true;
    pthread_mutex_unlock(&direct->lock);
}

/* ---- into the pool ---- */

static umbel_future *of_given(struct link *link)
{
    struct direct_call *call = (struct direct_call *)((char *)link - offsetof(struct direct_call, given));
    return call->future;
}

static umbel_future *take_waiting(struct direct *direct)
{
    umbel_future *future = direct->waiting;
    direct->waiting = future->direct->next;
    if (direct->waiting)
        future_fetch(direct->waiting, sizeof *future->direct); /* another thread wrote it */
    else
        direct->waiting_last = &direct->waiting;
    return future;
}

static void release(struct direct *direct, umbel_future *future)
{
    link_remove(&future->direct->given);
    future_unref(future);
    loop_mark(direct->loop, direct->turn);
}

static void end(struct direct *direct, umbel_future *future)
{
    count(&direct->ended);
    release(direct, future);
}

/* False: there is no room. It may have ended when this returns, so it is among the given before. */
static bool give(struct direct *direct, umbel_future *future)
{
    struct direct_call *own = future->direct;
    struct call call = {.owner = future,
                        .id = {future->id, UUID_SIZE - 1},
                        .task = own->task,
                        .body = own->body,
                        .queue = own->queue,
                        .shadow = str_of(own->shadow),
                        .reply_to = direct->channel,
                        .codec = own->codec,
                        .function = own->function,
                        .time_limit = own->time_limit,
                        .soft_time_limit = own->soft_time_limit};
    future->sent = true;
    link_append(&direct->given, &own->given);
    if (local_call(direct->local, &call))
        return true;
    link_remove(&own->given);
    future->sent = false;
    return false;
}

/* What is given may end at once and make room, so that this is called again from inside. */
static void give_all(struct direct *direct)
{
    while (direct->waiting) {
        umbel_future *future = take_waiting(direct);
        if (future_finished(future)) { /* cancelled */
            end(direct, future);
            continue;
        }
        if (give(direct, future))
            continue;
        future->direct->next = direct->waiting;
        direct->waiting = future;
        if (!future->direct->next)
            direct->waiting_last = &future->direct->next;
        return;
    }
}

static void take_submitted(struct direct *direct)
{
    pthread_mutex_lock(&direct->lock);
    if (direct->submitted) {
        *direct->waiting_last = direct->submitted;
        direct->waiting_last = direct->submitted_last;
        direct->submitted = NULL;
        direct->submitted_last = &direct->submitted;
    }
    pthread_mutex_unlock(&direct->lock);
}

void direct_take(struct direct *direct)
{
    if (!direct->local)
        return;
    take_submitted(direct);
    give_all(direct);
}

bool direct_quiet(struct direct *direct)
{
    pthread_mutex_lock(&direct->lock);
    bool quiet = !direct->submitted && !direct->waiting && link_alone(&direct->given);
    pthread_mutex_unlock(&direct->lock);
    return quiet;
}

/* ---- what becomes of it ---- */

static void on_started(void *self, void *owner)
{
    (void)self;
    future_begun(owner);
}

static bool on_is_private(void *self, void *owner)
{
    umbel_future *future = owner;
    (void)self;
    return !atomic_load(&future->direct->told);
}

static void on_answered(void *self, void *owner, enum codec codec, umbel_str value)
{
    struct direct *direct = self;
    umbel_future *future = owner;
    count(&direct->ended); /* before its caller can see the answer and go on to the next */
    if (future_returned(future, codec, value))
        inbox_announce(direct->inbox, future);
    release(direct, future);
}

static void on_leaves(void *self, void *owner)
{
    struct direct *direct = self;
    umbel_future *future = owner;
    future->direct->left = true;
    direct->leaves(direct->self);
    if (!atomic_load(&future->abandoned))
        inbox_expect(direct->inbox, future, future->direct->queue);
    end(direct, future);
}

static void on_dropped(void *self, void *owner)
{
    struct direct *direct = self;
    umbel_future *future = owner;
    if (future_closed(future))
        inbox_announce(direct->inbox, future);
    end(direct, future);
}

static void on_room(void *self)
{
    give_all(self);
}

const struct call_events direct_call_events = {
    .started = on_started,
    .is_private = on_is_private,
    .answered = on_answered,
    .leaves = on_leaves,
    .dropped = on_dropped,
    .room = on_room,
};

/* ---- its id ---- */

/* Its result as others find it. */
static void store(struct direct *direct, umbel_future *future)
{
    struct buffer map;
    umbel_str id = str_of(future->id);
    struct result_parts parts = {
        .id = id, .state = RESULT_SUCCESS, .value = future->payload, .done_at = clock_now()};
    buffer_init(&map, STORED_MAX);
    if (result_write(future->bare_codec, &map, &parts) == UMBEL_OK) {
        struct backend_store what = {
            .id = id, .payload = {(const char *)buffer_head(&map), buffer_length(&map)}, .terminal = true};
        direct->inbox->backend->ops->store(direct->inbox->backend, &what, 0);
    }
    buffer_fini(&map);
}

void direct_told(struct direct *direct, umbel_future *future)
{
    if (!direct->inbox->backend || future->direct->left)
        return;
    if (!future_finished(future))
        inbox_expect(direct->inbox, future, future->direct->queue);
    else if (future->bare)
        store(direct, future);
    else if (atomic_load(&future->code) == UMBEL_CANCELLED)
        inbox_tell_workers(direct->inbox, future, false);
}

/* ---- all at once ---- */

void direct_cancel_all(struct direct *direct, bool terminate)
{
    take_submitted(direct);
    while (direct->waiting) {
        umbel_future *future = take_waiting(direct);
        if (future_cancelled(future, false) == UMBEL_OK)
            inbox_cancel(direct->inbox, future, terminate); /* who has its id may wait for it */
        end(direct, future);
    }
    for (struct link *link = direct->given.next, *next; link != &direct->given; link = next) {
        next = link->next;
        if (future_cancelled(of_given(link), !terminate) == UMBEL_OK)
            inbox_cancel(direct->inbox, of_given(link), terminate);
    }
}

void direct_close(struct direct *direct)
{
    take_submitted(direct);
    while (direct->waiting) {
        umbel_future *future = take_waiting(direct);
        if (future_closed(future))
            inbox_announce(direct->inbox, future);
        end(direct, future);
    }
}
