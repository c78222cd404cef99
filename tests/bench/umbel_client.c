/* umbel_client.c: the bench's client: one workload, driven by three lines of text.
 *
 *     umbel_client MODE N [--msgpack] [--once] [--held H] [--paced R]
 *
 * It prints "ready" (workers are up and warm) or "filled" (the queue is full, no worker runs), waits for a
 * line, and prints one JSON object. URLs come from UMBEL_BROKER_URL and UMBEL_RESULT_BACKEND. stream, drain:
 * math.add with results, all checked. noresult: results ignored, the end told by a mark. rtt: one
 * outstanding. submit: published and flushed only. pending: N futures that nobody answers, for their memory.
 * chunks: a thousand calls in a message. With --held, H futures that nobody answers are held meanwhile. How
 * long calls take is told of a round trip, and with --paced of R messages a second, sent for a second before
 * the rest.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <umbel.h>
#include "common/histogram.h"

struct run {
    umbel_client *client;
    umbel_future **futures;
    long n;
    long held, pace;
    const char *task;
    umbel_submit_options options;
    pthread_mutex_t lock;
    struct histogram latency;
};

/* One message whose time is taken. */
struct sample {
    struct run *run;
    double started;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "umbel_client: %s: %s\n", what, why);
    exit(2);
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

static void wait_go(void)
{
    char line[64];
    if (!fgets(line, sizeof line, stdin))
        exit(3);
}

static umbel_future *send_one(struct run *run, long i)
{
    umbel_future *future = umbel_submit_with(run->client, run->task, UMBEL_ARGS(i, 1), &run->options);
    if (!future)
        die("submit", "out of memory");
    return future;
}

static void expect(umbel_future *future, long i)
{
    int64_t value = 0;
    if (umbel_get(future, 120.0, &value))
        die("get", umbel_error(future));
    if (value != i + 1)
        die("get", "wrong result");
    umbel_future_free(future);
}

static void note_latency(struct run *run, double seconds)
{
    pthread_mutex_lock(&run->lock);
    histogram_add(&run->latency, (uint64_t)(seconds * 1e9));
    pthread_mutex_unlock(&run->lock);
}

static void on_done(umbel_future *future, void *arg)
{
    struct sample *sample = arg;
    (void)future;
    note_latency(sample->run, now(CLOCK_MONOTONIC) - sample->started);
    free(sample);
}

static void take_sample(struct run *run, umbel_future *future, double started)
{
    struct sample *sample = malloc(sizeof *sample);
    *sample = (struct sample){run, started};
    umbel_on_done(future, on_done, sample);
}

static void print_latency(struct run *run)
{
    struct histogram_row rows[24];
    size_t count = histogram_rows(&run->latency, rows, 24);
    if (!count)
        return;
    printf(",\"p50_ms\":%.4f,\"p90_ms\":%.4f,\"p99_ms\":%.4f,\"max_ms\":%.4f,\"histogram\":[",
           (double)histogram_quantile(&run->latency, 0.5) * 1e-6,
           (double)histogram_quantile(&run->latency, 0.9) * 1e-6,
           (double)histogram_quantile(&run->latency, 0.99) * 1e-6, (double)run->latency.most * 1e-6);
    for (size_t i = 0; i < count; i++)
        printf("%s[%.4f,%lu]", i ? "," : "", (double)rows[i].bound * 1e-6, (unsigned long)rows[i].count);
    printf("]");
}

static void send_all(struct run *run)
{
    for (long i = 0; i < run->n; i++)
        run->futures[i] = send_one(run, i);
}

static void expect_all(struct run *run)
{
    for (long i = 0; i < run->n; i++)
        expect(run->futures[i], i);
}

static void flush(struct run *run)
{
    int code = umbel_flush(run->client, 120.0);
    if (code)
        die("flush", umbel_client_error(run->client));
}

static void mark(struct run *run)
{
    umbel_future_free(umbel_submit(run->client, "bench.mark", UMBEL_ARGS(), .ignore_result = UMBEL_ON,
                                   .create_queue = true));
    flush(run);
}

static void warm(struct run *run)
{
    for (long i = 0; i < 200; i++)
        expect(send_one(run, i), i);
}

/* Calls CHUNK at a time in one message. */
enum { CHUNK = 1000 };

static umbel_future *send_chunk(struct run *run, umbel_chunk *chunk, long from)
{
    long end = from + CHUNK < run->n ? from + CHUNK : run->n;
    for (long i = from; i < end; i++)
        if (umbel_chunk_add(chunk, UMBEL_ARGS(i, 1)))
            die("chunk", "a call could not be added");
    return umbel_submit_chunk_with(chunk, &run->options);
}

static void expect_chunk(struct run *run, umbel_future *future, long from)
{
    const umbel_value *list = NULL;
    if (umbel_get(future, 120.0, &list))
        die("get", umbel_error(future));
    size_t count = (size_t)(run->n - from < CHUNK ? run->n - from : CHUNK);
    if (umbel_value_count(list) != count)
        die("get", "a result is missing");
    for (size_t i = 0; i < count; i++) {
        int64_t value;
        if (umbel_value_int(umbel_value_at(list, i), &value) || value != from + (long)i + 1)
            die("get", "wrong result");
    }
    umbel_future_free(future);
}

static void sleep_until(double when)
{
    struct timespec t = {(time_t)when, (long)((when - (double)(time_t)when) * 1e9)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
        ;
}

/* For a second and a half, so many messages a second at even distances. Those of the last second are timed:
 * by then the worker knows that its tasks are short. */
static void pace(struct run *run, umbel_chunk *chunk)
{
    long all = chunk ? run->n / CHUNK : run->n, count = run->pace * 3 / 2;
    double from = now(CLOCK_MONOTONIC);
    count = count < all ? count : all;
    for (long i = 0; i < count; i++) {
        sleep_until(from + (double)i / (double)run->pace);
        double started = now(CLOCK_MONOTONIC);
        run->futures[i] = chunk ? send_chunk(run, chunk, i * CHUNK) : send_one(run, i);
        if (i >= run->pace / 2)
            take_sample(run, run->futures[i], started);
    }
    for (long i = 0; i < count; i++) {
        if (chunk)
            expect_chunk(run, run->futures[i], i * CHUNK);
        else
            expect(run->futures[i], i);
    }
}

/* Futures of calls that nobody will answer. */
static void hold(struct run *run)
{
    umbel_submit_options nobody = {.queue = "bench.nobody", .create_queue = true, .expires = 600};
    for (long i = 0; i < run->held; i++) {
        if (!umbel_submit_with(run->client, run->task, UMBEL_ARGS(i, 1), &nobody))
            die("submit", "out of memory");
        if (i % 1000 == 999)
            flush(run);
    }
}

static void finish(struct run *run, double seconds, double enqueue_seconds, double cpu_seconds)
{
    printf("{\"seconds\":%.4f,\"tasks_per_s\":%.1f,\"enqueue_per_s\":%.1f,\"cpu_client_s\":%.3f", seconds,
           (double)run->n / seconds, (double)run->n / enqueue_seconds, cpu_seconds);
    print_latency(run);
    puts("}");
}

static void stream(struct run *run)
{
    hold(run);
    warm(run);
    pace(run, NULL);
    say("ready");
    wait_go();
    double t0 = now(CLOCK_REALTIME), c0 = cpu();
    send_all(run);
    double t1 = now(CLOCK_REALTIME);
    expect_all(run);
    finish(run, now(CLOCK_REALTIME) - t0, t1 - t0, cpu() - c0);
}

static void drain(struct run *run)
{
    run->options.create_queue = true;
    double t0 = now(CLOCK_REALTIME);
    send_all(run);
    flush(run);
    double t1 = now(CLOCK_REALTIME);
    say("filled");
    wait_go();
    double c0 = cpu();
    umbel_wait(run->futures, 1, UMBEL_ALL_COMPLETED, 60.0);
    double t_first = now(CLOCK_REALTIME);
    expect_all(run);
    double s = now(CLOCK_REALTIME) - t_first;
    printf("{\"seconds\":%.4f,\"tasks_per_s\":%.1f,\"enqueue_per_s\":%.1f,\"t_first\":%.6f,\"cpu_client_s\":%"
           ".3f}\n",
           s, (double)run->n / s, (double)run->n / (t1 - t0), t_first, cpu() - c0);
}

/* The next mark that a worker pushed to the bench's Redis. */
static double wait_mark(void)
{
    const char *port = getenv("BENCH_REDIS_PORT"),
               *ask = "*3\r\n$5\r\nBLPOP\r\n$11\r\nbench:marks\r\n$2\r\n60\r\n";
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port ? port : "6380"))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char reply[256];
    size_t got = 0;
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) || write(fd, ask, strlen(ask)) < 0)
        die("mark", "Redis cannot be reached");
    for (int lines = 0; lines < 5 && got < sizeof reply - 1; got++) {
        if (read(fd, reply + got, 1) != 1)
            die("mark", "Redis closed the connection");
        lines += reply[got] == '\n';
    }
    close(fd);
    reply[got] = 0;
    char *value = strrchr(reply, '$');
    if (!value || !(value = strchr(value, '\n')))
        die("mark", "none came within a minute");
    return atof(value + 1);
}

static void noresult(struct run *run)
{
    run->options.ignore_result = UMBEL_ON;
    run->options.create_queue = true;
    mark(run);
    wait_mark();
    say("ready");
    wait_go();
    double t0 = now(CLOCK_REALTIME), c0 = cpu();
    for (long i = 0; i < run->n; i++)
        umbel_future_free(send_one(run, i));
    double t1 = now(CLOCK_REALTIME);
    mark(run);
    double s = wait_mark() - t0;
    printf("{\"seconds\":%.4f,\"tasks_per_s\":%.1f,\"enqueue_per_s\":%.1f,\"cpu_client_s\":%.3f}\n", s,
           (double)run->n / s, (double)run->n / (t1 - t0), cpu() - c0);
}

static void chunks(struct run *run)
{
    umbel_chunk *chunk = umbel_chunk_new(run->client, run->task, run->options.serializer);
    warm(run);
    for (int i = 0; i < 20; i++)
        expect_chunk(run, send_chunk(run, chunk, 0), 0);
    pace(run, chunk);
    say("ready");
    wait_go();
    double t0 = now(CLOCK_REALTIME), c0 = cpu();
    for (long i = 0; i < run->n; i += CHUNK)
        run->futures[i / CHUNK] = send_chunk(run, chunk, i);
    double t1 = now(CLOCK_REALTIME);
    for (long i = 0; i < run->n; i += CHUNK)
        expect_chunk(run, run->futures[i / CHUNK], i);
    finish(run, now(CLOCK_REALTIME) - t0, t1 - t0, cpu() - c0);
    umbel_chunk_free(chunk);
}

static void rtt(struct run *run)
{
    warm(run);
    say("ready");
    wait_go();
    double t0 = now(CLOCK_MONOTONIC), c0 = cpu();
    for (long i = 0; i < run->n; i++) {
        double a = now(CLOCK_MONOTONIC);
        expect(send_one(run, i), i);
        note_latency(run, now(CLOCK_MONOTONIC) - a);
    }
    double s = now(CLOCK_MONOTONIC) - t0;
    finish(run, s, s, cpu() - c0);
}

static void submit_only(struct run *run)
{
    run->options.create_queue = true;
    flush(run);
    say("ready");
    wait_go();
    double t0 = now(CLOCK_MONOTONIC), c0 = cpu();
    for (long i = 0; i < run->n; i++)
        umbel_future_free(send_one(run, i));
    flush(run);
    double s = now(CLOCK_MONOTONIC) - t0;
    printf("{\"seconds\":%.4f,\"tasks_per_s\":%.1f,\"cpu_client_s\":%.3f}\n", s, (double)run->n / s,
           cpu() - c0);
}

static long resident_kb(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &pages, &resident) != 2)
        die("statm", "cannot be read");
    fclose(f);
    return resident * 4;
}

static void pending(struct run *run)
{
    run->options.create_queue = true;
    flush(run);
    say("ready");
    wait_go();
    for (long i = 0; i < 1000; i++)
        umbel_future_free(send_one(run, i));
    flush(run);
    long before = resident_kb();
    for (long i = 0; i < run->n; i++) {
        run->futures[i] = send_one(run, i);
        if (i % 1000 == 999)
            flush(run);
    }
    flush(run);
    printf("{\"seconds\":1,\"tasks_per_s\":0,\"bytes_per_future\":%.1f}\n",
           (double)(resident_kb() - before) * 1024.0 / (double)run->n);
}

static const struct {
    const char *name;
    void (*go)(struct run *run);
} modes[] = {{"stream", stream},      {"drain", drain},     {"noresult", noresult}, {"rtt", rtt},
             {"submit", submit_only}, {"pending", pending}, {"chunks", chunks}};

static void options(struct run *run, int argc, char **argv)
{
    for (int i = 3; i < argc; i++) {
        if (!strcmp(argv[i], "--msgpack"))
            run->options.serializer = UMBEL_MSGPACK;
        else if (!strcmp(argv[i], "--unconfirmed"))
            run->options.unconfirmed = true;
        else if (!strcmp(argv[i], "--transient"))
            run->options.transient = true;
        else if (!strcmp(argv[i], "--once")) {
            run->options.transient = run->options.unconfirmed = true;
            run->task = "math.add_once";
        } else if (!strcmp(argv[i], "--held") && i + 1 < argc)
            run->held = atol(argv[++i]);
        else if (!strcmp(argv[i], "--paced") && i + 1 < argc)
            run->pace = atol(argv[++i]);
        else
            die("unknown option", argv[i]);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage", "umbel_client MODE N [--msgpack] [--once]");
    umbel_client_options how = {.buffer_bytes = (size_t)1 << 30, .timeout = 120};
    struct run run = {.client = umbel_connect_with(&how),
                      .n = atol(argv[2]),
                      .task = "math.add",
                      .lock = PTHREAD_MUTEX_INITIALIZER};
    histogram_init(&run.latency);
    if (run.n < 1 || !(run.futures = calloc((size_t)run.n, sizeof *run.futures)))
        die("N", "out of range");
    options(&run, argc, argv);
    if (umbel_client_wait(run.client, 10.0))
        die("connect", umbel_client_error(run.client));
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
        if (strcmp(argv[1], modes[m].name))
            continue;
        modes[m].go(&run);
        fflush(stdout);
        free(run.futures);
        return umbel_close(run.client, 5.0) ? 2 : 0;
    }
    die("unknown mode", argv[1]);
}
