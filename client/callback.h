/* callback.h: what runs when a future is done: on the background thread, or in umbel_client_dispatch. */
#ifndef CLIENT_CALLBACK_H
#define CLIENT_CALLBACK_H

#include <pthread.h>
#include <umbel/client.h>

struct callback {
    struct callback *next;
    void (*call)(umbel_future *future, void *arg);
    void *arg;
    umbel_future *future; /* counted while it waits for umbel_client_dispatch */
};

/* Those that wait for umbel_client_dispatch. */
struct callbacks {
    pthread_mutex_t lock;
    struct callback *first, **last;
    int fd; /* an eventfd, readable while some wait; -1: they run on the background thread */
};

/* UMBEL_OK or UMBEL_SYSTEM. */
int callbacks_init(struct callbacks *callbacks, bool manual);
/* Nothing may wait any more. */
void callbacks_fini(struct callbacks *callbacks);
/* Adds at the end of a future's own list; its lock is held. */
int callback_add(struct callback **list, void (*call)(umbel_future *future, void *arg), void *arg);
/* Runs a list that future_announce gave, or keeps it for umbel_client_dispatch. Background thread. What its
 * caller gives back before its turn comes is not called. */
void callbacks_take(struct callbacks *callbacks, umbel_future *future, struct callback *list);
/* Makes the descriptor readable: something else waits for umbel_client_dispatch. */
void callbacks_ring(struct callbacks *callbacks);
/* Runs those that wait, on this thread; how many ran. */
int callbacks_dispatch(struct callbacks *callbacks);
/* The same calls once more, as far as memory goes. */
struct callback *callback_copy(const struct callback *list);
/* Frees a list without running it. */
void callback_free_list(struct callback *list);

#endif
