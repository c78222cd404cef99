/* transport_settle_test.c: no delivery is lost or shared: what is acknowledged never comes again, and all
 * else does. */
#include "common/clock.h"
#include "holder.h"
#include "transport_scene.h"

PROMISE(two_consumers_never_share_a_message)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    struct station other;
    station_open(&other, &s.driver, s.place.url);
    s.station.on_arrival = other.on_arrival = ON_ARRIVAL_ACK;
    station_consume(&s.station, s.queue, 10);
    station_consume(&other, s.queue, 10);
    station_fill(&s.station, s.queue, 500);
    double end = clock_mono() + PATIENCE;
    while (s.station.arrived + other.arrived < 500 && clock_mono() < end)
        uv_run(&s.driver.loop.uv, UV_RUN_ONCE);
    cr_assert_eq(s.station.arrived + other.arrived, 500);
    cr_assert(station_counts(&s.station, s.queue, 0));
    size_t seen[500] = {0};
    for (size_t i = 0; i < s.station.arrived; i++)
        seen[arrival_id(&s.station.arrivals[i])]++;
    for (size_t i = 0; i < other.arrived; i++)
        seen[arrival_id(&other.arrivals[i])]++;
    for (size_t i = 0; i < 500; i++)
        cr_assert_eq(seen[i], 1, "%zu came %zu times", i, seen[i]);
    station_close(&other);
    transport_scene_leave(&s);
}

PROMISE(two_consumers_of_one_transport_have_numbers_of_their_own)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    uint32_t first = station_consume(&s.station, s.queue, 1);
    uint32_t second = station_consume(&s.station, s.queue, 1);
    cr_assert_neq(first, second);
    station_fill(&s.station, s.queue, 3);
    cr_assert(station_wait(&s.station, &s.station.arrived, 2));
    cr_assert_neq(s.station.arrivals[0].tag.consumer, s.station.arrivals[1].tag.consumer);
    cr_assert(station_counts(&s.station, s.queue, 1));
    cr_assert_eq(s.station.arrived, 2);
    station_settle(&s.station, 0, SETTLE_ACK);
    cr_assert(station_wait(&s.station, &s.station.arrived, 3));
    cr_assert_eq(s.station.arrivals[2].tag.consumer, s.station.arrivals[0].tag.consumer);
    station_settle(&s.station, 1, SETTLE_ACK);
    station_settle(&s.station, 2, SETTLE_ACK);
    transport_scene_leave(&s);
}

PROMISE(prefetch_is_the_most_that_is_unsettled)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    station_consume(&s.station, s.queue, 3);
    station_fill(&s.station, s.queue, 10);
    cr_assert(station_wait(&s.station, &s.station.arrived, 3));
    cr_assert(station_counts(&s.station, s.queue, 7));
    cr_assert_eq(s.station.arrived, 3);
    station_settle(&s.station, 1, SETTLE_ACK);
    cr_assert(station_wait(&s.station, &s.station.arrived, 4));
    cr_assert(station_counts(&s.station, s.queue, 6));
    cr_assert_eq(s.station.arrived, 4);
    s.station.on_arrival = ON_ARRIVAL_ACK;
    for (size_t i = 0; i < 4; i++)
        if (i != 1)
            station_settle(&s.station, i, SETTLE_ACK);
    cr_assert(station_wait(&s.station, &s.station.arrived, 10));
    transport_scene_leave(&s);
}

PROMISE(an_acknowledged_message_never_comes_back)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    station_fill(&s.station, s.queue, 2);
    station_consume(&s.station, s.queue, 10);
    cr_assert(station_wait(&s.station, &s.station.arrived, 2));
    station_settle(&s.station, 0, SETTLE_ACK);
    station_settle(&s.station, 1, SETTLE_REQUEUE); /* a barrier: what comes next is this one */
    cr_assert(station_wait(&s.station, &s.station.arrived, 3));
    cr_assert_eq(arrival_id(&s.station.arrivals[2]), 1);
    station_shut(&s.station, 2);
    struct station other;
    station_open(&other, &s.driver, s.place.url);
    station_consume(&other, s.queue, 10);
    cr_assert(row->in_memory || station_wait(&other, &other.arrived, 1));
    if (!row->in_memory) {
        cr_assert_eq(arrival_id(&other.arrivals[0]), 1);
        cr_assert(other.arrivals[0].msg.redelivered);
        cr_assert_eq(station_count(&other, s.queue), 0);
        cr_assert_eq(other.arrived, 1);
        station_settle(&other, 0, SETTLE_ACK);
    }
    station_close(&other);
    transport_scene_leave(&s);
}

PROMISE(a_message_handed_back_comes_again_marked_redelivered)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    station_fill(&s.station, s.queue, 1);
    station_consume(&s.station, s.queue, 1);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    cr_assert_not(s.station.arrivals[0].msg.redelivered);
    station_settle(&s.station, 0, SETTLE_REQUEUE);
    cr_assert(station_wait(&s.station, &s.station.arrived, 2));
    cr_assert(s.station.arrivals[1].msg.redelivered);
    station_settle(&s.station, 0, SETTLE_ACK); /* the old tag is worth nothing */
    station_settle(&s.station, 1, SETTLE_REQUEUE);
    cr_assert(station_wait(&s.station, &s.station.arrived, 3));
    station_settle(&s.station, 2, SETTLE_ACK);
    transport_scene_leave(&s);
}

PROMISE(what_was_not_settled_comes_back_when_a_transport_closes)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    struct station other;
    station_open(&other, &s.driver, s.place.url);
    station_fill(&s.station, s.queue, 5);
    station_consume(&other, s.queue, 10);
    cr_assert(station_wait(&other, &other.arrived, 5));
    station_settle(&other, 2, SETTLE_ACK);
    station_close(&other);
    station_consume(&s.station, s.queue, 10);
    cr_assert(station_wait(&s.station, &s.station.arrived, 4));
    static const int left[] = {0, 1, 3, 4};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(arrival_id(&s.station.arrivals[i]), left[i], "%s: %d", row->name,
                     arrival_id(&s.station.arrivals[i]));
        cr_assert(s.station.arrivals[i].msg.redelivered);
        station_settle(&s.station, i, SETTLE_ACK);
    }
    cr_assert_eq(station_count(&s.station, s.queue), 0);
    transport_scene_leave(&s);
}

PROMISE(what_a_killed_process_held_comes_back)
{
    if (row->in_memory)
        return; /* it dies with its process */
    struct place place;
    place_init(&place, row);
    struct holder holder; /* before this process has a thread */
    cr_assert(holder_start(&holder, place.url, place.name, 100));
    struct transport_scene s = {.place = place, .queue = NULL};
    s.queue = s.place.name;
    driver_init(&s.driver);
    station_open(&s.station, &s.driver, s.place.url);
    station_fill(&s.station, s.queue, 100);
    cr_assert(holder_holds(&holder), "the other process did not get them");
    station_consume(&s.station, s.queue, 200);
    cr_assert_eq(s.station.arrived, 0);
    holder_kill(&holder);
    double killed = clock_mono();
    cr_assert(station_wait(&s.station, &s.station.arrived, 100), "%zu came back", s.station.arrived);
    cr_assert_lt(clock_mono() - killed, 2.0);
    for (size_t i = 0; i < 100; i++) {
        cr_assert(s.station.arrivals[i].msg.redelivered);
        cr_assert_eq((size_t)arrival_id(&s.station.arrivals[i]), i);
        station_settle(&s.station, i, SETTLE_ACK);
    }
    transport_scene_leave(&s);
}

PROMISE(a_tag_of_a_transport_that_was_closed_is_harmless)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    struct station keeper; /* a hub lives as long as somebody has it open */
    station_open(&keeper, &s.driver, s.place.url);
    station_fill(&s.station, s.queue, 1);
    station_consume(&s.station, s.queue, 10);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    struct tag stale = s.station.arrivals[0].tag;
    station_close(&s.station);

    station_open(&s.station, &s.driver, s.place.url);
    station_consume(&s.station, s.queue, 10);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    s.station.transport->ops->settle(s.station.transport, stale, SETTLE_ACK);
    cr_assert_eq(station_count(&s.station, s.queue), 0);
    station_close(&s.station);

    station_open(&s.station, &s.driver, s.place.url);
    station_consume(&s.station, s.queue, 10);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1), "the stale tag acknowledged it");
    station_settle(&s.station, 0, SETTLE_ACK);
    station_close(&keeper);
    transport_scene_leave(&s);
}
