/* pool_tasks.c: tasks that the tests of pools run. Nothing here asserts: it runs in children. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <umbel/task.h>
#include "pool_rig.h"

UMBEL_TASK(add, "math.add")
{
    int64_t x = 0, y = 0;
    if (umbel_args(task, umbel_named("x", &x), umbel_named("y", &y)))
        return;
    umbel_return(task, x + y);
}

UMBEL_TASK(noop, "noop")
{
    umbel_return(task, 1);
}

UMBEL_TASK(silent, "silent")
{
    (void)task;
}

UMBEL_TASK(fail, "fail")
{
    umbel_fail(task, "ValueError", "bad number %d", 7);
    umbel_return(task, 1); /* too late */
}

UMBEL_TASK(again, "again", .max_retries = 2)
{
    umbel_retry(task, 1.5, "not yet");
}

UMBEL_TASK(context, "context")
{
    char text[300];
    snprintf(text, sizeof text, "%s|%s|%s|%s|%s|%d|%d|%s", umbel_task_id(task), umbel_task_name(task),
             umbel_task_root_id(task), umbel_task_queue(task), umbel_task_worker(task),
             umbel_task_retries(task), umbel_task_deaths(task), (const char *)umbel_task_user(task));
    umbel_return(task, (const char *)text);
}

UMBEL_TASK(chatty, "chatty")
{
    int64_t n = 0;
    if (umbel_args(task, &n))
        return;
    umbel_log(task, "log %d", (int)n);
    printf("out %d\n", (int)n);
    fprintf(stderr, "err %d\n", (int)n);
    fflush(stdout);
    if (write(1, "raw without end", 15) < 0)
        return;
    umbel_return(task, n);
}

UMBEL_TASK(flood, "flood")
{
    for (int i = 0; i < 200000; i++)
        printf("flood %d\n", i);
    umbel_return(task, 1);
}

UMBEL_TASK(speak_then_wait, "speak")
{
    printf("while it runs\n");
    fflush(stdout);
    umbel_sleep(task, 30);
}

UMBEL_TASK(progress, "progress")
{
    umbel_progress(task, 50);
    umbel_sleep(task, 30);
}

UMBEL_TASK(parts, "parts")
{
    int64_t count, size, given = 0;
    static char text[200001];
    if (umbel_args(task, &count, &size))
        return;
    memset(text, 'x', sizeof text - 1);
    while (given < count && umbel_yield(task, text + sizeof text - 1 - size) == UMBEL_OK)
        given++;
    umbel_return(task, given);
}

UMBEL_TASK(die, "die")
{
    (void)task;
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

UMBEL_TASK(crash, "crash")
{
    volatile uintptr_t nowhere = 8;
    (void)task;
    *(volatile int *)nowhere = 1;
}

UMBEL_TASK(crash_soon, "crash_soon")
{
    volatile uintptr_t nowhere = 8;
    double seconds = 0;
    if (umbel_args(task, &seconds))
        return;
    umbel_sleep(task, seconds / 2);
    *(volatile int *)nowhere = 1;
}

UMBEL_TASK(abort_task, "abort")
{
    (void)task;
    abort();
}

UMBEL_TASK(leave, "exit")
{
    (void)task;
    exit(0);
}

static volatile unsigned sink;

__attribute__((noinline)) static int deeper(int n)
{
    volatile char room[4096];
    memset((char *)room, n, sizeof room);
    if (n == -1)
        return 0;
    return deeper(n + 1) + room[n & 4095];
}

UMBEL_TASK(overflow, "overflow")
{
    (void)task;
    sink = (unsigned)deeper(0);
}

UMBEL_TASK(loop_task, "loop")
{
    (void)task;
    for (;;)
        sink++;
}

UMBEL_TASK(nap, "nap")
{
    double seconds = 0;
    if (umbel_args(task, &seconds))
        return;
    if (umbel_sleep(task, seconds))
        umbel_fail(task, "SoftTimeLimitExceeded", "interrupted");
}

UMBEL_TASK(deaf_nap, "deaf")
{
    double seconds = 0;
    if (umbel_args(task, &seconds))
        return;
    usleep((useconds_t)(seconds * 1e6));
}

UMBEL_TASK(polite, "polite")
{
    while (!umbel_interrupted(task))
        umbel_sleep(task, 10);
}

UMBEL_TASK(balloon, "balloon")
{
    (void)task;
    for (;;) {
        char *memory = malloc(4 << 20);
        if (memory)
            memset(memory, 1, 4 << 20);
        sink += memory ? (unsigned)memory[17] : 0;
        usleep(2000);
    }
}

UMBEL_TASK(large, "large")
{
    int64_t size = 0;
    if (umbel_args(task, &size))
        return;
    char *text = malloc((size_t)size + 1);
    memset(text, 'a', (size_t)size);
    text[size] = '\0';
    umbel_return(task, text);
    free(text);
}

/* Leaves a process behind and says which. */
UMBEL_TASK(orphan, "orphan")
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    umbel_log(task, "orphan %d", (int)pid);
    for (;;)
        pause();
}

/* Both the task and its copy return. */
UMBEL_TASK(forks, "forks")
{
    pid_t pid = fork();
    if (pid > 0)
        waitpid(pid, NULL, 0);
    umbel_return(task, 1);
}

/* Both speak, at the same time. */
UMBEL_TASK(forks_and_speaks, "forks_and_speaks")
{
    pid_t pid = fork();
    for (int i = 0; i < 50; i++) {
        umbel_log(task, "one of two");
        umbel_progress(task, i);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
    umbel_return(task, 1);
}

UMBEL_TASK(bad_text, "bad_text")
{
    umbel_return(task, "\xff\xfe");
}

_Atomic int *pool_marks;

/* Marks that it ran; one in sixteen takes long enough to be overtaken. */
UMBEL_TASK(mark, "mark")
{
    int64_t n = 0;
    if (umbel_args(task, &n))
        return;
    pool_marks[n]++;
    if (n % 16 == 0)
        usleep(3000);
    umbel_return(task, n);
}

#define ROW(name) &umbel_def_##name
static const umbel_task_def *const tasks[] = {ROW(add),
                                              ROW(forks),
                                              ROW(mark),
                                              ROW(noop),
                                              ROW(silent),
                                              ROW(fail),
                                              ROW(again),
                                              ROW(context),
                                              ROW(chatty),
                                              ROW(flood),
                                              ROW(speak_then_wait),
                                              ROW(progress),
                                              ROW(parts),
                                              ROW(die),
                                              ROW(crash),
                                              ROW(abort_task),
                                              ROW(leave),
                                              ROW(overflow),
                                              ROW(loop_task),
                                              ROW(nap),
                                              ROW(deaf_nap),
                                              ROW(polite),
                                              ROW(balloon),
                                              ROW(large),
                                              ROW(orphan),
                                              ROW(bad_text),
                                              ROW(crash_soon),
                                              ROW(forks_and_speaks)};

static int start(void **user, char why[200])
{
    if (getenv("POOL_TEST_BAD_HOOK")) {
        snprintf(why, 200, "no database");
        return 1;
    }
    *user = (void *)(uintptr_t) "from the hook";
    return 0;
}

static const umbel_child_hooks hooks_of_tests = {start, NULL};
static const umbel_child_hooks *const hooks[] = {&hooks_of_tests};

const umbel_module_table rig_tasks = {
    UMBEL_MODULE_MAGIC, UMBEL_ABI, UMBEL_VERSION, tasks, tasks + sizeof tasks / sizeof *tasks, hooks,
    hooks + 1};
