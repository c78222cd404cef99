/* coroutine.h: waiting in a task, and coroutines of its own.
 *
 *     static int fetch(umbel_task *task, void *page) { ... umbel_dial, umbel_write, umbel_read ... return UMBEL_OK; }
 *
 *     UMBEL_TASK(crawl, "crawl")
 *     {
 *         umbel_timeout limit;
 *         umbel_timeout_begin(task, &limit, 5);
 *         umbel_coroutine *one = umbel_spawn(task, fetch, &pages[0]), *other = umbel_spawn(task, fetch, &pages[1]);
 *         int first = umbel_join(task, one, -1, NULL), second = umbel_join(task, other, -1, NULL);
 *         if (umbel_timeout_end(task, &limit))
 *             umbel_fail(task, "TimeoutError", "the pages took more than 5 seconds");
 *     }
 *
 * On a pool of coroutines every task is a coroutine, and while one waits in a call of this header (or in umbel_sleep, or
 * for a future) the others of its child run. On the other pools the task's thread waits, and only the coroutines that the
 * task itself has spawned run meanwhile. The same task needs no change.
 *
 * All calls are for the task's thread: for the task's function and for what it has spawned. Coroutines of one thread run
 * one at a time and change only where one of them waits, so what they share needs no lock; one that computes for long
 * holds up the others.
 *
 * Times are seconds. A `timeout` below 0 means: as long as the task may run. Every wait also ends with UMBEL_TIMEOUT when
 * the task is interrupted (its soft limit, a cancellation), when a surrounding umbel_timeout has passed, and when the
 * coroutine was interrupted; then further waits end at once.
 *
 * Stacks have 256 KiB, a pool's tasks as its setting says. Overflowing one ends the child with a crash that says so. */
#ifndef UMBEL_COROUTINE_H
#define UMBEL_COROUTINE_H

#include <umbel/task.h>

struct addrinfo;

typedef struct umbel_coroutine umbel_coroutine;
typedef struct umbel_channel umbel_channel;
typedef struct umbel_event umbel_event;
typedef struct umbel_semaphore umbel_semaphore;

UMBEL_BEGIN

/* ---- coroutines ------------------------------------------------------------------------------------------------- */

/* Runs run(task, argument) beside the caller, from the caller's next wait on. Whatever still runs when the task's function
 * has returned is interrupted and waited for; so `argument` may lie in the task's frame only if it is joined there. NULL:
 * no memory. No C++ exception may leave `run`. */
UMBEL_API umbel_coroutine *umbel_spawn(umbel_task *task, int (*run)(umbel_task *task, void *argument), void *argument);
/* Waits for its end. UMBEL_OK: *result (may be NULL) is what `run` returned, and the handle is gone. UMBEL_TIMEOUT: it
 * still runs. One coroutine may join another, once. A handle that nobody joins is freed with the task. */
UMBEL_API int umbel_join(umbel_task *task, umbel_coroutine *coroutine, double timeout, int *result);
/* From now on its waits answer UMBEL_TIMEOUT, and umbel_interrupted answers true in it. */
UMBEL_API void umbel_interrupt(umbel_task *task, umbel_coroutine *coroutine);

/* ---- a limit for several calls ---------------------------------------------------------------------------------- */

typedef struct umbel_timeout {
    double deadline, outer; /* the library's */
} umbel_timeout;

/* Until umbel_timeout_end, every wait of this coroutine ends `seconds` from now at the latest. They nest: the inner one is
 * ended first. */
UMBEL_API void umbel_timeout_begin(umbel_task *task, umbel_timeout *limit, double seconds);
/* Ends the limit. True: this one's time has passed. */
UMBEL_API bool umbel_timeout_end(umbel_task *task, umbel_timeout *limit);

/* ---- descriptors ------------------------------------------------------------------------------------------------ */

enum { UMBEL_READABLE = 1, UMBEL_WRITABLE = 4 };

/* Waits until `fd` is ready for one of `events`; *ready (may be NULL) gets which. After an error or at a hang-up it is
 * ready for all. UMBEL_CLOSED: umbel_close_fd was called on it meanwhile. UMBEL_SYSTEM: errno says why. */
UMBEL_API int umbel_wait_fd(umbel_task *task, int fd, int events, double timeout, int *ready);
/* Connects by TCP; *fd is the caller's to close. The name is looked up off the loop. UMBEL_NOT_FOUND: no such name;
 * UMBEL_SYSTEM: errno says why (ECONNREFUSED, ...). */
UMBEL_API int umbel_dial(umbel_task *task, const char *host, int port, double timeout, int *fd);
/* Reads at least one byte and at most `size` (> 0); *got is 0 at the end of the file. */
UMBEL_API int umbel_read(umbel_task *task, int fd, void *data, size_t size, double timeout, size_t *got);
/* Writes all of it. After an error an unknown part of it was written. */
UMBEL_API int umbel_write(umbel_task *task, int fd, const void *data, size_t size, double timeout);
/* Closes it, and wakes who waits for it. */
UMBEL_API void umbel_close_fd(umbel_task *task, int fd);
/* Looks up a name. *out is a list for freeaddrinfo(). UMBEL_NOT_FOUND, UMBEL_SYSTEM. */
UMBEL_API int umbel_resolve(umbel_task *task, const char *host, int port, double timeout, struct addrinfo **out);

/* ---- other threads, other programs ------------------------------------------------------------------------------ */

/* Runs run(argument) on another thread and waits for its end: for calls that block and for long computations. It gets no
 * task, for nothing of a task may be called there. UMBEL_TIMEOUT: it was never begun. Once it has begun it is waited for
 * whatever the limits are, so it must end by itself. At most 4 run at once (UV_THREADPOOL_SIZE). */
UMBEL_API int umbel_run_blocking(umbel_task *task, void (*run)(void *argument), void *argument);

typedef struct umbel_program_options {
    const char *directory;          /* where it runs; NULL = here */
    const char *const *environment; /* "NAME=value", ..., NULL; NULL = ours */
    umbel_str input;                /* its standard input */
    size_t output_max;              /* bytes kept of its output, and of its errors; 0 = 1 MiB */
    const char *reserved[4];
} umbel_program_options;

typedef struct umbel_program_end {
    int exit_code;      /* -1: a signal ended it */
    int signal;         /* 0: it exited */
    umbel_str out, err; /* what it wrote; NUL-terminated */
    bool cut;           /* it wrote more than output_max */
} umbel_program_end;

/* Runs a program (argv[0] is looked up in PATH; argv ends with NULL) and waits for its end. UMBEL_OK: *end says how it
 * ended. UMBEL_TIMEOUT: it was killed; *end has what it had written. Free *end in both cases. UMBEL_NOT_FOUND,
 * UMBEL_SYSTEM (errno): it did not start; nothing to free. `options` may be NULL. It dies with the task's child. */
UMBEL_API int umbel_run_program(umbel_task *task, const char *const *argv, const umbel_program_options *options,
                                double timeout, umbel_program_end *end);
UMBEL_API void umbel_program_end_free(umbel_program_end *end);

/* ---- between coroutines of one thread --------------------------------------------------------------------------- */
/* Made and freed by anybody there, used by the tasks that run on the thread: on a pool of coroutines those of one child.
 * NULL: no memory. Nobody may wait in what is freed; NULL is allowed. Who waited first is served first. */

/* A queue of items of `item_size` bytes, which are copied. `room` items fit; with 0 a sender waits for its receiver. */
UMBEL_API umbel_channel *umbel_channel_new(size_t item_size, size_t room);
UMBEL_API void umbel_channel_free(umbel_channel *channel);
/* Sends a copy of an item; waits for room. UMBEL_TIMEOUT: it was not sent. UMBEL_CLOSED. */
UMBEL_API int umbel_channel_send(umbel_task *task, umbel_channel *channel, const void *item, double timeout);
/* Waits for an item. UMBEL_CLOSED: it is closed, and all that was sent has been received. */
UMBEL_API int umbel_channel_receive(umbel_task *task, umbel_channel *channel, void *item, double timeout);
/* Closes it for more items: waiting senders and receivers are told UMBEL_CLOSED. */
UMBEL_API void umbel_channel_close(umbel_channel *channel);

/* A flag to wait for. */
UMBEL_API umbel_event *umbel_event_new(void);
UMBEL_API void umbel_event_free(umbel_event *event);
UMBEL_API void umbel_event_set(umbel_event *event); /* raises the flag, and wakes all who wait */
UMBEL_API void umbel_event_clear(umbel_event *event); /* lowers the flag */
/* Waits until the flag is up; not at all when it is. UMBEL_OK, UMBEL_TIMEOUT. */
UMBEL_API int umbel_event_wait(umbel_task *task, umbel_event *event, double timeout);

/* A semaphore: `count` may be inside at once; who comes then waits until one has left. */
UMBEL_API umbel_semaphore *umbel_semaphore_new(size_t count);
UMBEL_API void umbel_semaphore_free(umbel_semaphore *semaphore);
UMBEL_API int umbel_semaphore_acquire(umbel_task *task, umbel_semaphore *semaphore, double timeout);
UMBEL_API void umbel_semaphore_release(umbel_semaphore *semaphore);

UMBEL_END

#endif
