/* request.c: the rules of a request's life. Pure: see request.h.
 *
 * The order of the rules in request_admit is the order in which they matter: what cannot be a task comes
 * first, what has already ended second, what may not run third, when it may run last. */
#include "worker/request.h"

#include <math.h>
#include <signal.h>
#include "common/clock.h"
#include "common/reply_channel.h"
#include "common/str.h"

/* ---- smaller decisions
 * ------------------------------------------------------------------------------------------ */

bool request_flagged(const struct message *msg)
{
    return msg->redelivered || msg->republished;
}

bool request_at_most_once(const umbel_task_def *def, const struct request_policy *policy)
{
    if (def && def->options.acks != UMBEL_ACKS_DEFAULT)
        return def->options.acks == UMBEL_AT_MOST_ONCE;
    return def && policy->at_most_once;
}

/* A caller's header or the task may ask for silence; a header of false is no wish, Python's clients always
 * send one. */
bool request_ignores_result(const struct message *msg, const umbel_task_def *def,
                            const struct request_policy *policy)
{
    if (!policy->results || msg->ignore_result == 1)
        return true;
    if (def && def->options.ignore_result != UMBEL_DEFAULT)
        return def->options.ignore_result == UMBEL_ON;
    return policy->ignore_result;
}

bool request_tracks_start(const struct message *msg, const umbel_task_def *def,
                          const struct request_policy *policy)
{
    umbel_switch own = def ? def->options.track_started : UMBEL_OFF;
    bool tracked = own == UMBEL_DEFAULT ? policy->track_started : own == UMBEL_ON;
    return tracked && !request_ignores_result(msg, def, policy);
}

int request_max_deaths(const umbel_task_def *def, const struct request_policy *policy)
{
    return def && def->options.max_deaths > 0 ? def->options.max_deaths : policy->max_deaths;
}

umbel_str request_reply_channel(const struct message *msg)
{
    return reply_channel_is(msg->reply_to) ? msg->reply_to : STR_NONE;
}

enum codec request_result_codec(const struct message *msg, const struct request_policy *policy)
{
    const struct codec_row *row =
        reply_channel_is(msg->reply_to) ? codec_by_content_type(msg->content_type) : NULL;
    return row ? codec_of(row) : policy->result_codec;
}

static double first_limit(double call, double task, double worker)
{
    return call > 0 ? call : task > 0 ? task : worker;
}

void request_limits(const struct message *msg, const umbel_task_def *def, const struct request_policy *policy,
                    double *hard, double *soft)
{
    *hard = first_limit(msg->hard_limit, def ? def->options.time_limit : 0, policy->time_limit);
    *soft = first_limit(msg->soft_limit, def ? def->options.soft_time_limit : 0, policy->soft_time_limit);
}

bool request_expired(const struct message *msg, double now)
{
    double when;
    return msg->expires.size && clock_parse(msg->expires, &when) == UMBEL_OK && when <= now;
}

/* ---- verdicts
 * --------------------------------------------------------------------------------------------------- */

static umbel_str written(const struct buffer *text, size_t from)
{
    return (umbel_str){(const char *)buffer_head(text) + from, buffer_length(text) - from};
}

static void go_on(struct verdict *verdict, enum verdict_kind kind)
{
    *verdict = (struct verdict){.kind = kind};
}

/* The task failed for good. What cannot be stored because nobody gave an id is only parked. */
static void fail(const struct request_facts *facts, umbel_str type, umbel_str message, const char *park,
                 struct verdict *verdict)
{
    *verdict = (struct verdict){.kind = VERDICT_END,
                                .store = facts->msg->id.size &&
                                         !request_ignores_result(facts->msg, facts->def, facts->policy),
                                .state = RESULT_FAILURE,
                                .error_type = type,
                                .error_message = message,
                                .send = park ? SEND_PARK : SEND_NOTHING,
                                .reason = park};
}

static void fail_text(const struct request_facts *facts, umbel_str type, const char *message,
                      const char *park, struct verdict *verdict)
{
    fail(facts, type, str_of(message), park, verdict);
}

static void end_quietly(struct verdict *verdict, enum request_sending send, double delay)
{
    *verdict = (struct verdict){.kind = VERDICT_END, .send = send, .delay = delay};
}

/* ---- admission
 * -------------------------------------------------------------------------------------------------- */

static bool admit_as_task(const struct request_facts *facts, struct verdict *verdict)
{
    const struct message *msg = facts->msg;
    if (facts->garbled)
        fail_text(facts, STR("DecodeError"), facts->garbled_why, "garbled", verdict);
    else if (!msg->task.size && facts->was_read)
        fail_text(facts, STR("DecodeError"), "the message names no task", "unknown", verdict);
    else if (!msg->task.size)
        go_on(verdict, VERDICT_READ);
    else if (!msg->id.size)
        fail_text(facts, STR("DecodeError"), "the message has no id", "no-id", verdict);
    else
        return true;
    return false;
}

/* A message that may have run before: here at this moment, or to its end at some other time. */
static bool admit_once(const struct request_facts *facts, struct verdict *verdict)
{
    if (!request_flagged(facts->msg))
        return true;
    if (facts->running_here)
        go_on(verdict, VERDICT_ADOPT);
    else if (!facts->looked_up && facts->policy->results)
        go_on(verdict, VERDICT_LOOK_UP);
    else if (facts->history.terminal && !facts->replayed)
        end_quietly(verdict, SEND_NOTHING, 0);
    else
        return true;
    return false;
}

static void fail_for_deaths(const struct request_facts *facts, struct buffer *text, struct verdict *verdict)
{
    size_t from = buffer_length(text);
    buffer_format(text, "a child or worker died %d times while it ran; parked in '%.*s.dead'", facts->deaths,
                  (int)facts->msg->queue.size, facts->msg->queue.data);
    fail(facts, STR("WorkerLostError"), written(text, from), "deaths", verdict);
}

static bool admit_to_run(const struct request_facts *facts, struct buffer *text, struct verdict *verdict)
{
    const struct message *msg = facts->msg;
    if (facts->revoked || request_expired(msg, facts->now)) {
        fail_text(facts, STR("TaskRevokedError"), facts->revoked ? "revoked" : "expired", NULL, verdict);
        verdict->state = RESULT_REVOKED;
    } else if (!facts->def) {
        fail(facts, STR("NotRegistered"), msg->task, "not-registered", verdict);
    } else if (facts->deaths > 0 && facts->deaths >= request_max_deaths(facts->def, facts->policy)) {
        fail_for_deaths(facts, text, verdict);
    } else if (facts->history.starts > 0 && request_at_most_once(facts->def, facts->policy)) {
        fail_text(facts, STR("WorkerLostError"), "its worker was lost; it is not run again (at most once)",
                  NULL, verdict);
    } else {
        return true;
    }
    return false;
}

static bool readable_time(const struct request_facts *facts, const char *name, umbel_str value,
                          struct buffer *text, struct verdict *verdict)
{
    double when;
    if (!value.size || clock_parse(value, &when) == UMBEL_OK)
        return true;
    size_t from = buffer_length(text);
    buffer_format(text, "header %s is no ISO 8601 time: '%.*s'", name,
                  (int)(value.size > 64 ? 64 : value.size), value.data);
    fail(facts, STR("ValueError"), written(text, from), "bad-header", verdict);
    return false;
}

static void admit_when_due(const struct request_facts *facts, struct verdict *verdict)
{
    double due;
    if (!facts->msg->eta.size || clock_parse(facts->msg->eta, &due) != UMBEL_OK || due <= facts->now) {
        go_on(verdict, VERDICT_RUN);
    } else if (due - facts->now < REQUEST_HOLD_MAX) {
        go_on(verdict, VERDICT_HOLD);
        verdict->delay = due - facts->now;
    } else {
        end_quietly(verdict, SEND_DELAY, due - facts->now);
    }
}

void request_admit(const struct request_facts *facts, struct buffer *text, struct verdict *verdict)
{
    if (admit_as_task(facts, verdict) && admit_once(facts, verdict) &&
        readable_time(facts, "expires", facts->msg->expires, text, verdict) &&
        readable_time(facts, "eta", facts->msg->eta, text, verdict) && admit_to_run(facts, text, verdict))
        admit_when_due(facts, verdict);
}

/* ---- outcome
 * ---------------------------------------------------------------------------------------------------- */

static const char *signal_name(int number)
{
    const char *name = sigabbrev_np(number);
    return name ? name : "?";
}

static void write_how_it_died(struct buffer *text, const struct outcome *outcome)
{
    if (outcome->signal)
        buffer_format(text, "child %d died of signal %d (SIG%s)", outcome->pid, outcome->signal,
                      signal_name(outcome->signal));
    else
        buffer_format(text, "child %d exited with code %d", outcome->pid, outcome->exit_code);
}

/* What is known of a child's end, in place of a traceback. */
static umbel_str write_evidence(struct buffer *text, const struct outcome *outcome)
{
    size_t from = buffer_length(text);
    buffer_format(text, "memory peak %.1f MiB, CPU %.2f s", (double)outcome->memory_peak / (1024.0 * 1024.0),
                  outcome->cpu_seconds);
    if (outcome->traceback.size)
        buffer_format(text, "\n%.*s", (int)outcome->traceback.size, outcome->traceback.data);
    return written(text, from);
}

static void set_evidence(struct verdict *verdict, struct buffer *text, const struct outcome *outcome,
                         size_t message_from)
{
    /* The buffer may move while it grows, so the texts are looked up by their offsets at the end. */
    size_t message_end = buffer_length(text);
    verdict->traceback = write_evidence(text, outcome);
    verdict->error_message =
        (umbel_str){(const char *)buffer_head(text) + message_from, message_end - message_from};
}

bool request_counts(enum request_phase phase, const struct outcome *outcome)
{
    return outcome->kind == OUTCOME_DIED && phase != PHASE_KILLING && !outcome->innocent;
}

static void finish_died(const struct request_facts *facts, const struct outcome *outcome, struct buffer *text,
                        struct verdict *verdict)
{
    bool once = request_at_most_once(facts->def, facts->policy);
    int deaths = facts->deaths + (request_counts(facts->phase, outcome) ? 1 : 0);
    if (!once && facts->phase == PHASE_KILLING) {
        go_on(verdict, VERDICT_REQUEUE);
    } else if (!once && (outcome->innocent || deaths < request_max_deaths(facts->def, facts->policy))) {
        if (facts->phase == PHASE_WORKING)
            go_on(verdict, VERDICT_RUN);
        else
            end_quietly(verdict, SEND_BACK, 0);
    } else {
        size_t from = buffer_length(text);
        write_how_it_died(text, outcome);
        if (once)
            buffer_text(text, "; it is not run again (at most once)");
        else
            buffer_format(text, ", %d time%s; parked in '%.*s.dead'", deaths, deaths == 1 ? "" : "s",
                          (int)facts->msg->queue.size, facts->msg->queue.data);
        fail(facts, STR("WorkerLostError"), STR_NONE, once ? NULL : "deaths", verdict);
        set_evidence(verdict, text, outcome, from);
    }
}

static void finish_timed_out(const struct request_facts *facts, const struct outcome *outcome,
                             struct buffer *text, struct verdict *verdict)
{
    double hard, soft;
    request_limits(facts->msg, facts->def, facts->policy, &hard, &soft);
    if (facts->time_limit > 0)
        hard = facts->time_limit;
    size_t from = buffer_length(text);
    buffer_format(text, "%g", hard);
    fail(facts, STR("TimeLimitExceeded"), STR_NONE, NULL, verdict);
    set_evidence(verdict, text, outcome, from);
}

static void finish_memory(const struct request_facts *facts, const struct outcome *outcome,
                          struct buffer *text, struct verdict *verdict)
{
    size_t from = buffer_length(text);
    buffer_format(text, "the task used %.1f MiB, which is over the worker's limit",
                  (double)outcome->memory_peak / (1024.0 * 1024.0));
    fail(facts, STR("MemoryLimitExceeded"), STR_NONE, NULL, verdict);
    set_evidence(verdict, text, outcome, from);
}

static void finish_retry(const struct request_facts *facts, const struct outcome *outcome,
                         struct verdict *verdict)
{
    *verdict = (struct verdict){
        .kind = VERDICT_END,
        .store = !request_ignores_result(facts->msg, facts->def, facts->policy),
        .state = RESULT_RETRY,
        .error_type = outcome->error_type.size ? outcome->error_type : STR("Retry"),
        .error_message = outcome->error_message,
        .traceback = outcome->traceback,
        .send = SEND_RETRY,
        .delay = outcome->retry_after > 0 && isfinite(outcome->retry_after) ? outcome->retry_after : 0};
}

static void finish_success(const struct request_facts *facts, struct verdict *verdict)
{
    *verdict = (struct verdict){.kind = VERDICT_END,
                                .store = !request_ignores_result(facts->msg, facts->def, facts->policy),
                                .state = RESULT_SUCCESS};
}

static void finish_cancelled(const struct request_facts *facts, struct verdict *verdict)
{
    fail_text(facts, STR("TaskRevokedError"), "terminated", NULL, verdict);
    verdict->state = RESULT_REVOKED;
}

void request_unsendable(const struct request_facts *facts, struct verdict *verdict)
{
    fail_text(facts, STR("ValueError"),
              "its copy cannot be sent: the headers or the queue's name are too long for the broker",
              "too-large", verdict);
    verdict->bare = true;
}

static umbel_str type_or(umbel_str type, umbel_str otherwise)
{
    return type.size ? type : otherwise;
}

void request_finish(const struct request_facts *facts, const struct outcome *outcome, struct buffer *text,
                    struct verdict *verdict)
{
    switch (outcome->kind) {
    case OUTCOME_SUCCESS:
        finish_success(facts, verdict);
        break;
    case OUTCOME_FAILURE:
        fail(facts, type_or(outcome->error_type, STR("RuntimeError")), outcome->error_message, NULL, verdict);
        verdict->traceback = outcome->traceback;
        break;
    case OUTCOME_RETRY:
        finish_retry(facts, outcome, verdict);
        break;
    case OUTCOME_DIED:
        finish_died(facts, outcome, text, verdict);
        break;
    case OUTCOME_TIMED_OUT:
        finish_timed_out(facts, outcome, text, verdict);
        break;
    case OUTCOME_MEMORY:
        finish_memory(facts, outcome, text, verdict);
        break;
    case OUTCOME_BAD_BODY:
        fail(facts, type_or(outcome->error_type, STR("ValueError")), outcome->error_message, "bad-body",
             verdict);
        break;
    case OUTCOME_UNSUPPORTED:
        fail(facts, STR("NotImplementedError"), outcome->error_message, "unsupported", verdict);
        break;
    case OUTCOME_CANCELLED:
        finish_cancelled(facts, verdict);
        break;
    case OUTCOME_READ: /* the consumer has put the message read in its place and asks for admission again */
        go_on(verdict, facts->phase == PHASE_WORKING ? VERDICT_RUN : VERDICT_REQUEUE);
        break;
    }
}
