/* control_stats.c: what a worker is and has done, in the fields of Celery's `stats`. */
#include "worker/control_stats.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/registry.h"
#include "worker/worker.h"

static void add_total(umbel_value *stats, const struct worker *worker)
{
    umbel_value *total = umbel_add_map(stats, "total");
    for (size_t i = 0; i < registry_count(worker->registry); i++)
        if (worker->consumer.tasks[i].total)
            umbel_add_int(total, registry_at(worker->registry, i)->name,
                          (int64_t)worker->consumer.tasks[i].total);
}

static void add_limit(umbel_value *list, double seconds)
{
    if (seconds > 0)
        umbel_add_double(list, NULL, seconds);
    else
        umbel_add_int(list, NULL, 0);
}

static void add_pool(umbel_value *stats, const struct worker *worker)
{
    struct pool_stats facts = {.children = 0};
    umbel_value *pool = umbel_add_map(stats, "pool");
    char name[80];
    worker->pool->ops->stats(worker->pool, &facts);
    snprintf(name, sizeof name, "umbel:%.60s", worker->pool->ops->name);
    umbel_add_str(pool, "implementation", name);
    umbel_add_int(pool, "max-concurrency", worker->concurrency);
    umbel_value *pids = umbel_add_list(pool, "processes");
    for (int i = 0; i < facts.pid_count; i++)
        umbel_add_int(pids, NULL, facts.pids[i]);
    if (worker->settings.max_tasks_per_child)
        umbel_add_int(pool, "max-tasks-per-child", (int64_t)worker->settings.max_tasks_per_child);
    else
        umbel_add_str(pool, "max-tasks-per-child", "N/A");
    umbel_add_bool(pool, "put-guarded-by-semaphore", false);
    umbel_value *limits = umbel_add_list(pool, "timeouts");
    add_limit(limits, worker->settings.soft_time_limit);
    add_limit(limits, worker->settings.time_limit);
    umbel_add_map(pool, "writes");
}

static void fill_broker(umbel_value *broker, const struct url *url)
{
    bool tls = str_equal(url->scheme, STR("amqps"));
    umbel_add_strn(broker, "hostname", url->host.size ? url->host : STR("localhost"));
    umbel_add_strn(broker, "userid", url->user.size ? url->user : STR("guest"));
    umbel_add_strn(broker, "virtual_host", url->path.size ? url->path : STR("/"));
    umbel_add_int(broker, "port", url->port ? url->port : tls ? 5671 : 5672);
    umbel_add_bool(broker, "insist", false);
    umbel_add_bool(broker, "ssl", tls);
    umbel_add_strn(broker, "transport", url->scheme);
    umbel_add_int(broker, "connect_timeout", 5);
    umbel_add_map(broker, "transport_options");
    umbel_add_str(broker, "login_method", "PLAIN");
    umbel_add_null(broker, "uri_prefix");
    umbel_add_double(broker, "heartbeat", 30);
    umbel_add_str(broker, "failover_strategy", "round-robin");
    umbel_add_list(broker, "alternates");
}

static void add_autoscaler(umbel_value *stats, const struct worker *worker)
{
    if (!worker->scaler.scale.most)
        return;
    umbel_value *autoscaler = umbel_add_map(stats, "autoscaler");
    umbel_add_int(autoscaler, "max", worker->scaler.scale.most);
    umbel_add_int(autoscaler, "min", worker->scaler.scale.least);
    umbel_add_int(autoscaler, "current", worker->concurrency);
    umbel_add_int(autoscaler, "qty", (int64_t)consumer_in_hand(&worker->consumer));
}

/* Never the password. */
static void add_broker(umbel_value *stats, struct control *control)
{
    struct url urls[16];
    const char *why;
    umbel_value *broker = umbel_add_map(stats, "broker");
    if (url_parse_list(&control->arena, control->worker->globals->broker, urls, 16, &why) > 0)
        fill_broker(broker, &urls[0]);
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + 1e-6 * (double)time.tv_usec;
}

static void add_usage(umbel_value *stats)
{
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) != 0) {
        umbel_add_str(stats, "rusage", "N/A");
        return;
    }
    const struct {
        const char *name;
        long value;
    } rows[] = {{"maxrss", use.ru_maxrss}, {"ixrss", use.ru_ixrss},     {"idrss", use.ru_idrss},
                {"isrss", use.ru_isrss},   {"minflt", use.ru_minflt},   {"majflt", use.ru_majflt},
                {"nswap", use.ru_nswap},   {"inblock", use.ru_inblock}, {"oublock", use.ru_oublock},
                {"msgsnd", use.ru_msgsnd}, {"msgrcv", use.ru_msgrcv},   {"nsignals", use.ru_nsignals},
                {"nvcsw", use.ru_nvcsw},   {"nivcsw", use.ru_nivcsw}};
    umbel_value *usage = umbel_add_map(stats, "rusage");
    umbel_add_double(usage, "utime", seconds_of(use.ru_utime));
    umbel_add_double(usage, "stime", seconds_of(use.ru_stime));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        umbel_add_int(usage, rows[i].name, rows[i].value);
}

static int64_t prefetch_of(const struct flow *flow)
{
    uint64_t count = 0;
    for (size_t i = 0; i < flow->count; i++)
        count += flow->base_each + (flow->sources[i].boost ? CREDIT_BOOST : 0);
    return (int64_t)count;
}

bool control_stats(struct control *control, const umbel_value *arguments, umbel_value *answer,
                   const char *key)
{
    (void)arguments;
    const struct worker *worker = control->worker;
    umbel_value *stats = umbel_add_map(answer, key);
    char clock[24];
    add_total(stats, worker);
    umbel_add_int(stats, "pid", getpid());
    snprintf(clock, sizeof clock, "%llu", (unsigned long long)control->clock);
    umbel_add_str(stats, "clock", clock);
    umbel_add_int(stats, "uptime", (int64_t)(clock_mono() - control->started_at));
    add_pool(stats, worker);
    add_autoscaler(stats, worker);
    add_broker(stats, control);
    umbel_add_int(stats, "prefetch_count", prefetch_of(&worker->consumer.flow));
    add_usage(stats);
    return true;
}
