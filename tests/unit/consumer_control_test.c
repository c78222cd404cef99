/* consumer_control_test.c: what an operator asks of a consumer: to stop, to revoke, to tell what it does, to
 * limit, to grow. */
#include "consumer_world.h"

/* ---- stopping ---- */

Test(consumer, a_drain_hands_back_what_has_not_started_and_waits_for_the_rest)
{
    struct message one = world_message("id-1"), two = world_message("id-2"), three = world_message("id-3");
    world.room = 1;
    world_deliver(&one, 7, 1);
    world_deliver(&two, 8, 1);
    world_forget();
    cr_assert_eq(consumer_drain(&world.consumer), 1);
    cr_assert(world_was("cancel 1;requeue 8;"));
    world_deliver(&three, 9, 1);
    cr_assert(world_was("requeue 9;"), "what world_was under way goes back too");
    world_turn();
    cr_assert_not(world.idle);
    world_finish(0, OUTCOME_SUCCESS);
    world_stored(UMBEL_OK);
    cr_assert(world_was("store id-1 SUCCESS;ack 7;"));
    world_turn();
    cr_assert(world.idle);
}

Test(consumer, a_drain_takes_back_what_waits_inside_the_pool)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    world.takes_back = true;
    world_forget();
    cr_assert_eq(consumer_drain(&world.consumer), 1);
    cr_assert(world_was("cancel 1;requeue 7;"));
}

Test(consumer, a_death_while_draining_goes_back_with_its_count)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    consumer_drain(&world.consumer);
    world_forget();
    world_finish(0, OUTCOME_DIED);
    cr_assert(world_was("publish id-1 to q deaths 1;"));
    world_published(UMBEL_OK);
    cr_assert(world_was("ack 7;"));
}

Test(consumer, who_is_killed_by_a_cold_stop_goes_back_as_he_came)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    consumer_drain(&world.consumer);
    consumer_kill(&world.consumer);
    world_forget();
    world_finish(0, OUTCOME_DIED);
    cr_assert(world_was("requeue 7;"));
}

/* ---- revoked ---- */

static enum revoke_effect revoke_id(const char *id, int signal)
{
    struct backend_revocation what = {str_of(id), 1e12};
    return consumer_revoke(&world.consumer, &what, signal);
}

Test(consumer, a_task_revoked_before_it_comes_is_not_run)
{
    struct message msg = world_message("id-1"), other = world_message("id-2");
    cr_assert_eq(revoke_id("id-1", 0), REVOKE_NOT_HERE);
    world_deliver(&msg, 7, 1);
    world_deliver(&other, 8, 1);
    world_stored(UMBEL_OK);
    cr_assert(world_was("store id-1 REVOKED;run id-2;ack 7;"));
}

Test(consumer, a_task_revoked_while_it_waits_for_room_is_not_run)
{
    struct message first = world_message("id-1"), second = world_message("id-2"),
                   third = world_message("id-3");
    world.room = 1;
    world_deliver(&first, 7, 1);
    world_deliver(&second, 8, 1);
    world_deliver(&third, 9, 1);
    cr_assert_eq(revoke_id("id-2", 0), REVOKE_ENDED);
    world_stored(UMBEL_OK);
    cr_assert(world_was("run id-1;store id-2 REVOKED;ack 8;"));
    world_finish(0, OUTCOME_SUCCESS);
    consumer_pool_events.room(&world.consumer);
    cr_assert(world_was("store id-1 SUCCESS;run id-3;"));
}

Test(consumer, a_task_revoked_in_the_pool_before_its_start_is_not_run)
{
    struct message msg = world_message("id-1");
    world.takes_back = true;
    world_deliver(&msg, 7, 1);
    cr_assert_eq(revoke_id("id-1", 0), REVOKE_ENDED);
    world_stored(UMBEL_OK);
    cr_assert(world_was("run id-1;store id-1 REVOKED;ack 7;"));
}

Test(consumer, a_task_that_runs_is_only_ended_when_that_is_asked_for)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    cr_assert_eq(revoke_id("id-1", 0), REVOKE_RUNS);
    cr_assert(world_was("run id-1;"));
    cr_assert_eq(revoke_id("id-1", 15), REVOKE_TERMINATES);
    cr_assert_eq(revoke_id("id-1", 9), REVOKE_TERMINATES);
    cr_assert(world_was("end id-1 in 1;end id-1 in 0;"));
    world_finish(0, OUTCOME_CANCELLED);
    world_stored(UMBEL_OK);
    cr_assert(world_was("store id-1 REVOKED;ack 7;"));
}

Test(consumer, a_task_that_has_ended_stays_as_it_ended)
{
    struct message msg = world_message("id-1");
    world_deliver(&msg, 7, 1);
    world_finish(0, OUTCOME_SUCCESS);
    cr_assert_eq(revoke_id("id-1", 15), REVOKE_NOT_HERE);
    world_stored(UMBEL_OK);
    cr_assert(world_was("run id-1;store id-1 SUCCESS;ack 7;"));
}

/* ---- watched ---- */

Test(consumer, who_watches_is_told_of_receipt_start_and_end)
{
    struct message msg = world_message("id-1"), bad = world_message("id-2");
    world.consumer.watched = true;
    world_deliver(&msg, 7, 1);
    consumer_pool_events.started(&world.consumer, world.jobs[0], 4711);
    world_finish(0, OUTCOME_SUCCESS);
    cr_assert(world_was("received id-1;run id-1;started id-1;succeeded id-1;store id-1 SUCCESS;"));
    world_deliver(&bad, 8, 1);
    world_finish(1, OUTCOME_RETRY);
    cr_assert(world_was("received id-2;run id-2;retried id-2;store id-2 RETRY open;"));
}

Test(consumer, who_watches_is_told_that_nothing_is_tried_again_which_has_an_end)
{
    struct message msg = world_message("id-1");
    world.consumer.watched = true;
    world_deliver(&msg, 7, 1);
    world_finish(0, OUTCOME_RETRY);
    world_stored(UMBEL_ALREADY_DONE);
    cr_assert(world_was("received id-1;run id-1;retried id-1;store id-1 RETRY open;superseded id-1;ack 7;"));
}

Test(consumer, who_watches_is_told_of_one_that_came_again_after_its_end)
{
    struct message msg = world_message("id-1");
    world.consumer.watched = true;
    msg.redelivered = true;
    world_deliver(&msg, 7, 1);
    world_begun(true, 0);
    cr_assert(world_was("received id-1;begin id-1;superseded id-1;ack 7;unmark id-1;"));
}

Test(consumer, limits_set_at_run_time_hold_for_later_runs)
{
    struct message msg = world_message("id-1"), own = world_message("id-2");
    own.hard_limit = 3;
    cr_assert_eq(consumer_limit(&world.consumer, STR("nobody"), 5, 4), UMBEL_NOT_REGISTERED);
    cr_assert_eq(consumer_limit(&world.consumer, STR("math.add"), 5, 4), UMBEL_OK);
    world_deliver(&msg, 7, 1);
    world_deliver(&own, 8, 1);
    cr_assert_eq(world.jobs[0]->time_limit, 5);
    cr_assert_eq(world.jobs[0]->soft_time_limit, 4);
    cr_assert_eq(world.jobs[1]->time_limit, 3, "the call's own limit goes before");
}

/* ---- growing ---- */

Test(consumer, a_queue_is_consumed_wider_before_it_is_consumed_no_more_as_it_was)
{
    world.consumer.options.concurrency = 50;
    flow_widen(&world.consumer.flow);
    cr_assert(world_was("cancel 1;"));
}

Test(consumer, a_queue_that_cannot_be_consumed_wider_is_consumed_as_it_was)
{
    world.consumer.options.concurrency = 50;
    world.consumes_no_more = true;
    flow_widen(&world.consumer.flow);
    cr_assert(world_was(""));
    cr_assert_eq(world.consumer.flow.sources[0].base, 1);
}
