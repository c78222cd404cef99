/* callback.c: see callback.h. A future that is done hands over its list once, so each callback runs once. */
#include "client/callback.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "client/future.h"

int callbacks_init(struct callbacks *callbacks, bool manual)
{
    *callbacks = (struct callbacks){.fd = -1};
    callbacks->last = &callbacks->first;
    pthread_mutex_init(&callbacks->lock, NULL);
    if (!manual)
        return UMBEL_OK;
    callbacks->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return callbacks->fd < 0 ? UMBEL_SYSTEM : UMBEL_OK;
}

void callbacks_fini(struct callbacks *callbacks)
{
    if (callbacks->fd >= 0)
        close(callbacks->fd);
    pthread_mutex_destroy(&callbacks->lock);
}

int callback_add(struct callback **list, void (*call)(umbel_future *future, void *arg), void *arg)
{
    struct callback *callback = calloc(1, sizeof *callback);
    if (!callback)
        return UMBEL_NO_MEMORY;
    callback->call = call;
    callback->arg = arg;
    while (*list)
        list = &(*list)->next;
    *list = callback;
    return UMBEL_OK;
}

struct callback *callback_copy(const struct callback *list)
{
    struct callback *copy = NULL;
    for (; list; list = list->next)
        if (callback_add(&copy, list->call, list->arg) != UMBEL_OK)
            break;
    return copy;
}

static void run_list(umbel_future *future, struct callback *list)
{
    while (list) {
        struct callback *callback = list;
        list = callback->next;
        if (!atomic_load(&future->abandoned))
            callback->call(future, callback->arg);
        free(callback);
    }
}

void callbacks_ring(struct callbacks *callbacks)
{
    uint64_t one = 1;
    if (write(callbacks->fd, &one, sizeof one) < 0)
        return; /* a full counter is readable all the same */
}

static void keep(struct callbacks *callbacks, umbel_future *future, struct callback *list)
{
    struct callback **last = &callbacks->first;
    for (struct callback *callback = list; callback; callback = callback->next) {
        future_ref(future);
        callback->future = future;
        last = &callback->next;
    }
    pthread_mutex_lock(&callbacks->lock);
    bool first = !callbacks->first;
    *callbacks->last = list;
    callbacks->last = last;
    pthread_mutex_unlock(&callbacks->lock);
    if (first)
        callbacks_ring(callbacks);
}

void callbacks_take(struct callbacks *callbacks, umbel_future *future, struct callback *list)
{
    if (!list)
        return;
    if (callbacks->fd < 0)
        run_list(future, list);
    else
        keep(callbacks, future, list);
}

int callbacks_dispatch(struct callbacks *callbacks)
{
    uint64_t count;
    if (callbacks->fd >= 0 && read(callbacks->fd, &count, sizeof count) < 0)
        count = 0; /* nothing had been written: the list tells */
    pthread_mutex_lock(&callbacks->lock);
    struct callback *list = callbacks->first;
    callbacks->first = NULL;
    callbacks->last = &callbacks->first;
    pthread_mutex_unlock(&callbacks->lock);
    int ran = 0;
    while (list) {
        struct callback *callback = list;
        list = callback->next;
        if (!atomic_load(&callback->future->abandoned)) {
            callback->call(callback->future, callback->arg);
            ran++;
        }
        future_unref(callback->future);
        free(callback);
    }
    return ran;
}

void callback_free_list(struct callback *list)
{
    while (list) {
        struct callback *next = list->next;
        free(list);
        list = next;
    }
}
