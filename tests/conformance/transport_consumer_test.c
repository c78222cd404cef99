/* transport_consumer_test.c: the life of a consumer: it waits for its queue, is paused, is cancelled with
 * deliveries in hand, and leaves nothing behind. */
#include <malloc.h>
#include <stdio.h>
#include "transport_scene.h"

PROMISE(after_cancelled_nothing_is_delivered_and_settling_still_works)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    struct station other;
    station_open(&other, &s.driver, s.place.url);
    uint32_t consumer = station_consume(&s.station, s.queue, 10);
    station_fill(&s.station, s.queue, 2);
    cr_assert(station_wait(&s.station, &s.station.arrived, 2));
    s.station.transport->ops->cancel(s.station.transport, consumer);
    cr_assert(station_wait(&s.station, &s.station.cancelled, 1));
    cr_assert_eq(s.station.last_cancelled, consumer);
    station_fill(&s.station, s.queue, 1);
    cr_assert(station_counts(&s.station, s.queue, 1));
    cr_assert_eq(s.station.arrived, 2);
    station_settle(&s.station, 0, SETTLE_ACK);
    station_settle(&s.station, 1, SETTLE_REQUEUE);
    cr_assert(station_counts(&s.station, s.queue, 2));
    other.on_arrival = ON_ARRIVAL_ACK;
    station_consume(&other, s.queue, 10);
    cr_assert(station_wait(&other, &other.arrived, 2));
    cr_assert_eq(s.station.arrived, 2);
    station_close(&other);
    transport_scene_leave(&s);
}

/* A transport may tell `cancelled` only when it goes on; then the deliveries may come before it. */
PROMISE(what_came_while_paused_does_not_come_after_cancelled)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    const struct transport_ops *ops = s.station.transport->ops;
    struct consume_options options = {.prefetch = 10, .create_queue = true};
    station_fill(&s.station, s.queue, 5);
    uint32_t consumer = ops->consume(s.station.transport, s.queue, &options);
    ops->pause(s.station.transport, true);
    driver_wait(&s.driver, &s.station.consuming, 1, 0.5);
    ops->cancel(s.station.transport, consumer);
    bool while_paused = driver_wait(&s.driver, &s.station.cancelled, 1, 0.5);
    size_t arrived = s.station.arrived;
    cr_assert_eq(arrived, 0);
    ops->pause(s.station.transport, false);
    cr_assert(station_wait(&s.station, &s.station.cancelled, 1));
    if (!while_paused)
        arrived = s.station.arrived;
    cr_assert(station_counts(&s.station, s.queue, 5 - arrived));
    cr_assert_eq(s.station.arrived, arrived, "%zu came after cancelled", s.station.arrived - arrived);
    transport_scene_leave(&s);
}

static void come_and_go(struct transport_scene *s, int times)
{
    for (int i = 0; i < times; i++) {
        uint32_t consumer = station_consume(&s->station, s->queue, 1);
        size_t cancelled = s->station.cancelled;
        s->station.transport->ops->cancel(s->station.transport, consumer);
        cr_assert(station_wait(&s->station, &s->station.cancelled, cancelled + 1));
    }
}

PROMISE(consumers_that_come_and_go_leave_no_memory_behind)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    come_and_go(&s, 50);
    size_t before = mallinfo2().uordblks;
    come_and_go(&s, 1000);
    size_t after = mallinfo2().uordblks;
    cr_assert_lt(after, before + 48000, "%zu bytes more", after - before);
    transport_scene_leave(&s);
}

PROMISE(what_is_settled_just_before_a_cancel_does_not_come_again)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    uint32_t consumer = station_consume(&s.station, s.queue, 100);
    station_fill(&s.station, s.queue, 10);
    cr_assert(station_wait(&s.station, &s.station.arrived, 10));
    for (size_t i = 0; i < 10; i++)
        station_settle(&s.station, i, SETTLE_ACK);
    s.station.transport->ops->cancel(s.station.transport, consumer);
    cr_assert(station_wait(&s.station, &s.station.cancelled, 1));
    station_consume(&s.station, s.queue, 100);
    station_fill(&s.station, s.queue, 1); /* a barrier: what came again would come before it */
    cr_assert(station_wait(&s.station, &s.station.arrived, 11));
    cr_assert(!s.station.arrivals[10].msg.redelivered);
    cr_assert_eq(s.station.arrived, 11);
    station_settle(&s.station, 10, SETTLE_ACK);
    transport_scene_leave(&s);
}

PROMISE(the_last_settling_ends_a_cancelled_consumer)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    come_and_go(&s, 10);
    uint32_t first = station_consume(&s.station, s.queue, 10);
    station_fill(&s.station, s.queue, 3);
    cr_assert(station_wait(&s.station, &s.station.arrived, 3));
    s.station.transport->ops->cancel(s.station.transport, first);
    cr_assert(station_wait(&s.station, &s.station.cancelled, 11));
    for (size_t i = 0; i < 3; i++)
        station_settle(&s.station, i, SETTLE_ACK);
    s.station.on_arrival = ON_ARRIVAL_ACK;
    station_consume(&s.station, s.queue, 1);
    station_fill(&s.station, s.queue, 3);
    cr_assert(station_wait(&s.station, &s.station.arrived, 6));
    transport_scene_leave(&s);
}

PROMISE(the_higher_priority_comes_first_where_the_queue_has_priorities)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    struct consume_options options = {.prefetch = 1, .create_queue = true, .max_priority = 5};
    uint32_t consumer = s.station.transport->ops->consume(s.station.transport, s.queue, &options);
    cr_assert(station_wait(&s.station, &s.station.consuming, 1));
    s.station.transport->ops->cancel(s.station.transport, consumer);
    cr_assert(station_wait(&s.station, &s.station.cancelled, 1));
    static const uint8_t priorities[] = {0, 3, 5, 3, 1, 9};
    for (size_t i = 0; i < 6; i++) {
        char id[8];
        snprintf(id, sizeof id, "%zu", i);
        struct message msg = letter(s.queue, id, BODY);
        msg.priority = priorities[i];
        station_send(&s.station, &msg, 0, 0, i);
    }
    cr_assert(station_wait(&s.station, &s.station.published, 6));
    s.station.on_arrival = ON_ARRIVAL_ACK;
    s.station.transport->ops->consume(s.station.transport, s.queue, &options);
    cr_assert(station_wait(&s.station, &s.station.arrived, 6));
    static const int order[] = {2, 5, 1, 3, 4, 0}; /* 9 station_counts as the queue's highest, 5 */
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(arrival_id(&s.station.arrivals[i]), order[i], "place %zu has %d", i,
                     arrival_id(&s.station.arrivals[i]));
    transport_scene_leave(&s);
}

PROMISE(a_consumer_without_a_queue_says_so_and_starts_when_there_is_one)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    struct consume_options options = {.prefetch = 5};
    s.station.transport->ops->consume(s.station.transport, s.queue, &options);
    cr_assert(station_wait(&s.station, &s.station.lost, 1));
    cr_assert_eq(s.station.lost_code, UMBEL_NOT_FOUND);
    cr_assert_eq(s.station.consuming, 0);
    struct station other;
    station_open(&other, &s.driver, s.place.url);
    station_fill(&other, s.queue, 1);
    cr_assert(station_wait(&s.station, &s.station.consuming, 1));
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    station_settle(&s.station, 0, SETTLE_ACK);
    station_close(&other);
    transport_scene_leave(&s);
}

PROMISE(a_paused_transport_delivers_nothing_until_it_goes_on)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    struct station other;
    station_open(&other, &s.driver, s.place.url);
    station_consume(&s.station, s.queue, 10);
    s.station.transport->ops->pause(s.station.transport, true);
    station_fill(&other, s.queue, 5);
    station_count(&other, s.queue);
    cr_assert_eq(s.station.arrived, 0);
    s.station.transport->ops->pause(s.station.transport, false);
    cr_assert(station_wait(&s.station, &s.station.arrived, 5));
    for (size_t i = 0; i < 5; i++)
        station_settle(&s.station, i, SETTLE_ACK);
    station_close(&other);
    transport_scene_leave(&s);
}

PROMISE(a_message_crosses_from_one_loop_to_another)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    struct driver elsewhere;
    struct station other;
    driver_init(&elsewhere);
    station_open(&other, &elsewhere, s.place.url);
    station_consume(&other, s.queue, 30);
    station_fill(&s.station, s.queue, 20);
    cr_assert(station_wait(&other, &other.arrived, 20));
    for (size_t i = 0; i < 20; i++)
        station_settle(&other, i, SETTLE_ACK);
    station_close(&other);
    cr_assert_eq(station_count(&s.station, s.queue), 0);
    transport_scene_leave(&s);
    uv_close((uv_handle_t *)&elsewhere.deadline, NULL);
    loop_fini(&elsewhere.loop);
}
