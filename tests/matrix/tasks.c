/* tasks.c: what the cases call. */
#include "matrix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void leave_mark(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0 && write(fd, "x", 1) != 1)
        abort();
    if (fd >= 0)
        close(fd);
}

UMBEL_TASK(add, "m.add")
{
    int64_t x, y;
    if (umbel_args(task, &x, &y))
        return;
    umbel_return(task, x + y);
}

UMBEL_TASK(square, "m.square")
{
    int64_t x;
    if (umbel_args(task, &x))
        return;
    if (x < 0)
        umbel_fail(task, "ValueError", "%lld is negative", (long long)x);
    else
        umbel_return(task, x * x);
}

UMBEL_TASK(echo, "m.echo")
{
    umbel_return(task, umbel_value_at(umbel_task_args(task), 0));
}

UMBEL_TASK(named, "m.named")
{
    int64_t x, factor = 2;
    if (umbel_args(task, &x, umbel_optional("factor", &factor)))
        return;
    umbel_return(task, x * factor);
}

UMBEL_TASK(fail, "m.fail")
{
    const char *type, *message;
    if (umbel_args(task, &type, &message))
        return;
    umbel_fail(task, type, "%s", message);
}

UMBEL_TASK(mark, "m.mark")
{
    const char *path;
    if (umbel_args(task, &path))
        return;
    leave_mark(path);
}

/* Begins, then waits for the gate; one that is told to stop does. */
UMBEL_TASK(gate, "m.gate")
{
    const char *mark, *gate;
    if (umbel_args(task, &mark, &gate))
        return;
    leave_mark(mark);
    while (access(gate, F_OK) != 0 && umbel_sleep(task, 0.004) == UMBEL_OK)
        ;
    bool to_its_end = !umbel_interrupted(task);
    umbel_return(task, to_its_end);
}

UMBEL_TASK(deaf, "m.deaf")
{
    const char *mark, *gate;
    if (umbel_args(task, &mark, &gate))
        return;
    leave_mark(mark);
    while (access(gate, F_OK) != 0)
        usleep(4000);
}

UMBEL_TASK(nap, "m.nap")
{
    double seconds;
    if (umbel_args(task, &seconds))
        return;
    umbel_sleep(task, seconds);
    umbel_return(task, seconds);
}

UMBEL_TASK(again, "m.again")
{
    int64_t times;
    if (umbel_args(task, &times))
        return;
    if (umbel_task_retries(task) < times)
        umbel_retry(task, 0.01, "not yet");
    else
        umbel_return(task, umbel_task_retries(task));
}

UMBEL_TASK(crash, "m.crash")
{
    (void)task;
    abort();
}

UMBEL_TASK(progress, "m.progress")
{
    const char *gate;
    if (umbel_args(task, &gate))
        return;
    umbel_progress(task, 50);
    while (access(gate, F_OK) != 0 && umbel_sleep(task, 0.004) == UMBEL_OK)
        ;
    umbel_return(task, 100);
}
