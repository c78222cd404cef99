/* transport_publish_test.c: what a publisher is promised: one answer for each message, and that what is in a
 * queue can be counted and taken away. */
#include "transport_scene.h"

/* ---- publishing ---- */

PROMISE(each_publish_ends_in_exactly_one_published)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    station_fill(&s.station, s.queue, 300);
    size_t seen[300] = {0};
    for (size_t i = 0; i < s.station.published; i++)
        seen[s.station.answers[i].token]++;
    for (size_t i = 0; i < 300; i++)
        cr_assert_eq(seen[i], 1);
    cr_assert(station_counts(&s.station, s.queue, 300));
    cr_assert_eq(s.station.published, 300);
    transport_scene_leave(&s);
}

PROMISE(a_message_for_a_queue_that_nobody_made_is_unroutable)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    struct message msg = letter(s.queue, "1", BODY);
    station_send(&s.station, &msg, 0, 0, 5);
    cr_assert(station_wait(&s.station, &s.station.published, 1));
    cr_assert_eq(s.station.answers[0].code, UMBEL_UNROUTABLE);
    cr_assert_eq(s.station.answers[0].token, 5);
    transport_scene_leave(&s);
}

PROMISE(create_queue_makes_it_for_everyone)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    struct message msg = letter(s.queue, "1", BODY);
    station_send(&s.station, &msg, 0, PUBLISH_CREATE_QUEUE, 1);
    cr_assert(station_wait(&s.station, &s.station.published, 1));
    cr_assert_eq(s.station.answers[0].code, UMBEL_OK);
    struct station other;
    station_open(&other, &s.driver, s.place.url);
    station_send(&other, &msg, 0, 0, 2);
    cr_assert(station_wait(&other, &other.published, 1));
    cr_assert_eq(other.answers[0].code, UMBEL_OK);
    station_close(&other);
    cr_assert(station_counts(&s.station, s.queue, 2));
    transport_scene_leave(&s);
}

PROMISE(a_queue_a_consumer_created_is_known_to_publishers)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    station_consume(&s.station, s.queue, 10);
    struct message msg = letter(s.queue, "1", BODY);
    station_send(&s.station, &msg, 0, 0, 1);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    cr_assert(station_wait(&s.station, &s.station.published, 1));
    cr_assert_eq(s.station.answers[0].code, UMBEL_OK);
    station_settle(&s.station, 0, SETTLE_ACK);
    transport_scene_leave(&s);
}

PROMISE(an_unconfirmed_publish_is_answered_and_arrives)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    station_consume(&s.station, s.queue, 10);
    struct message msg = letter(s.queue, "1", BODY);
    station_send(&s.station, &msg, 0, PUBLISH_UNCONFIRMED, 9);
    cr_assert(station_wait(&s.station, &s.station.published, 1));
    cr_assert_eq(s.station.answers[0].code, UMBEL_OK);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    station_settle(&s.station, 0, SETTLE_ACK);
    transport_scene_leave(&s);
}

PROMISE(close_answers_every_pending_publish)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    for (uint64_t i = 0; i < 200; i++) {
        struct message msg = letter(s.queue, "1", BODY);
        station_send(&s.station, &msg, 0, PUBLISH_CREATE_QUEUE, i);
    }
    station_shut(&s.station, 2);
    size_t seen[200] = {0};
    cr_assert_eq(s.station.published, 200);
    for (size_t i = 0; i < 200; i++) {
        struct answer *answer = &s.station.answers[i];
        cr_assert(answer->code == UMBEL_OK || answer->code == UMBEL_BROKER_AWAY);
        seen[answer->token]++;
    }
    for (size_t i = 0; i < 200; i++)
        cr_assert_eq(seen[i], 1);
    transport_scene_leave(&s);
}

/* ---- counts ---- */

PROMISE(count_tells_what_is_ready_and_purge_takes_it_away)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    station_fill(&s.station, s.queue, 3);
    cr_assert(station_counts(&s.station, s.queue, 3));
    s.station.transport->ops->purge(s.station.transport, s.queue, 12);
    size_t before = s.station.counted;
    cr_assert(station_wait(&s.station, &s.station.counted, before + 1));
    cr_assert_eq(s.station.count.token, 12);
    cr_assert_eq(s.station.count.code, UMBEL_OK);
    cr_assert_eq(s.station.count.messages, 3);
    cr_assert_eq(station_count(&s.station, s.queue), 0);
    transport_scene_leave(&s);
}

PROMISE(counting_a_queue_that_does_not_exist_is_not_found)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    s.station.transport->ops->count(s.station.transport, s.queue, 4);
    cr_assert(station_wait(&s.station, &s.station.counted, 1));
    cr_assert_eq(s.station.count.token, 4);
    cr_assert_eq(s.station.count.code, UMBEL_NOT_FOUND);
    s.station.transport->ops->purge(s.station.transport, s.queue, 5);
    cr_assert(station_wait(&s.station, &s.station.counted, 2));
    cr_assert_eq(s.station.count.code, UMBEL_NOT_FOUND);
    transport_scene_leave(&s);
}
