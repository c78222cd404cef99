/* crash.c: every way for a task to take its child with it. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <umbel.h>

/* The sanitizer of undefined behaviour would make it an exit. */
__attribute__((noinline, no_sanitize("undefined"))) static void write_nowhere(void)
{
    volatile int *volatile nowhere = NULL;
    *nowhere = 1;
}

UMBEL_TASK(segv, "crash.segv")
{
    (void)task;
    write_nowhere();
}

UMBEL_TASK(abort_, "crash.abort")
{
    (void)task;
    abort();
}

UMBEL_TASK(exit_, "crash.exit")
{
    int code = 0;
    if (umbel_args(task, umbel_optional("code", &code)))
        return;
    exit(code);
}

UMBEL_TASK(signal_, "crash.signal", .max_deaths = 1)
{
    int number;
    if (umbel_args(task, &number))
        return;
    signal(number, SIG_DFL);
    kill(getpid(), number);
}

UMBEL_TASK(loop, "crash.loop", .time_limit = 1)
{
    for (volatile uint64_t i = 0;; i++)
        if (!task)
            break;
}

static int dig(volatile char *above)
{
    volatile char here[4096];
    here[0] = above[0];
    return dig(here) + here[0];
}

UMBEL_TASK(stack, "crash.stack", .max_deaths = 1)
{
    volatile char start[1] = {1};
    umbel_return(task, dig(start));
}

/* Grows to `megabytes`, holds them for a while, ends well where it is let. */
UMBEL_TASK(balloon, "crash.balloon", .max_deaths = 1)
{
    int megabytes;
    if (umbel_args(task, &megabytes))
        return;
    char *volatile *held = calloc((size_t)megabytes, sizeof *held);
    for (int i = 0; i < megabytes; i++) {
        held[i] = malloc(1 << 20);
        memset(held[i], i, 1 << 20);
        usleep(2000);
    }
    usleep(500000);
    for (int i = 0; i < megabytes; i++)
        free(held[i]);
    free((void *)held);
    umbel_return(task, megabytes);
}

/* Dies until `path` exists, then answers: what a passing trouble looks like. */
UMBEL_TASK(once, "crash.once")
{
    const char *path;
    if (umbel_args(task, &path))
        return;
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
    if (fd >= 0)
        raise(SIGKILL);
    umbel_return(task, umbel_task_deaths(task));
}

/* A copy of the child crashes, as a helper that a task forks may; then the child is killed. */
UMBEL_TASK(copy, "crash.copy", .max_deaths = 1)
{
    (void)task;
    pid_t pid = fork();
    if (pid == 0)
        write_nowhere();
    waitpid(pid, NULL, 0);
    raise(SIGKILL);
}

/* Its message is gone before it runs. */
UMBEL_TASK(fleeting, "crash.at_most_once", .acks = UMBEL_AT_MOST_ONCE)
{
    const char *path;
    if (umbel_args(task, &path))
        return;
    int fd = open(path, O_CREAT | O_APPEND | O_WRONLY, 0644);
    if (fd < 0 || write(fd, "run\n", 4) != 4)
        _exit(99);
    raise(SIGKILL);
}
