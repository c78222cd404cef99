/* pool_rig.c: see pool_rig.h. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "common/clock.h"
#include "common/str.h"
#include "pool_rig.h"

/* Said once, here, for the tests of all files. */
TestSuite(pool, .timeout = 30);

static void check(struct rig *rig)
{
    if (rig->until && rig->until(rig))
        rig->met = true;
    if (rig->met || clock_mono() > rig->deadline)
        loop_stop(&rig->loop);
}

static void keep(char *to, size_t room, umbel_str from)
{
    size_t size = from.size < room - 1 ? from.size : room - 1;
    if (size)
        memcpy(to, from.data, size);
    to[size] = '\0';
}

static void on_started(void *self, struct job *job, int pid)
{
    struct rig *rig = self;
    struct rig_job *mine = job->owner;
    cr_assert(!mine->started && !mine->finished);
    mine->started = true;
    mine->started_pid = pid;
    check(rig);
}

static void on_finished(void *self, struct job *job, const struct outcome *outcome)
{
    struct rig *rig = self;
    struct rig_job *mine = job->owner;
    cr_assert(!mine->finished, "a job finished twice");
    mine->finished = true;
    mine->kind = outcome->kind;
    mine->value_size = outcome->value.size;
    keep(mine->value, sizeof mine->value, outcome->value);
    keep(mine->type, sizeof mine->type, outcome->error_type);
    keep(mine->message, sizeof mine->message, outcome->error_message);
    keep(mine->traceback, sizeof mine->traceback, outcome->traceback);
    mine->retry_after = outcome->retry_after;
    mine->runtime = outcome->runtime;
    mine->pid = outcome->pid;
    mine->signal = outcome->signal;
    mine->exit_code = outcome->exit_code;
    mine->innocent = outcome->innocent;
    mine->memory_peak = outcome->memory_peak;
    mine->cpu_seconds = outcome->cpu_seconds;
    mine->order = rig->finished++;
    mine->finished_at = clock_mono();
    check(rig);
}

static void on_said(void *self, struct job *job, int pid, umbel_level level, umbel_str line)
{
    struct rig *rig = self;
    (void)pid;
    if (rig->line_count == RIG_LINES)
        return;
    struct rig_line *kept = &rig->lines[rig->line_count++];
    kept->job = job ? job->owner : NULL;
    kept->level = level;
    keep(kept->text, sizeof kept->text, line);
    check(rig);
}

static void on_progress(void *self, struct job *job, umbel_str value)
{
    struct rig *rig = self;
    (void)job;
    rig->progress++;
    keep(rig->progress_value, sizeof rig->progress_value, value);
    check(rig);
}

static void feed_more(struct rig *rig)
{
    while (rig->fed < rig->feed_count && rig->pool->ops->room(rig->pool) > 0) {
        cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &rig->feed[rig->fed].job), UMBEL_OK);
        rig->fed++;
    }
}

static void on_room(void *self)
{
    struct rig *rig = self;
    rig->rooms++;
    feed_more(rig);
}

static void on_child_ended(void *self, int pid, int signal, int exit_code, const char *why)
{
    struct rig *rig = self;
    (void)pid, (void)signal, (void)exit_code;
    rig->ended++;
    keep(rig->ended_why, sizeof rig->ended_why, str_of(why));
    check(rig);
}

static void on_stopped(void *self)
{
    struct rig *rig = self;
    cr_assert(!rig->stopped);
    rig->stopped = true;
    check(rig);
}

static void on_lost(void *self, const char *why)
{
    struct rig *rig = self;
    (void)why;
    rig->lost = true;
    check(rig);
}

static void on_part(void *self, struct job *job, umbel_str value, uint64_t source)
{
    struct rig *rig = self;
    struct rig_job *owner = job->owner;
    cr_assert(!owner->finished);
    rig->parts++;
    rig->part_bytes += value.size;
    owner->parts++;
    keep(owner->part, sizeof owner->part, value);
    if (rig->takes_parts)
        rig->pool->ops->part_taken(rig->pool, source, value.size);
    rig->last_source = source;
    check(rig);
}

static const struct pool_events events = {.started = on_started,
                                          .finished = on_finished,
                                          .said = on_said,
                                          .progress = on_progress,
                                          .part = on_part,
                                          .room = on_room,
                                          .child_ended = on_child_ended,
                                          .stopped = on_stopped,
                                          .lost = on_lost};

static void on_clock(uv_timer_t *timer)
{
    check(timer->data);
}

static const struct rig_can abilities[] = {
    {.pool = "prefork", .lines_of_jobs = true, .kill_one = true, .wake_calls = true},
    {.pool = "solo"},
    {.pool = "threads", .wake_calls = true},
    {.pool = "coroutines"},
    {.pool = "local_threads"},
    {.pool = "local_coroutines"},
};

static const struct rig_can *abilities_of(const char *pool)
{
    for (size_t i = 0; i < sizeof abilities / sizeof *abilities; i++)
        if (strcmp(abilities[i].pool, pool) == 0)
            return &abilities[i];
    cr_assert_fail("no row for pool %s", pool);
    return NULL;
}

struct rig *rig_open(const char *name, const struct pool_options *options)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct buffer why;
    buffer_init(&why, 4096);
    rig->registry = registry_new();
    cr_assert_eq(registry_add(rig->registry, &rig_tasks, "the test", &why), UMBEL_OK);
    cr_assert_eq(fork_server_start(&rig->server, rig->registry, "test@here"), UMBEL_OK);
    cr_assert_eq(loop_init(&rig->loop), UMBEL_OK);
    uv_timer_init(&rig->loop.uv, &rig->clock);
    rig->clock.data = rig;
    uv_timer_start(&rig->clock, on_clock, 2, 2);
    if (options)
        rig->options = *options;
    if (rig->options.concurrency == 0)
        rig->options.concurrency = 2;
    rig->options.worker_name = "test@here";
    rig->options.fork_server = rig->server;
    rig->options.registry = rig->registry;
    rig->can = abilities_of(name);
    if (strncmp(name, "local_", 6) == 0) {
        rig->options.in_process = true;
        name += 6;
    }
    int code = pool_open(&rig->pool, name, &rig->loop, &rig->options, &events, rig, &why);
    cr_assert_eq(code, UMBEL_OK, "%s", umbel_strerror(code));
    buffer_fini(&why);
    return rig;
}

bool rig_is_stopped(struct rig *rig)
{
    return rig->stopped;
}

void rig_close(struct rig *rig)
{
    if (!rig->stopped) {
        rig->pool->ops->stop(rig->pool, 0);
        cr_assert(rig_wait(rig, rig_is_stopped, 5), "the pool did not stop");
    }
    rig->pool->ops->free(rig->pool);
    uv_close((uv_handle_t *)&rig->clock, NULL);
    loop_fini(&rig->loop);
    fork_server_stop(rig->server); /* it was there before the loop */
    registry_free(rig->registry);
    free(rig);
}

void rig_make(struct rig *rig, struct rig_job *job, const char *name, const char *body)
{
    memset(job, 0, sizeof *job);
    message_init(&job->msg);
    job->msg.task = str_of(name);
    job->msg.id = STR("11111111-2222-4333-8444-555555555555");
    job->msg.queue = STR("celery");
    job->msg.content_type = STR("application/json");
    job->msg.content_encoding = STR("utf-8");
    job->msg.body = str_of(body);
    job->job =
        (struct job){.msg = &job->msg, .def = registry_find(rig->registry, str_of(name)), .owner = job};
    job->job.result_codec = CODEC_JSON;
    cr_assert(job->job.def || !*name, "no task %s", name);
}

void rig_give(struct rig *rig, struct rig_job *job, const char *name, const char *body)
{
    rig_make(rig, job, name, body);
    cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &job->job), UMBEL_OK);
}

void rig_feed(struct rig *rig, struct rig_job *jobs, int count)
{
    rig->feed = jobs;
    rig->feed_count = count;
    rig->fed = 0;
    feed_more(rig);
    /* `room` is told to whoever was refused: be refused. */
    if (rig->fed < count)
        cr_assert_eq(rig->pool->ops->dispatch(rig->pool, &jobs[rig->fed].job), UMBEL_BUSY);
}

bool rig_wait(struct rig *rig, bool (*until)(struct rig *rig), double seconds)
{
    if (until(rig))
        return true;
    rig->until = until;
    rig->met = false;
    rig->deadline = clock_mono() + seconds;
    loop_run(&rig->loop);
    rig->until = NULL;
    return rig->met;
}

static bool target_met(struct rig *rig)
{
    return rig->finished >= rig->target;
}

bool rig_wait_finished(struct rig *rig, int count, double seconds)
{
    rig->target = count;
    return rig_wait(rig, target_met, seconds);
}

static bool job_finished(struct rig *rig)
{
    return rig->watched->finished;
}

bool rig_wait_job(struct rig *rig, struct rig_job *job, double seconds)
{
    rig->watched = job;
    return rig_wait(rig, job_finished, seconds);
}

static bool job_started(struct rig *rig)
{
    return rig->watched->started;
}

bool rig_wait_started(struct rig *rig, struct rig_job *job, double seconds)
{
    rig->watched = job;
    return rig_wait(rig, job_started, seconds);
}

static bool children_met(struct rig *rig)
{
    struct pool_stats stats;
    rig->pool->ops->stats(rig->pool, &stats);
    return stats.pid_count == rig->target;
}

bool rig_wait_children(struct rig *rig, int count, double seconds)
{
    rig->target = count;
    return rig_wait(rig, children_met, seconds);
}

void rig_run(struct rig *rig, struct rig_job *job, const char *name, const char *body)
{
    rig_give(rig, job, name, body);
    cr_assert(rig_wait_job(rig, job, 10), "%s did not end", name);
}

bool rig_has_line(struct rig *rig)
{
    return rig->line_count > 0;
}

void rig_assert_next_runs(struct rig *rig)
{
    struct rig_job job;
    rig_run(rig, &job, "math.add", "[[2, 3], {}, {}]");
    cr_assert_eq(job.kind, OUTCOME_SUCCESS);
}
