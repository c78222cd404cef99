/* task_sync.c: the public calls between coroutines: channels, events, semaphores. */
#include <stdlib.h>
#include <umbel/coroutine.h>
#include "common/co_channel.h"
#include "common/co_line.h"
#include "worker/task.h"

/* ---- channels ---- */

static struct co_channel *inside(umbel_channel *channel)
{
    return (struct co_channel *)channel;
}

umbel_channel *umbel_channel_new(size_t item_size, size_t room)
{
    return (umbel_channel *)co_channel_new(item_size, room);
}

void umbel_channel_free(umbel_channel *channel)
{
    co_channel_free(inside(channel));
}

int umbel_channel_send(umbel_task *task, umbel_channel *channel, const void *item, double timeout)
{
    double deadline;
    int code = task_co_wait(task, timeout, &deadline);
    return code ? code : co_channel_send(inside(channel), item, deadline);
}

int umbel_channel_receive(umbel_task *task, umbel_channel *channel, void *item, double timeout)
{
    double deadline;
    int code = task_co_wait(task, timeout, &deadline);
    return code ? code : co_channel_receive(inside(channel), item, deadline);
}

void umbel_channel_close(umbel_channel *channel)
{
    co_channel_close(inside(channel));
}

/* ---- events ---- */

struct umbel_event {
    struct co_line line;
    bool set;
};

umbel_event *umbel_event_new(void)
{
    return calloc(1, sizeof(umbel_event));
}

void umbel_event_free(umbel_event *event)
{
    free(event);
}

void umbel_event_set(umbel_event *event)
{
    event->set = true;
    co_line_serve_all(&event->line, UMBEL_OK);
}

void umbel_event_clear(umbel_event *event)
{
    event->set = false;
}

int umbel_event_wait(umbel_task *task, umbel_event *event, double timeout)
{
    double deadline;
    int code = task_co_wait(task, timeout, &deadline);
    if (code || event->set)
        return code;
    return co_line_wait(&event->line, NULL, deadline);
}

/* ---- semaphores ---- */

struct umbel_semaphore {
    struct co_line line;
    size_t free;
};

umbel_semaphore *umbel_semaphore_new(size_t count)
{
    umbel_semaphore *semaphore = calloc(1, sizeof *semaphore);
    if (semaphore)
        semaphore->free = count;
    return semaphore;
}

void umbel_semaphore_free(umbel_semaphore *semaphore)
{
    free(semaphore);
}

int umbel_semaphore_acquire(umbel_task *task, umbel_semaphore *semaphore, double timeout)
{
    double deadline;
    int code = task_co_wait(task, timeout, &deadline);
    if (code)
        return code;
    if (!semaphore->free)
        return co_line_wait(&semaphore->line, NULL, deadline);
    semaphore->free--;
    return UMBEL_OK;
}

/* To the first in line, if there is one: nobody else can take it meanwhile. */
void umbel_semaphore_release(umbel_semaphore *semaphore)
{
    if (semaphore->line.first)
        co_line_serve(&semaphore->line, UMBEL_OK);
    else
        semaphore->free++;
}
