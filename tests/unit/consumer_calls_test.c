/* consumer_calls_test.c: calls of the worker's own program: whose texts they borrow until they are answered,
 * dropped, or have left. */
#include <string.h>
#include "worker/calls.h"
#include "consumer_world.h"

static void by_its_address(umbel_task *task)
{
    (void)task;
}

static char call_id[8]; /* the caller's, as the other texts: not there any more once it has left */

static void on_call_started(void *self, void *owner)
{
    (void)self, (void)owner;
}

static bool on_call_is_private(void *self, void *owner)
{
    (void)self, (void)owner;
    return true;
}

static void on_call_answered(void *self, void *owner, enum codec codec, umbel_str value)
{
    (void)self, (void)owner, (void)codec;
    world_note("answer %.*s;", (int)value.size, value.data);
}

static void on_call_leaves(void *self, void *owner)
{
    (void)self, (void)owner;
    memset(call_id, '?', sizeof call_id);
    world_note("leave;");
}

static void on_call_dropped(void *self, void *owner)
{
    (void)self, (void)owner;
    world_note("drop;");
}

static void on_call_room(void *self)
{
    (void)self;
    world_note("room;");
}

static const struct call_events call_events = {.started = on_call_started,
                                               .is_private = on_call_is_private,
                                               .answered = on_call_answered,
                                               .leaves = on_call_leaves,
                                               .dropped = on_call_dropped,
                                               .room = on_call_room};

static bool call_task(umbel_str task, umbel_function *function)
{
    static const char body[4096];
    struct call call = {.owner = call_id,
                        .id = {call_id, 4},
                        .task = task,
                        .body = {body, sizeof body},
                        .queue = STR("q"),
                        .function = function};
    consumer_take_calls(&world.consumer, &call_events, NULL);
    memcpy(call_id, "id-1", 5);
    return consumer_call(&world.consumer, &call);
}

static bool call_it(umbel_function *function)
{
    return call_task(STR("math.add"), function);
}

/* For the one request there is: less than its body takes, but enough to write of an end. */
static void leave_memory(size_t bytes)
{
    world.consumer.requests.all[0]->arena.limit = bytes;
}

Test(consumer, a_call_that_fails_leaves_before_its_end_is_stored)
{
    cr_assert(call_it(NULL));
    world_finish(0, OUTCOME_FAILURE);
    cr_assert(world_was("run id-1;leave;store id-1 FAILURE;"));
    world_stored(UMBEL_OK);
    cr_assert(world_was(""));
}

Test(consumer, a_call_that_there_is_no_memory_to_copy_leaves_when_its_end_is_stored)
{
    cr_assert(call_it(NULL));
    leave_memory(2048);
    consumer_pool_events.progress(&world.consumer, world.jobs[0], STR("1"));
    cr_assert(world_was("run id-1;"), "nothing is said of it that its caller could not find");
    world_finish(0, OUTCOME_FAILURE);
    cr_assert(world_was("store id-1 FAILURE;"));
    world_stored(UMBEL_OK);
    cr_assert(world_was("leave;"));
}

Test(consumer, a_call_that_there_is_no_memory_to_copy_is_answered_when_it_succeeds)
{
    cr_assert(call_it(NULL));
    leave_memory(2048);
    consumer_pool_events.progress(&world.consumer, world.jobs[0], STR("1"));
    world_finish(0, OUTCOME_SUCCESS);
    cr_assert(world_was("run id-1;answer 5;"));
}

Test(consumer, a_call_that_there_is_no_memory_to_copy_is_dropped_as_any_other)
{
    world.takes_back = true;
    cr_assert(call_it(NULL));
    leave_memory(2048);
    consumer_pool_events.progress(&world.consumer, world.jobs[0], STR("1"));
    consumer_drain(&world.consumer);
    cr_assert(world_was("run id-1;cancel 1;drop;"));
}

Test(consumer, a_call_that_there_is_no_memory_to_copy_leaves_when_the_consumer_ends_before_it)
{
    const struct consumer consumer = world.consumer;
    cr_assert(call_it(NULL));
    leave_memory(2048);
    world_finish(0, OUTCOME_FAILURE);
    cr_assert(world_was("run id-1;store id-1 FAILURE;"));
    consumer_drain(&world.consumer);
    world_forget();
    consumer_fini(&world.consumer);
    cr_assert(world_was("leave;"));
    uv_run(&world.loop.uv, UV_RUN_NOWAIT); /* for what has an end again */
    cr_assert_eq(consumer_init(&world.consumer, &consumer.options, consumer.events, consumer.self), UMBEL_OK);
}

Test(consumer, a_call_that_there_was_no_memory_for_is_asked_for_again, .timeout = 20)
{
    cr_assert(call_it(by_its_address));
    world_finish(0, OUTCOME_SUCCESS);
    cr_assert(world_was("run id-1;answer 5;"));
    leave_memory(1);
    cr_assert(!call_it(by_its_address));
    uv_run(&world.loop.uv, UV_RUN_ONCE);
    cr_assert(world_was("room;"));
    leave_memory(0);
    cr_assert(call_it(by_its_address));
    cr_assert(world_was("run id-1;"));
}

Test(consumer, a_call_whose_copy_there_is_no_memory_for_is_sent_when_there_is, .timeout = 20)
{
    cr_assert(call_task(STR("no.such"), NULL));
    cr_assert(world_was("leave;store id-1 FAILURE;"));
    leave_memory(1);
    world_stored(UMBEL_OK);
    cr_assert(world_was(""));
    leave_memory(0);
    uv_run(&world.loop.uv, UV_RUN_ONCE);
    cr_assert(world_was("publish id-1 to q.dead creating because not-registered;room;"));
    world_published(UMBEL_OK);
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}

Test(consumer, a_call_whose_copy_there_is_no_memory_for_is_sent_though_the_worker_stops, .timeout = 20)
{
    cr_assert(call_task(STR("no.such"), NULL));
    cr_assert(world_was("leave;store id-1 FAILURE;"));
    leave_memory(1);
    world_stored(UMBEL_OK);
    cr_assert_eq(consumer_drain(&world.consumer), 0);
    cr_assert_eq(consumer_in_hand(&world.consumer), 1);
    leave_memory(0);
    uv_run(&world.loop.uv, UV_RUN_ONCE);
    cr_assert(world_was("cancel 1;publish id-1 to q.dead creating because not-registered;"));
    world_published(UMBEL_OK);
    cr_assert_eq(consumer_in_hand(&world.consumer), 0);
}
