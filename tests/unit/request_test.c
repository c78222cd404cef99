#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include "common/str.h"
#include "worker/request.h"

#define NOW 1795252618.0 /* 2026-11-21T09:16:58 UTC */

static void never_run(umbel_task *task)
{
    (void)task;
}

struct stage {
    struct message msg;
    umbel_task_def def;
    struct request_policy policy;
    struct request_facts facts;
    struct buffer text;
    struct verdict verdict;
};

/* A plain registered task, delivered for the first time. */
static struct stage *stage_make(void)
{
    static struct stage stage;
    stage = (struct stage){.def = {sizeof(umbel_task_def), "math.add", never_run, {0}},
                           .policy = {.max_deaths = 3, .result_codec = CODEC_JSON, .results = true}};
    memset(&stage.msg, 0, sizeof stage.msg);
    stage.msg.expiration_ms = -1;
    stage.msg.group_index = -1;
    stage.msg.ignore_result = -1;
    stage.msg.queue = STR("celery");
    stage.msg.task = STR("math.add");
    stage.msg.id = STR("id-1");
    stage.facts =
        (struct request_facts){.msg = &stage.msg, .def = &stage.def, .policy = &stage.policy, .now = NOW};
    buffer_init(&stage.text, 65536);
    return &stage;
}

static const struct verdict *admit(struct stage *stage)
{
    buffer_clear(&stage->text);
    request_admit(&stage->facts, &stage->text, &stage->verdict);
    return &stage->verdict;
}

static const struct verdict *finish(struct stage *stage, struct outcome outcome)
{
    buffer_clear(&stage->text);
    request_finish(&stage->facts, &outcome, &stage->text, &stage->verdict);
    return &stage->verdict;
}

static void is_text(umbel_str text, const char *wanted)
{
    cr_assert(str_equal(text, str_of(wanted)), "'%.*s' is not '%s'", (int)text.size, text.data, wanted);
}

static bool holds(umbel_str text, const char *part)
{
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* ---- admission
 * -------------------------------------------------------------------------------------------------- */

Test(request, a_plain_task_is_run)
{
    cr_assert_eq(admit(stage_make())->kind, VERDICT_RUN);
}

Test(request, a_message_without_a_task_header_is_read_first_and_parked_when_it_still_names_none)
{
    struct stage *stage = stage_make();
    stage->msg.task = STR_NONE;
    cr_assert_eq(admit(stage)->kind, VERDICT_READ);
    stage->facts.was_read = true;
    cr_assert_eq(admit(stage)->kind, VERDICT_END);
    cr_assert_eq(stage->verdict.send, SEND_PARK);
    cr_assert_str_eq(stage->verdict.reason, "unknown");
}

Test(request, a_message_without_an_id_is_parked_and_nothing_is_stored)
{
    struct stage *stage = stage_make();
    stage->msg.id = STR_NONE;
    const struct verdict *verdict = admit(stage);
    cr_assert_eq(verdict->kind, VERDICT_END);
    cr_assert_not(verdict->store);
    cr_assert_eq(verdict->send, SEND_PARK);
    cr_assert_str_eq(verdict->reason, "no-id");
}

Test(request, a_garbled_message_is_parked_and_fails_under_its_id)
{
    struct stage *stage = stage_make();
    stage->facts.garbled = true;
    stage->facts.garbled_why = "header table too deep";
    const struct verdict *verdict = admit(stage);
    cr_assert(verdict->store);
    is_text(verdict->error_message, "header table too deep");
    cr_assert_str_eq(verdict->reason, "garbled");
}

Test(request, an_unknown_task_fails_and_is_parked)
{
    struct stage *stage = stage_make();
    stage->facts.def = NULL;
    const struct verdict *verdict = admit(stage);
    cr_assert(verdict->store);
    cr_assert_eq(verdict->state, RESULT_FAILURE);
    is_text(verdict->error_type, "NotRegistered");
    is_text(verdict->error_message, "math.add");
    cr_assert_str_eq(verdict->reason, "not-registered");
}

Test(request, an_expired_task_is_revoked_and_not_parked)
{
    struct stage *stage = stage_make();
    stage->msg.expires = STR("2026-11-21T09:16:57+00:00");
    const struct verdict *verdict = admit(stage);
    cr_assert_eq(verdict->state, RESULT_REVOKED);
    is_text(verdict->error_type, "TaskRevokedError");
    is_text(verdict->error_message, "expired");
    cr_assert_eq(verdict->send, SEND_NOTHING);
    stage->msg.expires = STR("2026-11-21T09:16:59+00:00");
    cr_assert_eq(admit(stage)->kind, VERDICT_RUN);
}

Test(request, a_time_that_cannot_be_read_is_no_reason_to_run_it)
{
    struct stage *stage = stage_make();
    stage->msg.eta = STR("tomorrow");
    const struct verdict *verdict = admit(stage);
    cr_assert_eq(verdict->send, SEND_PARK);
    is_text(verdict->error_type, "ValueError");
    is_text(verdict->error_message, "header eta is no ISO 8601 time: 'tomorrow'");
    stage->msg.eta = STR_NONE;
    stage->msg.expires = STR("never");
    cr_assert_str_eq(admit(stage)->reason, "bad-header");
}

Test(request, an_eta_is_waited_for_here_under_a_second_and_by_the_broker_above)
{
    static const struct {
        const char *eta;
        enum verdict_kind kind;
        enum request_sending send;
        double delay;
    } rows[] = {
        {"2026-11-21T09:16:57.000000+00:00", VERDICT_RUN, SEND_NOTHING, 0},
        {"2026-11-21T09:16:58.000000+00:00", VERDICT_RUN, SEND_NOTHING, 0},
        {"2026-11-21T09:16:58.500000+00:00", VERDICT_HOLD, SEND_NOTHING, 0.5},
        {"2026-11-21T09:16:59.000000+00:00", VERDICT_END, SEND_DELAY, 1.0},
        {"2026-11-21T10:16:58.000000Z", VERDICT_END, SEND_DELAY, 3600.0},
    };
    struct stage *stage = stage_make();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stage->msg.eta = str_of(rows[i].eta);
        const struct verdict *verdict = admit(stage);
        cr_assert_eq(verdict->kind, rows[i].kind, "%s", rows[i].eta);
        cr_assert_eq(verdict->send, rows[i].send, "%s", rows[i].eta);
        cr_assert_float_eq(verdict->delay, rows[i].delay, 0.001, "%s", rows[i].eta);
        cr_assert_not(verdict->store);
    }
}

Test(request, a_message_that_may_have_run_before_is_looked_up)
{
    struct stage *stage = stage_make();
    stage->msg.redelivered = true;
    cr_assert_eq(admit(stage)->kind, VERDICT_LOOK_UP);
    stage->msg.redelivered = false;
    stage->msg.republished = true;
    cr_assert_eq(admit(stage)->kind, VERDICT_LOOK_UP);
    stage->facts.looked_up = true;
    cr_assert_eq(admit(stage)->kind, VERDICT_RUN);
    stage->facts.looked_up = false;
    stage->policy.results = false;
    cr_assert_eq(admit(stage)->kind, VERDICT_RUN, "there is nobody to ask");
}

Test(request, what_has_ended_is_acknowledged_and_not_run)
{
    struct stage *stage = stage_make();
    stage->msg.redelivered = stage->facts.looked_up = true;
    stage->facts.history.terminal = true;
    const struct verdict *verdict = admit(stage);
    cr_assert_eq(verdict->kind, VERDICT_END);
    cr_assert_not(verdict->store);
    cr_assert_eq(verdict->send, SEND_NOTHING);
    stage->facts.replayed = true;
    cr_assert_eq(admit(stage)->kind, VERDICT_RUN, "a replay is a new life");
}

Test(request, what_runs_here_is_adopted_before_anybody_is_asked)
{
    struct stage *stage = stage_make();
    stage->facts.running_here = true;
    cr_assert_eq(admit(stage)->kind, VERDICT_RUN,
                 "an unmarked message of the same id is a caller's second call");
    stage->msg.redelivered = true;
    cr_assert_eq(admit(stage)->kind, VERDICT_ADOPT);
}

Test(request, three_deaths_park_it)
{
    struct stage *stage = stage_make();
    stage->facts.deaths = 2;
    cr_assert_eq(admit(stage)->kind, VERDICT_RUN);
    stage->facts.deaths = 3;
    const struct verdict *verdict = admit(stage);
    is_text(verdict->error_type, "WorkerLostError");
    cr_assert(holds(verdict->error_message, "3 times"));
    cr_assert(holds(verdict->error_message, "'celery.dead'"));
    cr_assert_str_eq(verdict->reason, "deaths");
    stage->def.options.max_deaths = 5;
    cr_assert_eq(admit(stage)->kind, VERDICT_RUN, "the task's own number wins");
}

Test(request, at_most_once_is_not_begun_a_second_time)
{
    struct stage *stage = stage_make();
    stage->def.options.acks = UMBEL_AT_MOST_ONCE;
    stage->msg.redelivered = stage->facts.looked_up = true;
    cr_assert_eq(admit(stage)->kind, VERDICT_RUN, "nothing says that it was begun");
    stage->facts.history.starts = stage->facts.deaths = 1;
    const struct verdict *verdict = admit(stage);
    is_text(verdict->error_type, "WorkerLostError");
    cr_assert_eq(verdict->send, SEND_NOTHING);
}

/* ---- outcome
 * ---------------------------------------------------------------------------------------------------- */

Test(request, success_is_stored_and_acknowledged)
{
    const struct verdict *verdict = finish(stage_make(), (struct outcome){.kind = OUTCOME_SUCCESS});
    cr_assert_eq(verdict->kind, VERDICT_END);
    cr_assert(verdict->store);
    cr_assert_eq(verdict->state, RESULT_SUCCESS);
    cr_assert_eq(verdict->send, SEND_NOTHING);
}

Test(request, a_failure_is_stored_as_the_task_said_it)
{
    const struct verdict *verdict = finish(stage_make(), (struct outcome){.kind = OUTCOME_FAILURE,
                                                                          .error_type = STR("KeyError"),
                                                                          .error_message = STR("x"),
                                                                          .traceback = STR("there")});
    cr_assert_eq(verdict->state, RESULT_FAILURE);
    is_text(verdict->error_type, "KeyError");
    is_text(verdict->error_message, "x");
    is_text(verdict->traceback, "there");
    cr_assert_eq(verdict->send, SEND_NOTHING);
}

Test(request, an_ignored_result_is_not_stored)
{
    struct stage *stage = stage_make();
    stage->msg.ignore_result = 1;
    cr_assert_not(finish(stage, (struct outcome){.kind = OUTCOME_SUCCESS})->store);
    stage->msg.ignore_result = 0;
    cr_assert(finish(stage, (struct outcome){.kind = OUTCOME_SUCCESS})->store);
    stage->def.options.ignore_result = UMBEL_ON;
    cr_assert_not(finish(stage, (struct outcome){.kind = OUTCOME_SUCCESS})->store,
                  "a client's false is only its default");
    stage->policy.ignore_result = true;
    stage->def.options.ignore_result = UMBEL_OFF;
    cr_assert(finish(stage, (struct outcome){.kind = OUTCOME_SUCCESS})->store,
              "the task wins over the worker");
}

Test(request, a_beginning_is_stored_when_the_task_or_the_worker_asks_for_it)
{
    static const struct {
        bool worker;
        umbel_switch task;
        bool ignored, tracked;
    } rows[] = {
        {false, UMBEL_DEFAULT, false, false}, {true, UMBEL_DEFAULT, false, true},
        {true, UMBEL_OFF, false, false},      {false, UMBEL_ON, false, true},
        {true, UMBEL_ON, true, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage *stage = stage_make();
        stage->policy.track_started = rows[i].worker;
        stage->def.options.track_started = rows[i].task;
        stage->msg.ignore_result = rows[i].ignored;
        cr_assert_eq(request_tracks_start(&stage->msg, &stage->def, &stage->policy), rows[i].tracked,
                     "row %zu", i);
    }
    struct stage *stage = stage_make();
    stage->policy.track_started = true;
    cr_assert_not(request_tracks_start(&stage->msg, NULL, &stage->policy), "a reader is no task");
}

Test(request, a_retry_stores_why_and_sends_a_copy)
{
    const struct verdict *verdict =
        finish(stage_make(),
               (struct outcome){.kind = OUTCOME_RETRY, .error_message = STR("not yet"), .retry_after = 2.5});
    cr_assert_eq(verdict->state, RESULT_RETRY);
    cr_assert(verdict->store);
    is_text(verdict->error_message, "not yet");
    cr_assert_eq(verdict->send, SEND_RETRY);
    cr_assert_eq(verdict->delay, 2.5);
}

static const struct outcome segfault = {
    .kind = OUTCOME_DIED, .pid = 77, .signal = SIGSEGV, .memory_peak = 3 << 20, .cpu_seconds = 0.25};

Test(request, a_death_runs_it_again_until_there_are_too_many)
{
    struct stage *stage = stage_make();
    cr_assert_eq(finish(stage, segfault)->kind, VERDICT_RUN);
    stage->facts.deaths = 2;
    const struct verdict *verdict = finish(stage, segfault);
    cr_assert_eq(verdict->kind, VERDICT_END);
    is_text(verdict->error_type, "WorkerLostError");
    is_text(verdict->error_message, "child 77 died of signal 11 (SIGSEGV), 3 times; parked in 'celery.dead'");
    is_text(verdict->traceback, "memory peak 3.0 MiB, CPU 0.25 s");
    cr_assert_str_eq(verdict->reason, "deaths");
}

Test(request, an_exit_inside_a_task_is_a_death_too)
{
    struct stage *stage = stage_make();
    stage->policy.max_deaths = 1;
    is_text(finish(stage, (struct outcome){.kind = OUTCOME_DIED, .pid = 7, .exit_code = 3})->error_message,
            "child 7 exited with code 3, 1 time; parked in 'celery.dead'");
}

Test(request, a_death_while_draining_is_handed_back_with_its_count)
{
    struct stage *stage = stage_make();
    stage->facts.phase = PHASE_DRAINING;
    const struct verdict *verdict = finish(stage, segfault);
    cr_assert_eq(verdict->kind, VERDICT_END);
    cr_assert_eq(verdict->send, SEND_BACK);
    cr_assert_not(verdict->store);
}

Test(request, who_is_killed_by_us_is_not_blamed)
{
    struct stage *stage = stage_make();
    stage->facts.phase = PHASE_KILLING;
    stage->facts.deaths = 2;
    cr_assert_eq(finish(stage, segfault)->kind, VERDICT_REQUEUE);
    stage->def.options.acks = UMBEL_AT_MOST_ONCE;
    const struct verdict *verdict = finish(stage, segfault);
    cr_assert_eq(verdict->kind, VERDICT_END, "it is acknowledged already, so its caller must be told");
    is_text(verdict->error_type, "WorkerLostError");
    cr_assert_eq(verdict->send, SEND_NOTHING);
}

Test(request, limits_fail_it_with_evidence_and_do_not_park_it)
{
    struct stage *stage = stage_make();
    stage->def.options.time_limit = 2.5;
    const struct verdict *verdict =
        finish(stage, (struct outcome){.kind = OUTCOME_TIMED_OUT, .memory_peak = 1 << 20});
    is_text(verdict->error_type, "TimeLimitExceeded");
    is_text(verdict->error_message, "2.5");
    cr_assert(holds(verdict->traceback, "memory peak 1.0 MiB"));
    cr_assert_eq(verdict->send, SEND_NOTHING);
    verdict = finish(stage, (struct outcome){.kind = OUTCOME_MEMORY, .memory_peak = 300 << 20});
    is_text(verdict->error_type, "MemoryLimitExceeded");
    cr_assert(holds(verdict->error_message, "300.0 MiB"));
    cr_assert_eq(verdict->send, SEND_NOTHING);
}

Test(request, what_cannot_be_carried_on_is_parked)
{
    struct stage *stage = stage_make();
    const struct verdict *verdict =
        finish(stage, (struct outcome){.kind = OUTCOME_UNSUPPORTED, .error_message = STR("chain")});
    is_text(verdict->error_type, "NotImplementedError");
    cr_assert_str_eq(verdict->reason, "unsupported");
    verdict = finish(stage, (struct outcome){.kind = OUTCOME_BAD_BODY, .error_message = STR("not JSON")});
    is_text(verdict->error_type, "ValueError");
    cr_assert_str_eq(verdict->reason, "bad-body");
    cr_assert(verdict->store);
}

/* ---- smaller decisions
 * ------------------------------------------------------------------------------------------ */

Test(request, the_call_wins_over_the_task_and_the_task_over_the_worker)
{
    struct stage *stage = stage_make();
    double hard, soft;
    stage->policy.time_limit = 30;
    request_limits(&stage->msg, &stage->def, &stage->policy, &hard, &soft);
    cr_assert_eq(hard, 30.0);
    stage->def.options.time_limit = 20;
    request_limits(&stage->msg, &stage->def, &stage->policy, &hard, &soft);
    cr_assert_eq(hard, 20.0);
    stage->msg.hard_limit = 10;
    request_limits(&stage->msg, &stage->def, &stage->policy, &hard, &soft);
    cr_assert_eq(hard, 10.0);
    cr_assert_eq(soft, 0.0);
}

Test(request, umbels_clients_are_answered_as_they_sent)
{
    struct stage *stage = stage_make();
    stage->msg.content_type = STR("application/x-msgpack");
    cr_assert_eq(request_result_codec(&stage->msg, &stage->policy), CODEC_JSON);
    stage->msg.reply_to = STR("umbel.0123");
    cr_assert_eq(request_result_codec(&stage->msg, &stage->policy), CODEC_MSGPACK);
    stage->msg.content_type = STR("application/x-python-serialize");
    cr_assert_eq(request_result_codec(&stage->msg, &stage->policy), CODEC_JSON);
}
