/* task.c: a task's life, and what it may ask about itself. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include "common/clock.h"
#include "common/co.h"
#include "common/str.h"
#include "worker/task.h"

/* A plain thread runs one task at a time. */
static _Thread_local struct umbel_task *on_thread;

struct umbel_task *task_self(void)
{
    struct umbel_task *task = co_owner_self();
    return task ? task : on_thread;
}

void task_init(struct umbel_task *task, const struct task_port *port, const struct registry *registry,
               const char *worker_name, void *user)
{
    memset(task, 0, sizeof *task);
    task->port = port;
    task->registry = registry;
    task->worker_name = worker_name;
    task->user = user;
    arena_init(&task->arena, TASK_ARENA_MAX);
    buffer_init(&task->value, TASK_BODY_MAX);
    buffer_init(&task->progress, TASK_BODY_MAX);
    buffer_init(&task->text, 1 << 20);
}

void task_fini(struct umbel_task *task)
{
    buffer_fini(&task->text);
    buffer_fini(&task->progress);
    buffer_fini(&task->value);
    arena_fini(&task->arena);
}

void task_reset(struct umbel_task *task)
{
    arena_reset(&task->arena);
    buffer_clear(&task->value);
    buffer_clear(&task->text);
    task->call = NULL;
    task->args = task->kwargs = NULL;
    task->id = task->root_id = task->parent_id = task->queue = NULL;
    task->parts = 0;
    task->called = 0;
    task->waits = 0;
    task->settled = task->saw_cancel = task->id_told = false;
    task->outcome = (struct outcome){0};
}

void task_settle_silence(struct umbel_task *task)
{
    if (task->settled)
        return;
    if (task->saw_cancel) {
        task_settle(task, OUTCOME_CANCELLED, "TaskRevokedError", "the task stopped when it was asked to");
        return;
    }
    codec_row(task->call->result_codec)->null(&task->value);
    task->outcome.kind = OUTCOME_SUCCESS;
    task->settled = true;
}

uint64_t task_run(struct umbel_task *task, const struct task_call *call, struct outcome *outcome)
{
    task->call = call;
    if (!call->def) {
        task_read_envelope(task);
    } else if (task_open_body(task)) {
        task_co_begin(task);
        struct umbel_task *outer = on_thread;
        on_thread = task->co.owning ? outer : task;
        call->def->run(task);
        on_thread = outer;
        task_co_end(task);
        task_settle_silence(task);
    }
    if (task->outcome.kind == OUTCOME_SUCCESS || task->outcome.kind == OUTCOME_READ)
        task->outcome.value =
            (umbel_str){(const char *)buffer_head(&task->value), buffer_length(&task->value)};
    task->outcome.id_told = task->id_told;
    uint64_t now = clock_mono_ns();
    task->outcome.runtime = (double)(now - call->started_ns) * 1e-9;
    *outcome = task->outcome;
    return now;
}

/* ---- context ---- */

/* Headers are borrowed bytes; a C string is made when a task asks. */
static const char *text(const umbel_task *task, const char *const *kept, umbel_str from)
{
    if (!*kept) /* caches are not part of what a task can see */
        *(const char **)(uintptr_t)kept =
            arena_copy((struct arena *)(uintptr_t)&task->arena, from.data, from.size);
    return *kept ? *kept : "";
}

/* What others may know, they may ask for. */
static void tell_id(const umbel_task *task)
{
    ((struct umbel_task *)(uintptr_t)task)->id_told = true;
}

const char *umbel_task_id(const umbel_task *task)
{
    tell_id(task);
    return text(task, &task->id, task->call->msg->id);
}

const char *umbel_task_root_id(const umbel_task *task)
{
    const struct message *msg = task->call->msg;
    tell_id(task);
    return text(task, &task->root_id, msg->root_id.size ? msg->root_id : msg->id);
}

const char *umbel_task_parent_id(const umbel_task *task)
{
    const struct message *msg = task->call->msg;
    return msg->parent_id.size ? text(task, &task->parent_id, msg->parent_id) : NULL;
}

const char *umbel_task_queue(const umbel_task *task)
{
    return text(task, &task->queue, task->call->msg->queue);
}

const char *umbel_task_name(const umbel_task *task)
{
    return task->call->def->name;
}

const char *umbel_task_worker(const umbel_task *task)
{
    return task->worker_name;
}

int umbel_task_retries(const umbel_task *task)
{
    return (int)task->call->msg->retries;
}

int umbel_task_deaths(const umbel_task *task)
{
    return task->call->deaths;
}

bool umbel_task_redelivered(const umbel_task *task)
{
    return task->call->msg->redelivered || task->call->msg->republished;
}

const umbel_value *umbel_task_header(const umbel_task *task, const char *name)
{
    return message_extra(task->call->msg, name);
}

void *umbel_task_user(const umbel_task *task)
{
    return task->user;
}

/* ---- time ---- */

double task_time_left(const struct umbel_task *task)
{
    const struct task_call *call = task->call;
    double limit = call->soft_time_limit > 0 ? call->soft_time_limit : call->time_limit;
    if (!(limit > 0))
        return INFINITY;
    return limit - (double)(clock_mono_ns() - call->started_ns) * 1e-9;
}

double umbel_task_time_left(const umbel_task *task)
{
    return task_time_left(task);
}

bool task_interrupted(struct umbel_task *task)
{
    if (task->port->cancelled(task->port->self))
        return task->saw_cancel = true;
    return task->call->soft_time_limit > 0 && task_time_left(task) <= 0;
}

/* Waits at most `seconds`. SIGUSR1 means "look again"; it is let in only while we wait, so none is missed. */
static void doze(const struct umbel_task *task, double seconds, const sigset_t *open)
{
    struct timespec wait;
    if (task->port->doze) {
        task->port->doze(task->port->self, seconds);
        return;
    }
    if (seconds > 3600)
        seconds = 3600;
    wait.tv_sec = (time_t)seconds;
    wait.tv_nsec = (long)((seconds - (double)wait.tv_sec) * 1e9);
    ppoll(NULL, 0, &wait, open);
}

int umbel_sleep(umbel_task *task, double seconds)
{
    double end = clock_mono() + seconds;
    sigset_t closed, before, open;
    int code = UMBEL_OK;
    if (co_self())
        return task_co_sleep(task, seconds);
    sigemptyset(&closed);
    sigaddset(&closed, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &closed, &before);
    open = before;
    sigdelset(&open, SIGUSR1);
    for (;;) {
        double left = end - clock_mono();
        if (task_interrupted(task)) {
            code = UMBEL_TIMEOUT;
            break;
        }
        if (!(left > 0))
            break;
        double soft = task->call->soft_time_limit > 0 ? task_time_left(task) : INFINITY;
        doze(task, left < soft ? left : soft, &open);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* ---- log ---- */

void text_clean(char *data, size_t size)
{
    if (str_utf8((umbel_str){data, size}))
        return;
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)data[i] >= 0x80)
            data[i] = '?';
}

void umbel_log_at(umbel_task *task, umbel_level level, const char *format, ...)
{
    char line[TASK_LINE_MAX];
    va_list list;
    va_start(list, format);
    int made = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (made < 0)
        return;
    size_t size = (size_t)made < sizeof line ? (size_t)made : sizeof line - 1;
    text_clean(line, size);
    task->port->say(task->port->self, level, (umbel_str){line, size});
}
