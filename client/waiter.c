/* waiter.c: see waiter.h. Nothing here fails but malloc, for a wait on more futures than fit on the stack. */
#include "client/waiter.h"

#include <stdlib.h>
#include <time.h>
#include "client/client.h"
#include "client/future.h"
#include "client/parts.h"
#include "common/clock.h"
#include "common/co.h"

enum { NODES_HERE = 16 };

/* How often a coroutine looks for what is told by a condition alone: room, a flush, a connection. */
static const double LOOK_SECONDS = 0.002;

void waiter_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* A coroutine must not hold up its thread, nor hold the lock meanwhile. */
static bool look_again(pthread_mutex_t *lock, double deadline)
{
    double next = clock_mono() + LOOK_SECONDS;
    pthread_mutex_unlock(lock);
    co_park_firmly(next < deadline ? next : deadline);
    pthread_mutex_lock(lock);
    return clock_mono() < deadline;
}

bool waiter_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, double deadline)
{
    if (clock_mono() >= deadline)
        return false;
    if (co_self())
        return look_again(lock, deadline);
    struct timespec until;
    until.tv_sec = (time_t)deadline;
    until.tv_nsec = (long)((deadline - (double)until.tv_sec) * 1e9);
    return pthread_cond_timedwait(cond, lock, &until) == 0 || clock_mono() < deadline;
}

static void waiter_init(struct waiter *waiter, size_t need, bool failure_ends)
{
    *waiter =
        (struct waiter){.need = need, .failure_ends = failure_ends, .enough = need == 0, .co = co_self()};
    pthread_mutex_init(&waiter->lock, NULL);
    waiter_cond_init(&waiter->cond);
}

static void waiter_fini(struct waiter *waiter)
{
    pthread_cond_destroy(&waiter->cond);
    pthread_mutex_destroy(&waiter->lock);
}

static void keep_ready(struct waiter *waiter, struct waiter_node *node)
{
    node->ready_next = NULL;
    *waiter->ready_last = node;
    waiter->ready_last = &node->ready_next;
    waiter->need = 0;
}

/* One future is there; `node` is only looked at by a waiter that gathers. */
static void count_one(struct waiter *waiter, struct waiter_node *node, bool failed)
{
    pthread_mutex_lock(&waiter->lock);
    if (waiter->gathers)
        keep_ready(waiter, node);
    if (waiter->need > 0)
        waiter->need--;
    if (waiter->need == 0 || (failed && waiter->failure_ends))
        waiter->enough = true;
    if (waiter->enough && waiter->co)
        co_wake_from(waiter->co);
    else if (waiter->enough)
        pthread_cond_signal(&waiter->cond);
    pthread_mutex_unlock(&waiter->lock);
}

static bool is_there(umbel_future *future, enum waiter_until until)
{
    if (until == UNTIL_PART)
        return part_queue_ready(future);
    return future_finished(future) ||
           (until == UNTIL_SETTLED && atomic_load(&future->state) != UMBEL_STATE_SENDING);
}

void waiter_fire(umbel_future *future)
{
    struct waiter_node **at = &future->waiters;
    while (*at) {
        struct waiter_node *node = *at;
        if (!is_there(future, node->until)) {
            at = &node->next;
            continue;
        }
        *at = node->next;
        node->hangs = false;
        count_one(node->waiter, node, atomic_load(&future->code) != UMBEL_OK);
    }
}

static void hang(umbel_future *future, struct waiter_node *node)
{
    pthread_mutex_lock(&future->lock);
    if (is_there(future, node->until)) {
        count_one(node->waiter, node, atomic_load(&future->code) != UMBEL_OK);
    } else {
        node->next = future->waiters;
        node->hangs = true;
        future->waiters = node;
    }
    pthread_mutex_unlock(&future->lock);
}

/* Even a node that was fired is only safe to drop once the firing has let go of the future's lock. */
static void take_down(umbel_future *future, struct waiter_node *node)
{
    pthread_mutex_lock(&future->lock);
    if (node->hangs) {
        struct waiter_node **at = &future->waiters;
        while (*at != node)
            at = &(*at)->next;
        *at = node->next;
    }
    pthread_mutex_unlock(&future->lock);
}

/* ---- waiting ---- */

static bool sleep_until(struct waiter *waiter, double deadline)
{
    bool time_left = true;
    pthread_mutex_lock(&waiter->lock);
    while (!waiter->enough && time_left)
        time_left = waiter_cond_wait(&waiter->cond, &waiter->lock, deadline);
    bool enough = waiter->enough;
    pthread_mutex_unlock(&waiter->lock);
    return enough;
}

/* Who wakes it holds the lock of a future on which it still hangs, so it cannot be gone by then. */
static bool park_until(struct waiter *waiter, double deadline)
{
    while (!waiter->enough)
        if (co_park(deadline) != UMBEL_OK)
            break;
    return waiter->enough;
}

/* A thread that runs a task looks up now and then: the task may have been told to end. */
static bool sleep_in_task(struct waiter *waiter, const umbel_client *client, double deadline)
{
    double patience;
    while ((patience = client->nested->patience(client->nested_self)) >= 0) {
        double until = clock_mono() + patience;
        if (sleep_until(waiter, until < deadline ? until : deadline))
            return true;
        if (until >= deadline)
            break;
    }
    return waiter->enough;
}

static bool await(struct waiter *waiter, const umbel_client *client, double deadline)
{
    if (waiter->co)
        return park_until(waiter, deadline);
    return client->nested ? sleep_in_task(waiter, client, deadline) : sleep_until(waiter, deadline);
}

/* Waiting for results, unlike waiting for the broker, may need what this task keeps busy: its slot. */
static int wait_enough(struct waiter *waiter, const umbel_client *client, enum waiter_until until,
                       double deadline)
{
    bool lends = client->nested && until == UNTIL_FINISHED && !waiter->enough;
    int code = lends ? client->nested->wait_begin(client->nested_self) : UMBEL_OK;
    if (code != UMBEL_OK)
        return code;
    bool enough = await(waiter, client, deadline);
    if (lends)
        client->nested->wait_end(client->nested_self);
    return enough ? UMBEL_OK : UMBEL_TIMEOUT;
}

static const umbel_client *client_of(umbel_future *const *futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (futures[i])
            return futures[i]->client;
    return NULL;
}

/* `need` counts down while futures are found to be there already, so the loop may end early. */
static int wait_with(struct waiter_node *nodes, umbel_future *const *futures, size_t count,
                     struct waiter *waiter, enum waiter_until until, double deadline)
{
    size_t hung = 0;
    for (; hung < count && !waiter->enough; hung++) {
        nodes[hung] = (struct waiter_node){.waiter = waiter, .until = until};
        if (futures[hung])
            hang(futures[hung], &nodes[hung]);
        else
            count_one(waiter, NULL, false);
    }
    const umbel_client *client = client_of(futures, count);
    int code = client ? wait_enough(waiter, client, until, deadline) : UMBEL_OK;
    for (size_t i = 0; i < hung; i++)
        if (futures[i])
            take_down(futures[i], &nodes[i]);
    return code;
}

int waiter_wait(umbel_future *const *futures, size_t count, size_t need, bool failure_ends,
                enum waiter_until until, double seconds)
{
    double deadline = clock_mono() + seconds;
    struct waiter_node here[NODES_HERE];
    struct waiter_node *nodes = count <= NODES_HERE ? here : calloc(count, sizeof *nodes);
    if (!nodes)
        return UMBEL_NO_MEMORY;
    struct waiter waiter;
    waiter_init(&waiter, need < count ? need : count, failure_ends);
    int code = wait_with(nodes, futures, count, &waiter, until, deadline);
    waiter_fini(&waiter);
    if (nodes != here)
        free(nodes);
    return code;
}

/* ---- gathering ---- */

void waiter_gather(struct waiter *waiter)
{
    waiter_init(waiter, 1, false);
    waiter->gathers = true;
    waiter->co = NULL;
    waiter->ready_last = &waiter->ready;
}

void waiter_gather_end(struct waiter *waiter)
{
    waiter_fini(waiter);
}

void waiter_gather_add(struct waiter *waiter, struct waiter_node *node, umbel_future *future)
{
    *node = (struct waiter_node){.waiter = waiter, .until = UNTIL_FINISHED, .future = future};
    if (future)
        hang(future, node);
    else
        count_one(waiter, node, true);
}

static struct waiter_node *take_ready(struct waiter *waiter)
{
    pthread_mutex_lock(&waiter->lock);
    struct waiter_node *node = waiter->ready;
    if (node && !(waiter->ready = node->ready_next))
        waiter->ready_last = &waiter->ready;
    waiter->enough = waiter->ready != NULL;
    waiter->need = !waiter->enough;
    pthread_mutex_unlock(&waiter->lock);
    return node;
}

/* Between two calls there is nobody to wake. */
static void set_waiting(struct waiter *waiter, struct co *co)
{
    pthread_mutex_lock(&waiter->lock);
    waiter->co = co;
    pthread_mutex_unlock(&waiter->lock);
}

/* Taken down as well, for the firing may still hold the future's lock. */
int waiter_gather_next(struct waiter *waiter, const umbel_client *client, double deadline,
                       struct waiter_node **out)
{
    int code = UMBEL_OK;
    if (!waiter->enough) {
        set_waiting(waiter, co_self());
        code = client ? wait_enough(waiter, client, UNTIL_FINISHED, deadline) : UMBEL_TIMEOUT;
        set_waiting(waiter, NULL);
    }
    struct waiter_node *node = code == UMBEL_OK ? take_ready(waiter) : NULL;
    if (node && node->future)
        take_down(node->future, node);
    *out = node;
    return code;
}

void waiter_gather_drop(struct waiter_node *node)
{
    if (node->future)
        take_down(node->future, node);
}
