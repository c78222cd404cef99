/* crew_parts.h: what crew.c shares with the two kinds of members. */
#ifndef WORKER_CREW_PARTS_H
#define WORKER_CREW_PARTS_H

#include <pthread.h>
#include "worker/crew.h"

/* One task's place: the task itself and what it reaches of the world. Used again for job after job. */
struct crew_seat {
    struct umbel_task task;
    struct task_port port;
    struct crew *crew;
    struct crew_job *job;
    void *member; /* of the kind: who runs it; NULL when its job is over. Under the lock */
    struct crew_seat *next_free, *next;
};

struct crew_ops {
    const char *name;
    int (*open)(struct crew *crew);
    /* A job was queued, or the limit has changed; under the lock. UMBEL_OK, or UMBEL_SYSTEM when no member is
     * there and none can be made. */
    int (*call)(struct crew *crew);
    /* Ends the wait of whoever runs this seat's job; under the lock. */
    void (*interrupt)(struct crew_seat *seat);
    /* Waits at most so long, or until interrupted; NULL: the task's own way. */
    void (*doze)(void *self, double seconds);
    /* No more jobs come. True: no member is left. */
    bool (*close)(struct crew *crew, double seconds);
};

struct crew {
    const struct crew_ops *ops;
    struct crew_options options;
    struct crew_events events;
    void *self;
    pthread_mutex_t lock; /* of all below */
    struct crew_job *first, *last;
    uint32_t waiting, running;
    struct crew_seat *free, *seats;
    bool closing;
    void *kind; /* the members' own */
};

/* The next job that may start, with its seat; NULL: none. Under the lock. */
struct crew_job *crew_next(struct crew *crew, void *member);
/* Runs it, on the member, without the lock. Afterwards the job is not looked at any more. */
void crew_run(struct crew *crew, struct crew_job *job);

extern const struct crew_ops crew_threads_ops;
extern const struct crew_ops crew_coroutines_ops;

#endif
