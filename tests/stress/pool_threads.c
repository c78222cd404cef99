/* pool_threads.c: the pool of threads in one process, under load, for the thread sanitizer: jobs that speak,
 * fail and wait, taken back, cancelled, over their limits, while the pool grows and shrinks, to the stop.
 *
 * Exit code 0: each job ended once or was taken back, with the value that is its own. */
#include <stdio.h>
#include <stdlib.h>
#include <umbel/task.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/pool.h"
#include "worker/registry.h"

enum { JOBS = 30000 };

struct entry {
    struct job job;
    struct message msg;
    char body[40];
    int number;
    bool given, finished, taken;
};

static struct entry *all;
static struct pool *pool;
static struct loop loop;
static int next, finished, taken, said, progressed, wrong;
static bool stopped;

UMBEL_TASK(work, "work")
{
    int64_t n = 0;
    if (umbel_args(task, &n))
        return;
    if (n % 7 == 0)
        umbel_log(task, "job %d", (int)n);
    if (n % 11 == 0)
        umbel_progress(task, n);
    if (n % 13 == 0)
        umbel_sleep(task, 0.002);
    if (n % 101 == 0)
        umbel_sleep(task, 30); /* until it is cancelled or its time is over */
    umbel_return(task, n);
}

static void on_started(void *self, struct job *job, int pid)
{
    (void)self, (void)job, (void)pid;
}

static bool is_right(const struct entry *entry, const struct outcome *outcome)
{
    char text[24];
    if (outcome->kind != OUTCOME_SUCCESS)
        return outcome->kind == OUTCOME_CANCELLED || outcome->kind == OUTCOME_TIMED_OUT;
    snprintf(text, sizeof text, "%d", entry->number);
    return str_equal(outcome->value, str_of(text));
}

static void on_finished(void *self, struct job *job, const struct outcome *outcome)
{
    struct entry *entry = job->owner;
    (void)self;
    wrong += entry->finished || entry->taken || !is_right(entry, outcome);
    entry->finished = true;
    finished++;
}

static void on_said(void *self, struct job *job, int pid, umbel_level level, umbel_str line)
{
    (void)self, (void)pid, (void)level, (void)line;
    said += job != NULL;
}

static void on_progress(void *self, struct job *job, umbel_str value)
{
    (void)self, (void)job, (void)value;
    progressed++;
}

static void on_child_ended(void *self, int pid, int signal, int exit_code, const char *why)
{
    (void)self, (void)pid, (void)signal, (void)exit_code, (void)why;
    wrong++;
}

static void on_stopped(void *self)
{
    (void)self;
    stopped = true;
    loop_stop(&loop);
}

static void give(struct entry *entry)
{
    snprintf(entry->body, sizeof entry->body, "[[%d], {}, {}]", entry->number);
    message_init(&entry->msg);
    entry->msg.task = STR("work");
    entry->msg.id = STR("an-id");
    entry->msg.content_type = STR("application/json");
    entry->msg.body = str_of(entry->body);
    entry->job = (struct job){.msg = &entry->msg, .def = &umbel_def_work, .owner = entry};
    entry->job.time_limit = entry->number % 2 ? 0.05 : 0;
    wrong += pool->ops->dispatch(pool, &entry->job) != UMBEL_OK;
    entry->given = true;
}

static void disturb(struct entry *entry)
{
    int number = entry->number;
    if (number % 101 == 0)
        pool->ops->cancel(pool, &entry->job, 1);
    else if (number % 5 == 0 && pool->ops->take_back(pool, &entry->job)) {
        entry->taken = true;
        taken++;
    }
    if (number % 50 == 0)
        pool->ops->resize(pool, 1 + number / 50 % 12);
}

static void on_room(void *self)
{
    (void)self;
    while (next < JOBS && pool->ops->room(pool)) {
        struct entry *entry = &all[next];
        entry->number = next++;
        give(entry);
        if (entry->number % 3 == 0 || entry->number % 101 == 0)
            disturb(entry);
    }
    if (finished + taken == JOBS)
        pool->ops->stop(pool, 5);
}

static const struct pool_events events = {.started = on_started,
                                          .finished = on_finished,
                                          .said = on_said,
                                          .progress = on_progress,
                                          .room = on_room,
                                          .child_ended = on_child_ended,
                                          .stopped = on_stopped};

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    loop_stop(&loop);
}

int main(void)
{
    static const umbel_task_def *const tasks[] = {&umbel_def_work};
    static const umbel_module_table module = {UMBEL_MODULE_MAGIC, UMBEL_ABI, UMBEL_VERSION, tasks,
                                              tasks + 1,          NULL,      NULL};
    struct registry *registry = registry_new();
    struct buffer why;
    uv_timer_t deadline;
    buffer_init(&why, 4096);
    all = calloc(JOBS, sizeof *all);
    if (registry_add(registry, &module, "this program", &why) || loop_init(&loop))
        return 1;
    struct pool_options options = {
        .concurrency = 8, .in_process = true, .registry = registry, .worker_name = "stress@here"};
    if (pool_open(&pool, "threads", &loop, &options, &events, NULL, &why))
        return 1;
    uv_timer_init(&loop.uv, &deadline);
    uv_timer_start(&deadline, on_deadline, 100000, 0);
    on_room(NULL);
    loop_run(&loop);
    if (stopped)
        pool->ops->free(pool);
    uv_close((uv_handle_t *)&deadline, NULL);
    loop_fini(&loop);
    registry_free(registry);
    free(all);
    buffer_fini(&why);
    printf("%d finished, %d taken back, %d lines, %d progress, %d wrong\n", finished, taken, said, progressed,
           wrong);
    return !stopped || wrong || finished + taken != JOBS || !taken || !said || !progressed;
}
