/* consumer_test.c: the path of a task through the consumer: its result is safe before its delivery is
 * acknowledged, whether it ends, is tried again, is parked or takes its child with it. */
#include <string.h>
#include "consumer_world.h"

/* ---- the guarantee ---- */

Test(consumer, a_result_is_stored_before_its_delivery_is_acknowledged)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    cr_assert(world_was("run id-1;"));
    world_finish(0, OUTCOME_SUCCESS);
    cr_assert(world_was("store id-1 SUCCESS;"), "and nothing is acknowledged yet");
    world_stored(UMBEL_OK);
    cr_assert(world_was("ack 7;"));
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}

Test(consumer, a_result_that_stands_already_is_good_enough)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    world_finish(0, OUTCOME_FAILURE);
    world_stored(UMBEL_ALREADY_DONE);
    cr_assert(world_was("run id-1;store id-1 FAILURE;ack 7;"));
}

Test(consumer, a_result_that_cannot_be_stored_is_kept_unacknowledged_until_it_can)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    world_finish(0, OUTCOME_SUCCESS);
    consumer_backend_events.state(&world.consumer, BACKEND_CONNECTING, UMBEL_BACKEND_AWAY, "gone");
    world_stored(UMBEL_BACKEND_AWAY);
    world_turn();
    cr_assert(world_was("run id-1;store id-1 SUCCESS;"));
    consumer_backend_events.state(&world.consumer, BACKEND_UP, 0, NULL);
    cr_assert(world_was("store id-1 SUCCESS;"));
    world_stored(UMBEL_OK);
    cr_assert(world_was("ack 7;"));
}

Test(consumer, an_ignored_result_is_only_acknowledged)
{
    struct message msg = world_message("id-1");
    msg.ignore_result = 1;
    world_deliver(&msg, 7, 1);
    world_finish(0, OUTCOME_SUCCESS);
    cr_assert(world_was("run id-1;ack 7;"));
}

Test(consumer, at_most_once_is_acknowledged_when_it_begins)
{
    struct message msg = world_message("id-1");
    msg.task = STR("math.once");
    world_deliver(&msg, 7, 1);
    cr_assert(world_was("run id-1;ack at once 7;"));
    world_finish(0, OUTCOME_DIED);
    cr_assert(world_was("store id-1 FAILURE;"), "and a death is told, not tried again");
    world_stored(UMBEL_OK);
    cr_assert(world_was(""));
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}

/* ---- copies ---- */

Test(consumer, a_parked_copy_is_confirmed_before_the_original_is_acknowledged)
{
    struct message msg = world_message("id-1");
    msg.task = STR("no.such");
    world_deliver(&msg, 7, 1);
    cr_assert(world_was("store id-1 FAILURE;"));
    world_stored(UMBEL_OK);
    cr_assert(world_was("publish id-1 to q.dead creating because not-registered;"));
    world_published(UMBEL_OK);
    cr_assert(world_was("ack 7;"));
}

Test(consumer, a_copy_that_may_have_arrived_is_sent_again_and_says_so)
{
    struct message msg = world_message("id-1");
    msg.task = STR("no.such");
    world_deliver(&msg, 7, 1);
    world_stored(UMBEL_OK);
    world_forget();
    consumer_transport_events.state(&world.consumer, TRANSPORT_CONNECTING, UMBEL_BROKER_AWAY, "gone");
    world_published(UMBEL_BROKER_AWAY);
    cr_assert(world_was(""));
    consumer_transport_events.state(&world.consumer, TRANSPORT_UP, 0, NULL);
    cr_assert(world_was("publish id-1 to q.dead creating again because not-registered;"));
    world_published(UMBEL_OK);
    cr_assert(world_was("ack 7;"));
}

Test(consumer, a_retry_stores_its_state_sends_a_copy_and_acknowledges)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    world_finish(0, OUTCOME_RETRY);
    cr_assert(world_was("run id-1;store id-1 RETRY open;"));
    world_stored(UMBEL_OK);
    cr_assert(world_was("publish id-1 to q retry 1;"));
    world_published(UMBEL_OK);
    cr_assert(world_was("ack 7;"));
}

Test(consumer, the_copy_of_a_retry_is_not_mistaken_for_its_original)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    world_finish(0, OUTCOME_RETRY);
    world_stored(UMBEL_OK);
    world_forget();
    msg.retries = 1;
    msg.republished = true;
    world_deliver(&msg, 8, 1);
    cr_assert(world_was("begin id-1;"), "it is looked up, not adopted by the one whose copy it is");
    world_begun(false, 0);
    cr_assert(world_was("run id-1;"));
}

Test(consumer, what_is_due_later_goes_back_to_the_broker_with_a_delay)
{
    struct message msg = world_message("id-1");
    msg.eta = STR("2999-01-01T00:00:00+00:00");
    world_deliver(&msg, 7, 1);
    cr_assert(strstr(world.said, "publish id-1 to q in 3"));
    world_forget();
    world_published(UMBEL_OK);
    cr_assert(world_was("ack 7;"));
}

/* ---- what no frame can hold ---- */

Test(consumer, a_copy_too_large_for_the_broker_is_parked_without_its_headers)
{
    struct message msg = world_message("id-1");
    struct message_header extra[8];
    umbel_value null = {.kind = UMBEL_NULL};
    for (size_t i = 0; i < 8; i++)
        extra[i] = (struct message_header){{&"abcdefgh"[i], 1}, null};
    msg.extra = extra;
    msg.extra_count = 8;
    msg.task = STR("no.such");
    world.headers_max = 8;
    world_deliver(&msg, 7, 1);
    cr_assert(world_was("store id-1 FAILURE;"));
    world_stored(UMBEL_OK);
    cr_assert(world_was("publish id-1 to q.dead creating because not-registered;"),
              "its place in the prefetch comes back");
    world_published(UMBEL_OK);
    cr_assert(world_was("ack 7;"));
}

Test(consumer, a_retry_that_cannot_be_delayed_fails_and_is_parked)
{
    struct message msg = world_message("id-1");
    struct outcome outcome = {.kind = OUTCOME_RETRY, .error_message = STR("later"), .retry_after = 5};
    world.no_delays = true;
    world_deliver(&msg, 7, 1);
    consumer_pool_events.finished(&world.consumer, world.jobs[0], &outcome);
    world_stored(UMBEL_OK);
    cr_assert(world_was("run id-1;store id-1 RETRY open;store id-1 FAILURE;"));
    world_stored(UMBEL_OK);
    cr_assert(world_was("publish id-1 to q.dead creating because too-large;"));
    world_published(UMBEL_OK);
    cr_assert(world_was("ack 7;"));
}

/* ---- deaths ---- */

Test(consumer, a_task_whose_child_died_runs_again_alone_and_is_parked_after_the_third)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    world_finish(0, OUTCOME_DIED);
    cr_assert(world_was("run id-1;"), "not from inside the report of the death");
    world_turn();
    world_finish(1, OUTCOME_DIED);
    world_turn();
    cr_assert(world_was("run id-1 alone;run id-1 alone;"));
    world_finish(2, OUTCOME_DIED);
    cr_assert(world_was("store id-1 FAILURE;"));
    world_stored(UMBEL_OK);
    cr_assert(world_was("publish id-1 to q.dead creating deaths 3 because deaths;"));
    world_published(UMBEL_OK);
    cr_assert(world_was("ack 7;"));
}

Test(consumer, a_task_that_died_for_another_ones_sake_runs_again_among_others_and_is_marked)
{
    struct message msg = world_message("id-1");
    struct outcome outcome = {.kind = OUTCOME_DIED, .innocent = true};
    world_deliver(&msg, 7, 1);
    for (int i = 0; i < 5; i++) {
        world.room++;
        consumer_pool_events.finished(&world.consumer, world.jobs[i], &outcome);
        world_turn();
        cr_assert(world.jobs[i + 1]->msg->redelivered);
        cr_assert_eq(world.jobs[i + 1]->deaths, 0);
    }
    cr_assert(world_was("run id-1;run id-1;run id-1;run id-1;run id-1;run id-1;"));
}

Test(consumer, deaths_of_workers_are_counted_by_their_start_marks)
{
    struct message msg = world_message("id-1");
    msg.redelivered = true;
    world_deliver(&msg, 7, 1);
    world_begun(false, 2);
    cr_assert(world_was("begin id-1;run id-1 alone;"));
    world_finish(0, OUTCOME_DIED);
    cr_assert(world_was("store id-1 FAILURE;"), "the third death is its last");
}
