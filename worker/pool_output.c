/* pool_output.c: what children write to stdout and stderr, as lines of the log with the right job.
 *
 * The child reads back what a task wrote when the task ends and sends it as a frame; while a task runs the
 * parent reads the same pipes, so that a long task's lines come when they are written and a full pipe never
 * stops it. The lock of the page tells whose bytes they are. A flood is read and dropped past a number of
 * lines a second, and counted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/str.h"
#include "worker/pool_prefork.h"
#include "worker/task.h"

#define LINES_PER_SECOND 1000
#define READ_SIZE (32u << 10)
#define READS_AT_END 64

static void say(struct slot *slot, struct note *note, umbel_level level, umbel_str line)
{
    struct prefork *pool = slot->pool;
    pool->events->said(pool->self, note ? note->job : NULL, slot->pid, level, line);
}

/* ---- the flood ---- */

static void tell_dropped(struct slot *slot, struct note *note)
{
    char text[64];
    if (slot->dropped == 0)
        return;
    int size = snprintf(text, sizeof text, "(%u lines dropped: more than %d a second)", slot->dropped,
                        LINES_PER_SECOND);
    slot->dropped = 0;
    say(slot, note, UMBEL_WARNING, (umbel_str){text, (size_t)size});
}

static bool allowed(struct slot *slot, struct note *note)
{
    uint64_t now = loop_now(slot->pool->loop);
    if (now - slot->lines_since >= 1000) {
        tell_dropped(slot, note);
        slot->lines_since = now;
        slot->lines = 0;
    }
    if (slot->lines < LINES_PER_SECOND) {
        slot->lines++;
        return true;
    }
    if (slot->dropped++ == 0 && slot->pool->crew) /* no end of a job will tell of it */
        watch_within(slot->pool, WATCH_MEMORY_MS);
    return false;
}

void output_watch(struct slot *slot)
{
    if (slot->dropped && loop_now(slot->pool->loop) - slot->lines_since >= 1000)
        tell_dropped(slot, NULL);
}

/* ---- lines ---- */

static void end_line(struct slot *slot, struct output *out, struct note *note)
{
    uint32_t size = out->fill;
    out->fill = 0;
    if (size && out->line[size - 1] == '\r')
        size--;
    if (!allowed(slot, note))
        return;
    text_clean(out->line, size);
    say(slot, note, out->level, (umbel_str){out->line, size});
}

static void add(struct slot *slot, struct output *out, struct note *note, const char *data, size_t size)
{
    size_t room = OUTPUT_LINE_MAX - out->fill;
    if (out->cut)
        return;
    memcpy(out->line + out->fill, data, size < room ? size : room);
    out->fill += (uint32_t)(size < room ? size : room);
    if (size < room)
        return;
    end_line(slot, out, note);
    out->cut = true;
}

void output_feed(struct slot *slot, int which, struct note *note, umbel_str bytes)
{
    struct output *out = slot->out[which];
    while (out && bytes.size) {
        const char *newline = memchr(bytes.data, '\n', bytes.size);
        size_t size = newline ? (size_t)(newline - bytes.data) : bytes.size;
        add(slot, out, note, bytes.data, size);
        if (!newline)
            return;
        if (!out->cut)
            end_line(slot, out, note);
        out->cut = false;
        bytes.data += size + 1;
        bytes.size -= size + 1;
    }
}

void output_end_job(struct slot *slot, struct note *note)
{
    for (int i = 0; i < 2; i++) {
        if (!slot->out[i])
            continue;
        if (slot->out[i]->fill)
            end_line(slot, slot->out[i], note);
        slot->out[i]->cut = false;
    }
    tell_dropped(slot, note);
}

/* ---- pipes ---- */

static int which_of(const struct slot *slot, const struct output *out)
{
    return slot->out[1] == out;
}

/* One read, whose bytes belong to the job that runs: under the lock it cannot end, and all that jobs before
 * it wrote is in the ring, which is read first. False: nothing was read. Both the pipe and we come again. */
static bool read_pipe(struct slot *slot, struct output *out, bool locked)
{
    char bytes[READ_SIZE];
    struct note *note;
    if (!locked && !page_try_output(slot->page))
        return false;
    if (!locked && !ring_empty(slot->page)) {
        page_unlock_output(slot->page);
        slot_drain(slot);
        return false;
    }
    note = slot->pool->crew ? NULL : slot_running(slot, NULL);
    ssize_t size = read(out->fd, bytes, sizeof bytes);
    int error = errno;
    if (!locked)
        page_unlock_output(slot->page);
    if (size > 0)
        output_feed(slot, which_of(slot, out), note, (umbel_str){bytes, (size_t)size});
    else if (size == 0 || (error != EAGAIN && error != EINTR))
        uv_poll_stop(&out->poll); /* the child has closed it */
    return size > 0;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct slot *slot = poll->data;
    (void)events;
    if (status < 0)
        uv_poll_stop(poll);
    else
        read_pipe(slot, (struct output *)poll, false);
}

_Static_assert(offsetof(struct output, poll) == 0, "a handle is its output");

bool output_open(struct slot *slot, int which, int fd)
{
    struct output *out = calloc(1, sizeof *out);
    if (!out || uv_poll_init(&slot->pool->loop->uv, &out->poll, fd)) {
        free(out);
        close(fd);
        return false;
    }
    out->fd = fd;
    out->level = which ? UMBEL_WARNING : UMBEL_INFO;
    out->poll.data = slot;
    slot->out[which] = out;
    slot->pool->open_handles++;
    uv_poll_start(&out->poll, UV_READABLE, on_readable);
    return true;
}

static void on_closed(uv_handle_t *handle)
{
    struct prefork *pool = ((struct slot *)handle->data)->pool;
    free(handle);
    prefork_handle_closed(pool);
}

void output_close(struct slot *slot, struct note *note)
{
    for (int i = 0; i < 2; i++)
        for (int reads = 0; slot->out[i] && reads < READS_AT_END && read_pipe(slot, slot->out[i], true);
             reads++)
            ;
    output_end_job(slot, note);
    for (int i = 0; i < 2; i++) {
        struct output *out = slot->out[i];
        slot->out[i] = NULL;
        if (!out)
            continue;
        uv_poll_stop(&out->poll);
        close(out->fd);
        uv_close((uv_handle_t *)&out->poll, on_closed);
    }
}
