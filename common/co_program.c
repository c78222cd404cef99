/* co_program.c: see co_program.h. Three pipes and a handle of the process, waited for at once by one
 * coroutine. No signal handler is involved, and only our own process is waited for, so it meets nobody else's
 * children.
 *
 * The program stays in the process group of who started it, and dies with that group. */
#include "common/co_program.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <umbel/error.h>
#include "common/clock.h"
#include "common/co.h"
#include "common/co_poll.h"

#define CHUNK 16384

extern char **environ;

enum { INPUT, OUTPUT, ERRORS, PIPES };

struct run {
    const struct co_program *program;
    struct co_program_end *end;
    int ours[PIPES], theirs[PIPES]; /* -1: closed */
    int pid, handle;
    size_t fed;
};

/* ---- pipes ---- */

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int open_pipes(struct run *run)
{
    for (int i = 0; i < PIPES; i++)
        run->ours[i] = run->theirs[i] = -1;
    for (int i = 0; i < PIPES; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC))
            return -1;
        run->ours[i] = ends[i == INPUT];
        run->theirs[i] = ends[i != INPUT];
        fcntl(run->ours[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

static void shut_all(int *fds)
{
    for (int i = 0; i < PIPES; i++)
        shut(&fds[i]);
}

/* ---- starting ---- */

/* It begins as a program from a shell would: no signal blocked or ignored on our account. */
static void plain_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn(struct run *run)
{
    const struct co_program *program = run->program;
    char *const *environment =
        program->environment ? (char *const *)(uintptr_t)program->environment : environ;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    plain_signals(&attributes);
    for (int i = 0; i < PIPES; i++)
        posix_spawn_file_actions_adddup2(&actions, run->theirs[i], i);
    if (program->directory)
        posix_spawn_file_actions_addchdir_np(&actions, program->directory);
    int error = posix_spawnp(&run->pid, program->argv[0], &actions, &attributes,
                             (char *const *)(uintptr_t)program->argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    shut_all(run->theirs);
    return error;
}

static int start(struct run *run)
{
    int error = open_pipes(run) ? errno : spawn(run);
    if (error) {
        shut_all(run->theirs);
        shut_all(run->ours);
        errno = error;
        return error == ENOENT ? UMBEL_NOT_FOUND : UMBEL_SYSTEM;
    }
    run->handle = (int)syscall(SYS_pidfd_open, run->pid, 0);
    return UMBEL_OK;
}

/* ---- while it runs ---- */

/* A program that does not read its input is no error: SIGPIPE must not end us for it. */
static ssize_t write_quietly(int fd, const char *data, size_t size)
{
    sigset_t pipe, before;
    struct timespec now = {0};
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    ssize_t done = write(fd, data, size);
    int error = errno;
    if (done < 0 && error == EPIPE && !sigismember(&before, SIGPIPE))
        sigtimedwait(&pipe, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return done;
}

static bool later(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static void feed(struct run *run)
{
    umbel_str input = run->program->input;
    while (run->fed < input.size) {
        ssize_t done = write_quietly(run->ours[INPUT], input.data + run->fed, input.size - run->fed);
        if (done < 0 && later())
            return;
        if (done < 0)
            break;
        run->fed += (size_t)done;
    }
    shut(&run->ours[INPUT]);
}

static void keep(struct run *run, struct buffer *buffer, const char *data, size_t size)
{
    size_t room = buffer->max - buffer_length(buffer);
    if (size > room)
        run->end->cut = true;
    buffer_add(buffer, data, size < room ? size : room);
}

/* All that is there now, at most what fits into a pipe several times over: a program that writes without end
 * must not keep the others from running. */
static void drain(struct run *run, int which)
{
    struct buffer *buffer = which == OUTPUT ? run->end->out : run->end->err;
    char chunk[CHUNK];
    for (int i = 0; i < 16; i++) {
        ssize_t size = read(run->ours[which], chunk, sizeof chunk);
        if (size > 0) {
            keep(run, buffer, chunk, (size_t)size);
            continue;
        }
        if (size == 0 || !later())
            shut(&run->ours[which]);
        return;
    }
}

static void serve(struct run *run, const struct pollfd *ready)
{
    if (ready[INPUT].fd >= 0 && ready[INPUT].revents)
        feed(run);
    if (ready[OUTPUT].fd >= 0 && ready[OUTPUT].revents)
        drain(run, OUTPUT);
    if (ready[ERRORS].fd >= 0 && ready[ERRORS].revents)
        drain(run, ERRORS);
}

static int attend(struct run *run, double deadline)
{
    for (;;) {
        struct pollfd ready[] = {{run->ours[INPUT], POLLOUT, 0},
                                 {run->ours[OUTPUT], POLLIN, 0},
                                 {run->ours[ERRORS], POLLIN, 0},
                                 {run->handle, POLLIN, 0}};
        int code = co_poll(ready, 4, deadline);
        if (code)
            return code;
        serve(run, ready);
        if (ready[PIPES].revents)
            return UMBEL_OK;
        if (co_pass())
            return UMBEL_TIMEOUT;
    }
}

/* ---- its end ---- */

/* After SIGKILL this is a moment, but not none. */
static void reap(struct run *run)
{
    while (waitpid(run->pid, &run->end->status, WNOHANG) == 0)
        co_park_firmly(clock_mono() + 0.001);
    shut(&run->handle);
}

int co_program_run(const struct co_program *program, double deadline, struct co_program_end *end)
{
    struct run run = {.program = program, .end = end, .handle = -1};
    end->status = 0;
    end->cut = false;
    int code = start(&run);
    if (code)
        return code;
    code = run.handle < 0 ? UMBEL_SYSTEM : attend(&run, deadline);
    int error = errno;
    if (code)
        kill(run.pid, SIGKILL);
    reap(&run);
    for (int i = OUTPUT; i <= ERRORS; i++)
        if (run.ours[i] >= 0)
            drain(&run, i);
    shut_all(run.ours);
    errno = error;
    if (code == UMBEL_OK && (end->out->failed || end->err->failed))
        return UMBEL_NO_MEMORY;
    return code;
}
