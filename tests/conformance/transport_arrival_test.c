/* transport_arrival_test.c: messages arrive as they were sent: every field and byte, in order, in their own
 * queue, and when they are due. */
#include <stdio.h>
#include <stdlib.h>
#include "common/clock.h"
#include "transport_scene.h"

static void same(umbel_str a, umbel_str b, const char *what)
{
    cr_assert(str_equal(a, b), "%s: '%.*s' became '%.*s'", what, (int)a.size, a.data, (int)b.size, b.data);
}

static struct message full_letter(const char *queue)
{
    struct message msg = letter(queue, "f4d2", STR("[[\"\xc3\xa9\"], {}, {}]"));
    msg.correlation_id = STR("f4d2");
    msg.reply_to = STR("umbel.client");
    msg.priority = 3;
    msg.republished = true;
    msg.root_id = STR("root-1");
    msg.parent_id = STR("parent-1");
    msg.group = STR("group-1");
    msg.group_index = 7;
    msg.shadow = STR("other name");
    msg.eta = STR("2026-11-21T09:11:35+00:00");
    msg.expires = STR("2036-11-21T09:11:35+00:00");
    msg.argsrepr = STR("(2, 3)");
    msg.kwargsrepr = STR("{}");
    msg.origin = STR("gen1@host");
    msg.lang = STR("py");
    msg.retries = 2;
    msg.hard_limit = 30;
    msg.soft_limit = 20;
    msg.ignore_result = 1;
    msg.deaths = 1;
    return msg;
}

static void same_messages(const struct message *a, const struct message *b)
{
#define SAME(field) same(a->field, b->field, #field)
    SAME(content_type), SAME(content_encoding), SAME(correlation_id), SAME(reply_to), SAME(task), SAME(id);
    SAME(root_id), SAME(parent_id), SAME(group), SAME(shadow), SAME(eta), SAME(expires), SAME(argsrepr);
    SAME(kwargsrepr), SAME(origin), SAME(lang), SAME(compression), SAME(body);
#undef SAME
    cr_assert_eq(a->priority, b->priority);
    cr_assert_eq(a->transient, b->transient);
    cr_assert_eq(a->republished, b->republished);
    cr_assert_eq(a->retries, b->retries);
    cr_assert_eq(a->group_index, b->group_index);
    cr_assert_float_eq(a->hard_limit, b->hard_limit, 1e-9);
    cr_assert_float_eq(a->soft_limit, b->soft_limit, 1e-9);
    cr_assert_eq(a->ignore_result, b->ignore_result);
    cr_assert_eq(a->deaths, b->deaths);
}

PROMISE(every_field_of_a_message_arrives)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    station_consume(&s.station, s.queue, 10);
    struct message msg = full_letter(s.queue);
    station_send(&s.station, &msg, 0, 0, 1);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    const struct message *got = &s.station.arrivals[0].msg;
    same_messages(&msg, got);
    same(str_of(s.queue), got->queue, "queue");
    cr_assert_not(got->redelivered);
    cr_assert_not(s.station.arrivals[0].garbled);
    station_settle(&s.station, 0, SETTLE_ACK);
    transport_scene_leave(&s);
}

PROMISE(absent_fields_stay_absent)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    station_consume(&s.station, s.queue, 10);
    struct message msg = letter(s.queue, "1", BODY);
    station_send(&s.station, &msg, 0, 0, 1);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    same_messages(&msg, &s.station.arrivals[0].msg);
    cr_assert_eq(s.station.arrivals[0].msg.extra_count, 0);
    station_settle(&s.station, 0, SETTLE_ACK);
    transport_scene_leave(&s);
}

PROMISE(headers_of_others_arrive_nested_as_they_were)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    umbel_value *root = umbel_map_new();
    umbel_value *list = umbel_add_list(root, "list");
    umbel_add_int(list, NULL, INT64_MIN);
    umbel_add_bool(list, NULL, true);
    umbel_add_null(list, NULL);
    umbel_add_double(umbel_add_map(list, NULL), "x", 2.5);
    umbel_add_str(root, "text", "\xc3\xa9");
    struct arena arena;
    arena_init(&arena, 0);
    struct message msg = letter(s.queue, "1", BODY);
    cr_assert_eq(message_set_extra(&arena, &msg, STR("x-trace"), root), UMBEL_OK);
    station_consume(&s.station, s.queue, 10);
    station_send(&s.station, &msg, 0, 0, 1);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    const umbel_value *got = message_extra(&s.station.arrivals[0].msg, "x-trace");
    cr_assert_not_null(got);
    char *wanted = umbel_value_json(root), *is = umbel_value_json(got);
    cr_assert_str_eq(is, wanted);
    free(wanted), free(is);
    umbel_value_free(root);
    arena_fini(&arena);
    station_settle(&s.station, 0, SETTLE_ACK);
    transport_scene_leave(&s);
}

PROMISE(bodies_of_any_size_and_bytes_arrive)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    station_consume(&s.station, s.queue, 10);
    static char large[1 << 20];
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (char)(i * 2654435761u >> 13);
    umbel_str bodies[] = {{large, sizeof large}, {"", 0}, {"a\0b\0\xff", 5}, {large, 200 * 1024}};
    for (size_t i = 0; i < 4; i++) {
        struct message msg = letter(s.queue, "1", bodies[i]);
        station_send(&s.station, &msg, 0, 0, i);
    }
    cr_assert(station_wait(&s.station, &s.station.arrived, 4));
    for (size_t i = 0; i < 4; i++) {
        cr_assert(str_equal(bodies[i], s.station.arrivals[i].msg.body), "body %zu", i);
        station_settle(&s.station, i, SETTLE_ACK);
    }
    transport_scene_leave(&s);
}

PROMISE(ten_thousand_messages_arrive_in_order)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    s.station.on_arrival = ON_ARRIVAL_ACK;
    station_consume(&s.station, s.queue, 256);
    station_fill(&s.station, s.queue, 10000);
    cr_assert(station_wait(&s.station, &s.station.arrived, 10000), "%zu arrived", s.station.arrived);
    for (size_t i = 0; i < 10000; i++)
        cr_assert_eq((size_t)arrival_id(&s.station.arrivals[i]), i);
    transport_scene_leave(&s);
}

PROMISE(queues_do_not_mix)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    char other[64];
    snprintf(other, sizeof other, "%s.other", s.queue);
    station_fill(&s.station, other, 1);
    station_fill(&s.station, s.queue, 1);
    station_consume(&s.station, s.queue, 10);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    same(str_of(s.queue), s.station.arrivals[0].msg.queue, "queue");
    cr_assert_eq(station_count(&s.station, other), 1);
    cr_assert_eq(s.station.arrived, 1);
    station_settle(&s.station, 0, SETTLE_ACK);
    station_consume(&s.station, other, 10);
    cr_assert(station_wait(&s.station, &s.station.arrived, 2));
    station_settle(&s.station, 1, SETTLE_ACK);
    transport_scene_leave(&s);
}

PROMISE(a_delayed_message_comes_when_it_is_due)
{
    struct transport_scene s;
    transport_scene_enter(&s, row);
    station_consume(&s.station, s.queue, 10);
    struct message late = letter(s.queue, "1", BODY), soon = letter(s.queue, "2", BODY);
    double sent = clock_mono();
    station_send(&s.station, &late, 1.2, 0, 1);
    station_send(&s.station, &soon, 0, 0, 2);
    cr_assert(station_wait(&s.station, &s.station.published, 2));
    cr_assert_eq(s.station.answers[0].code, UMBEL_OK);
    cr_assert(station_wait(&s.station, &s.station.arrived, 2));
    cr_assert_eq(arrival_id(&s.station.arrivals[0]), 2);
    cr_assert_eq(arrival_id(&s.station.arrivals[1]), 1);
    cr_assert_geq(s.station.arrivals[1].at - sent, 1.19);
    cr_assert_lt(s.station.arrivals[1].at - sent, 4.0);
    cr_assert_not(s.station.arrivals[1].msg.redelivered);
    station_settle(&s.station, 0, SETTLE_ACK);
    station_settle(&s.station, 1, SETTLE_ACK);
    transport_scene_leave(&s);
}
