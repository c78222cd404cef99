/* client.h: calling tasks and waiting for their results.
 *
 *     umbel_client *client = umbel_connect(NULL, NULL);
 *     umbel_future *sum = umbel_submit(client, "math.add", UMBEL_ARGS(2, 3));
 *     int64_t value;
 *     if (umbel_get(sum, 5.0, &value)) fprintf(stderr, "%s\n", umbel_error(sum));
 *     umbel_future_free(sum);
 *     umbel_close(client, 1.0);
 *
 * A client may be used from any thread at once; it owns one background thread that talks to the broker and to the
 * result backend. It does not survive fork: in the child every call answers UMBEL_FORKED. Every wait has an end: a
 * timeout of less than 0 means the client's default (options.timeout). All times are seconds. */
#ifndef UMBEL_CLIENT_H
#define UMBEL_CLIENT_H

#include <umbel/abi.h>
#include <umbel/error.h>
#include <umbel/value.h>
#include <umbel/generic.h>
#include <umbel/task.h>

typedef struct umbel_client umbel_client;
typedef struct umbel_future umbel_future;
typedef struct umbel_chunk umbel_chunk;

typedef enum umbel_serializer { UMBEL_SERIALIZER_DEFAULT, UMBEL_JSON, UMBEL_MSGPACK } umbel_serializer;

typedef struct umbel_client_options {
    const char *broker;  /* amqp://, amqps://, sqlite:PATH, memory://; several separated by ';'. NULL = UMBEL_BROKER_URL */
    const char *backend; /* redis://, rediss://, redis+socket://, sqlite:PATH, memory://. NULL = UMBEL_RESULT_BACKEND,
                            else the broker's URL where it can keep results */
    umbel_serializer serializer; /* of task bodies; default JSON */
    double timeout;              /* default of every wait, > 0; 0 = 30 */
    size_t buffer_bytes;         /* unconfirmed messages kept, in bytes; 0 = 64 MiB */
    bool manual_callbacks;       /* done callbacks run in umbel_client_dispatch, not on the background thread */
    /* Called on the background thread for each event worth a line. NULL = silent. */
    void (*log)(void *arg, umbel_level level, const char *line);
    void *log_arg;
    const umbel_module_table *module; /* the tasks of memory://?pool=...; NULL = those of this program */
    const void *reserved[3];
} umbel_client_options;

typedef struct umbel_submit_options {
    const char *queue;   /* default "celery" */
    const char *id;      /* default: a fresh UUID4. Any non-empty text up to 255 bytes */
    double expires;      /* not run when it starts later than this many seconds from now; 0 = never */
    double countdown;    /* not before this many seconds from now; 0 = at once */
    int priority;        /* 0 to 255, higher first, where the queue has priorities */
    umbel_switch ignore_result; /* UMBEL_ON: the worker stores nothing; done, with null, once it is accepted */
    const umbel_value *headers; /* a map of headers of your own; borrowed during the call */
    umbel_serializer serializer;
    const char *shadow;     /* another name for logs and monitors */
    double time_limit;      /* override the task's limits; 0 = as the task says */
    double soft_time_limit;
    bool transient;    /* not written to the broker's disk: lost if the broker dies */
    bool unconfirmed;  /* do not wait for the broker's confirm: at most once */
    bool create_queue; /* declare the queue when it is missing (durable, no arguments), as Celery's clients do */
    bool confirm;      /* return only when the broker has confirmed (within `timeout`) */
    double timeout;    /* waiting for room in the buffer, and for `confirm`; 0 = the client's default */
    const void *reserved[4];
} umbel_submit_options;

typedef enum umbel_state {
    UMBEL_STATE_SENDING,   /* in the client's buffer */
    UMBEL_STATE_ACCEPTED,  /* the broker has it */
    UMBEL_STATE_STARTED,   /* a worker said so (track_started), or progress was seen */
    UMBEL_STATE_RETRYING,  /* it asked to be run again later */
    UMBEL_STATE_SUCCEEDED, /* from here on: done */
    UMBEL_STATE_FAILED,   /* the task failed; umbel_error_type, umbel_error_message, umbel_traceback tell */
    UMBEL_STATE_REVOKED,
    UMBEL_STATE_UNSENT /* the message never reached a queue; umbel_future_code says why */
} umbel_state;

typedef enum umbel_wait_mode { UMBEL_FIRST_COMPLETED, UMBEL_FIRST_EXCEPTION, UMBEL_ALL_COMPLETED } umbel_wait_mode;

UMBEL_BEGIN

/* ---- client --------------------------------------------------------------------------------------------------- */

/* Opens a client. Returns at once and connects in the background; NULL only when memory is out: every call on clients takes
 * that too, and answers UMBEL_NO_MEMORY, or where it answers no code NULL, 0 or -1; umbel_close has nothing to do then. With
 * URLs that cannot be used, every call answers UMBEL_BAD_URL and umbel_client_error says what is wrong with which. */
UMBEL_API umbel_client *umbel_connect(const char *broker, const char *backend);
UMBEL_API umbel_client *umbel_connect_with(const umbel_client_options *options);
/* Waits until broker and backend are reached. UMBEL_OK, UMBEL_TIMEOUT, UMBEL_AUTH, UMBEL_TLS, UMBEL_BAD_URL ... */
UMBEL_API int umbel_client_wait(umbel_client *client, double timeout);
/* Waits until every submitted message is confirmed or has failed. UMBEL_OK, or UMBEL_TIMEOUT (some still unsettled),
 * or the code of the first message that failed since the last flush. */
UMBEL_API int umbel_flush(umbel_client *client, double timeout);
/* Flushes, ends the background thread and frees the client; futures that are still held stay valid, answer
 * UMBEL_CLOSED when not done, and are freed with umbel_future_free. Answers what the flush answered. */
UMBEL_API int umbel_close(umbel_client *client, double timeout);
/* What went wrong last, with cause and remedy; "" when nothing did. Valid until the next call on this client by this
 * thread. */
UMBEL_API const char *umbel_client_error(umbel_client *client);
/* For a foreign event loop: readable while callbacks wait for umbel_client_dispatch (manual_callbacks). -1 without. */
UMBEL_API int umbel_client_fd(umbel_client *client);
/* Runs the waiting callbacks and the timed calls that are due (timer.h) on this thread; answers how many ran. */
UMBEL_API int umbel_client_dispatch(umbel_client *client);

/* ---- tasks inside tasks --------------------------------------------------------------------------------------- */

/* The client with which a task calls other tasks and waits for them; an ordinary one, but never closed by the task.
 * It is opened at the first call in a process that runs tasks, and shared by all that run there. A call without a queue
 * of its own stays on the task's queue, goes before everything that is less deep, and runs although this task waits: at
 * any depth and any concurrency (docs/nesting.md). What a task has called is confirmed by the broker before the task
 * counts as done. umbel_get and umbel_wait end early, with UMBEL_TIMEOUT, when the task is interrupted, and answer
 * UMBEL_BUSY at once when too many tasks of the worker wait already (--max-waiting). Use it on the task's own thread
 * (its coroutines included). NULL when memory is out. */
UMBEL_API umbel_client *umbel_task_client(umbel_task *task);

/* ---- futures -------------------------------------------------------------------------------------------------- */

/* Sends a call. Returns when the message is in the client's buffer (waits for room up to its timeout); the future then
 * tells what became of it. NULL only when memory is out; every call on futures takes that too, and answers
 * UMBEL_NO_MEMORY. Give it back with umbel_future_free. */
UMBEL_API umbel_future *umbel_submit_with(umbel_client *client, const char *task, umbel_arguments arguments,
                                          const umbel_submit_options *options);
/* A future for a task that somebody else sent. */
UMBEL_API umbel_future *umbel_future_from_id(umbel_client *client, const char *id);
/* Waits for the result and reads it into *take. UMBEL_OK; UMBEL_TIMEOUT (the future lives on); UMBEL_FAILED;
 * UMBEL_REVOKED; a code of the sending (UMBEL_UNROUTABLE, UMBEL_BROKER_AWAY ...); UMBEL_BAD_TYPE or UMBEL_BAD_VALUE when
 * the result does not fit. Strings and values are borrowed from the future. Any thread, any number of times. */
UMBEL_API int umbel_get_take(umbel_future *future, double timeout, umbel_take take);
UMBEL_API bool umbel_done(umbel_future *future); /* has it ended, or will it never be sent? does not wait */
UMBEL_API umbel_state umbel_future_state(umbel_future *future); /* how far it is, as far as is known here */
UMBEL_API int umbel_future_code(umbel_future *future); /* what went wrong; UMBEL_OK while nothing failed */
UMBEL_API const char *umbel_future_id(umbel_future *future); /* the task's id; borrowed from the future */
/* What went wrong, in one sentence: what happened, to which task, what to do. "" while nothing failed. Borrowed from the
 * future; what umbel_get or umbel_cancel_pending just answered on this thread (a timeout, a result that does not fit, a
 * task that runs already) only until their next call. */
UMBEL_API const char *umbel_error(umbel_future *future);
UMBEL_API const char *umbel_error_type(umbel_future *future);    /* its exception's type: "ValueError"; NULL when it did not fail */
UMBEL_API const char *umbel_error_message(umbel_future *future); /* its exception's first argument as text; NULL likewise */
UMBEL_API const char *umbel_traceback(umbel_future *future);     /* where it failed; NULL when there is none */
/* The result, or the meta of a custom state (progress); NULL when there is none yet. Borrowed from the future; a meta
 * only until the next umbel_result on this future. */
UMBEL_API const umbel_value *umbel_result(umbel_future *future);
/* Runs `call` once when the future is done (at once when it already is, on the calling thread). Otherwise it runs on
 * the background thread, which it must not block, or in umbel_client_dispatch. Several may be added. */
UMBEL_API int umbel_on_done(umbel_future *future, void (*call)(umbel_future *future, void *arg), void *arg);
/* Runs `call` each time the task has reported progress (umbel_progress, Celery's update_state) that was not seen before;
 * umbel_result is the meta then. Reports that come faster than they are looked at are seen as one, the latest. On the
 * background thread, or in umbel_client_dispatch; not any more once the future is done. Several may be added. */
UMBEL_API int umbel_on_progress(umbel_future *future, void (*call)(umbel_future *future, void *arg), void *arg);
/* Reads the next part of the result, as the task gave them with umbel_yield, into *take: those that were stored before it
 * was asked for, then those that come. UMBEL_OK; UMBEL_EXHAUSTED: the task has succeeded and everything was read;
 * UMBEL_FAILED, UMBEL_REVOKED ...: it ended so, and everything was read; UMBEL_RESTARTED, once: the task began again (a
 * retry, a crash), what was read so far is superseded, and the parts of the new run follow from its first; UMBEL_LOST:
 * the rest expired, or two runs overlapped; UMBEL_TIMEOUT; UMBEL_BAD_TYPE or UMBEL_BAD_VALUE when the part does not fit
 * (it counts as read). Strings and values are borrowed until the next umbel_next on this future. One thread at a time. */
UMBEL_API int umbel_next_take(umbel_future *future, double timeout, umbel_take take);
/* Waits for many. UMBEL_OK when the mode is satisfied, else UMBEL_TIMEOUT. */
UMBEL_API int umbel_wait(umbel_future *const *futures, size_t count, umbel_wait_mode mode, double timeout);
/* Gives the handle back. The task goes on; its result is no longer waited for, and callbacks that have not begun by then
 * are dropped (one that runs on another thread at that moment runs to its end). NULL is allowed. */
UMBEL_API void umbel_future_free(umbel_future *future);
/* Deletes the stored result in the backend, then as umbel_future_free. */
UMBEL_API int umbel_forget(umbel_future *future);

/* ---- chunks: many calls in one message ------------------------------------------------------------------------ */

/* For calls of a microsecond, whose message would cost a hundred times their work. The calls of a chunk run one after the
 * other as one job of one child, and have one future, whose result is the list of theirs, in order: umbel_result,
 * umbel_value_at. The first call that fails ends the job with its failure (umbel_traceback says which it was) and the
 * results of the others are lost; umbel_retry in a call is a failure. Time limits, cancelling and redelivery are of the
 * whole job. On the wire it is Celery's celery.starmap, which Python's workers serve too. One thread at a time. */

/* An empty chunk of calls of one task; UMBEL_SERIALIZER_DEFAULT is the client's. NULL only when memory is out. */
UMBEL_API umbel_chunk *umbel_chunk_new(umbel_client *client, const char *task, umbel_serializer serializer);
/* Adds a call; its arguments are encoded at once. UMBEL_OK, or the chunk is as before: UMBEL_BAD_ARGUMENT (Celery's form
 * has no named arguments), UMBEL_BAD_VALUE, UMBEL_TOO_DEEP (UMBEL_DEPTH_MAX - 2 here), UMBEL_TOO_LARGE (more than the
 * client's buffer_bytes), UMBEL_NO_MEMORY. */
UMBEL_API int umbel_chunk_add(umbel_chunk *chunk, umbel_arguments arguments);
UMBEL_API size_t umbel_chunk_count(const umbel_chunk *chunk); /* how many calls it holds */
/* Sends the calls as umbel_submit_with sends one; the chunk is empty afterwards and can be filled again. The serializer
 * is the chunk's. */
UMBEL_API umbel_future *umbel_submit_chunk_with(umbel_chunk *chunk, const umbel_submit_options *options);
/* Any time; the futures stay. NULL is allowed. */
UMBEL_API void umbel_chunk_free(umbel_chunk *chunk);

UMBEL_END

#ifndef __cplusplus
#define umbel_submit_chunk(chunk, ...)                                                                       \
    umbel_submit_chunk_with((chunk), &(umbel_submit_options){__VA_ARGS__})
#define umbel_submit(client, task, arguments, ...)                                                           \
    umbel_submit_with((client), (task), (arguments), &(umbel_submit_options){__VA_ARGS__})
#define umbel_next(future, timeout, pointer) umbel_next_take((future), (timeout), UMBEL_TAKE(pointer))
#define umbel_get(future, timeout, pointer) umbel_get_take((future), (timeout), UMBEL_TAKE(pointer))
#endif

#ifdef __cplusplus
#include <umbel/client.hpp>
#endif

#endif
