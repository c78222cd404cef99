/* bench_run.c: the calling thread sends, the client's thread counts what comes back. The sender sleeps while
 * enough is outstanding and is woken when half of it has come back, so that waking it costs one call in many.
 *
 * Futures are kept until all is over, so that deleting the results is no part of what is measured. */
#include "client/bench_run.h"

#include <pthread.h>
#include <stdlib.h>
#include "client/waiter.h"
#include "common/clock.h"

struct call {
    struct bench *bench;
    umbel_future *future;
    uint64_t started;
};

struct bench {
    const struct bench_plan *plan;
    struct bench_result *result;
    umbel_chunk *chunk;
    struct call *calls;
    uint64_t sent; /* the sender's */

    pthread_mutex_t lock;
    pthread_cond_t woken;
    uint64_t done;
    uint64_t wake_at; /* the sender sleeps until so many are done; 0: it is awake */
    uint64_t last;    /* when the last answer came */
    umbel_future *failed;
};

/* ---- an answer; on the client's thread, or on the sender's when it came at once ---- */

static void on_done(umbel_future *future, void *arg)
{
    struct call *call = arg;
    struct bench *bench = call->bench;
    uint64_t now = clock_mono_ns();
    pthread_mutex_lock(&bench->lock);
    bench->done++;
    bench->last = now;
    histogram_add(&bench->result->latency, now - call->started);
    if (umbel_future_code(future) != UMBEL_OK && !bench->failed)
        bench->failed = future;
    if (bench->wake_at && (bench->done >= bench->wake_at || bench->failed))
        pthread_cond_signal(&bench->woken);
    pthread_mutex_unlock(&bench->lock);
}

/* ---- the sender ---- */

static umbel_future *send_calls(struct bench *bench)
{
    const struct bench_plan *plan = bench->plan;
    if (plan->chunk <= 1)
        return umbel_submit_with(plan->client, plan->task, plan->arguments, &plan->options);
    for (uint32_t i = 0; i < plan->chunk; i++)
        if (umbel_chunk_add(bench->chunk, plan->arguments))
            return NULL;
    return umbel_submit_chunk_with(bench->chunk, &plan->options);
}

static int send_one(struct bench *bench)
{
    struct call *call = &bench->calls[bench->sent];
    *call = (struct call){.bench = bench, .started = clock_mono_ns()};
    call->future = send_calls(bench);
    if (!call->future)
        return UMBEL_NO_MEMORY;
    bench->sent++;
    return umbel_on_done(call->future, on_done, call);
}

/* Until so many are done, or one has failed. */
static int wait_done(struct bench *bench, uint64_t wanted)
{
    int code = UMBEL_OK;
    pthread_mutex_lock(&bench->lock);
    bench->wake_at = wanted;
    while (bench->done < wanted && !bench->failed && code == UMBEL_OK) {
        uint64_t before = bench->done;
        bool in_time = waiter_cond_wait(&bench->woken, &bench->lock, clock_mono() + bench->plan->patience);
        if (!in_time && bench->done == before)
            code = UMBEL_TIMEOUT;
    }
    bench->wake_at = 0;
    if (bench->failed)
        code = umbel_future_code(bench->failed);
    pthread_mutex_unlock(&bench->lock);
    return code;
}

static bool goes_on(const struct bench *bench, uint64_t started)
{
    double seconds = bench->plan->seconds;
    return bench->sent < bench->plan->messages &&
           (!(seconds > 0) || (double)(clock_mono_ns() - started) * 1e-9 < seconds);
}

static int send_all(struct bench *bench)
{
    uint64_t at_once = bench->plan->at_once, started = clock_mono_ns(), done = 0;
    int code = UMBEL_OK;
    while (code == UMBEL_OK && goes_on(bench, started)) {
        if (bench->sent - done >= at_once) {
            done = bench->sent - at_once / 2;
            code = wait_done(bench, done);
        } else {
            code = send_one(bench);
        }
    }
    if (code == UMBEL_OK)
        code = wait_done(bench, bench->sent);
    bench->result->seconds = (double)(bench->last - started) * 1e-9;
    return code;
}

/* ---- before and after ---- */

static int start(struct bench *bench)
{
    const struct bench_plan *plan = bench->plan;
    bench->calls = calloc(plan->messages, sizeof *bench->calls);
    if (plan->chunk > 1)
        bench->chunk = umbel_chunk_new(plan->client, plan->task, plan->options.serializer);
    pthread_mutex_init(&bench->lock, NULL);
    waiter_cond_init(&bench->woken);
    return bench->calls && (plan->chunk <= 1 || bench->chunk) ? UMBEL_OK : UMBEL_NO_MEMORY;
}

/* The one that failed, or that nobody answered, is kept for its error. */
static umbel_future *pick_failed(struct bench *bench)
{
    if (bench->failed)
        return bench->failed;
    for (uint64_t i = 0; i < bench->sent; i++)
        if (!umbel_done(bench->calls[i].future))
            return bench->calls[i].future;
    return NULL;
}

/* The results are deleted, the futures given back. */
static void forget_all(struct bench *bench)
{
    for (uint64_t i = 0; i < bench->sent; i++)
        if (bench->calls[i].future != bench->result->failed)
            umbel_forget(bench->calls[i].future);
}

int bench_run(const struct bench_plan *plan, struct bench_result *result)
{
    struct bench *bench = calloc(1, sizeof *bench);
    *result = (struct bench_result){.bench = bench};
    histogram_init(&result->latency);
    if (!bench)
        return UMBEL_NO_MEMORY;
    bench->plan = plan;
    bench->result = result;
    int code = start(bench);
    if (code == UMBEL_OK)
        code = send_all(bench);
    result->messages = bench->done;
    if (code != UMBEL_OK)
        result->failed = pick_failed(bench);
    forget_all(bench);
    return code;
}

void bench_result_fini(struct bench_result *result)
{
    struct bench *bench = result->bench;
    if (!bench)
        return;
    umbel_future_free(result->failed);
    umbel_chunk_free(bench->chunk);
    free(bench->calls);
    pthread_cond_destroy(&bench->woken);
    pthread_mutex_destroy(&bench->lock);
    free(bench);
}
