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

/* Begins, waits for the gate, and leaves a mark at its end unless it was told to stop. */
UMBEL_TASK(child, "m.child")
{
    const char *begun, *gate, *ended;
    if (umbel_args(task, &begun, &gate, &ended))
        return;
    leave_mark(begun);
    while (access(gate, F_OK) != 0)
        if (umbel_sleep(task, 0.004))
            return;
    leave_mark(ended);
}

/* Calls two children and waits for them; a deaf one waits again for whatever time it is told to stop. */
UMBEL_TASK(parent, "m.parent")
{
    const char *begun, *gate, *ended;
    bool deaf;
    if (umbel_args(task, &deaf, &begun, &gate, &ended))
        return;
    umbel_future *children[2];
    for (int i = 0; i < 2; i++)
        children[i] = umbel_submit(umbel_task_client(task), "m.child", UMBEL_ARGS(begun, gate, ended));
    int code;
    do
        code = umbel_wait(children, 2, UMBEL_ALL_COMPLETED, 60);
    while (code && deaf && usleep(1000) == 0);
    if (code)
        umbel_fail(task, umbel_code_name(code), "the children did not end");
    umbel_future_free(children[0]);
    umbel_future_free(children[1]);
}

/* One below the other, so deep; all but the last one wait. */
UMBEL_TASK(chain, "m.chain")
{
    int64_t depth, below = 0;
    if (umbel_args(task, &depth))
        return;
    if (depth > 0) {
        umbel_future *next = umbel_submit(umbel_task_client(task), "m.chain", UMBEL_ARGS(depth - 1));
        int code = umbel_get(next, 60, &below);
        if (code)
            umbel_fail(task, umbel_code_name(code), "%s", umbel_error(next));
        umbel_future_free(next);
    }
    umbel_return(task, below + 1);
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
