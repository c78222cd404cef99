/* crew.h: several jobs at once in one process: on threads, or on coroutines of one thread.
 *
 * Used by a child process (child_crew.c) and, inside a program, by pool_local.c. The owner gives jobs, they
 * start in that order, at most `limit` at a time, each on a struct umbel_task of its own. A job is the
 * owner's memory: from crew_give until `claim` refused it, crew_withdraw answered true, or crew_release, the
 * crew uses it.
 *
 * Nothing here can stop a job that does not ask: crew_nudge ends its waits, crew_cancel also tells it so.
 * All calls are for the owner's thread, but crew_release is for any. */
#ifndef WORKER_CREW_H
#define WORKER_CREW_H

#include <stdatomic.h>
#include "common/loop.h"
#include "worker/task.h"

struct crew;
struct crew_seat;

enum crew_kind {
    CREW_NONE, /* one job at a time; no crew */
    CREW_THREADS,
    CREW_COROUTINES
};

struct crew_job {
    /* The owner fills all but started_ns, before crew_give or in `open`. */
    struct task_call call;
    void *owner;
    /* The crew's. */
    struct crew_seat *seat; /* from its start until crew_release */
    _Atomic bool cancelled;
    bool waiting;
    struct crew_job *next, *prev;
};

/* What happens to a job. `claim` runs under the crew's lock and calls nothing of this header; the others run
 * on the member that runs the job. On threads all of them come from several threads at once. */
struct crew_events {
    /* It is about to start, in its turn. False: it is not to; it is the owner's again. May be NULL. */
    bool (*claim)(void *self, struct crew_job *job, uint64_t now_ns);
    /* Fills job->call; what it needs in memory comes from `arena`. False: the job ends as OUTCOME_BAD_BODY.
     * May be NULL. */
    bool (*open)(void *self, struct crew_job *job, struct arena *arena);
    /* Its function has returned; nothing is locked yet. May be NULL. */
    void (*returned)(void *self);
    /* It has ended. The outcome is borrowed until crew_release, which must follow, now or later. */
    void (*done)(void *self, struct crew_job *job, const struct outcome *outcome);
    void (*say)(void *self, struct crew_job *job, umbel_level level, umbel_str line);
    void (*progress)(void *self, struct crew_job *job, umbel_str value);
    /* A part of its result: as task_port.part. */
    int (*part)(void *self, struct crew_job *job, umbel_str value);
};

struct crew_options {
    enum crew_kind kind;
    uint32_t limit; /* jobs at once, >= 1 */
    const struct registry *registry;
    const char *worker_name;    /* shown to tasks; outlives the crew */
    void *user;                 /* what umbel_task_user answers, the same to all of them */
    struct loop *loop;          /* coroutines: they run on its thread */
    struct task_client *client; /* what tasks call others with; NULL: nothing */
    size_t stack_size;          /* coroutines: bytes of each stack; 0 = what the runtime thinks right */
    int wake_signal;   /* threads: sent to a thread to end a system call that blocks; 0 = none is sent */
    bool crash_stacks; /* threads: each gets a stack for the crash handler (child_crash.h) */
};

/* UMBEL_OK, UMBEL_NO_MEMORY, UMBEL_SYSTEM, UMBEL_NOT_SUPPORTED (no such kind in this build). */
int crew_open(struct crew **out, const struct crew_options *options, const struct crew_events *events,
              void *self);
/* Never calls back from inside. UMBEL_OK; UMBEL_SYSTEM: nothing is there to run it and nothing can be made,
 * the job is the owner's again. */
int crew_give(struct crew *crew, struct crew_job *job);
/* True: it had not started and is the owner's again. */
bool crew_withdraw(struct crew *crew, struct crew_job *job);
/* umbel_interrupted is true for it from now on, and its waits end. Harmless when it has just ended. */
void crew_cancel(struct crew *crew, struct crew_job *job);
/* Its waits look at the clock again (the soft time limit has passed). */
void crew_nudge(struct crew *crew, struct crew_job *job);
/* The job that a task runs. */
struct crew_job *crew_job_of(struct umbel_task *task);
/* The outcome was used; the job is the owner's again. Any thread. */
void crew_release(struct crew *crew, struct crew_job *job);
/* So many at once from now on; those that run go on. */
void crew_limit(struct crew *crew, uint32_t limit);
/* Ends it when nothing runs any more, waiting for that at most `seconds` (threads; a crew of coroutines runs
 * on the caller's thread and is not waited for). True: freed. False: a job does not end; the crew and what
 * its events use must stay until the process is over. Jobs that had not started are forgotten. */
bool crew_close(struct crew *crew, double seconds);

#endif
