/* transport_test.c: what broker/transport.h promises, one body per promise, over every implementation. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <malloc.h>
#include <stdlib.h>
#include "common/clock.h"
#include "common/str.h"
#include "holder.h"
#include "station.h"

#define BODY STR("[[2, 3], {}, {}]")

TestSuite(transport, .timeout = 60);

#define PROMISE(name)                                                                                        \
    ParameterizedTestParameters(transport, name)                                                             \
    {                                                                                                        \
        size_t count;                                                                                        \
        struct row *rows = transport_rows(&count);                                                           \
        return cr_make_param_array(struct row, rows, count);                                                 \
    }                                                                                                        \
    ParameterizedTest(struct row *row, transport, name)

/* One test's scene: a place, a loop, and a station that is up. */
struct scene {
    struct place place;
    struct driver driver;
    struct station station;
    const char *queue;
};

static void enter(struct scene *scene, const struct row *row)
{
    place_init(&scene->place, row);
    driver_init(&scene->driver);
    scene->queue = scene->place.name;
    station_open(&scene->station, &scene->driver, scene->place.url);
}

static void purge(struct scene *scene)
{
    size_t before = scene->station.counted;
    scene->station.transport->ops->purge(scene->station.transport, scene->queue, 1);
    station_wait(&scene->station, &scene->station.counted, before + 1);
}

static void leave(struct scene *scene)
{
    if (scene->station.transport)
        purge(scene); /* a server is shared by all tests */
    station_close(&scene->station);
    driver_fini(&scene->driver);
    place_fini(&scene->place);
}

static int id_of(const struct arrival *arrival)
{
    char text[24];
    snprintf(text, sizeof text, "%.*s", (int)arrival->msg.id.size, arrival->msg.id.data);
    return atoi(text);
}

/* Acknowledgements travel beside counts: ask again until the number is right. */
static bool counts(struct station *station, const char *queue, uint64_t wanted)
{
    double end = clock_mono() + PATIENCE;
    while (clock_mono() < end)
        if (station_count(station, queue) == wanted)
            return true;
    return false;
}

/* ---- publishing
 * -------------------------------------------------------------------------------------------------- */

PROMISE(each_publish_ends_in_exactly_one_published)
{
    struct scene s;
    enter(&s, row);
    station_fill(&s.station, s.queue, 300);
    size_t seen[300] = {0};
    for (size_t i = 0; i < s.station.published; i++)
        seen[s.station.answers[i].token]++;
    for (size_t i = 0; i < 300; i++)
        cr_assert_eq(seen[i], 1);
    cr_assert(counts(&s.station, s.queue, 300));
    cr_assert_eq(s.station.published, 300);
    leave(&s);
}

PROMISE(a_message_for_a_queue_that_nobody_made_is_unroutable)
{
    struct scene s;
    enter(&s, row);
    struct message msg = letter(s.queue, "1", BODY);
    station_send(&s.station, &msg, 0, 0, 5);
    cr_assert(station_wait(&s.station, &s.station.published, 1));
    cr_assert_eq(s.station.answers[0].code, UMBEL_UNROUTABLE);
    cr_assert_eq(s.station.answers[0].token, 5);
    leave(&s);
}

PROMISE(create_queue_makes_it_for_everyone)
{
    struct scene s;
    enter(&s, row);
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
    cr_assert(counts(&s.station, s.queue, 2));
    leave(&s);
}

PROMISE(a_queue_a_consumer_created_is_known_to_publishers)
{
    struct scene s;
    enter(&s, row);
    station_consume(&s.station, s.queue, 10);
    struct message msg = letter(s.queue, "1", BODY);
    station_send(&s.station, &msg, 0, 0, 1);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    cr_assert(station_wait(&s.station, &s.station.published, 1));
    cr_assert_eq(s.station.answers[0].code, UMBEL_OK);
    station_settle(&s.station, 0, SETTLE_ACK);
    leave(&s);
}

PROMISE(an_unconfirmed_publish_is_answered_and_arrives)
{
    struct scene s;
    enter(&s, row);
    station_consume(&s.station, s.queue, 10);
    struct message msg = letter(s.queue, "1", BODY);
    station_send(&s.station, &msg, 0, PUBLISH_UNCONFIRMED, 9);
    cr_assert(station_wait(&s.station, &s.station.published, 1));
    cr_assert_eq(s.station.answers[0].code, UMBEL_OK);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    station_settle(&s.station, 0, SETTLE_ACK);
    leave(&s);
}

PROMISE(close_answers_every_pending_publish)
{
    struct scene s;
    enter(&s, row);
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
    leave(&s);
}

/* ---- what arrives
 * ------------------------------------------------------------------------------------------------ */

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
    struct scene s;
    enter(&s, row);
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
    leave(&s);
}

PROMISE(absent_fields_stay_absent)
{
    struct scene s;
    enter(&s, row);
    station_consume(&s.station, s.queue, 10);
    struct message msg = letter(s.queue, "1", BODY);
    station_send(&s.station, &msg, 0, 0, 1);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    same_messages(&msg, &s.station.arrivals[0].msg);
    cr_assert_eq(s.station.arrivals[0].msg.extra_count, 0);
    station_settle(&s.station, 0, SETTLE_ACK);
    leave(&s);
}

PROMISE(headers_of_others_arrive_nested_as_they_were)
{
    struct scene s;
    enter(&s, row);
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
    leave(&s);
}

PROMISE(bodies_of_any_size_and_bytes_arrive)
{
    struct scene s;
    enter(&s, row);
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
    leave(&s);
}

PROMISE(ten_thousand_messages_arrive_in_order)
{
    struct scene s;
    enter(&s, row);
    s.station.on_arrival = ON_ARRIVAL_ACK;
    station_consume(&s.station, s.queue, 256);
    station_fill(&s.station, s.queue, 10000);
    cr_assert(station_wait(&s.station, &s.station.arrived, 10000), "%zu arrived", s.station.arrived);
    for (size_t i = 0; i < 10000; i++)
        cr_assert_eq((size_t)id_of(&s.station.arrivals[i]), i);
    leave(&s);
}

PROMISE(queues_do_not_mix)
{
    struct scene s;
    enter(&s, row);
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
    leave(&s);
}

/* ---- settling
 * ---------------------------------------------------------------------------------------------------- */

PROMISE(two_consumers_never_share_a_message)
{
    struct scene s;
    enter(&s, row);
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
    cr_assert(counts(&s.station, s.queue, 0));
    size_t seen[500] = {0};
    for (size_t i = 0; i < s.station.arrived; i++)
        seen[id_of(&s.station.arrivals[i])]++;
    for (size_t i = 0; i < other.arrived; i++)
        seen[id_of(&other.arrivals[i])]++;
    for (size_t i = 0; i < 500; i++)
        cr_assert_eq(seen[i], 1, "%zu came %zu times", i, seen[i]);
    station_close(&other);
    leave(&s);
}

PROMISE(two_consumers_of_one_transport_have_numbers_of_their_own)
{
    struct scene s;
    enter(&s, row);
    uint32_t first = station_consume(&s.station, s.queue, 1);
    uint32_t second = station_consume(&s.station, s.queue, 1);
    cr_assert_neq(first, second);
    station_fill(&s.station, s.queue, 3);
    cr_assert(station_wait(&s.station, &s.station.arrived, 2));
    cr_assert_neq(s.station.arrivals[0].tag.consumer, s.station.arrivals[1].tag.consumer);
    cr_assert(counts(&s.station, s.queue, 1));
    cr_assert_eq(s.station.arrived, 2);
    station_settle(&s.station, 0, SETTLE_ACK);
    cr_assert(station_wait(&s.station, &s.station.arrived, 3));
    cr_assert_eq(s.station.arrivals[2].tag.consumer, s.station.arrivals[0].tag.consumer);
    station_settle(&s.station, 1, SETTLE_ACK);
    station_settle(&s.station, 2, SETTLE_ACK);
    leave(&s);
}

PROMISE(prefetch_is_the_most_that_is_unsettled)
{
    struct scene s;
    enter(&s, row);
    station_consume(&s.station, s.queue, 3);
    station_fill(&s.station, s.queue, 10);
    cr_assert(station_wait(&s.station, &s.station.arrived, 3));
    cr_assert(counts(&s.station, s.queue, 7));
    cr_assert_eq(s.station.arrived, 3);
    station_settle(&s.station, 1, SETTLE_ACK);
    cr_assert(station_wait(&s.station, &s.station.arrived, 4));
    cr_assert(counts(&s.station, s.queue, 6));
    cr_assert_eq(s.station.arrived, 4);
    s.station.on_arrival = ON_ARRIVAL_ACK;
    for (size_t i = 0; i < 4; i++)
        if (i != 1)
            station_settle(&s.station, i, SETTLE_ACK);
    cr_assert(station_wait(&s.station, &s.station.arrived, 10));
    leave(&s);
}

PROMISE(an_acknowledged_message_never_comes_back)
{
    struct scene s;
    enter(&s, row);
    station_fill(&s.station, s.queue, 2);
    station_consume(&s.station, s.queue, 10);
    cr_assert(station_wait(&s.station, &s.station.arrived, 2));
    station_settle(&s.station, 0, SETTLE_ACK);
    station_settle(&s.station, 1, SETTLE_REQUEUE); /* a barrier: what comes next is this one */
    cr_assert(station_wait(&s.station, &s.station.arrived, 3));
    cr_assert_eq(id_of(&s.station.arrivals[2]), 1);
    station_shut(&s.station, 2);
    struct station other;
    station_open(&other, &s.driver, s.place.url);
    station_consume(&other, s.queue, 10);
    cr_assert(row->in_memory || station_wait(&other, &other.arrived, 1));
    if (!row->in_memory) {
        cr_assert_eq(id_of(&other.arrivals[0]), 1);
        cr_assert(other.arrivals[0].msg.redelivered);
        cr_assert_eq(station_count(&other, s.queue), 0);
        cr_assert_eq(other.arrived, 1);
        station_settle(&other, 0, SETTLE_ACK);
    }
    station_close(&other);
    leave(&s);
}

PROMISE(a_message_handed_back_comes_again_marked_redelivered)
{
    struct scene s;
    enter(&s, row);
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
    leave(&s);
}

PROMISE(what_was_not_settled_comes_back_when_a_transport_closes)
{
    struct scene s;
    enter(&s, row);
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
        cr_assert_eq(id_of(&s.station.arrivals[i]), left[i], "%s: %d", row->name,
                     id_of(&s.station.arrivals[i]));
        cr_assert(s.station.arrivals[i].msg.redelivered);
        station_settle(&s.station, i, SETTLE_ACK);
    }
    cr_assert_eq(station_count(&s.station, s.queue), 0);
    leave(&s);
}

PROMISE(what_a_killed_process_held_comes_back)
{
    if (row->in_memory)
        return; /* it dies with its process */
    struct place place;
    place_init(&place, row);
    struct holder holder; /* before this process has a thread */
    cr_assert(holder_start(&holder, place.url, place.name, 100));
    struct scene s = {.place = place, .queue = NULL};
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
        cr_assert_eq((size_t)id_of(&s.station.arrivals[i]), i);
        station_settle(&s.station, i, SETTLE_ACK);
    }
    leave(&s);
}

PROMISE(a_tag_of_a_transport_that_was_closed_is_harmless)
{
    struct scene s;
    enter(&s, row);
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
    leave(&s);
}

/* ---- consumers
 * --------------------------------------------------------------------------------------------------- */

PROMISE(after_cancelled_nothing_is_delivered_and_settling_still_works)
{
    struct scene s;
    enter(&s, row);
    struct station other;
    station_open(&other, &s.driver, s.place.url);
    uint32_t consumer = station_consume(&s.station, s.queue, 10);
    station_fill(&s.station, s.queue, 2);
    cr_assert(station_wait(&s.station, &s.station.arrived, 2));
    s.station.transport->ops->cancel(s.station.transport, consumer);
    cr_assert(station_wait(&s.station, &s.station.cancelled, 1));
    cr_assert_eq(s.station.last_cancelled, consumer);
    station_fill(&s.station, s.queue, 1);
    cr_assert(counts(&s.station, s.queue, 1));
    cr_assert_eq(s.station.arrived, 2);
    station_settle(&s.station, 0, SETTLE_ACK);
    station_settle(&s.station, 1, SETTLE_REQUEUE);
    cr_assert(counts(&s.station, s.queue, 2));
    other.on_arrival = ON_ARRIVAL_ACK;
    station_consume(&other, s.queue, 10);
    cr_assert(station_wait(&other, &other.arrived, 2));
    cr_assert_eq(s.station.arrived, 2);
    station_close(&other);
    leave(&s);
}

/* A transport may tell `cancelled` only when it goes on; then the deliveries may come before it. */
PROMISE(what_came_while_paused_does_not_come_after_cancelled)
{
    struct scene s;
    enter(&s, row);
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
    cr_assert(counts(&s.station, s.queue, 5 - arrived));
    cr_assert_eq(s.station.arrived, arrived, "%zu came after cancelled", s.station.arrived - arrived);
    leave(&s);
}

static void come_and_go(struct scene *s, int times)
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
    struct scene s;
    enter(&s, row);
    come_and_go(&s, 50);
    size_t before = mallinfo2().uordblks;
    come_and_go(&s, 1000);
    size_t after = mallinfo2().uordblks;
    cr_assert_lt(after, before + 48000, "%zu bytes more", after - before);
    leave(&s);
}

PROMISE(what_is_settled_just_before_a_cancel_does_not_come_again)
{
    struct scene s;
    enter(&s, row);
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
    leave(&s);
}

PROMISE(the_last_settling_ends_a_cancelled_consumer)
{
    struct scene s;
    enter(&s, row);
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
    leave(&s);
}

PROMISE(the_higher_priority_comes_first_where_the_queue_has_priorities)
{
    struct scene s;
    enter(&s, row);
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
    static const int order[] = {2, 5, 1, 3, 4, 0}; /* 9 counts as the queue's highest, 5 */
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(id_of(&s.station.arrivals[i]), order[i], "place %zu has %d", i,
                     id_of(&s.station.arrivals[i]));
    leave(&s);
}

PROMISE(a_consumer_without_a_queue_says_so_and_starts_when_there_is_one)
{
    struct scene s;
    enter(&s, row);
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
    leave(&s);
}

PROMISE(a_paused_transport_delivers_nothing_until_it_goes_on)
{
    struct scene s;
    enter(&s, row);
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
    leave(&s);
}

PROMISE(a_message_crosses_from_one_loop_to_another)
{
    struct scene s;
    enter(&s, row);
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
    leave(&s);
    uv_close((uv_handle_t *)&elsewhere.deadline, NULL);
    loop_fini(&elsewhere.loop);
}

/* ---- delays, counts
 * ---------------------------------------------------------------------------------------------- */

PROMISE(a_delayed_message_comes_when_it_is_due)
{
    struct scene s;
    enter(&s, row);
    station_consume(&s.station, s.queue, 10);
    struct message late = letter(s.queue, "1", BODY), soon = letter(s.queue, "2", BODY);
    double sent = clock_mono();
    station_send(&s.station, &late, 1.2, 0, 1);
    station_send(&s.station, &soon, 0, 0, 2);
    cr_assert(station_wait(&s.station, &s.station.published, 2));
    cr_assert_eq(s.station.answers[0].code, UMBEL_OK);
    cr_assert(station_wait(&s.station, &s.station.arrived, 2));
    cr_assert_eq(id_of(&s.station.arrivals[0]), 2);
    cr_assert_eq(id_of(&s.station.arrivals[1]), 1);
    cr_assert_geq(s.station.arrivals[1].at - sent, 1.19);
    cr_assert_lt(s.station.arrivals[1].at - sent, 4.0);
    cr_assert_not(s.station.arrivals[1].msg.redelivered);
    station_settle(&s.station, 0, SETTLE_ACK);
    station_settle(&s.station, 1, SETTLE_ACK);
    leave(&s);
}

PROMISE(count_tells_what_is_ready_and_purge_takes_it_away)
{
    struct scene s;
    enter(&s, row);
    station_fill(&s.station, s.queue, 3);
    cr_assert(counts(&s.station, s.queue, 3));
    s.station.transport->ops->purge(s.station.transport, s.queue, 12);
    size_t before = s.station.counted;
    cr_assert(station_wait(&s.station, &s.station.counted, before + 1));
    cr_assert_eq(s.station.count.token, 12);
    cr_assert_eq(s.station.count.code, UMBEL_OK);
    cr_assert_eq(s.station.count.messages, 3);
    cr_assert_eq(station_count(&s.station, s.queue), 0);
    leave(&s);
}

PROMISE(counting_a_queue_that_does_not_exist_is_not_found)
{
    struct scene s;
    enter(&s, row);
    s.station.transport->ops->count(s.station.transport, s.queue, 4);
    cr_assert(station_wait(&s.station, &s.station.counted, 1));
    cr_assert_eq(s.station.count.token, 4);
    cr_assert_eq(s.station.count.code, UMBEL_NOT_FOUND);
    s.station.transport->ops->purge(s.station.transport, s.queue, 5);
    cr_assert(station_wait(&s.station, &s.station.counted, 2));
    cr_assert_eq(s.station.count.code, UMBEL_NOT_FOUND);
    leave(&s);
}
