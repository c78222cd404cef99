/* fault.c: tasks that write down when they start and when they end, for the checker of tests/faults. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <umbel.h>

static double monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* One line of the history, in one write. */
static void note(umbel_task *task, const char *path, const char *what)
{
    bool marked = umbel_task_redelivered(task) || umbel_task_deaths(task) > 0 || umbel_task_retries(task) > 0;
    char line[400];
    int size = snprintf(line, sizeof line, "%s %s %.6f %s %d\n", what, umbel_task_id(task), monotonic(),
                        marked ? "marked" : "first", (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line, (size_t)size) != size)
        _exit(99);
    close(fd);
}

/* Works for some milliseconds. Its value is another one in every run, so that two results of one call differ.
 */
UMBEL_TASK(step, "fault.step")
{
    const char *path;
    int milliseconds = 0;
    if (umbel_args(task, &path, umbel_optional("milliseconds", &milliseconds)))
        return;
    note(task, path, "start");
    if (milliseconds)
        usleep((useconds_t)milliseconds * 1000);
    char value[80];
    snprintf(value, sizeof value, "%.6f/%d", monotonic(), (int)getpid());
    note(task, path, "end");
    umbel_return(task, value);
}

/* The same under a hard limit of two seconds. */
UMBEL_TASK(limited, "fault.limited", .time_limit = 2)
{
    const char *path;
    int milliseconds = 0;
    if (umbel_args(task, &path, umbel_optional("milliseconds", &milliseconds)))
        return;
    note(task, path, "start");
    usleep((useconds_t)milliseconds * 1000);
    note(task, path, "end");
    umbel_return(task, "done");
}

/* Short, but one in 32 is long. */
UMBEL_TASK(mixed, "fault.mixed")
{
    const char *path;
    int milliseconds;
    if (umbel_args(task, &path, &milliseconds))
        return;
    const char *id = umbel_task_id(task);
    bool is_long = id[0] == '0' && strchr("01234567", id[1]) != NULL;
    note(task, path, "start");
    usleep(is_long ? (useconds_t)milliseconds * 1000 : 0);
    note(task, path, "end");
    umbel_return(task, "done");
}
