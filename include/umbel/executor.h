/* executor.h: a client with a pool of its own, and the calls that concurrent.futures and multiprocessing have.
 *
 *     umbel_client *client = umbel_connect("memory://?pool=threads&concurrency=8", NULL);
 *     umbel_future *square = umbel_submit_call(client, square_it, UMBEL_ARGS(7));
 *
 * An executor is a client. With memory://?pool=threads|processes|coroutines|solo the tasks run in this process or in
 * children of it; with sqlite: or amqp:// workers elsewhere run them, and the rest of the program stays as it is.
 *
 * The pool's URL takes concurrency=N (default: the processors; solo is 1), max_tasks_per_child=N and
 * max_memory_per_child=KIB. memory://NAME?pool=... can be used by other clients of this process under memory://NAME.
 * Its tasks are the UMBEL_TASKs of the program (options.module names another table), and any function. What a task says
 * (umbel_log; in a child stdout and stderr too) goes to options.log, to stderr where there is none.
 *
 * Results are given to their futures; the newest 10,000 can also be had by their ids (umbel_future_from_id).
 *
 * pool=processes forks: connect before the program makes threads. pool=solo runs tasks on the client's background thread,
 * one after the other. umbel_close gives what runs the rest of its timeout; what has not begun by then is dropped. */
#ifndef UMBEL_EXECUTOR_H
#define UMBEL_EXECUTOR_H

#include <umbel/client.h>

/* What a task is, see task.h. */
typedef void umbel_function(umbel_task *task);

UMBEL_BEGIN

/* ---- functions without a name ---------------------------------------------------------------------------------- */

/* As umbel_submit_with, for a function of this program, only with a pool of its own (else the future is done with
 * UMBEL_NOT_SUPPORTED). With pool=processes it must have been loaded when the client connected. */
UMBEL_API umbel_future *umbel_submit_call_with(umbel_client *client, umbel_function *function, umbel_arguments arguments,
                                               const umbel_submit_options *options);

/* Submits, waits and reads in one: the value must be a number or a truth value, since nothing is left to borrow a text
 * from (in C++ a std::string is one too). What umbel_get answers; umbel_client_error tells what went wrong. */
UMBEL_API int umbel_apply_take(umbel_client *client, const char *task, umbel_arguments arguments,
                               const umbel_submit_options *options, double timeout, umbel_take take);

/* ---- taking back ------------------------------------------------------------------------------------------------ */

/* The call is not wanted any more. Answers at once: the future is done with UMBEL_CANCELLED (state REVOKED; its
 * callbacks run on the background thread as ever). A message that has not left is not sent. A task that no worker has
 * begun will not be begun; one that runs is told to stop (umbel_interrupted) and its child is killed a second later,
 * where the pool can (processes, -P prefork). Over a broker the workers are told through the result backend, which keeps
 * REVOKED as the task's end. UMBEL_ALREADY_DONE: too late, nothing happens. */
UMBEL_API int umbel_cancel(umbel_future *future);
/* The same for a task that has not begun; UMBEL_BUSY and nothing happens when it is known to run (umbel_running). */
UMBEL_API int umbel_cancel_pending(umbel_future *future);
/* Is it known to run? With a pool of one's own that is exact; elsewhere only once the task has reported progress. */
UMBEL_API bool umbel_running(umbel_future *future);
/* It ended by being cancelled or revoked. */
UMBEL_API bool umbel_cancelled(umbel_future *future);
/* As umbel_get without reading: UMBEL_OK when it succeeded, UMBEL_FAILED ... or UMBEL_TIMEOUT. */
UMBEL_API int umbel_exception(umbel_future *future, double timeout);

/* ---- many futures ------------------------------------------------------------------------------------------------ */

typedef struct umbel_completed umbel_completed;

/* Hands out futures as they are done, each once, those that are done already first. They stay the caller's and may be
 * given back at any time. `timeout` is for all of them together. NULL only when memory is out. One thread at a time. */
UMBEL_API umbel_completed *umbel_as_completed(umbel_future *const *futures, size_t count, double timeout);
/* UMBEL_OK and the next one; UMBEL_EXHAUSTED after the last; UMBEL_TIMEOUT. */
UMBEL_API int umbel_completed_next(umbel_completed *completed, umbel_future **future);
UMBEL_API void umbel_completed_free(umbel_completed *completed);
/* Waits for all, or with `first_error_wins` until one has failed. UMBEL_OK when all succeeded; UMBEL_TIMEOUT; else the
 * code of the first, in the order given, that has failed. The others go on; each future has its own error. */
UMBEL_API int umbel_gather(umbel_future *const *futures, size_t count, bool first_error_wins, double timeout);

/* ---- map --------------------------------------------------------------------------------------------------------- */

typedef struct umbel_mapping umbel_mapping;

typedef struct umbel_map_options {
    size_t chunk;             /* calls per message; 0 or 1 = one. A call that fails, fails its chunk */
    size_t ahead;             /* calls submitted beyond what was read, at most; 0 = 1000 */
    double timeout;           /* seconds for all results together, from now; 0 = none, each has the client's default */
    bool unordered;           /* results as they come (imap_unordered); umbel_map_index tells whose */
    umbel_function *function; /* called instead of a named task (umbel_submit_call); no chunks */
    const umbel_submit_options *submit; /* for each message; its id is not used. What it points to must last as long as
                                           the mapping */
    const void *reserved[4];
} umbel_map_options;

/* Calls the task once for each element, with it as the one argument; with umbel_starmap each element is the list of a
 * call's arguments. The list is copied. Arguments are taken when there is room for them (.ahead), so that reading paces
 * submitting. NULL only when memory is out; a client that cannot submit, or what is no list (UMBEL_BAD_ARGUMENT), is told
 * by the first result. */
UMBEL_API umbel_mapping *umbel_map_with(umbel_client *client, const char *task, const umbel_value *list,
                                        const umbel_map_options *options);
UMBEL_API umbel_mapping *umbel_starmap_with(umbel_client *client, const char *task, const umbel_value *list,
                                            const umbel_map_options *options);
/* The same from a generator: `next` adds one call's arguments to the list it is given, or answers false: no more. It is
 * called on the thread that reads, inside these calls and umbel_map_next. */
UMBEL_API umbel_mapping *umbel_map_from_with(umbel_client *client, const char *task,
                                             bool (*next)(void *arg, umbel_value *arguments), void *arg,
                                             const umbel_map_options *options);
/* The next result. UMBEL_OK; UMBEL_EXHAUSTED after the last; UMBEL_TIMEOUT (it may be asked again); UMBEL_FAILED, or
 * another code of umbel_get, for this call alone: the next one goes on. Texts and values are borrowed until the next
 * call. One thread at a time. */
UMBEL_API int umbel_map_next_take(umbel_mapping *mapping, umbel_take take);
/* Which call was read last, from 0; and what went wrong with it, as a sentence. */
UMBEL_API size_t umbel_map_index(const umbel_mapping *mapping);
UMBEL_API const char *umbel_map_error(const umbel_mapping *mapping);
/* Calls that were not read are cancelled unless they run. NULL is allowed. */
UMBEL_API void umbel_map_free(umbel_mapping *mapping);

/* Calls `map` once for each element of the list, then `reduce` with two neighbouring results at a time, level by level,
 * until one is left: `reduce` must be associative. Waits at most `timeout` seconds; inside a task use its client
 * (umbel_task_client). Answers the last future, which has the result or tells what went wrong first; not done when the
 * time ran out; with UMBEL_BAD_ARGUMENT one for what is no list. Give it back with umbel_future_free. NULL when memory is
 * out or the list is empty. */
UMBEL_API umbel_future *umbel_map_reduce_with(umbel_client *client, const char *map, const char *reduce,
                                              const umbel_value *list, double timeout,
                                              const umbel_submit_options *options);

/* ---- the end ----------------------------------------------------------------------------------------------------- */

/* From now on submitting answers UMBEL_CLOSED; what was submitted goes on. */
UMBEL_API int umbel_stop_submitting(umbel_client *client);
/* Waits until every future of this client is done, and with a pool of its own every task too. UMBEL_OK, UMBEL_TIMEOUT. */
UMBEL_API int umbel_drain(umbel_client *client, double timeout);
/* umbel_stop_submitting; cancels what has not begun, if asked; waits as umbel_drain (0: not at all). The client is still
 * freed with umbel_close. */
UMBEL_API int umbel_shutdown(umbel_client *client, bool cancel_pending, double timeout);
/* The same, and what runs is cancelled too. */
UMBEL_API int umbel_terminate(umbel_client *client, double timeout);

UMBEL_END

#ifndef __cplusplus
#define umbel_apply(client, task, arguments, timeout, pointer, ...)                                          \
    umbel_apply_take((client), (task), (arguments), &(umbel_submit_options){__VA_ARGS__}, (timeout), UMBEL_TAKE(pointer))
#define umbel_map(client, task, list, ...)                                                                   \
    umbel_map_with((client), (task), (list), &(umbel_map_options){__VA_ARGS__})
#define umbel_starmap(client, task, list, ...)                                                               \
    umbel_starmap_with((client), (task), (list), &(umbel_map_options){__VA_ARGS__})
#define umbel_map_from(client, task, next, arg, ...)                                                         \
    umbel_map_from_with((client), (task), (next), (arg), &(umbel_map_options){__VA_ARGS__})
#define umbel_map_next(mapping, pointer) umbel_map_next_take((mapping), UMBEL_TAKE(pointer))
#define umbel_map_reduce(client, map, reduce, list, timeout, ...)                                            \
    umbel_map_reduce_with((client), (map), (reduce), (list), (timeout), &(umbel_submit_options){__VA_ARGS__})
#define umbel_submit_call(client, function, arguments, ...)                                                  \
    umbel_submit_call_with((client), (function), (arguments), &(umbel_submit_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
#include <umbel/executor.hpp>
#endif

#endif
