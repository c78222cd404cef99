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

UMBEL_END

#ifndef __cplusplus
#define umbel_submit_call(client, function, arguments, ...)                                                  \
    umbel_submit_call_with((client), (function), (arguments), &(umbel_submit_options){__VA_ARGS__})
#endif

#ifdef __cplusplus
#include <umbel/executor.hpp>
#endif

#endif
