/* parts.c: tasks that give their results in parts. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <umbel.h>

/* 0, 1, ... with a pause before each; returns how many. */
UMBEL_TASK(parts_count, "parts.count")
{
    int64_t count;
    double pause = 0;
    if (umbel_args(task, &count, umbel_optional("pause", &pause)))
        return;
    for (int64_t i = 0; i < count; i++) {
        if (pause > 0)
            umbel_sleep(task, pause);
        if (umbel_yield(task, i) != UMBEL_OK)
            return;
    }
    umbel_return(task, count);
}

/* "first 0", "first 1", then again: "second 0" to "second 2". */
UMBEL_TASK(parts_retry, "parts.retry")
{
    bool first = umbel_task_retries(task) == 0;
    for (int64_t i = 0; i < (first ? 2 : 3); i++)
        umbel_yield(task, first ? i : 10 + i);
    if (first)
        umbel_retry(task, 0.5, "once more");
}

/* Two parts, then the child dies; the second time three. */
UMBEL_TASK(parts_die, "parts.die")
{
    bool first = umbel_task_deaths(task) == 0;
    for (int64_t i = 0; i < (first ? 2 : 3); i++)
        umbel_yield(task, first ? i : 10 + i);
    if (first) {
        umbel_sleep(task, 0.3); /* for what it gave to be seen */
        kill(getpid(), SIGKILL);
    }
    umbel_return(task, "survived");
}

/* The second run gives none. */
UMBEL_TASK(parts_silent, "parts.silent")
{
    if (umbel_task_retries(task) == 0) {
        umbel_yield(task, 1);
        umbel_retry(task, 0.5, "once more");
    }
}

UMBEL_TASK(parts_fail, "parts.fail")
{
    umbel_yield(task, "almost");
    umbel_fail(task, "ValueError", "not quite");
}

/* `count` parts of `size` bytes, as fast as they are taken. */
UMBEL_TASK(parts_flood, "parts.flood")
{
    int64_t count, size, given = 0;
    if (umbel_args(task, &count, &size))
        return;
    char *text = malloc((size_t)size + 1);
    if (!text)
        return;
    memset(text, 'x', (size_t)size);
    text[size] = '\0';
    while (given < count && umbel_yield(task, text) == UMBEL_OK)
        given++;
    free(text);
    umbel_return(task, given);
}

UMBEL_TASK(parts_progress, "parts.progress")
{
    for (int64_t i = 1; i <= 3; i++) {
        umbel_progress(task, i * 25);
        umbel_sleep(task, 0.3);
    }
    umbel_return(task, 100);
}
