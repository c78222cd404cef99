/* consumer_admit.c: the first half of a task's path through a worker, from its delivery into the pool. Read
 * it from consumer_delivered (at the end) up: each function hands on to one above it. What it needs to know
 * first is asked of the back end in consumer.c, which comes back to consumer_admit.
 *
 * It fails by handing back: a delivery for which there is no memory is the queue's again. */
#include "worker/consumer_path.h"

#include <math.h>
#include <string.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/nest_route.h"
#include "worker/registry.h"

#define READER_LIMIT 10.0 /* seconds a reader may take for one body */

/* ---- into the pool
 * ---------------------------------------------------------------------------------------------- */

static void write_job(struct consumer *consumer, struct request *req)
{
    struct job *job = &req->job;
    const struct request_policy *policy = &consumer->options.policy;
    job->msg = &req->msg;
    job->owner = req;
    job->depth = nest_depth(&req->msg);
    job->deaths = req->msg.deaths + req->deaths;
    job->alone = job->deaths > 0;
    if (job->reader) {
        job->time_limit = READER_LIMIT;
        return;
    }
    umbel_task_def changed;
    const umbel_task_def *def = job->def;
    const struct task_note *note = consumer->limited ? consumer_note(consumer, def) : NULL;
    if (note && note->limited) {
        changed = *def;
        changed.options.time_limit = note->time_limit;
        changed.options.soft_time_limit = note->soft_time_limit;
        def = &changed;
    }
    request_limits(&req->msg, def, policy, &job->time_limit, &job->soft_time_limit);
}

/* What the pool holds cannot expire any more; so behind calls of this program, of which it may hold many, it
 * is kept here until its place is free. Not what is nested: the call before it may be the one that waits. */
static bool must_wait(const struct consumer *consumer, const struct request *req)
{
    return req->msg.expires.size && req->job.depth == 0 &&
           consumer->requests.undelivered >= consumer->options.concurrency;
}

/* False: the pool has no room. */
static bool start(struct consumer *consumer, struct request *req)
{
    if (must_wait(consumer, req))
        return false;
    write_job(consumer, req);
    if (consumer->pool->ops->dispatch(consumer->pool, &req->job) != UMBEL_OK)
        return false;
    req->state = REQUEST_RUNNING;
    if (request_at_most_once(req->job.def, &consumer->options.policy) && !req->settled)
        consumer_acknowledge_early(consumer, req);
    return true;
}

/* Starts what waits, oldest first, until the pool is full. What was to begin for a delivery that is gone is
 * the broker's again; what has expired meanwhile is not begun. */
void consumer_pump(struct consumer *consumer)
{
    while (consumer->ready.first && consumer->phase == PHASE_WORKING) {
        struct request *req = consumer->ready.first;
        bool late = req->msg.expires.size && request_expired(&req->msg, clock_now());
        if (!req->lost && !late && !start(consumer, req))
            return;
        request_list_take(&consumer->ready);
        if (req->lost)
            consumer_hand_back(consumer, req);
        else if (late)
            consumer_admit(consumer, req);
    }
}

/* A task may wait for what is nested, and what must wait does so for calls of this program: they stand before
 * the others. */
void consumer_put_ready(struct consumer *consumer, struct request *req)
{
    if (req->job.depth > 0 || req->undelivered)
        request_list_add_first(&consumer->ready, req);
    else
        request_list_add(&consumer->ready, req);
}

static void make_ready(struct consumer *consumer, struct request *req)
{
    req->state = REQUEST_READY;
    if (!req->undelivered)
        request_set_enter(&consumer->requests, req);
    req->job.depth = nest_depth(&req->msg);
    bool overtakes = req->job.depth > 0 || req->undelivered || !consumer->ready.first;
    if (overtakes && start(consumer, req))
        return;
    consumer_put_ready(consumer, req);
}

/* ---- held for less than a second
 * ---------------------------------------------------------------------------------- */

static void arm_hold(struct consumer *consumer)
{
    if (!consumer->held)
        return;
    double wait = consumer->held->due - clock_mono();
    uv_timer_start(&consumer->hold_timer, consumer_due, wait > 0 ? (uint64_t)ceil(wait * 1000) : 0, 0);
}

static void hold(struct consumer *consumer, struct request *req, double seconds)
{
    req->state = REQUEST_HELD;
    req->due = clock_mono() + seconds;
    request_set_enter(&consumer->requests, req);
    struct request **at = &consumer->held;
    while (*at && (*at)->due <= req->due)
        at = &(*at)->next;
    req->next = *at;
    *at = req;
    arm_hold(consumer);
}

void consumer_due(uv_timer_t *timer)
{
    struct consumer *consumer = timer->data;
    double now = clock_mono();
    while (consumer->held && consumer->held->due <= now) {
        struct request *req = consumer->held;
        consumer->held = req->next;
        req->next = NULL;
        consumer_admit(consumer, req);
    }
    arm_hold(consumer);
}

/* ---- admission
 * -------------------------------------------------------------------------------------------------- */

/* Its twin is in hand. When the twin's own delivery died with its connection, this one takes its place; else
 * both are there to be acknowledged. (Epochs do not tell: each consumer of a connection may have its own.) */
static void adopt(struct consumer *consumer, struct request *twin, struct request *req)
{
    task_log_note(consumer->options.sink, UMBEL_INFO, &req->msg,
                  "delivered again while it runs here: acknowledged when that run ends");
    if (twin->lost) {
        twin->tag = req->tag;
        twin->lost = false;
        twin->settled = false;
        request_set_give(&consumer->requests, req);
        return;
    }
    req->state = REQUEST_ADOPTED;
    req->adopted = twin->adopted;
    twin->adopted = req;
}

static void refuse(struct consumer *consumer, struct request *req, const struct verdict *verdict)
{
    task_log_refused(consumer->options.sink, &req->msg, verdict);
    consumer_end(consumer, req, verdict, NULL);
}

/* Mostly it is the task that ended last. */
static const umbel_task_def *find_task(const struct consumer *consumer, umbel_str name)
{
    const umbel_task_def *last = consumer->last_def;
    if (name.size == 0)
        return NULL;
    return last && str_equal(str_of(last->name), name) ? last
                                                       : registry_find(consumer->options.registry, name);
}

/* Asked when it comes, and again after each new fact. */
void consumer_admit(struct consumer *consumer, struct request *req)
{
    struct request_facts facts;
    struct verdict verdict;
    bool flagged = request_flagged(&req->msg);
    struct request *twin =
        flagged && !req->in_table ? request_set_find(&consumer->requests, req->msg.id) : NULL;
    req->job.def = find_task(consumer, req->msg.task);
    req->job.result_codec = request_result_codec(&req->msg, &consumer->options.policy);
    consumer_facts(consumer, req, &facts);
    facts.running_here = twin != NULL;
    if (flagged || req->msg.eta.size || req->msg.expires.size)
        facts.now = clock_now();
    if (revoked_count(&consumer->revoked))
        facts.revoked = revoked_holds(&consumer->revoked, req->msg.id, clock_now());
    buffer_clear(&consumer->text);
    request_admit(&facts, &consumer->text, &verdict);
    req->job.reader = verdict.kind == VERDICT_READ;
    switch (verdict.kind) {
    case VERDICT_RUN:
    case VERDICT_READ:
        make_ready(consumer, req);
        break;
    case VERDICT_HOLD:
        hold(consumer, req, verdict.delay);
        break;
    case VERDICT_LOOK_UP:
        consumer_look_up(consumer, req);
        break;
    case VERDICT_ADOPT:
        adopt(consumer, twin, req);
        break;
    case VERDICT_REQUEUE:
        consumer_hand_back(consumer, req);
        break;
    case VERDICT_END:
        refuse(consumer, req, &verdict);
        break;
    }
}

/* The original of a copy that has overtaken it is marked late, but in time. */
static void remember_copy(struct consumer *consumer, struct request *req)
{
    if (req->msg.republished)
        copies_add(&consumer->copies, req->msg.id);
    else if (copies_any(&consumer->copies) && !req->replayed && copies_holds(&consumer->copies, req->msg.id))
        req->msg.redelivered = true;
}

/* A request that owns a copy of the message; NULL, and the delivery handed back, when that cannot be. */
static struct request *receive(struct consumer *consumer, struct tag tag, const struct message *msg)
{
    bool works = consumer->phase == PHASE_WORKING;
    bool nested = works && nested_flow_expects(&consumer->nested, tag.consumer);
    bool expected = nested || (works && flow_expects(&consumer->flow, tag.consumer));
    struct request *req = expected ? request_set_take(&consumer->requests) : NULL;
    if (req && message_keep(&req->arena, &req->msg, msg, &req->job.kept) != UMBEL_OK) {
        request_set_give(&consumer->requests, req);
        req = NULL;
    }
    if (!req) {
        consumer->transport->ops->settle(consumer->transport, tag, SETTLE_REQUEUE);
        return NULL;
    }
    req->tag = tag;
    req->nested = nested;
    consumer->requests.nested += nested;
    req->replayed = req->msg.extra_count && message_extra(&req->msg, "umbel-replayed") != NULL;
    remember_copy(consumer, req);
    consumer->counts.received++;
    flow_delivered(&consumer->flow,
                   consumer->requests.in_hand - consumer->requests.nested - consumer->requests.undelivered);
    return req;
}

void consumer_delivered(void *self, struct tag tag, const struct message *msg)
{
    struct consumer *consumer = self;
    struct request *req = receive(consumer, tag, msg);
    if (!req)
        return;
    task_log_received(consumer->options.sink, &req->msg);
    if (consumer->watched && req->msg.task.size && req->msg.id.size)
        consumer->events->task(consumer->self, NEWS_RECEIVED, req, NULL, NULL);
    consumer_admit(consumer, req);
}

void consumer_garbled(void *self, struct tag tag, const struct message *msg, const char *why)
{
    struct consumer *consumer = self;
    struct request *req = receive(consumer, tag, msg);
    if (!req)
        return;
    const char *copy = arena_copy(&req->arena, why, strlen(why));
    req->garbled = copy ? copy : "its headers cannot be read";
    consumer_admit(consumer, req);
}
