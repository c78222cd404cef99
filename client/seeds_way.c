/* seeds_way.c: one way of doing one work, from its first call to its last result.
 *
 * A pool inside the program is made within the measured time. A worker stands ready before it: it has
 * answered a ping. The total of all results must be the serial one's, which seeds.c checks. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <umbel/executor.h>
#include <umbel/worker.h>
#include <unistd.h>
#include "client/seeds.h"
#include "common/clock.h"

#define QUEUE "umbel.seeds"

static const double READY = 10, PATIENCE = 300, GRACE = 5;

const struct seeds_way seeds_ways[SEEDS_WAYS] = {
    {"serial", SEEDS_SERIAL, NULL},
    {"4 threads", SEEDS_IN_PROGRAM, "memory://?pool=threads&concurrency=4"},
    {"4 processes", SEEDS_IN_PROGRAM, "memory://?pool=processes&concurrency=4"},
    {"4 processes, sqlite", SEEDS_SQLITE, NULL},
    {"4 processes, RabbitMQ", SEEDS_RABBITMQ, NULL},
    {"4 coroutines", SEEDS_IN_PROGRAM, "memory://?pool=coroutines&concurrency=4"},
    {"930 coroutines", SEEDS_IN_PROGRAM, "memory://?pool=coroutines&concurrency=930"},
};

static void fail(struct seeds_score *score, int code, const char *why)
{
    score->code = code;
    snprintf(score->why, sizeof score->why, "%s", why);
}

static int64_t argument_of(const struct seeds_work *work, size_t i)
{
    return work->first + (int64_t)i * work->step;
}

static void run_serial(const struct seeds_work *work, struct seeds_score *score)
{
    double begun = clock_mono();
    for (size_t i = 0; i < work->calls; i++) {
        double result;
        int code = work->call(argument_of(work, i), &result);
        if (code != UMBEL_OK) {
            fail(score, code, strerror(errno));
            return;
        }
        score->total += result;
    }
    score->seconds = clock_mono() - begun;
}

/* ---- through a client ---- */

static void collect(umbel_future **futures, size_t count, struct seeds_score *score)
{
    for (size_t i = 0; i < count && score->code == UMBEL_OK; i++) {
        double result = 0;
        int code = umbel_get(futures[i], PATIENCE, &result);
        if (code != UMBEL_OK)
            fail(score, code, umbel_error(futures[i]));
        score->total += result;
    }
}

static void run_client(umbel_client *client, double begun, const struct seeds_work *work,
                       struct seeds_score *score)
{
    umbel_future **futures = calloc(work->calls, sizeof *futures);
    if (!client || !futures) {
        fail(score, UMBEL_NO_MEMORY, umbel_strerror(UMBEL_NO_MEMORY));
        free(futures);
        return;
    }
    for (size_t i = 0; i < work->calls; i++)
        futures[i] = umbel_submit(client, work->task, UMBEL_ARGS(argument_of(work, i)), .queue = QUEUE,
                                  .expires = PATIENCE);
    collect(futures, work->calls, score);
    score->seconds = clock_mono() - begun;
    for (size_t i = 0; i < work->calls; i++)
        umbel_forget(futures[i]);
    free(futures);
}

static void run_in_program(const struct seeds_work *work, const char *url, struct seeds_score *score)
{
    double begun = clock_mono();
    umbel_client *client =
        umbel_connect_with(&(umbel_client_options){.broker = url, .backend = url, .module = &seeds_module});
    run_client(client, begun, work, score);
    umbel_close(client, GRACE);
}

/* ---- through a worker ---- */

static _Noreturn void be_worker(const char *broker, const char *backend)
{
    char *argv[] = {"umbel",
                    "-b",
                    (char *)broker,
                    "--result-backend",
                    (char *)backend,
                    "worker",
                    "-P",
                    "prefork",
                    "-c",
                    "4",
                    "-Q",
                    QUEUE,
                    "-n",
                    "seeds@%h",
                    "-l",
                    "error",
                    NULL};
    int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere >= 0)
        dup2(nowhere, STDOUT_FILENO);
    _exit(umbel_main_with(&seeds_module, (int)(sizeof argv / sizeof *argv) - 1, argv));
}

/* A ping that is not answered is the worker's fault only when the broker can be reached. */
static bool is_ready(umbel_client *client, struct seeds_score *score)
{
    umbel_future *ping = umbel_submit(client, "umbel.ping", UMBEL_ARGS(), .queue = QUEUE, .expires = READY,
                                      .create_queue = true);
    int code = umbel_exception(ping, READY);
    int reach = code == UMBEL_TIMEOUT ? umbel_client_wait(client, 0) : UMBEL_OK;
    if (reach != UMBEL_OK)
        fail(score, reach == UMBEL_TIMEOUT ? UMBEL_BROKER_AWAY : reach, umbel_client_error(client));
    else if (code != UMBEL_OK)
        fail(score, code, umbel_error(ping));
    umbel_forget(ping);
    return code == UMBEL_OK;
}

static void run_with_worker(const struct seeds_work *work, const char *broker, const char *backend,
                            struct seeds_score *score)
{
    pid_t worker = seeds_fork();
    if (worker == 0)
        be_worker(broker, backend);
    umbel_client *client = umbel_connect_with(&(umbel_client_options){.broker = broker, .backend = backend});
    if (is_ready(client, score))
        run_client(client, clock_mono(), work, score);
    umbel_close(client, GRACE);
    seeds_end(worker, GRACE);
}

static void run_here(const struct seeds_work *work, const struct seeds_way *way,
                     const struct seeds_place *place, struct seeds_score *score)
{
    char url[sizeof place->folder + 40];
    snprintf(url, sizeof url, "sqlite:%s/queue.db", place->folder);
    switch (way->kind) {
    case SEEDS_SERIAL:
        run_serial(work, score);
        break;
    case SEEDS_IN_PROGRAM:
        run_in_program(work, way->url, score);
        break;
    case SEEDS_SQLITE:
        run_with_worker(work, url, url, score);
        break;
    case SEEDS_RABBITMQ:
        run_with_worker(work, place->rabbitmq, place->backend, score);
        break;
    }
}

/* ---- in a process of its own ---- */

static bool skip(const struct seeds_way *way, const struct seeds_place *place, struct seeds_score *score)
{
    if (way->kind != SEEDS_RABBITMQ || (place->rabbitmq && place->backend))
        return false;
    score->skipped = true;
    snprintf(score->why, sizeof score->why, "not run: %s",
             place->rabbitmq ? "name where results go with --result-backend"
                             : "name an amqp:// URL with -b or UMBEL_BROKER_URL");
    return true;
}

static void await(int from, int signals, struct seeds_score *score)
{
    struct pollfd fds[] = {{.fd = from, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    int ready = poll(fds, 2, (int)(PATIENCE * 1000));
    if (ready > 0 && fds[1].revents)
        fail(score, UMBEL_CANCELLED, "interrupted");
    else if (ready == 0)
        fail(score, UMBEL_TIMEOUT, "not done in 300 seconds");
    else if (read(from, score, sizeof *score) != (ssize_t)sizeof *score)
        fail(score, UMBEL_LOST, "its process died");
}

void seeds_run(const struct seeds_work *work, const struct seeds_way *way, const struct seeds_place *place,
               int signals, struct seeds_score *score)
{
    int ends[2];
    *score = (struct seeds_score){.code = UMBEL_OK};
    if (skip(way, place, score))
        return;
    if (pipe2(ends, O_CLOEXEC)) {
        fail(score, UMBEL_SYSTEM, strerror(errno));
        return;
    }
    pid_t pid = seeds_fork();
    if (pid == 0) {
        close(ends[0]);
        close(signals);
        run_here(work, way, place, score);
        _exit(write(ends[1], score, sizeof *score) != (ssize_t)sizeof *score);
    }
    close(ends[1]);
    if (pid < 0)
        fail(score, UMBEL_SYSTEM, strerror(errno));
    else
        await(ends[0], signals, score);
    close(ends[0]);
    seeds_end(pid, score->code == UMBEL_OK ? GRACE : 0);
}
