#include "tests/unit/client_rig.h"

Test(outbox, a_confirmed_message_is_accepted)
{
    struct rig *rig = rig_new();
    umbel_future *future = rig_submit(rig, "a");
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_SENDING);
    rig_published(rig, 0, UMBEL_OK, NULL);
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_ACCEPTED);
    cr_assert_eq(umbel_flush(rig->client, 0), UMBEL_OK);
    umbel_future_free(future);
    rig_free(rig);
}

Test(outbox, a_flush_does_not_end_before_the_last_confirm)
{
    struct rig *rig = rig_new();
    umbel_future *first = rig_submit(rig, "a"), *second = rig_submit(rig, "b");
    rig_published(rig, 1, UMBEL_OK, NULL);
    cr_assert_eq(umbel_flush(rig->client, 0), UMBEL_TIMEOUT);
    rig_published(rig, 0, UMBEL_OK, NULL);
    cr_assert_eq(umbel_flush(rig->client, 0), UMBEL_OK);
    umbel_future_free(first);
    umbel_future_free(second);
    rig_free(rig);
}

Test(outbox, an_unroutable_message_names_its_queue_and_the_remedy)
{
    struct rig *rig = rig_new();
    umbel_future *future = rig_submit(rig, "a");
    rig_published(rig, 0, UMBEL_UNROUTABLE, "no route");
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_UNSENT);
    cr_assert_eq(umbel_get(future, 0, NULL), UMBEL_UNROUTABLE);
    cr_assert_str_eq(umbel_error(future),
                     "task math.add[a] was not sent: no worker has created queue 'math' yet; "
                     "start one, or ask for the queue (create_queue)");
    cr_assert_eq(umbel_flush(rig->client, 0), UMBEL_UNROUTABLE, "a flush tells the first failure");
    cr_assert_eq(umbel_flush(rig->client, 0), UMBEL_OK, "once");
    umbel_future_free(future);
    rig_free(rig);
}

Test(outbox, a_message_of_a_lost_connection_is_sent_again_and_marked)
{
    struct rig *rig = rig_new();
    umbel_future *future = rig_submit(rig, "a");
    rig->answer = UMBEL_BROKER_AWAY;
    rig_published(rig, 0, UMBEL_BROKER_AWAY, "reset");
    rig_tick(rig, 1);
    cr_assert_eq(rig->sent_count, 1);
    rig->answer = UMBEL_OK;
    outbox_state(&rig->engine->outbox, TRANSPORT_UP, UMBEL_OK, "");
    cr_assert_eq(rig->sent_count, 2);
    cr_assert(!rig->sent[0].republished && rig->sent[1].republished);
    rig_published(rig, 1, UMBEL_OK, NULL);
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_ACCEPTED);
    umbel_future_free(future);
    rig_free(rig);
}

Test(outbox, an_unconfirmed_message_is_never_sent_twice)
{
    struct rig *rig = rig_new();
    umbel_future *future = umbel_submit(rig->client, "math.add", UMBEL_ARGS(), .unconfirmed = true);
    rig_send(rig);
    rig_published(rig, 0, UMBEL_BROKER_AWAY, "reset");
    rig_tick(rig, 1);
    cr_assert_eq(rig->sent_count, 1);
    cr_assert_eq(umbel_future_code(future), UMBEL_BROKER_AWAY);
    umbel_future_free(future);
    rig_free(rig);
}

Test(outbox, what_was_answered_before_its_confirm_is_not_sent_again)
{
    struct rig *rig = rig_new();
    umbel_future *future = rig_submit(rig, "a");
    rig_notice(rig, "a", RESULT_SUCCESS, "5");
    rig_published(rig, 0, UMBEL_BROKER_AWAY, "reset");
    rig_tick(rig, 1);
    cr_assert_eq(rig->sent_count, 1);
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_SUCCEEDED);
    umbel_future_free(future);
    rig_free(rig);
}

Test(outbox, a_message_past_its_deadline_fails_and_its_late_confirm_is_swallowed)
{
    struct rig *rig = rig_new();
    umbel_future *future = rig_submit(rig, "a");
    umbel_future *patient = umbel_submit(rig->client, "math.add", UMBEL_ARGS(), .timeout = 60);
    rig_send(rig);
    rig_tick(rig, 900);
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_SENDING);
    rig_tick(rig, 1100);
    cr_assert_eq(umbel_future_code(future), UMBEL_BROKER_AWAY);
    cr_assert(strstr(umbel_error(future), "does not confirm"), "%s", umbel_error(future));
    rig_published(rig, 0, UMBEL_OK, NULL);
    cr_assert_eq(umbel_future_code(future), UMBEL_BROKER_AWAY);
    cr_assert_eq(umbel_flush(rig->client, 0), UMBEL_TIMEOUT, "the other one is still out");
    rig_published(rig, 1, UMBEL_OK, NULL);
    cr_assert_eq(umbel_flush(rig->client, 0), UMBEL_BROKER_AWAY);
    cr_assert_eq(rig->engine->outbox.used, 0);
    umbel_future_free(future);
    umbel_future_free(patient);
    rig_free(rig);
}

Test(outbox, a_broker_that_blocks_is_named_at_the_deadline)
{
    struct rig *rig = rig_new();
    rig->answer = UMBEL_BROKER_BLOCKED;
    outbox_state(&rig->engine->outbox, TRANSPORT_BLOCKED, UMBEL_BROKER_BLOCKED, "low on memory");
    umbel_future *future = rig_submit(rig, "a");
    rig_tick(rig, 1100);
    cr_assert_eq(umbel_future_code(future), UMBEL_BROKER_BLOCKED);
    cr_assert(strstr(umbel_error(future), "low on memory"), "%s", umbel_error(future));
    umbel_future_free(future);
    rig_free(rig);
}

Test(outbox, bad_credentials_fail_what_waits_at_once)
{
    struct rig *rig = rig_new();
    rig->engine->outbox.was_up = false;
    rig->answer = UMBEL_BROKER_AWAY;
    umbel_future *future = rig_submit(rig, "a");
    outbox_state(&rig->engine->outbox, TRANSPORT_FAILED, UMBEL_AUTH, "ACCESS_REFUSED");
    cr_assert_eq(umbel_future_code(future), UMBEL_AUTH);
    umbel_future_free(future);
    rig_turn(rig);
    rig_free(rig);
}

Test(outbox, a_broker_that_was_there_before_is_given_until_the_deadline)
{
    struct rig *rig = rig_new();
    rig->answer = UMBEL_BROKER_AWAY;
    umbel_future *future = rig_submit(rig, "a");
    outbox_state(&rig->engine->outbox, TRANSPORT_FAILED, UMBEL_AUTH, "ACCESS_REFUSED");
    cr_assert_eq(umbel_future_code(future), UMBEL_OK);
    rig_tick(rig, 1100);
    cr_assert_eq(umbel_future_code(future), UMBEL_AUTH);
    umbel_future_free(future);
    rig_free(rig);
}

Test(outbox, what_wants_a_result_waits_for_its_channel)
{
    struct rig *rig = rig_new();
    rig->engine->inbox.channel_ready = false;
    umbel_future *future = rig_submit(rig, "a");
    cr_assert_eq(rig->sent_count, 0);
    inbox_subscribed(&rig->engine->inbox, 0);
    outbox_send(&rig->engine->outbox);
    cr_assert_eq(rig->sent_count, 1);
    cr_assert_str_eq(rig->sent[0].reply_to, rig->channel);
    cr_assert_eq(strncmp(rig->channel, "umbel.", 6), 0);
    rig_published(rig, 0, UMBEL_OK, NULL);
    umbel_future_free(future);
    rig_free(rig);
}

Test(outbox, what_is_given_back_before_it_was_sent_asks_for_no_reply)
{
    struct rig *rig = rig_new();
    umbel_future_free(umbel_submit(rig->client, "math.add", UMBEL_ARGS()));
    rig_send(rig);
    cr_assert_eq(rig->sent_count, 1);
    cr_assert_str_eq(rig->sent[0].reply_to, "");
    cr_assert_eq(rig->engine->inbox.roster.count, 0);
    rig_published(rig, 0, UMBEL_OK, NULL);
    rig_free(rig);
}

Test(outbox, an_ignored_result_is_done_when_it_is_accepted)
{
    struct rig *rig = rig_new();
    umbel_future *future = umbel_submit(rig->client, "math.add", UMBEL_ARGS(), .ignore_result = UMBEL_ON);
    rig_send(rig);
    cr_assert_str_eq(rig->sent[0].reply_to, "");
    cr_assert(!umbel_done(future));
    rig_published(rig, 0, UMBEL_OK, NULL);
    cr_assert_eq(umbel_get(future, 0, NULL), UMBEL_OK);
    umbel_future_free(future);
    rig_free(rig);
}

Test(outbox, a_full_buffer_ends_the_wait_for_room_and_a_settled_message_makes_some)
{
    struct rig *rig = rig_new();
    char text[20000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    umbel_future *futures[4];
    for (int i = 0; i < 4; i++)
        futures[i] = umbel_submit(rig->client, "t", UMBEL_ARGS((const char *)text), .timeout = 0.02);
    cr_assert_eq(umbel_future_code(futures[2]), UMBEL_OK);
    cr_assert_eq(umbel_future_code(futures[3]), UMBEL_BUSY);
    rig_send(rig);
    rig_published(rig, 0, UMBEL_OK, NULL);
    umbel_future *next = umbel_submit(rig->client, "t", UMBEL_ARGS((const char *)text), .timeout = 0.02);
    cr_assert_eq(umbel_future_code(next), UMBEL_OK);
    rig_published(rig, 1, UMBEL_OK, NULL);
    rig_published(rig, 2, UMBEL_OK, NULL);
    for (int i = 0; i < 4; i++)
        umbel_future_free(futures[i]);
    umbel_future_free(next);
    rig_free(rig);
}

Test(outbox, a_message_larger_than_the_buffer_is_too_large)
{
    struct rig *rig = rig_new();
    char *text = calloc(1, 70000);
    memset(text, 'x', 69999);
    umbel_future *future = umbel_submit(rig->client, "t", UMBEL_ARGS((const char *)text));
    cr_assert_eq(umbel_future_code(future), UMBEL_TOO_LARGE);
    umbel_future_free(future);
    free(text);
    rig_free(rig);
}

Test(outbox, options_out_of_range_are_told_by_the_future)
{
    struct rig *rig = rig_new();
    umbel_future *futures[] = {
        umbel_submit(rig->client, "", UMBEL_ARGS()),
        umbel_submit(rig->client, NULL, UMBEL_ARGS()),
        umbel_submit(rig->client, "t", UMBEL_ARGS(), .priority = 256),
        umbel_submit(rig->client, "t", UMBEL_ARGS(), .expires = -1),
        umbel_submit(rig->client, "t", UMBEL_ARGS(), .queue = ""),
    };
    for (size_t i = 0; i < sizeof futures / sizeof *futures; i++) {
        cr_assert_eq(umbel_future_code(futures[i]), UMBEL_BAD_ARGUMENT, "%zu", i);
        umbel_future_free(futures[i]);
    }
    rig_free(rig);
}
