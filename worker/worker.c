/* worker.c: a worker's life. The duties are rows: started from the first to the last, ended from the last
 * started to the first. The fork server comes before everything that a child must not inherit: descriptors,
 * threads, TLS. */
#include "worker/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/banner.h"
#include "worker/builtin.h"
#include "worker/fork_server.h"
#include "worker/registry.h"

#define CLOSE_SECONDS 1.0     /* for the last acknowledgements to leave */
#define LAST_MOMENT 0.05      /* for a name that is being looked up */
#define CHILD_END_SECONDS 3.0 /* for the end hooks of idle children */

/* ---- what it was told
 * ------------------------------------------------------------------------------------------- */

static int refuse(struct worker *worker, int exit_code, const char *sentence)
{
    buffer_text(&worker->why, sentence);
    return exit_code;
}

static int split_queues(struct worker *worker)
{
    char *rest = NULL;
    worker->queue_text = strdup(worker->settings.queues);
    if (!worker->queue_text)
        return refuse(worker, EXIT_SOFTWARE, "out of memory");
    for (char *name = strtok_r(worker->queue_text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        name += strspn(name, " ");
        if (worker->queue_count == WORKER_QUEUES_MAX || !*name || strlen(name) > 240)
            return refuse(worker, EXIT_USAGE, "--queues takes 1 to 64 names of 1 to 240 bytes");
        worker->queues[worker->queue_count++] = name;
    }
    return worker->queue_count ? EXIT_DONE : refuse(worker, EXIT_USAGE, "--queues names no queue");
}

static int name_it(struct worker *worker)
{
    char host[256] = "localhost";
    gethostname(host, sizeof host - 1);
    if (node_name_expand(worker->name, worker->settings.hostname, host) == UMBEL_OK)
        return EXIT_DONE;
    buffer_format(&worker->why, "--hostname takes up to %d letters with %%h, %%n, %%d or %%%%, not '%.100s'",
                  NODE_NAME_MAX - 1, worker->settings.hostname);
    return EXIT_USAGE;
}

/* The back end that was named, else the broker's file or memory where that can keep results. */
static const char *choose_backend(const struct command_globals *globals)
{
    const char *url = globals->backend;
    if (url)
        return strncmp(url, "disabled", 8) == 0 ? NULL : url;
    umbel_str broker = str_of(globals->broker);
    return str_starts(broker, STR("sqlite:")) || str_starts(broker, STR("memory:")) ? globals->broker : NULL;
}

static int start_settings(struct worker *worker)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (!worker->globals->broker)
        return refuse(worker, EXIT_USAGE,
                      "no broker is named: give -b URL before `worker`, or set UMBEL_BROKER_URL (amqp://..., "
                      "sqlite:PATH)");
    worker->concurrency = (int)worker->settings.concurrency;
    if (strcmp(worker->settings.pool, "solo") == 0)
        worker->concurrency = 1;
    else if (worker->concurrency == 0 && strcmp(worker->settings.pool, "coroutines") == 0)
        worker->concurrency = 1000;
    else if (worker->concurrency == 0)
        worker->concurrency = processors > 0 ? (int)processors : 1;
    if (worker->settings.autoscale[0] &&
        autoscale_read(worker->settings.autoscale, SETTINGS_SLOTS_MAX, &worker->most, &worker->concurrency))
        worker->least = worker->concurrency;
    worker->backend_url = choose_backend(worker->globals);
    int code = name_it(worker);
    return code == EXIT_DONE ? split_queues(worker) : code;
}

/* ---- modules
 * ---------------------------------------------------------------------------------------------------- */

static int start_modules(struct worker *worker)
{
    const struct command_globals *globals = worker->globals;
    worker->registry = registry_new();
    int code = worker->registry ? UMBEL_OK : UMBEL_NO_MEMORY;
    if (code == UMBEL_OK)
        code = builtin_add(worker->registry, &worker->why);
    if (code == UMBEL_OK && globals->own_module)
        code = registry_add(worker->registry, globals->own_module, globals->program, &worker->why);
    for (int i = 0; i < globals->module_count && code == UMBEL_OK; i++)
        code = registry_load(worker->registry, globals->modules[i], &worker->why);
    if (code == UMBEL_OK)
        return EXIT_DONE;
    registry_free(worker->registry);
    return EXIT_USAGE;
}

static void end_modules(struct worker *worker)
{
    registry_free(worker->registry);
}

/* ---- fork server
 * ------------------------------------------------------------------------------------------------ */

static int start_fork_server(struct worker *worker)
{
    loop_give_way(); /* here, so that the children do too */
    if (strcmp(worker->settings.pool, "solo") == 0)
        return EXIT_DONE;
    if (fork_server_start(&worker->fork_server, worker->registry, worker->name) == UMBEL_OK)
        return EXIT_DONE;
    buffer_format(&worker->why, "the fork server cannot be started: %s", strerror(errno));
    return EXIT_SOFTWARE;
}

static void end_fork_server(struct worker *worker)
{
    if (worker->fork_server)
        fork_server_stop(worker->fork_server);
}

/* ---- log
 * -------------------------------------------------------------------------------------------------------- */

static int start_log(struct worker *worker)
{
    const struct settings *settings = &worker->settings;
    if (log_sink_open(&worker->sink, settings->logfile, settings->loglevel,
                      strcmp(settings->log_format, "json") == 0, !settings->no_color) == UMBEL_OK)
        return EXIT_DONE;
    buffer_format(&worker->why, "the log file %s cannot be written: %s", settings->logfile, strerror(errno));
    return EXIT_USAGE;
}

static void end_log(struct worker *worker)
{
    log_sink_close(&worker->sink);
}

/* ---- loop
 * ------------------------------------------------------------------------------------------------------- */

static int start_loop(struct worker *worker)
{
    if (loop_init(&worker->loop) != UMBEL_OK)
        return refuse(worker, EXIT_SOFTWARE, "the event loop cannot be made: no descriptors or memory left");
    log_sink_attach(&worker->sink, &worker->loop);
    stop_init(&worker->stop, worker);
    return EXIT_DONE;
}

static void end_loop(struct worker *worker)
{
    stop_fini(&worker->stop);
    log_sink_detach(&worker->sink);
    worker->held_up = !loop_fini_within(&worker->loop, LAST_MOMENT);
}

static void on_alarm(uv_timer_t *timer)
{
    (void)timer; /* it only ends the wait of one turn */
}

static void on_alarm_closed(uv_handle_t *alarm)
{
    alarm->data = NULL;
}

/* Runs the loop until the flag is set or the time is over. */
static void run_until(struct worker *worker, const bool *flag, double seconds)
{
    uv_timer_t alarm;
    double end = clock_mono() + seconds;
    uv_timer_init(&worker->loop.uv, &alarm);
    uv_timer_start(&alarm, on_alarm, (uint64_t)(seconds * 1000) + 1, 0);
    while (!*flag && clock_mono() < end)
        uv_run(&worker->loop.uv, UV_RUN_ONCE);
    alarm.data = worker; /* until it is closed; a run that was told to stop closes nothing */
    uv_close((uv_handle_t *)&alarm, on_alarm_closed);
    while (alarm.data)
        uv_run(&worker->loop.uv, UV_RUN_NOWAIT);
}

/* What run_until waits for has come, perhaps from a hook just before the loop would sleep: it shall not. */
static void on_closed(void *self)
{
    struct worker *worker = self;
    worker->closed = true;
    loop_stop(&worker->loop);
}

/* ---- consumer and its three parts
 * ------------------------------------------------------------------------------- */

static int start_consumer(struct worker *worker)
{
    const struct settings *settings = &worker->settings;
    struct consumer_options options = {
        .loop = &worker->loop,
        .sink = &worker->sink,
        .registry = worker->registry,
        .worker_name = worker->name,
        .concurrency = (uint32_t)worker->concurrency,
        .most = (uint32_t)worker->most,
        .policy = {.max_deaths = (int)settings->max_deaths,
                   .time_limit = settings->time_limit,
                   .soft_time_limit = settings->soft_time_limit,
                   .at_most_once = settings->at_most_once,
                   .ignore_result = settings->ignore_result,
                   .track_started = settings->track_started,
                   .result_codec = codec_of(codec_by_name(str_of(settings->result_serializer))),
                   .results = worker->backend_url != NULL},
        .flow = {.queues = worker->queues,
                 .queue_count = worker->queue_count,
                 .multiplier = (uint32_t)settings->prefetch_multiplier,
                 .max_priority = (int)settings->queue_max_priority},
        .nests = true,
    };
    int code = consumer_init(&worker->consumer, &options, &worker_consumer_events, worker);
    if (code == UMBEL_OK)
        control_init(&worker->control, worker);
    return code == UMBEL_OK ? EXIT_DONE : refuse(worker, EXIT_SOFTWARE, "out of memory");
}

static void end_consumer(struct worker *worker)
{
    control_fini(&worker->control);
    consumer_fini(&worker->consumer);
}

static int exit_code_of(int code)
{
    return code == UMBEL_BAD_URL || code == UMBEL_BAD_ARGUMENT || code == UMBEL_NOT_FOUND ? EXIT_USAGE
           : code == UMBEL_SYSTEM || code == UMBEL_NO_MEMORY                              ? EXIT_SOFTWARE
                                                                                          : EXIT_AWAY;
}

static int start_transport(struct worker *worker)
{
    struct transport_options options = {.log = &worker->sink.log, .client_name = worker->name};
    int code = transport_open(&worker->transport, &worker->loop, worker->globals->broker, &options,
                              &consumer_transport_events, &worker->consumer, &worker->why);
    return code == UMBEL_OK ? EXIT_DONE : exit_code_of(code);
}

static void end_transport(struct worker *worker)
{
    worker->closed = false;
    worker->transport->ops->close(worker->transport, CLOSE_SECONDS / 2, on_closed, worker);
    run_until(worker, &worker->closed, CLOSE_SECONDS);
}

static int start_backend(struct worker *worker)
{
    if (!worker->backend_url)
        return EXIT_DONE;
    double expires = worker->settings.result_expires;
    struct backend_options options = {.log = &worker->sink.log, .expires = expires > 0 ? expires : -1};
    int code = backend_open(&worker->backend, &worker->loop, worker->backend_url, &options,
                            &consumer_backend_events, &worker->consumer, &worker->why);
    return code == UMBEL_OK ? EXIT_DONE : exit_code_of(code);
}

static void end_backend(struct worker *worker)
{
    if (!worker->backend)
        return;
    worker->closed = false;
    worker->backend->ops->close(worker->backend, CLOSE_SECONDS / 2, on_closed, worker);
    run_until(worker, &worker->closed, CLOSE_SECONDS);
    consumer_forget_backend(&worker->consumer);
}

/* ---- what tasks call
 * -------------------------------------------------------------------------------------------- */

static int start_nest(struct worker *worker)
{
    struct nest_options options = {.log = &worker->sink.log,
                                   .registry = worker->registry,
                                   .broker = worker->globals->broker,
                                   .backend = worker->backend_url,
                                   .worker_name = worker->name};
    int code = nest_new(&worker->nest, &worker->loop, &options, &consumer_nest_events, &worker->consumer);
    if (code != UMBEL_OK)
        return refuse(worker, EXIT_SOFTWARE, "out of memory");
    consumer_use_nest(&worker->consumer, worker->nest);
    return EXIT_DONE;
}

/* A pool that did not stop still has its lines. */
static void end_nest(struct worker *worker)
{
    consumer_use_nest(&worker->consumer, NULL);
    if (worker->pool && !worker->pool_stopped)
        return;
    worker->closed = false;
    nest_close(worker->nest, CLOSE_SECONDS / 2, on_closed, worker);
    run_until(worker, &worker->closed, CLOSE_SECONDS);
}

static int start_pool(struct worker *worker)
{
    const struct settings *settings = &worker->settings;
    struct pool_options options = {.log = &worker->sink.log,
                                   .concurrency = worker->concurrency,
                                   .processes = (int)settings->processes,
                                   .stack_size = (size_t)settings->stack_size * 1024,
                                   .max_tasks_per_child = settings->max_tasks_per_child,
                                   .max_memory_per_child = (size_t)settings->max_memory_per_child * 1024,
                                   .worker_name = worker->name,
                                   .fork_server = worker->fork_server,
                                   .registry = worker->registry,
                                   .nest = worker->nest,
                                   .max_waiting = (uint32_t)settings->max_waiting};
    int code = pool_open(&worker->pool, settings->pool, &worker->loop, &options, &consumer_pool_events,
                         &worker->consumer, &worker->why);
    if (code != UMBEL_OK)
        return exit_code_of(code);
    consumer_use(&worker->consumer, worker->transport, worker->backend, worker->pool);
    consumer_hear_cancels(&worker->consumer);
    return EXIT_DONE;
}

static void end_pool(struct worker *worker)
{
    double grace = worker->stop.stage == STOP_COLD ? 0 : CHILD_END_SECONDS;
    if (!worker->pool_stopped)
        worker->pool->ops->stop(worker->pool, grace);
    run_until(worker, &worker->pool_stopped, grace + CLOSE_SECONDS / 2);
    if (worker->pool_stopped)
        worker->pool->ops->free(worker->pool);
}

/* ---- remote control and events
 * ---------------------------------------------------------------------------------- */

static int start_control(struct worker *worker)
{
    int code = control_open(&worker->control, &worker->why);
    return code == UMBEL_OK ? EXIT_DONE : exit_code_of(code);
}

static void end_control(struct worker *worker)
{
    worker->closed = false;
    control_close(&worker->control, CLOSE_SECONDS / 2, on_closed, worker);
    run_until(worker, &worker->closed, 2 * CLOSE_SECONDS);
}

/* ---- autoscale
 * ------------------------------------------------------------------------------------------------- */

static int start_scaler(struct worker *worker)
{
    scaler_init(&worker->scaler, worker);
    int code = worker->most ? scaler_set(&worker->scaler, worker->most, worker->least) : UMBEL_OK;
    return code == UMBEL_OK ? EXIT_DONE : refuse(worker, EXIT_USAGE, "the pool cannot have so many slots");
}

static void end_scaler(struct worker *worker)
{
    scaler_fini(&worker->scaler);
}

/* ---- signals
 * ---------------------------------------------------------------------------------------------------- */

static void on_hangup(struct worker *worker)
{
    if (log_sink_reopen(&worker->sink) == UMBEL_OK)
        log_line(&worker->sink.log, UMBEL_INFO, "worker", "SIGHUP: %s",
                 worker->sink.path ? "the log file is opened again" : "nothing to do");
    else
        log_line(&worker->sink.log, UMBEL_ERROR, "worker",
                 "SIGHUP: the log file cannot be opened again (%s), the old one is kept", strerror(errno));
}

static void on_signal(void *self, int number)
{
    struct worker *worker = self;
    if (number == SIGHUP)
        on_hangup(worker);
    else if (number == SIGQUIT)
        stop_cold(&worker->stop, "SIGQUIT");
    else
        stop_request(&worker->stop, number == SIGTERM ? "SIGTERM" : "SIGINT", EXIT_DONE);
}

static int start_signals(struct worker *worker)
{
    if (signals_start(&worker->signals, &worker->loop, on_signal, worker) == UMBEL_OK)
        return EXIT_DONE;
    return refuse(worker, EXIT_SOFTWARE, "signals cannot be caught");
}

static void end_signals(struct worker *worker)
{
    signals_end(&worker->signals);
}

/* ---- duties
 * ----------------------------------------------------------------------------------------------------- */

static const struct duty {
    int (*start)(struct worker *worker); /* an exit code, and worker->why when it is not 0 */
    void (*end)(struct worker *worker);
} duties[] = {
    {start_settings, NULL},
    {start_modules, end_modules},
    {start_fork_server, end_fork_server},
    {start_log, end_log},
    {start_loop, end_loop},
    {start_consumer, end_consumer},
    {start_transport, end_transport},
    {start_backend,
     end_backend}, /* ends before the transport: what it stores at last is still acknowledged */
    {start_nest, end_nest},
    {start_pool, end_pool},
    {start_control, end_control},
    {start_scaler, end_scaler},
    {start_signals, end_signals},
};
#define DUTY_COUNT (sizeof duties / sizeof duties[0])

static void show_banner(struct worker *worker)
{
    struct banner banner = {worker->name,      worker->globals->broker, worker->backend_url,
                            &worker->settings, worker->concurrency,     getpid(),
                            worker->queues,    worker->queue_count,     worker->registry};
    struct buffer out;
    if (worker->sink.json)
        return; /* who reads objects reads no pictures */
    buffer_init(&out, (size_t)1 << 20);
    banner_write(&out, &banner);
    if (write(STDOUT_FILENO, buffer_head(&out), buffer_length(&out)) < 0)
        log_line(&worker->sink.log, UMBEL_DEBUG, "worker", "stdout is closed: no banner");
    buffer_fini(&out);
}

static void work(struct worker *worker)
{
    show_banner(worker);
    if (builtin_others(worker->registry) == 0)
        log_line(&worker->sink.log, UMBEL_WARNING, "worker",
                 "there are no tasks (-A FILE before `worker` loads some): what arrives will be parked");
    if (!worker->backend)
        consumer_start(&worker->consumer);
    loop_run(&worker->loop);
    worker->ending = true;
    const struct consumer_counts *counts = &worker->consumer.counts;
    log_line(
        &worker->sink.log, UMBEL_INFO, "worker",
        "stopped: %llu received, %llu succeeded, %llu failed, %llu retried, %llu parked, %llu handed back",
        (unsigned long long)counts->received, (unsigned long long)counts->succeeded,
        (unsigned long long)counts->failed, (unsigned long long)counts->retried,
        (unsigned long long)counts->parked, (unsigned long long)counts->handed_back);
}

static void show_why(const struct worker *worker)
{
    fprintf(stderr, "umbel worker: %.*s\n", (int)buffer_length(&worker->why),
            (const char *)buffer_head(&worker->why));
}

int worker_run(const struct command_globals *globals, const struct settings *settings)
{
    struct worker *worker = calloc(1, sizeof *worker);
    size_t started = 0;
    int code = EXIT_DONE;
    if (!worker)
        return EXIT_SOFTWARE;
    worker->globals = globals;
    worker->settings = *settings;
    buffer_init(&worker->why, 4096);
    while (started < DUTY_COUNT && code == EXIT_DONE)
        code = duties[started++].start(worker);
    if (code == EXIT_DONE) {
        work(worker);
        code = worker->stop.exit_code;
    } else {
        show_why(worker);
        started--; /* the one that failed has nothing to end */
    }
    while (started > 0)
        if (duties[--started].end)
            duties[started].end(worker);
    if (worker->held_up) { /* exit() would wait for libuv's threads, and so for a silent name server */
        fflush(NULL);
        _exit(code);
    }
    free(worker->queue_text);
    buffer_fini(&worker->why);
    free(worker);
    return code;
}
