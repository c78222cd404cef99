/* waker.h: waking a loop that may be about to close.
 *
 * A wake is promised under the lock that also guards `closed`, and given after it; closing waits until every
 * promised wake was given. So the lock is not held over the system call, and no wake reaches a loop that is
 * gone. */
#ifndef CLIENT_WAKER_H
#define CLIENT_WAKER_H

#include <sched.h>
#include <stdatomic.h>
#include "common/loop.h"

struct waker {
    struct loop *loop;
    atomic_int promised;
};

static inline void waker_promise(struct waker *waker)
{
    atomic_fetch_add(&waker->promised, 1);
}
static inline void waker_wake(struct waker *waker)
{
    loop_wake(waker->loop);
    atomic_fetch_sub(&waker->promised, 1);
}
/* After no more can be promised. */
static inline void waker_settle(struct waker *waker)
{
    while (atomic_load(&waker->promised) > 0)
        sched_yield();
}

#endif
