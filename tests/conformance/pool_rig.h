/* pool_rig.h: a consumer for tests of pools: makes jobs, records what becomes of them, waits for conditions.
 * What pool.h promises is tested by one body per promise, over every pool that must keep it. */
#ifndef TESTS_POOL_RIG_H
#define TESTS_POOL_RIG_H

#include "common/loop.h"
#include "worker/fork_server.h"
#include "worker/pool.h"
#include "worker/registry.h"

#define RIG_LINES 4096

struct rig_job {
    struct job job;
    struct message msg;
    bool started, finished;
    int started_pid;
    enum outcome_kind kind;
    char value[256], type[128], message[512], traceback[4096];
    size_t value_size;
    double retry_after, runtime;
    int pid, signal, exit_code;
    bool innocent;
    size_t memory_peak;
    double cpu_seconds;
    int parts;
    char part[64]; /* the last */
    int order;     /* finished as the n-th */
    double finished_at;
};

/* What a pool states that it can do; tests assert both answers. */
struct rig_can {
    const char *pool;
    bool lines_of_jobs; /* what a task writes to stdout is known to be its */
    bool kill_one;      /* a task can be killed without another one */
    bool wake_calls;    /* a system call that blocks ends at the soft limit */
};

struct rig_line {
    const struct rig_job *job;
    umbel_level level;
    char text[200];
};

struct rig {
    struct loop loop;
    struct registry *registry;
    struct fork_server *server;
    struct pool *pool;
    struct pool_options options;
    const struct rig_can *can;
    uv_timer_t clock;
    int finished, rooms, ended, progress;
    char progress_value[64], ended_why[300];
    bool stopped, lost;
    bool takes_parts; /* says at once that a part is stored */
    int parts;
    size_t part_bytes;
    uint64_t last_source;
    struct rig_line lines[RIG_LINES];
    int line_count;
    /* of rig_wait */
    bool (*until)(struct rig *rig);
    double deadline;
    bool met;
    /* fed from `room` */
    struct rig_job *feed;
    int feed_count, fed;
    int target; /* of rig_wait_finished */
    struct rig_job *watched;
};

/* Forks the server and opens the pool; asserts. `options` may be NULL; concurrency 0 is 2. */
struct rig *rig_open(const char *pool, const struct pool_options *options);
/* Stops the pool with no grace and frees everything; asserts that it stopped. */
void rig_close(struct rig *rig);
/* A job of task `name` with a JSON body "[args, kwargs, embed]"; texts must outlive it. */
void rig_make(struct rig *rig, struct rig_job *job, const char *name, const char *body);
/* Makes and dispatches; asserts that there was room. */
void rig_give(struct rig *rig, struct rig_job *job, const char *name, const char *body);
/* Dispatches all of `jobs` as there is room. */
void rig_feed(struct rig *rig, struct rig_job *jobs, int count);
/* Runs the loop until the condition holds or the time is over. */
bool rig_wait(struct rig *rig, bool (*until)(struct rig *rig), double seconds);
bool rig_wait_finished(struct rig *rig, int count, double seconds);
bool rig_wait_job(struct rig *rig, struct rig_job *job, double seconds);
bool rig_wait_started(struct rig *rig, struct rig_job *job, double seconds);
bool rig_wait_children(struct rig *rig, int count, double seconds);
/* Gives one job, waits for it. */
void rig_run(struct rig *rig, struct rig_job *job, const char *name, const char *body);
/* Conditions for rig_wait. */
bool rig_has_line(struct rig *rig);
bool rig_is_stopped(struct rig *rig);
/* Asserts that the pool is whole: another job runs and succeeds. */
void rig_assert_next_runs(struct rig *rig);

extern const umbel_module_table rig_tasks;
/* Shared memory in which task "mark" counts its runs; set before rig_open. */
extern _Atomic int *pool_marks;

/* ---- one body, run over the pools that the macro's name stands for ---- */

#define OVER_ONE(name, kind)                                                                                 \
    static void name##_holds(const char *pool);                                                              \
    Test(pool, name##_##kind)                                                                                \
    {                                                                                                        \
        name##_holds(#kind);                                                                                 \
    }

/* Pools that run several jobs in each child. */
#define OVER_CREW_CHILDREN(name)                                                                             \
    OVER_ONE(name, threads) OVER_ONE(name, coroutines) static void name##_holds(const char *pool)

/* Pools of child processes. */
#define OVER_CHILDREN(name) OVER_ONE(name, prefork) OVER_CREW_CHILDREN(name)

/* Pools that run several jobs in one process. */
#define OVER_CREWS(name)                                                                                     \
    OVER_ONE(name, local_threads) OVER_ONE(name, local_coroutines) OVER_CREW_CHILDREN(name)

/* All that can run several jobs at once. */
#define OVER_MANY(name) OVER_ONE(name, prefork) OVER_CREWS(name)

#define OVER_ALL(name) OVER_ONE(name, solo) OVER_MANY(name)

#endif
