/* pool.h: the contract of everything that runs tasks: prefork, solo, threads, coroutines.
 *
 * The consumer owns jobs; the pool borrows a job from `dispatch` until it calls `finished` for it or
 * pool_take_back answers true. Callbacks run on the loop's thread, never from inside dispatch (solo: from a
 * later turn). A pool promises: each dispatched job ends in exactly one `finished` unless it is taken back; a
 * death of a child ends exactly the jobs that were running there (one, but in a crew), jobs that waited
 * behind them are started elsewhere by the pool itself. */
#ifndef WORKER_POOL_H
#define WORKER_POOL_H

#include "common/log.h"
#include "common/loop.h"
#include "common/message.h"
#include "common/codec.h"

struct pool;
struct fork_server;
struct nest;
struct registry;

struct job {
    const struct message *msg;        /* owned by the consumer, lives as long as the job */
    umbel_str kept;                   /* of message_keep; void: it is not packed yet */
    const struct umbel_task_def *def; /* the registry's row; NULL only for a job of role reader */
    enum codec result_codec;
    double time_limit, soft_time_limit; /* seconds, decided from task, call and worker; 0 = none */
    int deaths;                         /* children it has killed so far */
    int depth;                          /* how deep it is nested (nest_route.h); 0: no task called it */
    bool alone;                         /* runs with nothing behind it in its child */
    bool reader;                        /* role reader: take the body apart (v1, foreign), do not run it */
    void *owner;                        /* the consumer's request */
    void *pool_private;                 /* the pool's own note on this job */
};

enum outcome_kind {
    OUTCOME_SUCCESS,
    OUTCOME_FAILURE, /* the task said so, or threw, or its arguments were wrong */
    OUTCOME_RETRY,
    OUTCOME_DIED,        /* the child died: signal or exit */
    OUTCOME_TIMED_OUT,   /* hard limit */
    OUTCOME_MEMORY,      /* over the memory cap */
    OUTCOME_BAD_BODY,    /* body cannot be decoded; error_* say why */
    OUTCOME_UNSUPPORTED, /* embed carries callbacks, errbacks, chain or chord; error_message names them */
    OUTCOME_READ,     /* role reader: `value` holds a packed message (message_pack) made from the envelope */
    OUTCOME_CANCELLED /* stopped on request (revoke, terminate) */
};

struct outcome {
    enum outcome_kind kind;
    umbel_str value;                                /* encoded in job->result_codec: the result of SUCCESS */
    umbel_str error_type, error_message, traceback; /* of FAILURE and RETRY (message = why) */
    double retry_after;                             /* RETRY */
    double runtime;                                 /* seconds */
    int pid;
    int signal, exit_code; /* DIED */
    size_t memory_peak;    /* bytes: DIED, MEMORY, TIMED_OUT */
    double cpu_seconds;    /* likewise */
    bool innocent;         /* DIED: its child was killed because of another job. It is no death of this one */
    bool has_links;        /* FAILURE of a task whose embed had something to follow */
    bool id_told;          /* it has asked for its id, so others may know it */
};

struct pool_events {
    void (*started)(void *self, struct job *job,
                    int pid); /* it left the queue inside the pool; may come late, with finished */
    void (*finished)(void *self, struct job *job, const struct outcome *outcome);
    /* A line a task logged (umbel_log) or wrote to stdout (INFO) or stderr (WARNING). `job` NULL: outside any
     * task. */
    void (*said)(void *self, struct job *job, int pid, umbel_level level, umbel_str line);
    /* PROGRESS meta, encoded in job->result_codec. */
    void (*progress)(void *self, struct job *job, umbel_str value);
    /* A part of its result, encoded likewise; `source` for part_taken, which must follow for each. */
    void (*part)(void *self, struct job *job, umbel_str value, uint64_t source);
    void (*room)(void *self); /* a slot came free: dispatch more */
    void (*child_ended)(void *self, int pid, int signal, int exit_code,
                        const char *why); /* for the log; not an error when recycled */
    /* pool_stop is complete. Jobs not finished then were reported as OUTCOME_DIED or taken back. */
    void (*stopped)(void *self);
    /* No more children can be made (the fork server died). Jobs that ran have ended as OUTCOME_DIED; take the
     * others back and stop. May be NULL. */
    void (*lost)(void *self, const char *why);
};

#define POOL_WAITING_DEFAULT 64

struct pool_options {
    const struct log *log;
    int concurrency;   /* jobs at once, in all children together */
    size_t stack_size; /* coroutines: bytes of each one's stack; 0 = as the runtime thinks right */
    int processes;     /* threads, coroutines: children that share them; 0 = 1 */
    bool in_process; /* threads, coroutines: no children, in this process (pool_local.c); needs `registry` */
    uint32_t look_ahead;          /* jobs at most waiting inside a child behind the one that runs; 0 = 64 */
    uint64_t max_tasks_per_child; /* 0 = no limit */
    size_t max_memory_per_child;  /* bytes; 0 = none */
    const char *worker_name;      /* name@host, shown to tasks */
    struct fork_server *fork_server; /* all but solo and in_process */
    const struct registry *registry; /* solo and in_process */
    struct nest *nest;               /* carries what tasks call (nest.h); NULL: they can call nothing */
    struct umbel_client *client;     /* in a program: its own, for tasks that run in its process; else NULL */
    uint32_t max_waiting; /* tasks at most that wait for others they called; 0 = POOL_WAITING_DEFAULT */
};

struct pool_stats {
    int children, busy, wanted;
    int waiting;     /* of those busy: they wait for tasks they have called */
    uint32_t queued; /* dispatched, not started */
    int pids[256];
    int pid_count;
};

struct pool_ops {
    const char *name; /* "prefork" */
    int (*open)(struct pool **out, struct loop *loop, const struct pool_options *options,
                const struct pool_events *events, void *self);
    /* How many jobs would be accepted now: free slots plus look-ahead. */
    uint32_t (*room)(const struct pool *pool);
    /* Jobs running plus free slots that can start one at once: what credit must cover at least. */
    uint32_t (*slots)(const struct pool *pool);
    /* UMBEL_OK: borrowed. UMBEL_BUSY: no room; `room` will come. A nested job (depth > 0) finds room as long
     * as the pool works: a task may wait for it. */
    int (*dispatch)(struct pool *pool, struct job *job);
    /* True: the job had not started and is the caller's again. False: it runs or is done; finished comes. */
    bool (*take_back)(struct pool *pool, struct job *job);
    /* Asks a running job to stop: flag and, after `kill_after` seconds (>= 0), SIGKILL; OUTCOME_CANCELLED
     * comes. */
    void (*cancel)(struct pool *pool, struct job *job, double kill_after);
    /* So many bytes of parts from there are stored or given up: their task may give more. Any time, also
     * after the job's end; what has no meaning any more is ignored. */
    void (*part_taken)(struct pool *pool, uint64_t source, size_t size);
    int (*resize)(struct pool *pool, int concurrency);
    void (*stats)(const struct pool *pool, struct pool_stats *stats);
    /* Ends the children: idle ones at once, busy ones as they finish; after `grace` seconds they are killed
     * (their jobs end as OUTCOME_DIED). `stopped` comes. May be called again with a shorter grace. */
    void (*stop)(struct pool *pool, double grace);
    /* Frees; only after `stopped`. */
    void (*free)(struct pool *pool);
};

struct pool {
    const struct pool_ops *ops;
};

/* By name; UMBEL_NOT_FOUND lists the names there are. */
int pool_open(struct pool **out, const char *name, struct loop *loop, const struct pool_options *options,
              const struct pool_events *events, void *self, struct buffer *why);

#endif
