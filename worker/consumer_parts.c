/* consumer_parts.c: partial results on their way to the back end.
 *
 * They are part of the result: it is stored behind them, and while the back end is away or refuses they are
 * kept like it, with the delivery unacknowledged. How much that can be is bounded, because a task waits once
 * a mebibyte of its child's parts is not stored (part_window.h). */
#include "worker/consumer_path.h"

#include <stdlib.h>
#include "common/str.h"
#include "worker/report.h"
#include "worker/run_parts.h"

/* One run of a task that gives parts. It outlives its request while the back end owes it answers. */
struct run {
    struct run_parts parts;
    struct request *req; /* NULL: it is over, whatever comes */
    bool result_waits;   /* the request's result is to be stored behind the last */
    struct run *next, **at;
};

/* Tokens of requests are addresses, so their lowest bit is free to tell runs apart. */
static uint64_t token_of(const struct run *run)
{
    return (uint64_t)(uintptr_t)run | 1;
}

bool consumer_is_part(uint64_t token)
{
    return token & 1;
}

/* ---- runs ---- */

static struct run *run_new(struct consumer *consumer, struct request *req)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return NULL;
    run_parts_init(&run->parts);
    run->req = req;
    run->next = consumer->runs;
    run->at = &consumer->runs;
    if (run->next)
        run->next->at = &run->next;
    consumer->runs = run;
    return req->run = run;
}

static void run_free(struct run *run)
{
    *run->at = run->next;
    if (run->next)
        run->next->at = run->at;
    free(run);
}

static void taken(struct consumer *consumer, uint64_t source, size_t size)
{
    if (consumer->pool && consumer->pool->ops->part_taken)
        consumer->pool->ops->part_taken(consumer->pool, source, size);
}

static void take_oldest(struct consumer *consumer, struct run *run)
{
    struct run_part *part = run_parts_take(&run->parts);
    if (part)
        taken(consumer, part->source, part->taken);
    free(part);
}

static void drop_all(struct consumer *consumer, struct run *run)
{
    while (run->parts.oldest)
        take_oldest(consumer, run);
}

void consumer_run_over(struct consumer *consumer, struct request *req)
{
    struct run *run = req->run;
    if (!run)
        return;
    req->run = NULL;
    run->req = NULL;
    drop_all(consumer, run);
    if (run->parts.under_way == 0)
        run_free(run);
}

void consumer_drop_runs(struct consumer *consumer)
{
    while (consumer->runs) {
        struct run *run = consumer->runs;
        if (run->req)
            run->req->run = NULL;
        for (struct run_part *part; (part = run_parts_take(&run->parts));)
            free(part);
        run_free(run);
    }
}

/* ---- out ---- */

static void send_parts(struct consumer *consumer, struct run *run)
{
    const struct run_part *part;
    const struct request *req = run->req;
    uint32_t number;
    while (req && consumer->backend_up && (part = run_parts_next(&run->parts, &number))) {
        struct backend_part what = {.id = req->msg.id,
                                    .run = str_of(run->parts.name),
                                    .number = number,
                                    .payload = part->payload,
                                    .overwrite_terminal = req->replayed,
                                    .reply_channel = request_reply_channel(&req->msg)};
        consumer->backend->ops->add_part(consumer->backend, &what, token_of(run));
    }
}

static bool is_wanted(const struct consumer *consumer, const struct request *req)
{
    return consumer->backend && req->msg.id.size &&
           !request_ignores_result(&req->msg, req->job.def, &consumer->options.policy) &&
           !(req->run && req->run->parts.superseded);
}

static bool add(struct consumer *consumer, struct run *run, umbel_str value, uint64_t source)
{
    umbel_str name = str_of(run->parts.name);
    buffer_clear(&consumer->scratch);
    if (report_write_part(&consumer->scratch, run->req, name, run->parts.count, value) != UMBEL_OK)
        return false;
    umbel_str payload = {(const char *)buffer_head(&consumer->scratch), buffer_length(&consumer->scratch)};
    return run_parts_add(&run->parts, payload, source, value.size);
}

void consumer_part(void *self, struct job *job, umbel_str value, uint64_t source)
{
    struct consumer *consumer = self;
    struct request *req = job->owner;
    struct run *run = NULL;
    consumer_call_leaves(consumer, req);
    if (is_wanted(consumer, req))
        run = req->run ? req->run : run_new(consumer, req);
    if (run && add(consumer, run, value, source))
        send_parts(consumer, run);
    else
        taken(consumer, source, value.size);
}

/* ---- answers ---- */

bool consumer_parts_first(struct request *req)
{
    if (!req->run || !req->run->parts.oldest)
        return false;
    req->run->result_waits = true;
    return true;
}

static void go_on(struct consumer *consumer, struct run *run)
{
    struct request *req = run->req;
    if (req && run->result_waits && !run->parts.oldest) {
        run->result_waits = false;
        consumer_store(consumer, req);
    } else if (!req && run->parts.under_way == 0) {
        run_free(run);
    }
}

void consumer_part_stored(struct consumer *consumer, uint64_t token, int code, const char *why)
{
    struct run *run = (struct run *)(uintptr_t)(token & ~(uint64_t)1);
    if (run_parts_answered(&run->parts, code))
        take_oldest(consumer, run);
    if (run->parts.superseded)
        drop_all(consumer, run);
    else if (run->parts.failed && run->parts.under_way == 0 && run->req)
        consumer_refused(consumer, code, why);
    go_on(consumer, run);
}

void consumer_parts_again(struct consumer *consumer)
{
    for (struct run *run = consumer->runs; run; run = run->next) {
        run_parts_again(&run->parts);
        send_parts(consumer, run);
    }
}

/* ---- what a result says of its parts ---- */

umbel_str consumer_run_name(const struct request *req, uint32_t *count)
{
    if (!req->run)
        return STR_NONE;
    *count = req->run->parts.count;
    return str_of(req->run->parts.name);
}
