/* task_client.h: the client that tasks of one process call other tasks with (umbel_task_client).
 *
 * There is one per process that runs tasks, opened by the first task that asks, on a line to the worker
 * (broker/parent_link.h), and shared by all that run there. This is the one file of the worker that knows the
 * client. */
#ifndef WORKER_TASK_CLIENT_H
#define WORKER_TASK_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <umbel/client.h>
#include "worker/task.h"

/* What is done with the slot of a task that waits; on the thread that waits. */
struct task_lender {
    /* UMBEL_OK, then `back` follows; UMBEL_BUSY: too many wait. NULL: nothing is to be done. */
    int (*lend)(void *self, struct umbel_task *task);
    void (*back)(void *self, struct umbel_task *task);
    void *self;
};

struct task_client {
    pthread_mutex_t lock;         /* for the opening */
    umbel_client *_Atomic client; /* NULL: nobody asked yet */
    int line;                     /* the descriptor; -1: there is no worker to call through */
    bool owned;                   /* the client is ours to close */
    const struct task_lender *lender;
};

void task_client_init(struct task_client *tc, int line, const struct task_lender *lender);
/* As task_client_init, for tasks that run inside a program: the client is the program's own. */
void task_client_borrow(struct task_client *tc, umbel_client *client, const struct task_lender *lender);
/* At the end of a task: what it called is confirmed by the broker before the task counts as done, or half a
 * minute has passed. Free when nothing was called. */
void task_client_settle(struct task_client *tc, struct umbel_task *task);
/* Closes the client; what is unconfirmed gets `seconds`. */
/* A task in this process is left behind and may use the client for as long as the process lives: its memory
 * stays, and every call answers UMBEL_CLOSED once it is closed. */
void task_client_keep(struct task_client *tc);
void task_client_fini(struct task_client *tc, double seconds);

#endif
