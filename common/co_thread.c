/* co_thread.c: a thread's own stack as a coroutine. See co_thread_enter in co.h. */
#include "common/co_inside.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <umbel/error.h>

/* Turns of the loop in which handles close at the end of a thread. */
#define LAST_TURNS 100

struct co_thread {
    uv_loop_t loop;
    struct co_scheduler *scheduler;
};

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static bool key_made;

/* A look-up of a name that still goes on cannot be taken back, and the loop's memory has to stay for it. */
static void thread_free(void *self)
{
    struct co_thread *thread = self;
    if (co_scheduler_free(thread->scheduler))
        return;
    for (int i = 0; i < LAST_TURNS && uv_run(&thread->loop, UV_RUN_NOWAIT); i++)
        ;
    if (uv_loop_close(&thread->loop) == 0)
        free(thread);
}

static void make_key(void)
{
    key_made = pthread_key_create(&key, thread_free) == 0;
}

static struct co_thread *thread_new(void)
{
    struct co_thread *thread = calloc(1, sizeof *thread);
    if (!thread || uv_loop_init(&thread->loop)) {
        free(thread);
        return NULL;
    }
    thread->scheduler = co_scheduler_new(&thread->loop);
    if (!thread->scheduler) {
        uv_loop_close(&thread->loop);
        free(thread);
        return NULL;
    }
    thread->scheduler->has_root = true;
    thread->scheduler->root.scheduler = thread->scheduler;
    thread->scheduler->root.state = CO_RUNNING;
    thread->scheduler->root.limit = INFINITY;
    pthread_setspecific(key, thread);
    return thread;
}

struct co *co_thread_enter(void)
{
    assert(!co_self());
    pthread_once(&key_once, make_key);
    struct co_thread *thread = key_made ? pthread_getspecific(key) : NULL;
    if (!thread && key_made)
        thread = thread_new();
    if (!thread)
        return NULL;
    co_set_self(&thread->scheduler->root);
    return co_self();
}

void co_thread_leave(void)
{
    assert(co_self() == &co_self()->scheduler->root);
    co_set_self(NULL);
}
