/* task_io.c: the public calls that wait for the world: descriptors, connections, names, threads, programs. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <umbel/coroutine.h>
#include "common/co_blocking.h"
#include "common/co_poll.h"
#include "common/co_program.h"
#include "common/co_socket.h"
#include "worker/task.h"

#define OUTPUT_MAX (1u << 20)

_Static_assert(UMBEL_READABLE == POLLIN && UMBEL_WRITABLE == POLLOUT, "the same bits");

int umbel_wait_fd(umbel_task *task, int fd, int events, double timeout, int *ready)
{
    struct pollfd wanted = {.fd = fd, .events = (short)(events & (POLLIN | POLLOUT))};
    double deadline;
    int code = fd >= 0 && wanted.events ? UMBEL_OK : UMBEL_BAD_ARGUMENT;
    if (code == UMBEL_OK)
        code = task_co_wait(task, timeout, &deadline);
    if (code == UMBEL_OK)
        code = co_poll(&wanted, 1, deadline);
    if (code == UMBEL_OK && ready)
        *ready = wanted.revents & (POLLERR | POLLHUP) ? wanted.events : wanted.revents & wanted.events;
    return code;
}

int umbel_dial(umbel_task *task, const char *host, int port, double timeout, int *fd)
{
    double deadline;
    int code = task_co_wait(task, timeout, &deadline);
    return code ? code : co_dial(host, port, deadline, fd);
}

int umbel_read(umbel_task *task, int fd, void *data, size_t size, double timeout, size_t *got)
{
    double deadline;
    int code = size ? task_co_wait(task, timeout, &deadline) : UMBEL_BAD_ARGUMENT;
    return code ? code : co_read(fd, data, size, deadline, got);
}

int umbel_write(umbel_task *task, int fd, const void *data, size_t size, double timeout)
{
    double deadline;
    int code = task_co_wait(task, timeout, &deadline);
    return code ? code : co_write(fd, data, size, deadline);
}

void umbel_close_fd(umbel_task *task, int fd)
{
    if (task_co_enter(task))
        co_close(fd);
    else
        close(fd);
}

int umbel_resolve(umbel_task *task, const char *host, int port, double timeout, struct addrinfo **out)
{
    double deadline;
    int code = task_co_wait(task, timeout, &deadline);
    return code ? code : co_resolve(host, port, deadline, out);
}

int umbel_run_blocking(umbel_task *task, void (*run)(void *argument), void *argument)
{
    double deadline;
    int code = task_co_wait(task, -1, &deadline);
    return code ? code : co_run_blocking(run, argument, deadline);
}

/* ---- programs ---- */

/* The buffer's memory becomes the caller's. */
static umbel_str give_away(struct buffer *buffer)
{
    buffer_byte(buffer, 0);
    if (buffer->failed) {
        buffer_fini(buffer);
        return (umbel_str){NULL, 0};
    }
    return (umbel_str){(char *)buffer->data, buffer_length(buffer) - 1};
}

static void describe(const struct co_program_end *from, umbel_program_end *end)
{
    end->exit_code = WIFEXITED(from->status) ? WEXITSTATUS(from->status) : -1;
    end->signal = WIFSIGNALED(from->status) ? WTERMSIG(from->status) : 0;
    end->cut = from->cut;
    from->out->max++; /* for the NUL */
    from->err->max++;
    end->out = give_away(from->out);
    end->err = give_away(from->err);
}

int umbel_run_program(umbel_task *task, const char *const *argv, const umbel_program_options *options,
                      double timeout, umbel_program_end *end)
{
    umbel_program_options standard = {0};
    const umbel_program_options *chosen = options ? options : &standard;
    size_t most = chosen->output_max ? chosen->output_max : OUTPUT_MAX;
    struct co_program program = {argv, chosen->environment, chosen->directory, chosen->input};
    struct buffer out, err;
    struct co_program_end raw = {.out = &out, .err = &err};
    double deadline;
    int code = argv && argv[0] ? task_co_wait(task, timeout, &deadline) : UMBEL_BAD_ARGUMENT;
    *end = (umbel_program_end){.exit_code = -1};
    if (code)
        return code;
    buffer_init(&out, most);
    buffer_init(&err, most);
    code = co_program_run(&program, deadline, &raw);
    if (code == UMBEL_OK || code == UMBEL_TIMEOUT) {
        describe(&raw, end);
        return end->out.data && end->err.data ? code : UMBEL_NO_MEMORY;
    }
    buffer_fini(&out);
    buffer_fini(&err);
    return code;
}

void umbel_program_end_free(umbel_program_end *end)
{
    free((void *)(uintptr_t)end->out.data);
    free((void *)(uintptr_t)end->err.data);
    *end = (umbel_program_end){.exit_code = -1};
}
