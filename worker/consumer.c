/* consumer.c: the second half of a task's path through a worker, from its outcome to its acknowledgement.
 * Read it from consumer_finished (at the end) up: each function hands on to one above it. The first half is
 * consumer_admit.c.
 *
 *   delivered -> admit -> (look up | hold | read) -> dispatch
 *   finished -> end -> conclude -> store -> send -> acknowledge
 *
 * request.c decides, both files carry out. They fail by keeping: whatever cannot be stored or sent now stays
 * in hand, unacknowledged, and is tried again when the other side is back; how much that can be is bounded by
 * the prefetch. */
#include "worker/consumer_path.h"

#include <math.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/report.h"
#include "worker/sending.h"

#define AGAIN_MAX 10.0 /* seconds between two tries of a back end that refuses */

static void conclude(struct consumer *consumer, struct request *req);

/* ---- settling
 * --------------------------------------------------------------------------------------------------- */

static void settle_tag(struct consumer *consumer, const struct request *req, enum settle how)
{
    if (!req->settled && !req->undelivered)
        consumer->transport->ops->settle(consumer->transport, req->tag, how);
}

void consumer_acknowledge_early(struct consumer *consumer, struct request *req)
{
    settle_tag(consumer, req, SETTLE_ACK_AT_ONCE);
    req->settled = true;
}

/* When it was stored or sent after it had left the pool, what stood behind it (has_room, must_wait) was not
 * told when the pool had room. */
static void end_call(struct consumer *consumer, struct request *req)
{
    if (req->state != REQUEST_RUNNING && consumer->phase == PHASE_WORKING)
        loop_mark(consumer->options.loop, &consumer->pump_hook);
    if (req->call)
        consumer_call_ended(consumer, req);
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
    if (req->undelivered)
        end_call(consumer, req);
    request_set_give(&consumer->requests, req);
    if (consumer->phase != PHASE_WORKING && consumer->requests.in_hand == 0)
        loop_mark(consumer->options.loop, &consumer->idle_hook);
}

/* Not started, or not to be counted as started: the queue's again. As it came, unless it has caused deaths:
 * those are written on a copy, as long as the delivery is still ours. */
void consumer_hand_back(struct consumer *consumer, struct request *req)
{
    consumer->counts.handed_back++;
    if (req->undelivered) {
        void *call = req->call;
        req->call = NULL;
        settle(consumer, req, SETTLE_ACK);
        if (call)
            consumer->calls->dropped(consumer->calls_self, call);
        return;
    }
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
    if (sending_write(req, &req->ending, &context) == UMBEL_OK) {
        postbox_post(&consumer->postbox, &req->parcel);
    } else if (req->undelivered) { /* no queue has it */
        request_list_add(&consumer->waiting, req);
        consumer_refused(consumer, UMBEL_NO_MEMORY, NULL);
    } else {
        task_log_note(consumer->options.sink, UMBEL_ERROR, &req->msg, "handed back: out of memory");
        settle(consumer, req, SETTLE_REQUEUE);
    }
}

/* THE GUARANTEE. A delivery is acknowledged here and nowhere else, after everything that must outlive it is
 * safe: first its result is stored, where one is wanted; then its copy is confirmed by the broker, where one
 * is sent (parked, retried, delayed, handed back with its deaths). Each step ends by calling this function
 * again. If the worker dies between any two steps, the broker still has the message, and whoever gets it
 * looks up what was stored before running it again. The one exception is a task that asked for it: at most
 * once, acknowledged when it starts. */
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

void consumer_look_up(struct consumer *consumer, struct request *req)
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
        else if (req->state == REQUEST_SENDING)
            post(consumer, req);
        else if (req->lost || consumer->phase != PHASE_WORKING)
            consumer_hand_back(consumer, req);
        else
            consumer_look_up(consumer, req);
    }
}

void consumer_again(uv_timer_t *timer)
{
    consumer_ask_again(timer->data);
    consumer_room(timer->data);
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

/* It was to be tried again, but has an end: of another run, or because its caller took it back. */
static void leave_ended(struct consumer *consumer, struct request *req)
{
    req->ending.send = SEND_NOTHING;
    if (consumer->watched)
        consumer->events->task(consumer->self, NEWS_SUPERSEDED, req, &req->ending, NULL);
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
        leave_ended(consumer, req);
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

void consumer_facts(const struct consumer *consumer, const struct request *req, struct request_facts *facts)
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
    else if (req->msg.id.size && verdict->send == SEND_NOTHING)
        consumer->events->task(consumer->self, NEWS_SUPERSEDED, req, verdict, outcome);
}

/* The verdict is final: what is to be stored is written now, while the outcome's bytes are still there. */
void consumer_end(struct consumer *consumer, struct request *req, const struct verdict *verdict,
                  const struct outcome *outcome)
{
    umbel_str value = outcome ? outcome->value : STR_NONE;
    count_ending(consumer, verdict);
    if (req->call && consumer_call_answered(consumer, req, verdict, outcome)) {
        settle(consumer, req, SETTLE_ACK);
        return;
    }
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
    consumer_acknowledge_early(consumer, req);
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
    consumer_facts(consumer, req, &facts);
    request_unsendable(&facts, &verdict);
    consumer_end(consumer, req, &verdict, NULL);
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
    req->job.kept = STR_NONE;
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
    consumer_facts(consumer, req, &facts);
    buffer_clear(&consumer->text);
    request_finish(&facts, outcome, &consumer->text, &verdict);
    measure(consumer, job, outcome);
    req->pid = 0;
    req->deaths += request_counts(consumer->phase, outcome);
    req->msg.redelivered |= outcome->innocent; /* no death will show that it runs again */
    task_log_outcome(consumer->options.sink, req, outcome, &verdict, req->msg.deaths + req->deaths);
    if (verdict.kind == VERDICT_END) {
        consumer_end(consumer, req, &verdict, outcome);
    } else if (verdict.kind == VERDICT_RUN) {
        consumer_run_over(consumer, req);
        req->state = REQUEST_READY;
        consumer_put_ready(consumer, req);
        loop_mark(consumer->options.loop,
                  &consumer->pump_hook); /* not now: its child is still being buried */
    } else {
        consumer_hand_back(consumer, req);
    }
}
