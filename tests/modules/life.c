/* life.c: what a task can do besides returning a value: fail, wait, try again, speak, leave a trace. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <umbel.h>

/* One line in a file, atomically: what tests count to know what really ran. */
static void leave_trace(umbel_task *task, const char *path, const char *step, const char *word)
{
    char line[300];
    int size = snprintf(line, sizeof line, "%s %s %s %d\n", step, word,
                        umbel_task_redelivered(task) ? "again" : "first", (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line, (size_t)size) != size)
        _exit(99);
    close(fd);
}

static int count_lines(const char *path)
{
    FILE *file = fopen(path, "re");
    int lines = 0;
    for (int c; file && (c = getc(file)) != EOF;)
        lines += c == '\n';
    if (file)
        fclose(file);
    return lines;
}

UMBEL_TASK(fail, "fail")
{
    const char *type, *message;
    if (umbel_args(task, &type, &message))
        return;
    umbel_fail(task, type, "%s", message);
}

UMBEL_TASK(sleep_, "sleep")
{
    double seconds;
    if (umbel_args(task, &seconds))
        return;
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left)) {
    }
    umbel_return(task, seconds);
}

/* Leaves one line when it starts and one when it is done. */
UMBEL_TASK(trace, "trace")
{
    const char *path, *word;
    double seconds = 0;
    if (umbel_args(task, &path, &word, umbel_optional("seconds", &seconds)))
        return;
    leave_trace(task, path, "begin", word);
    if (seconds > 0)
        usleep((useconds_t)(seconds * 1e6));
    leave_trace(task, path, "end", word);
    umbel_return(task, word);
}

/* As trace, but goes on until the file `gate` exists, or for half a minute. */
UMBEL_TASK(hold, "trace.hold")
{
    const char *path, *word, *gate;
    if (umbel_args(task, &path, &word, &gate))
        return;
    leave_trace(task, path, "begin", word);
    for (int i = 0; i < 3000 && access(gate, F_OK); i++)
        usleep(10000);
    leave_trace(task, path, "end", word);
    umbel_return(task, word);
}

/* As trace.hold, with a wait in which other coroutines run. */
UMBEL_TASK(wait_for_gate, "trace.wait")
{
    const char *path, *word, *gate;
    if (umbel_args(task, &path, &word, &gate))
        return;
    leave_trace(task, path, "begin", word);
    for (int i = 0; i < 3000 && access(gate, F_OK) && umbel_sleep(task, 0.01) == UMBEL_OK; i++)
        ;
    leave_trace(task, path, "end", word);
    umbel_return(task, word);
}

/* Ends early when it is asked to. */
UMBEL_TASK(polite, "sleep.polite")
{
    double seconds;
    if (umbel_args(task, &seconds))
        return;
    if (umbel_sleep(task, seconds) == UMBEL_OK)
        umbel_return(task, "slept");
    else
        umbel_return(task, umbel_interrupted(task) ? "interrupted" : "ended early");
}

UMBEL_TASK(limited, "sleep.limited", .time_limit = 1, .soft_time_limit = 0.5)
{
    umbel_sleep(task, 30);
    for (;;)
        pause();
}

/* Fails by umbel_retry until the file has `times` lines. */
UMBEL_TASK(again, "retry")
{
    const char *path;
    int times;
    double seconds = 0.1;
    if (umbel_args(task, &path, &times, umbel_optional("seconds", &seconds)))
        return;
    leave_trace(task, path, "run", "retry");
    if (count_lines(path) <= times)
        umbel_retry(task, seconds, "not yet");
    else
        umbel_return(task, umbel_task_retries(task));
}

UMBEL_TASK(say, "say")
{
    const char *text;
    if (umbel_args(task, &text))
        return;
    printf("out: %s\n", text);
    fflush(stdout);
    fprintf(stderr, "err: %s\n", text);
    umbel_log(task, "log: %s", text);
    umbel_log_at(task, UMBEL_WARNING, "warn: %s", text);
}

UMBEL_TASK(progress, "progress")
{
    const char *path;
    if (umbel_args(task, &path))
        return;
    umbel_value *meta = umbel_map_new();
    umbel_add_int(meta, "done", 3);
    umbel_add_int(meta, "of", 7);
    umbel_progress(task, meta);
    umbel_value_free(meta);
    for (int i = 0; i < 600 && access(path, F_OK); i++)
        usleep(50000);
    umbel_return(task, "done");
}

UMBEL_TASK(context, "context")
{
    umbel_value *map = umbel_map_new();
    umbel_add_str(map, "id", umbel_task_id(task));
    umbel_add_str(map, "name", umbel_task_name(task));
    umbel_add_str(map, "root", umbel_task_root_id(task));
    umbel_add_str(map, "queue", umbel_task_queue(task));
    umbel_add_str(map, "worker", umbel_task_worker(task));
    umbel_add_int(map, "retries", umbel_task_retries(task));
    umbel_add_int(map, "deaths", umbel_task_deaths(task));
    umbel_add_bool(map, "redelivered", umbel_task_redelivered(task));
    umbel_add_bool(map, "limited", umbel_task_time_left(task) < 1e9);
    umbel_add_int(map, "pid", getpid());
    umbel_add_value(map, "color", umbel_task_header(task, "color"));
    umbel_return(task, map);
    umbel_value_free(map);
}

UMBEL_TASK(pid, "pid")
{
    umbel_return(task, getpid());
}
