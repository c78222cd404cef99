/* task.h: one run of one task: what the public calls of umbel/task.h act on.
 *
 * Whoever runs tasks (a child, the solo pool) owns one struct umbel_task and uses it again for each job, so
 * that a steady state allocates nothing: task_init; then per job task_reset, fill a struct task_call,
 * task_run; task_fini at the end. What a run leaves in *outcome is borrowed from the task until the next
 * task_reset. */
#ifndef WORKER_TASK_H
#define WORKER_TASK_H

#include <stdarg.h>

#include "common/codec.h"
#include "common/message.h"
#include "worker/pool.h"
#include "worker/task_co.h"

/* Longest body that is decoded, and longest result that is given back. */
#define TASK_BODY_MAX (64u << 20)
/* Memory that one decoded body may take. */
#define TASK_ARENA_MAX (512u << 20)
#define TASK_LINE_MAX 4096
/* Longest part of a result, and most parts of a run. */
#define TASK_PART_MAX (1u << 20)
#define TASK_PARTS_MAX 1000000u

/* What a running task reaches of the world. All on the task's own thread. */
struct task_port {
    void (*say)(void *self, umbel_level level, umbel_str line);
    void (*progress)(void *self, umbel_str value);
    /* A part of the result, encoded. UMBEL_OK; UMBEL_BUSY: too much waits to be stored, try again soon; or
     * another code. */
    int (*part)(void *self, umbel_str value);
    bool (*cancelled)(void *self);
    void *self;
    /* Waits at most so long, ending early when the task is to look again. NULL: ppoll, which SIGUSR1 ends. */
    void (*doze)(void *self, double seconds);
    struct task_client *client; /* what tasks call other tasks with (task_client.h); NULL: nothing */
};

/* The task that runs on this thread, or on the coroutine that does; NULL: none. */
struct umbel_task *task_self(void);

struct task_call {
    const umbel_task_def *def; /* NULL: role reader */
    const struct message *msg;
    enum codec result_codec;
    double time_limit, soft_time_limit;
    int deaths;
    uint64_t started_ns; /* clock_mono_ns */
};

struct umbel_task {
    const struct task_port *port;
    const struct registry *registry;
    const char *worker_name;
    void *user;

    const struct task_call *call; /* of the job that runs */
    const umbel_value *args, *kwargs;
    struct arena arena;                           /* everything decoded, and small copies */
    struct buffer value;                          /* the encoded result */
    struct buffer progress;                       /* an encoded meta */
    struct buffer text;                           /* error message under construction */
    const char *id, *root_id, *parent_id, *queue; /* NUL-terminated copies, made when asked for */

    uint32_t parts;  /* of its result given so far */
    uint64_t called; /* a mark behind what it called last (task_client.h); 0: nothing */
    uint32_t waits;  /* of its coroutines, those that wait for what they called */
    bool settled;    /* the first outcome was given */
    bool saw_cancel;
    bool id_told; /* it asked for its id, or called others, which hear of it */
    struct outcome outcome;

    struct task_co co; /* what it waits on */
};

/* `registry`: where a task that calls others (celery.starmap) finds them; NULL: nowhere. */
void task_init(struct umbel_task *task, const struct task_port *port, const struct registry *registry,
               const char *worker_name, void *user);
void task_fini(struct umbel_task *task);
/* Forgets the last job. */
void task_reset(struct umbel_task *task);
/* Decodes, checks, calls, or takes apart when call->def is NULL. Answers the time at which it ended
 * (clock_mono_ns). */
uint64_t task_run(struct umbel_task *task, const struct task_call *call, struct outcome *outcome);

/* ---- between the files of the task ---- */

/* Body -> args and kwargs. False: the outcome says why not. */
bool task_open_body(struct umbel_task *task);
/* Role reader: a body of protocol 1, or of none -> OUTCOME_READ with a packed message of protocol 2. */
void task_read_envelope(struct umbel_task *task);
/* The decoded body, or NULL and OUTCOME_BAD_BODY. */
umbel_value *task_decode(struct umbel_task *task, const struct codec_row **codec);
/* Settles, unless an outcome was given before. The text is made valid UTF-8. */
void task_settle(struct umbel_task *task, enum outcome_kind kind, const char *type, const char *format, ...)
    UMBEL_PRINTF(4, 5);
void task_settle_list(struct umbel_task *task, enum outcome_kind kind, const char *type, const char *format,
                      va_list list);
/* Replaces every byte that is not UTF-8 by '?'. */
void text_clean(char *data, size_t size);
/* A task that returned without a word has succeeded with null, unless it was asked to stop and did. */
void task_settle_silence(struct umbel_task *task);
/* Is it time to stop? */
bool task_interrupted(struct umbel_task *task);
/* Seconds until the limit that comes first; INFINITY without. */
double task_time_left(const struct umbel_task *task);

#endif
