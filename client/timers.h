/* timers.h: the timed calls of one client: a heap of places, and the places by number.
 *
 * A call's number is its place and how often that place was used, so cancelling needs no search. Memory grows
 * with the most that ever waited and is used again; a steady state calls no malloc.
 *
 * The lock is never held while a call runs. Who runs them, the background thread or umbel_client_dispatch,
 * takes one at a time from the heap's top, so what is cancelled before its turn never runs. */
#ifndef CLIENT_TIMERS_H
#define CLIENT_TIMERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <umbel/timer.h>
#include "client/waker.h"

struct timed {
    double when; /* clock_mono */
    int priority;
    uint32_t heap;     /* its place in the heap */
    uint32_t used;     /* how often this place was taken: the upper half of the number */
    uint64_t sequence; /* order of entry */
    void (*call)(void *arg);
    void *arg;
};

struct timers {
    struct waker *waker; /* woken when another is the first */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* none is left, or another is the first */
    struct timed *places;
    uint32_t *heap; /* `count` places, the first due on top; behind them the free ones */
    uint32_t count, size;
    uint64_t sequence;
    uint32_t running; /* threads that run calls at this moment */
    bool closed;
};

enum { TIMERS_MAX = 1 << 24 };

/* `waker` may be NULL. */
void timers_init(struct timers *timers, struct waker *waker);
void timers_fini(struct timers *timers);

/* Any thread. The number, or 0 with the cause in *code (UMBEL_NO_MEMORY, UMBEL_BUSY: there are TIMERS_MAX,
 * UMBEL_CLOSED). */
umbel_timer timers_add(struct timers *timers, const struct timed *what, int *code);
bool timers_cancel(struct timers *timers, umbel_timer timer);
size_t timers_count(struct timers *timers);
/* Runs what is due at `now` and was entered before this call; how many ran. */
int timers_run(struct timers *timers, double now);
/* When the first is due; INFINITY: there is none. */
double timers_due(struct timers *timers);
/* Waits until none is left or, with `first_due`, until the first is due. False: past `deadline`. */
bool timers_rest(struct timers *timers, bool first_due, double deadline);
/* Wakes the waker, unless closed: somebody else has run calls, so another may be the first. */
void timers_wake(struct timers *timers);
/* None is taken or run any more. */
void timers_close(struct timers *timers);

#endif
