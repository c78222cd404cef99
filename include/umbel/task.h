/* task.h: writing tasks.
 *
 *     #include <umbel.h>
 *
 *     UMBEL_TASK(add, "math.add", .time_limit = 5)
 *     {
 *         int64_t x, y;
 *         if (umbel_args(task, &x, &y)) return;
 *         umbel_return(task, x + y);
 *     }
 *
 * A task is a function `void (umbel_task *task)`; it runs in a child process of a worker, on its own, or with `-P
 * threads|coroutines` beside others (in the worker itself with `-P solo`). Exactly one outcome counts, the first that is given: umbel_return, umbel_fail, umbel_retry, or, when the
 * function simply returns, success with null. Strings and values read from `task` are borrowed until the function
 * returns. All calls here are for the thread that runs the task. */
#ifndef UMBEL_TASK_H
#define UMBEL_TASK_H

#include <umbel/abi.h>
#include <umbel/error.h>
#include <umbel/value.h>
#include <umbel/generic.h>

typedef struct umbel_task umbel_task;

/* When the message leaves the broker's books. */
typedef enum umbel_acks {
    UMBEL_ACKS_DEFAULT, /* the worker's setting, which is UMBEL_AT_LEAST_ONCE unless changed */
    UMBEL_AT_LEAST_ONCE, /* after the result is stored; a crash runs it again */
    UMBEL_AT_MOST_ONCE   /* before it runs; a crash loses it (FAILURE WorkerLostError is stored) */
} umbel_acks;

typedef enum umbel_switch { UMBEL_DEFAULT, UMBEL_ON, UMBEL_OFF } umbel_switch;

/* Defaults of one task. Zero means "the worker's setting". Times in seconds. */
typedef struct umbel_task_options {
    double time_limit;      /* hard: FAILURE TimeLimitExceeded, the child is killed (docs/pools.md: several tasks in one) */
    double soft_time_limit; /* soft: umbel_interrupted() answers true, Umbel's waiting calls end */
    umbel_acks acks;
    umbel_switch ignore_result;
    int max_retries;   /* for umbel_retry; 0 = 3, -1 = no limit */
    int max_deaths;    /* children it may kill before it is parked; 0 = the worker's setting (3) */
    const char *queue; /* where a client that knows this module sends it; NULL = "celery" */
    umbel_switch track_started; /* STARTED is stored when it begins; costs a store for each task */
    const char *reserved[3];
} umbel_task_options;

typedef struct umbel_task_def {
    size_t size; /* sizeof(umbel_task_def), so that it can grow */
    const char *name;
    void (*run)(umbel_task *task);
    umbel_task_options options;
} umbel_task_def;

/* Called in every child at its birth and end. `*user` is what umbel_task_user answers. Non-zero from `start` ends the
 * child; `why` (at most 200 bytes, given by the callee) is logged. */
typedef struct umbel_child_hooks {
    int (*start)(void **user, char why[200]);
    void (*end)(void *user);
} umbel_child_hooks;

/* What a worker looks up in a shared object: the symbol `umbel_module`. */
typedef struct umbel_module_table {
    uint32_t magic; /* UMBEL_MODULE_MAGIC */
    uint32_t abi;   /* UMBEL_ABI */
    const char *version;
    const umbel_task_def *const *tasks_begin;
    const umbel_task_def *const *tasks_end;
    const umbel_child_hooks *const *hooks_begin;
    const umbel_child_hooks *const *hooks_end;
} umbel_module_table;

#define UMBEL_MODULE_MAGIC 0x4c424d55u /* "UMBL" */

#ifndef UMBEL_NO_MODULE
/* The linker gathers what UMBEL_TASK leaves in these sections; every file of a module shares one weak table. */
UMBEL_BEGIN
extern const umbel_task_def *const __start_umbel_tasks[] __attribute__((weak, visibility("hidden")));
extern const umbel_task_def *const __stop_umbel_tasks[] __attribute__((weak, visibility("hidden")));
extern const umbel_child_hooks *const __start_umbel_hooks[] __attribute__((weak, visibility("hidden")));
extern const umbel_child_hooks *const __stop_umbel_hooks[] __attribute__((weak, visibility("hidden")));
extern const umbel_module_table umbel_module __attribute__((weak, visibility("default")));
const umbel_module_table umbel_module = {UMBEL_MODULE_MAGIC,  UMBEL_ABI,          UMBEL_VERSION,      __start_umbel_tasks,
                                         __stop_umbel_tasks, __start_umbel_hooks, __stop_umbel_hooks};
UMBEL_END
#endif

#define UMBEL_IN_SECTION(name) __attribute__((section(name), used))

#ifndef __cplusplus
/* Defines and registers a task; the body follows. Options are designated initialisers of umbel_task_options. */
#define UMBEL_TASK(symbol, task_name, ...)                                                                   \
    static void umbel_run_##symbol(umbel_task *task);                                                        \
    static const umbel_task_def umbel_def_##symbol = {                                                       \
        sizeof(umbel_task_def), (task_name), umbel_run_##symbol, {__VA_ARGS__}};                             \
    static const umbel_task_def *const umbel_ref_##symbol UMBEL_IN_SECTION("umbel_tasks") = &umbel_def_##symbol; \
    static void umbel_run_##symbol(umbel_task *task)
#endif

/* Registers the hooks of a module: UMBEL_CHILD_HOOKS(open_database, close_database). Either may be NULL. */
#define UMBEL_CHILD_HOOKS(start_function, end_function)                                                      \
    static const umbel_child_hooks umbel_child_hooks_here = {(start_function), (end_function)};              \
    static const umbel_child_hooks *const umbel_child_hooks_ref UMBEL_IN_SECTION("umbel_hooks") =            \
        &umbel_child_hooks_here

UMBEL_BEGIN

/* ---- arguments ------------------------------------------------------------------------------------------------ */

/* Fills `takes` from the call's positional and named arguments. Positional ones come first, in order; a take with a
 * name is also found among the named ones. On any mismatch (missing, too many, unknown name, wrong type, out of range)
 * the task has failed with TypeError or ValueError naming the argument, and the answer is non-zero: return. */
UMBEL_API int umbel_args_take(umbel_task *task, const umbel_take *takes, size_t count);
/* The raw arguments, for tasks that take any number: a list and a map. Never NULL. */
UMBEL_API const umbel_value *umbel_task_args(umbel_task *task);
UMBEL_API const umbel_value *umbel_task_kwargs(umbel_task *task);

/* ---- outcome -------------------------------------------------------------------------------------------------- */

/* Success with a value. A value that cannot be encoded (text that is not UTF-8, too deep) makes the task fail instead
 * and answers non-zero. */
UMBEL_API int umbel_return_give(umbel_task *task, umbel_give value);
/* Failure with an exception type as the waiter will see it ("ValueError", or "mymodule.MyError") and a message. */
UMBEL_API void umbel_fail(umbel_task *task, const char *type, const char *format, ...) UMBEL_PRINTF(3, 4);
/* Runs the task again after `seconds` (>= 0), until max_retries is used up; then it fails with `why` as its message.
 * Answers UMBEL_OK when the retry was noted; return from the function. */
UMBEL_API int umbel_retry(umbel_task *task, double seconds, const char *why);

/* ---- context -------------------------------------------------------------------------------------------------- */

UMBEL_API const char *umbel_task_id(const umbel_task *task);         /* the id under which its result is kept */
UMBEL_API const char *umbel_task_name(const umbel_task *task);       /* the name it was called by */
UMBEL_API const char *umbel_task_root_id(const umbel_task *task);   /* the id of the first call it descends from; never NULL */
UMBEL_API const char *umbel_task_parent_id(const umbel_task *task); /* the id of the task that called it; NULL when a client did */
UMBEL_API const char *umbel_task_queue(const umbel_task *task);      /* the queue it was sent to */
UMBEL_API const char *umbel_task_worker(const umbel_task *task); /* the worker's name: name@host */
UMBEL_API int umbel_task_retries(const umbel_task *task);        /* how often it was retried; 0 on the first run */
UMBEL_API int umbel_task_deaths(const umbel_task *task);         /* how many children died running it before */
UMBEL_API bool umbel_task_redelivered(const umbel_task *task);   /* it may have run before */
/* A header the caller set; NULL when absent. */
UMBEL_API const umbel_value *umbel_task_header(const umbel_task *task, const char *name);
/* Seconds left until the soft limit (or the hard one where there is no soft one); INFINITY without limits. */
UMBEL_API double umbel_task_time_left(const umbel_task *task);
/* True once the soft time limit has passed or the task was cancelled: finish now. A long task asks now and then. A
 * cancelled task that has seen it and ends without a value, or fails, is REVOKED; a value it returns counts. */
UMBEL_API bool umbel_interrupted(const umbel_task *task);
/* The pointer that the module's start hook made for this child; shared by all tasks that run there at once. */
UMBEL_API void *umbel_task_user(const umbel_task *task);

/* ---- while it runs -------------------------------------------------------------------------------------------- */

typedef enum umbel_level { UMBEL_DEBUG, UMBEL_INFO, UMBEL_WARNING, UMBEL_ERROR } umbel_level;

/* A line of the worker's log, with the task's id and name. umbel_log writes at UMBEL_INFO. */
UMBEL_API void umbel_log_at(umbel_task *task, umbel_level level, const char *format, ...) UMBEL_PRINTF(3, 4);
#define umbel_log(task, ...) umbel_log_at((task), UMBEL_INFO, __VA_ARGS__)
/* Sleeps; ends early, with UMBEL_TIMEOUT, when the task is interrupted. */
UMBEL_API int umbel_sleep(umbel_task *task, double seconds);
/* Stores state PROGRESS with this value as its meta, for waiters to see (Celery's update_state). Never blocks long. */
UMBEL_API int umbel_progress_give(umbel_task *task, umbel_give value);
/* Gives a part of the result while the task runs; whoever calls umbel_next on its future reads the parts in this order.
 * They are kept beside the result and as long as it is. A run that is repeated (a retry, a crash) begins anew with its
 * own parts. Waits while the worker has more than 1 MiB of this child's parts to store. UMBEL_OK; UMBEL_TOO_LARGE: over
 * 1 MiB encoded, or the millionth of a run; UMBEL_TIMEOUT: interrupted while it waited, the part is not given;
 * UMBEL_NO_MEMORY (solo: too many wait for the backend); UMBEL_BAD_VALUE, UMBEL_TOO_DEEP as umbel_return. Without a
 * backend, or when the result is ignored, parts vanish. */
UMBEL_API int umbel_yield_give(umbel_task *task, umbel_give value);

UMBEL_END

#ifndef __cplusplus
#define umbel_args(task, ...)                                                                                \
    umbel_args_take((task), (umbel_take[]){UMBEL_EACH(UMBEL_TAKE, __VA_ARGS__) umbel_take_make(NULL, UMBEL_TAKE_NOTHING)}, \
                    UMBEL_COUNT(__VA_ARGS__))
#define umbel_return(task, value) umbel_return_give((task), UMBEL_GIVE(value))
#define umbel_progress(task, value) umbel_progress_give((task), UMBEL_GIVE(value))
#define umbel_yield(task, value) umbel_yield_give((task), UMBEL_GIVE(value))
#endif

#ifdef __cplusplus
#include <umbel/task.hpp>
#endif

#endif
