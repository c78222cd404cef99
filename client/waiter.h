/* waiter.h: a thread that waits for one future or many.
 *
 * The waiter lives on the waiting thread's stack, with one node per future. What happens to a future fires
 * its nodes once per turn of the background thread, so a thread that waits for one of many is woken once for
 * a whole batch of results, and 100,000 futures that nobody waits for cost nothing.
 *
 * Lock order: the future's, then the waiter's. A node that was taken out under its future's lock is never
 * touched again. */
#ifndef CLIENT_WAITER_H
#define CLIENT_WAITER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <umbel/client.h>

/* What is waited for. */
enum waiter_until {
    UNTIL_SETTLED, /* the broker has it, or it will never get there */
    UNTIL_FINISHED,
    UNTIL_PART /* something is new for who reads its parts */
};

struct co;

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    size_t need;       /* firings until it is enough */
    bool failure_ends; /* one failed future is enough */
    struct co *co;     /* the coroutine that waits; NULL: a thread does, on `cond` */
    atomic_bool enough;
    bool gathers; /* keeps what was fired, in order; enough is one */
    struct waiter_node *ready, **ready_last;
};

struct waiter_node {
    struct waiter *waiter;
    struct waiter_node *next;
    enum waiter_until until;
    bool hangs; /* on its future */
    umbel_future *future;
    struct waiter_node *ready_next; /* of a waiter that gathers; under its lock */
};

/* Waits until `need` of the futures are there (or one failed, with `failure_ends`), at most `seconds` (>= 0).
 * UMBEL_OK, UMBEL_TIMEOUT, UMBEL_NO_MEMORY; inside a task also UMBEL_BUSY: too many tasks of its worker wait.
 * NULL futures count as there. A coroutine parks meanwhile, and an interrupted task stops waiting. */
int waiter_wait(umbel_future *const *futures, size_t count, size_t need, bool failure_ends,
                enum waiter_until until, double seconds);
/* One that gathers: futures are added, and come out one by one as they are done. One thread at a time. A node
 * is the caller's memory and hangs on its future, which must outlive it, until it came out or was dropped. */
void waiter_gather(struct waiter *waiter);
void waiter_gather_add(struct waiter *waiter, struct waiter_node *node, umbel_future *future);
/* The next that is done, of this client; codes as waiter_wait, `deadline` is clock_mono. */
int waiter_gather_next(struct waiter *waiter, const umbel_client *client, double deadline,
                       struct waiter_node **out);
void waiter_gather_drop(struct waiter_node *node);
/* No node hangs any more. */
void waiter_gather_end(struct waiter *waiter);
/* Explains that the time ran out, for umbel_error; answers UMBEL_TIMEOUT. (get.c) */
int future_late(umbel_future *future, double seconds);
/* Explains UMBEL_BUSY of waiter_wait, and answers it. (get.c) */
int future_crowded(umbel_future *future);
/* What can be known without a back end: UMBEL_OK when it has ended all the same, else UMBEL_TIMEOUT or
 * UMBEL_BAD_URL, with a sentence for umbel_error. (get.c) */
int future_wait_accepted(umbel_future *future, double seconds);
/* Fires and takes out the nodes that have what they wait for. The future's lock is held. */
void waiter_fire(umbel_future *future);

/* A condition whose timed waits follow the monotonic clock, and such a wait with a lock held; false once past
 * `deadline` (clock_mono). */
void waiter_cond_init(pthread_cond_t *cond);
bool waiter_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, double deadline);

#endif
