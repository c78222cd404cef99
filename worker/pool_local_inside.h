/* pool_local_inside.h: the shapes of the pool in this process, shared by its two files. */
#ifndef WORKER_POOL_LOCAL_INSIDE_H
#define WORKER_POOL_LOCAL_INSIDE_H

#include <pthread.h>
#include "worker/lanes.h"
#include "worker/pool_local.h"
#include "worker/task_client.h"

enum post_kind { POST_FINISHED, POST_SAID, POST_PROGRESS, POST_PART, POST_WAITS, POST_GOES_ON };

/* Something a member tells the loop. */
struct post {
    enum post_kind kind;
    struct note *note;
    umbel_level level;
    umbel_str text; /* of SAID, PROGRESS and PART: behind this struct, which is then malloc's */
    struct post *next;
};

struct note {
    struct crew_job run;
    struct local *pool;
    struct job *job; /* NULL: nobody listens any more */
    struct buffer packed;
    struct message msg; /* unpacked, on the member */
    struct outcome outcome;
    struct post end;
    bool posted;            /* under the posts' lock: `end` is on its way */
    _Atomic uint64_t began; /* monotonic ns; 0 = not yet */
    bool told_started, told_soft, refused;
    bool kept; /* not given to the crew: it may not begin yet */
    struct lane_seat seat;
    enum outcome_kind verdict;
    double kill_at; /* monotonic seconds; 0 = not cancelled */
    struct note *next, *prev;
};

struct local {
    struct pool base;
    struct loop *loop;
    struct pool_options options;
    const struct pool_events *events;
    void *self;
    struct crew *crew;
    void *user;
    int pid;

    struct note *first, *last; /* dispatched, not finished */
    struct note *spare;
    uint32_t held, left_behind;
    struct lanes lanes;
    struct task_client client;
    struct task_lender lender;
    _Atomic int waiting; /* jobs that wait for others */
    uint32_t lent;       /* members more than the concurrency, for that */
    bool any_kept;       /* some note may be */
    bool room_due, refused_due, stopping, stopped;
    double stop_at;

    _Atomic uint64_t parts_given, parts_taken; /* bytes, of partial results */

    pthread_mutex_t lock; /* of posts */
    struct post *posts, **posts_end;
    bool deaf; /* the pool is gone, threads are not */

    uv_async_t async;
    uv_timer_t tick;
    struct turn_hook turn;
    int open_handles;
    bool leaks; /* a member is left behind and uses this */
    struct local *kept_before;
};

/* Of the crew; they run on its members. */
extern const struct crew_events local_crew_events;

/* All below on the loop's thread. */
struct note *local_note_make(struct local *pool);
void local_note_spare(struct local *pool, struct note *note);
void local_note_link(struct local *pool, struct note *note);
void local_note_unlink(struct local *pool, struct note *note);
void local_tell_started(struct note *note);
/* The note stays the caller's. */
void local_finish(struct note *note, struct outcome *outcome);
/* Tells the consumer what the members have said so far. */
void local_deliver(struct local *pool);
void local_discard(struct local *pool);
void local_on_async(uv_async_t *async);

/* It ends without having run, as `verdict`, at the turn's end. */
void local_refuse(struct note *note, enum outcome_kind verdict);
/* False: out of memory. On a member. */
bool local_post(struct crew_job *run, enum post_kind kind);

/* pool_local_lend.c: jobs that wait for tasks they have called. See lanes.h. */
void local_lend_open(struct local *pool, enum crew_kind kind);
/* As many members as may run. */
void local_set_limit(struct local *pool);
/* To the crew, or kept until it may begin. */
void local_begin(struct note *note);
void local_place(struct local *pool);
void local_heard_wait(struct local *pool, struct note *note, bool waits);
/* It runs no more, or nobody listens. */
void local_leave_lane(struct local *pool, struct note *note);

#endif
