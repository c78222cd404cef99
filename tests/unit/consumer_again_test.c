/* consumer_again_test.c: a message that comes twice, or whose delivery was lost, is neither run beside itself
 * nor forgotten. */
#include "consumer_world.h"

/* ---- twice delivered ---- */

Test(consumer, what_has_ended_is_acknowledged_unrun_and_its_mark_cleared)
{
    struct message msg = world_message("id-1");
    msg.redelivered = true;
    world_deliver(&msg, 7, 1);
    world_begun(true, 0);
    cr_assert(world_was("begin id-1;ack 7;unmark id-1;"));
}

Test(consumer, a_second_delivery_of_what_runs_here_takes_the_place_of_the_lost_one)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    world_disown();
    msg.redelivered = true;
    world_deliver(&msg, 1, 2);
    cr_assert(world_was("run id-1;"), "not a second time");
    world_finish(0, OUTCOME_SUCCESS);
    world_stored(UMBEL_OK);
    cr_assert(world_was("store id-1 SUCCESS;ack 1;"), "the tag of the new connection");
}

Test(consumer, two_live_copies_are_acknowledged_together)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    msg.republished = true;
    world_deliver(&msg, 8, 1);
    world_finish(0, OUTCOME_SUCCESS);
    world_stored(UMBEL_OK);
    cr_assert(world_was("run id-1;store id-1 SUCCESS;ack 8;ack 7;"));
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}

Test(consumer, two_live_copies_of_two_consumers_are_both_acknowledged)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    msg.republished = true;
    world_deliver(&msg, 1, 2); /* each consumer of one connection has an epoch of its own */
    world_finish(0, OUTCOME_SUCCESS);
    world_stored(UMBEL_OK);
    cr_assert(world_was("run id-1;store id-1 SUCCESS;ack 1;ack 7;"));
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}

Test(consumer, lost_deliveries_that_have_not_started_are_let_go)
{
    struct message one = world_message("id-1"), two = world_message("id-2");
    world.room = 1;
    world_deliver(&one, 7, 1);
    world_deliver(&two, 8, 1);
    world_disown();
    cr_assert(world_was("run id-1;requeue 8;"), "settling a stale tag does nothing");
    cr_assert_eq(consumer_in_hand(&world.consumer), 1);
}

/* The connection that publishes is another one. */
Test(consumer, a_transport_that_cannot_publish_takes_no_deliveries_away)
{
    struct message one = world_message("id-1"), two = world_message("id-2");
    world.room = 1;
    world_deliver(&one, 7, 1);
    world_deliver(&two, 8, 1);
    consumer_transport_events.state(&world.consumer, TRANSPORT_CONNECTING, UMBEL_BROKER_AWAY, "gone");
    cr_assert(world_was("run id-1;"));
    cr_assert_eq(consumer_in_hand(&world.consumer), 2);
}

Test(consumer, deliveries_lost_while_the_transport_was_away_already_are_let_go)
{
    struct message one = world_message("id-1"), two = world_message("id-2");
    world.room = 1;
    consumer_transport_events.state(&world.consumer, TRANSPORT_CONNECTING, UMBEL_BROKER_AWAY, "gone");
    world_deliver(&one, 7, 1);
    world_deliver(&two, 8, 1);
    world_disown();
    cr_assert(world_was("run id-1;requeue 8;"));
    world_finish(0, OUTCOME_DIED);
    world_turn();
    cr_assert(world_was("requeue 7;"), "what died for a lost delivery is not world_begun again either");
}

Test(consumer, what_was_looked_up_for_a_lost_delivery_is_let_go)
{
    struct message msg = world_message("id-1");
    msg.redelivered = true;
    world_deliver(&msg, 7, 1);
    world_disown();
    world_begun(false, 0);
    cr_assert(world_was("begin id-1;requeue 7;unmark id-1;"));
}

/* ---- a copy overtakes its original ---- */

Test(consumer, an_original_that_its_copy_has_overtaken_is_not_run_beside_it)
{
    struct message original = world_message("id-1"), copy = original;
    copy.republished = true;
    world_deliver(&copy, 7, 1);
    world_deliver(&original, 8, 1); /* before the copy's history is known */
    world_begun(false, 0);
    world_finish(0, OUTCOME_SUCCESS);
    world_stored(UMBEL_OK);
    cr_assert(world_was("begin id-1;run id-1;store id-1 SUCCESS;ack 8;ack 7;unmark id-1;"));
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}

Test(consumer, an_original_that_comes_when_its_copy_has_ended_is_not_run_again)
{
    struct message original = world_message("id-1"), copy = original, other = world_message("id-2");
    copy.republished = true;
    world_deliver(&copy, 7, 1);
    world_begun(false, 0);
    world_finish(0, OUTCOME_SUCCESS);
    world_stored(UMBEL_OK);
    world_forget();
    world_deliver(&original, 8, 1);
    world_begun(true, 0);
    cr_assert(world_was("begin id-1;ack 8;unmark id-1;"));
    world_deliver(&other, 9, 1);
    cr_assert(world_was("run id-2;"), "others are not looked up");
}
