/* consumer.c: the path of a task through a worker. Read it from consumer_delivered (at the end) up: each
 * function hands on to one above it.
 *
 *   delivered -> admit -> (look up | hold | read) -> dispatch -> finished -> conclude -> store -> send ->
 * acknowledge
 *
 * request.c decides, this file carries out. It fails by keeping: whatever cannot be stored or sent now stays
 * in hand, unacknowledged, and is tried again when the other side is back; how much that can be is bounded by
 * the prefetch. */
#include "worker/consumer_path.h"

#include <math.h>
#include <string.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/nest_route.h"
#include "worker/registry.h"
#include "worker/report.h"
#include "worker/sending.h"

#define READER_LIMIT 10.0 /* seconds a reader may take for one body */
#define AGAIN_MAX 10.0    /* seconds between two tries of a back end that refuses */

static void conclude(struct consumer *consumer, struct request *req);

/* ---- settling
 * --------------------------------------------------------------------------------------------------- */

static void settle_tag(struct consumer *consumer, const struct request *req, enum settle how)
{
    if (!req->settled)
        consumer->transport->ops->settle(consumer->transport, req->tag, how);
}

/* The end of a request in this worker, and of its twins. */
static void settle(struct consumer *consumer, struct request *req, enum settle how)
{
    while (req->adopted) {
        struct request *twin = req->adopted;
        req->adopted = twin->adopted;
        settle_tag(consumer, twin, how);
        request_set_give(&consumer->requests, twin);
    }
    settle_tag(consumer, req, how);
    consumer_run_over(consumer, req);
    if (req->marked && consumer->backend)
        consumer->backend->ops->end_mark(consumer->backend, req->msg.id);
    request_set_give(&consumer->requests, req);
    if (consumer->phase != PHASE_WORKING && consumer->requests.in_hand == 0)
        loop_mark(consumer->options.loop, &consumer->idle_hook);
}

/* Not started, or not to be counted as started: the queue's again. As it came, unless it has caused deaths:
 * those are written on a copy, as long as the delivery is still ours. */
void consumer_hand_back(struct consumer *consumer, struct request *req)
{
    consumer->counts.handed_back++;
    if (req->deaths > 0 && consumer->phase != PHASE_KILLING && !req->lost) {
        req->ending = (struct verdict){.kind = VERDICT_END, .send = SEND_BACK};
        conclude(consumer, req);
        return;
    }
#ifdef UMBEL_DEFECT_NO_HAND_BACK
    settle(consumer, req, SETTLE_ACK);
#else
    settle(consumer, req, SETTLE_REQUEUE);
#endif
}

/* ---- the end of a task
 * ------------------------------------------------------------------------------------------ */

void consumer_store(struct consumer *consumer, struct request *req)
{
    req->state = REQUEST_STORING;
    if (consumer_parts_first(req))
        return;
    if (!consumer->backend_up) {
        request_list_add(&consumer->waiting, req);
        return;
    }
    struct backend_store what = {
        .id = req->msg.id,
        .payload = {(const char *)buffer_head(&req->payload), buffer_length(&req->payload)},
        .terminal = result_terminal(req->ending.state),
        .overwrite_terminal = req->replayed,
        .has_parts = req->run != NULL,
        .reply_channel = request_reply_channel(&req->msg)};
    consumer->backend->ops->store(consumer->backend, &what, (uint64_t)(uintptr_t)req);
}

/* From here on another delivery of this id may be the very copy that is sent now, so it must not be adopted.
 */
static void post(struct consumer *consumer, struct request *req)
{
    struct sending_context context = {consumer->options.worker_name, clock_now(), clock_mono()};
    request_set_leave(&consumer->requests, req);
    req->state = REQUEST_SENDING;
    if (sending_write(req, &req->ending, &context) != UMBEL_OK) {
        task_log_note(consumer->options.sink, UMBEL_ERROR, &req->msg, "handed back: out of memory");
        settle(consumer, req, SETTLE_REQUEUE);
        return;
    }
    postbox_post(&consumer->postbox, &req->parcel);
}

/* THE GUARANTEE. A delivery is acknowledged here and nowhere else, after everything that must outlive it is
 * safe: first its result is stored, where one is wanted; then its copy is confirmed by the broker, where one
 * is sent (parked, retried, delayed, handed back with its deaths). Each step ends by calling this function
 * again. If the worker dies between any two steps, the broker still has the message, and whoever gets it
 * looks up what was stored before running it again. The one exception is a task that asked for it: at most
 * once, acknowledged in `start`. */
static void conclude(struct consumer *consumer, struct request *req)
{
    if (req->ending.store)
        consumer_store(consumer, req);
    else if (req->ending.send != SEND_NOTHING)
        post(consumer, req);
    else
        settle(consumer, req, SETTLE_ACK);
}

void consumer_sent(void *self, struct parcel *parcel)
{
    struct request *req = parcel->owner;
    req->ending.send = SEND_NOTHING;
    conclude(self, req);
}

/* ---- waiting for the back end
 * ----------------------------------------------------------------------------------- */

static void look_up(struct consumer *consumer, struct request *req)
{
    req->state = REQUEST_LOOKUP;
    request_set_enter(&consumer->requests, req);
    if (req->marked) /* an unanswered look-up may have left its mark, which is no death */
        consumer->backend->ops->end_mark(consumer->backend, req->msg.id);
    if (consumer->backend_up)
        consumer->backend->ops->begin(consumer->backend, req->msg.id, (uint64_t)(uintptr_t)req);
    else
        request_list_add(&consumer->waiting, req);
}

/* Everything that waits is asked again; what is still refused comes back to the list. */
void consumer_ask_again(struct consumer *consumer)
{
    struct request_list list = consumer->waiting;
    consumer_parts_again(consumer);
    if (!list.first)
        return;
    request_list_init(&consumer->waiting);
    for (struct request *req; (req = request_list_take(&list));) {
        if (req->state == REQUEST_STORING)
            consumer_store(consumer, req);
        else if (req->lost || consumer->phase != PHASE_WORKING)
            consumer_hand_back(consumer, req);
        else
            look_up(consumer, req);
    }
}

void consumer_again(uv_timer_t *timer)
{
    consumer_ask_again(timer->data);
}

/* The answer was no, or none: kept until the back end is up, or after a pause that grows while it is up and
 * refuses. */
void consumer_refused(struct consumer *consumer, int code, const char *why)
{
    if (code == UMBEL_BACKEND_REFUSED && consumer->refusals++ == 0)
        log_line(consumer->log, UMBEL_ERROR, "worker",
                 "the result backend refuses: %s; results are kept and their tasks stay unacknowledged until "
                 "it takes them",
                 why && *why ? why : umbel_strerror(code));
    double pause = fmin(AGAIN_MAX, 0.25 * (double)(1 << (consumer->refusals < 6 ? consumer->refusals : 6)));
    if (!uv_is_active((uv_handle_t *)&consumer->again_timer))
        uv_timer_start(&consumer->again_timer, consumer_again, (uint64_t)(pause * 1000), 0);
}

static void keep(struct consumer *consumer, struct request *req, int code, const char *why)
{
    request_list_add(&consumer->waiting, req);
    consumer_refused(consumer, code, why);
}

static void taken(struct consumer *consumer)
{
    if (consumer->refusals)
        log_line(consumer->log, UMBEL_INFO, "worker", "the result backend takes results again");
    consumer->refusals = 0;
}

void consumer_stored(void *self, uint64_t token, int code, const char *why)
{
    struct consumer *consumer = self;
    struct request *req = (struct request *)(uintptr_t)token;
    if (!req)
        return; /* a progress: nothing hangs on it */
    if (consumer_is_part(token)) {
        consumer_part_stored(consumer, token, code, why);
        return;
    }
    if (code == UMBEL_BACKEND_AWAY || code == UMBEL_BACKEND_REFUSED) {
        keep(consumer, req, code, why);
        return;
    }
    taken(consumer);
    req->ending.store = false;
    if (code == UMBEL_ALREADY_DONE && req->ending.state == RESULT_RETRY)
        req->ending.send = SEND_NOTHING; /* it has ended elsewhere: nothing to try again */
    conclude(consumer, req);
}

void consumer_begun(void *self, uint64_t token, int code, struct backend_history history)
{
    struct consumer *consumer = self;
    struct request *req = (struct request *)(uintptr_t)token;
    if (code == UMBEL_BACKEND_AWAY || code == UMBEL_BACKEND_REFUSED) {
        req->marked = code == UMBEL_BACKEND_AWAY;
        keep(consumer, req, code, NULL);
        return;
    }
    taken(consumer);
    req->marked = true;
    req->looked_up = true;
    req->history = history;
    req->deaths += (int)history.starts;
    if (req->lost || consumer->phase != PHASE_WORKING)
        consumer_hand_back(consumer, req);
    else
        consumer_admit(consumer, req);
}

/* ---- the outcome
 * ------------------------------------------------------------------------------------------------ */

static void gather_facts(const struct consumer *consumer, const struct request *req,
                         struct request_facts *facts)
{
    *facts = (struct request_facts){.msg = &req->msg,
                                    .def = req->job.def,
                                    .policy = &consumer->options.policy,
                                    .phase = consumer->phase,
                                    .garbled = req->garbled != NULL,
                                    .garbled_why = req->garbled,
                                    .was_read = req->was_read,
                                    .looked_up = req->looked_up,
                                    .replayed = req->replayed,
                                    .history = req->history,
                                    .deaths = req->msg.deaths + req->deaths,
                                    .time_limit = req->job.time_limit};
}

/* A parked copy repeats the error, and is written after the verdict's texts are gone. */
static void keep_texts(struct request *req, struct verdict *verdict)
{
    if (verdict->send != SEND_PARK)
        return;
    verdict->error_type = arena_str(&req->arena, verdict->error_type);
    verdict->error_message = arena_str(&req->arena, verdict->error_message);
}

static void count_ending(struct consumer *consumer, const struct verdict *verdict)
{
    struct consumer_counts *counts = &consumer->counts;
    counts->succeeded += verdict->state == RESULT_SUCCESS;
    counts->failed += verdict->state == RESULT_FAILURE;
    counts->revoked += verdict->state == RESULT_REVOKED;
    counts->retried += verdict->send == SEND_RETRY;
    counts->parked += verdict->send == SEND_PARK;
}

static void tell_end(const struct consumer *consumer, const struct request *req,
                     const struct verdict *verdict, const struct outcome *outcome)
{
    static const enum task_news news[] = {[RESULT_SUCCESS] = NEWS_SUCCEEDED,
                                          [RESULT_FAILURE] = NEWS_FAILED,
                                          [RESULT_REVOKED] = NEWS_REVOKED,
                                          [RESULT_RETRY] = NEWS_RETRIED};
    if (req->msg.id.size && (result_terminal(verdict->state) || verdict->state == RESULT_RETRY))
        consumer->events->task(consumer->self, news[verdict->state], req, verdict, outcome);
}

/* The verdict is final: what is to be stored is written now, while the outcome's bytes are still there. */
static void end(struct consumer *consumer, struct request *req, const struct verdict *verdict,
                const struct outcome *outcome)
{
    umbel_str value = outcome ? outcome->value : STR_NONE;
    count_ending(consumer, verdict);
    if (consumer->watched)
        tell_end(consumer, req, verdict, outcome);
    req->ending = *verdict;
    keep_texts(req, &req->ending);
    if (verdict->store && report_write(req, verdict, value, clock_now()) != UMBEL_OK) {
        task_log_note(consumer->options.sink, UMBEL_ERROR, &req->msg,
                      "its result is too large to be kept; parked");
        req->ending.store = false;
        req->ending.send = SEND_PARK;
        req->ending.reason = "result-too-large";
    }
#ifdef UMBEL_DEFECT_ACK_FIRST
    settle_tag(consumer, req, SETTLE_ACK);
    req->settled = true;
#endif
    conclude(consumer, req);
}

/* The copy can never be sent as it is: what is left of it that fits anywhere is parked. */
void consumer_unsendable(void *self, struct parcel *parcel)
{
    struct consumer *consumer = self;
    struct request *req = parcel->owner;
    struct request_facts facts;
    struct verdict verdict;
    task_log_note(consumer->options.sink, UMBEL_ERROR, &req->msg,
                  "its copy is too large for the broker; parked without its headers");
    if (req->ending.send == SEND_PARK) { /* its result is stored already */
        req->ending.bare = true;
        conclude(consumer, req);
        return;
    }
    gather_facts(consumer, req, &facts);
    request_unsendable(&facts, &verdict);
    end(consumer, req, &verdict, NULL);
}

/* A reader has made a message of protocol 2 out of a foreign body: it takes the delivery's place. */
static bool replace_message(struct request *req, umbel_str packed)
{
    struct message old = req->msg, msg;
    umbel_str bytes = arena_str(&req->arena, packed);
    message_init(&msg);
    if (!bytes.data || message_unpack(&req->arena, bytes, &msg) != UMBEL_OK)
        return false;
    msg.queue = old.queue;
    msg.exchange = old.exchange;
    msg.routing_key = old.routing_key;
    msg.redelivered = old.redelivered;
    msg.republished = msg.republished || old.republished;
    msg.deaths = old.deaths;
    if (!msg.reply_to.size)
        msg.reply_to = old.reply_to;
    req->msg = msg;
    req->was_read = true;
    return true;
}

static void on_read(struct consumer *consumer, struct request *req, const struct outcome *outcome)
{
    req->deaths = 0;
    if (consumer->phase != PHASE_WORKING) {
        consumer_hand_back(consumer, req);
        return;
    }
    if (!replace_message(req, outcome->value))
        req->garbled = "the reader's answer cannot be understood";
    consumer_admit(consumer, req);
}

static void measure(struct consumer *consumer, const struct job *job, const struct outcome *outcome)
{
    consumer_note(consumer, job->def)->total++;
    if (outcome->kind == OUTCOME_SUCCESS || outcome->kind == OUTCOME_FAILURE ||
        outcome->kind == OUTCOME_RETRY)
        flow_finished(&consumer->flow, outcome->runtime);
}

/* A task may wait for what is nested: it stands before the others. */
static void put_ready(struct consumer *consumer, struct request *req)
{
    if (req->job.depth > 0)
        request_list_add_first(&consumer->ready, req);
    else
        request_list_add(&consumer->ready, req);
}

void consumer_finished(void *self, struct job *job, const struct outcome *outcome)
{
    struct consumer *consumer = self;
    struct request *req = job->owner;
    if (outcome->kind == OUTCOME_READ) {
        on_read(consumer, req, outcome);
        return;
    }
    struct request_facts facts;
    struct verdict verdict;
    gather_facts(consumer, req, &facts);
    buffer_clear(&consumer->text);
    request_finish(&facts, outcome, &consumer->text, &verdict);
    measure(consumer, job, outcome);
    req->pid = 0;
    req->deaths += request_counts(consumer->phase, outcome);
    req->msg.redelivered |= outcome->innocent; /* no death will show that it runs again */
    task_log_outcome(consumer->options.sink, req, outcome, &verdict, req->msg.deaths + req->deaths);
    if (verdict.kind == VERDICT_END) {
        end(consumer, req, &verdict, outcome);
    } else if (verdict.kind == VERDICT_RUN) {
        consumer_run_over(consumer, req);
        req->state = REQUEST_READY;
        put_ready(consumer, req);
        loop_mark(consumer->options.loop,
                  &consumer->pump_hook); /* not now: its child is still being buried */
    } else {
        consumer_hand_back(consumer, req);
    }
}

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

/* False: the pool has no room. */
static bool start(struct consumer *consumer, struct request *req)
{
    write_job(consumer, req);
    if (consumer->pool->ops->dispatch(consumer->pool, &req->job) != UMBEL_OK)
        return false;
    req->state = REQUEST_RUNNING;
    if (request_at_most_once(req->job.def, &consumer->options.policy) && !req->settled) {
        settle_tag(consumer, req, SETTLE_ACK);
        req->settled = true;
    }
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

static void make_ready(struct consumer *consumer, struct request *req)
{
    req->state = REQUEST_READY;
    request_set_enter(&consumer->requests, req);
    req->job.depth = nest_depth(&req->msg);
    if ((req->job.depth > 0 || !consumer->ready.first) && start(consumer, req))
        return;
    put_ready(consumer, req);
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
    end(consumer, req, verdict, NULL);
}

/* Asked when it comes, and again after each new fact. */
void consumer_admit(struct consumer *consumer, struct request *req)
{
    struct request_facts facts;
    struct verdict verdict;
    bool flagged = request_flagged(&req->msg);
    struct request *twin =
        flagged && !req->in_table ? request_set_find(&consumer->requests, req->msg.id) : NULL;
    req->job.def = req->msg.task.size ? registry_find(consumer->options.registry, req->msg.task) : NULL;
    req->job.result_codec = request_result_codec(&req->msg, &consumer->options.policy);
    gather_facts(consumer, req, &facts);
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
        look_up(consumer, req);
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
    if (req && message_copy(&req->arena, &req->msg, msg) != UMBEL_OK) {
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
    flow_delivered(&consumer->flow, consumer->requests.in_hand - consumer->requests.nested);
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
