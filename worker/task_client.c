/* task_client.c: see task_client.h. What a task calls goes out with the task's own id as parent, one level
 * deeper; while it waits, its slot is lent. */
#include "worker/task_client.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include "client/client.h"
#include "common/clock.h"
#include "worker/nest_route.h"

#define SETTLE_SECONDS 30.0 /* for what a task has called to be confirmed */
#define LOOK_SECONDS 0.1    /* how soon a waiting task notices that it is to end */

/* ---- what the client asks ---- */

static bool origin(void *self, struct nested_origin *origin)
{
    struct umbel_task *task = task_self();
    if (!task)
        return false;
    const struct message *msg = task->call->msg;
    const struct task_client *tc = self;
    task->id_told = true;
    *origin = (struct nested_origin){.direct = !tc->owned,
                                     .queue = nest_base(msg->queue),
                                     .root_id = msg->root_id.size ? msg->root_id : msg->id,
                                     .parent_id = msg->id,
                                     .depth = nest_depth(msg) + 1};
    return true;
}

static void called(void *self, uint64_t mark)
{
    struct umbel_task *task = task_self();
    (void)self;
    if (task)
        task->called = mark;
}

/* A task's coroutines may wait at once, on one thread: the slot is lent from the first that waits until none
 * does. */
static int wait_begin(void *self)
{
    const struct task_client *tc = self;
    struct umbel_task *task = task_self();
    if (!task || !tc->lender || task->waits++ > 0)
        return UMBEL_OK;
    int code = tc->lender->lend(tc->lender->self, task);
    if (code)
        task->waits--;
    return code;
}

static void wait_end(void *self)
{
    const struct task_client *tc = self;
    struct umbel_task *task = task_self();
    if (task && tc->lender && --task->waits == 0)
        tc->lender->back(tc->lender->self, task);
}

static double patience(void *self)
{
    struct umbel_task *task = task_self();
    (void)self;
    if (!task)
        return INFINITY;
    if (task_interrupted(task))
        return -1;
    double left = task->call->soft_time_limit > 0 ? task_time_left(task) : INFINITY;
    return fmin(LOOK_SECONDS, fmax(left, 0));
}

static void explain(void *self, char *out, size_t size)
{
    (void)self;
    snprintf(out, size,
             "too many tasks of this worker wait for tasks they called: raise its --max-waiting or use -P "
             "coroutines");
}

static const struct nested_calls calls = {origin, called, wait_begin, wait_end, patience, explain};

/* ---- life ---- */

void task_client_init(struct task_client *tc, int line, const struct task_lender *lender)
{
    *tc = (struct task_client){.line = line, .owned = true, .lender = lender};
    pthread_mutex_init(&tc->lock, NULL);
}

void task_client_borrow(struct task_client *tc, umbel_client *client, const struct task_lender *lender)
{
    *tc = (struct task_client){.client = client, .line = -1, .lender = lender};
    pthread_mutex_init(&tc->lock, NULL);
    client_nest(client, &calls, tc);
}

/* Without a line the client is one whose every call says what is wrong. */
static umbel_client *open_client(struct task_client *tc)
{
    char url[32];
    snprintf(url, sizeof url, "parent://%d", tc->line > 0 ? tc->line : 0);
    umbel_client *client = umbel_connect(url, url);
    tc->line = -1; /* the client's now */
    if (client)
        client_nest(client, &calls, tc);
    return client;
}

static umbel_client *client_of(struct task_client *tc)
{
    pthread_mutex_lock(&tc->lock);
    if (!tc->client)
        tc->client = open_client(tc);
    umbel_client *client = tc->client;
    pthread_mutex_unlock(&tc->lock);
    return client;
}

umbel_client *umbel_task_client(umbel_task *task)
{
    return task->port->client ? client_of(task->port->client) : NULL;
}

void task_client_settle(struct task_client *tc, struct umbel_task *task)
{
    umbel_client *client = atomic_load_explicit(&tc->client, memory_order_acquire);
    if (task->called && client && tc->owned)
        client_settle(client, task->called, SETTLE_SECONDS);
    task->called = 0;
}

void task_client_keep(struct task_client *tc)
{
    if (tc->client)
        client_ref(tc->client);
}

void task_client_fini(struct task_client *tc, double seconds)
{
    if (tc->client && tc->owned)
        umbel_close(tc->client, seconds);
    if (tc->line >= 0)
        close(tc->line);
    pthread_mutex_destroy(&tc->lock);
}
