/* amqp_test.c: what only the transport to RabbitMQ can get wrong: lost connections, refusals, the broker's
 * own objects. Needs UMBEL_TEST_AMQP; without it each test says so and passes. */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/clock.h"
#include "common/str.h"
#include "common/uuid.h"
#include "relay.h"
#include "station.h"

#define BODY STR("[[2, 3], {}, {}]")

TestSuite(amqp, .timeout = 90);

struct scene {
    struct driver driver;
    struct relay relay;
    struct station station;
    struct url url; /* of the real server */
    struct arena arena;
    char queue[48], relay_url[512];
};

static bool enter(struct scene *s)
{
    const char *url = getenv("UMBEL_TEST_AMQP"), *why;
    *s = (struct scene){.queue = ""};
    if (!url || !*url) {
        cr_log_info("left out: UMBEL_TEST_AMQP is not set");
        return false;
    }
    arena_init(&s->arena, 0);
    cr_assert_eq(url_parse(&s->arena, url, &s->url, &why), 0);
    char id[UUID_SIZE];
    uuid_make(id);
    snprintf(s->queue, sizeof s->queue, "test.%s", id);
    driver_init(&s->driver);
    relay_open(&s->relay, &s->driver.loop, s->url.port);
    snprintf(s->relay_url, sizeof s->relay_url, "amqp://%s:%s@127.0.0.1:%d/%s?heartbeat=1", s->url.user.data,
             s->url.password.data, s->relay.port, "%2F");
    return true;
}

/* A blocking client of librabbitmq, for what ours cannot or would not do. */
static amqp_connection_state_t other_client(struct scene *s)
{
    amqp_connection_state_t client = amqp_new_connection();
    amqp_socket_t *socket = amqp_tcp_socket_new(client);
    cr_assert_eq(amqp_socket_open(socket, "127.0.0.1", s->url.port), 0);
    amqp_rpc_reply_t reply =
        amqp_login(client, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, s->url.user.data, s->url.password.data);
    cr_assert_eq(reply.reply_type, AMQP_RESPONSE_NORMAL);
    amqp_channel_open(client, 1);
    return client;
}

static void leave_other(amqp_connection_state_t client)
{
    amqp_connection_close(client, AMQP_REPLY_SUCCESS);
    amqp_destroy_connection(client);
}

static void delete_queue(struct scene *s)
{
    amqp_connection_state_t client = other_client(s);
    amqp_queue_delete(client, 1, amqp_cstring_bytes(s->queue), 0, 0);
    leave_other(client);
}

static void leave(struct scene *s)
{
    if (s->station.driver)
        station_close(&s->station);
    delete_queue(s);
    relay_close(&s->relay);
    driver_fini(&s->driver);
    arena_fini(&s->arena);
}

/* ---- lost connections ---- */

Test(amqp, a_connection_cut_among_confirms_leaves_each_publish_one_end_and_comes_back)
{
    struct scene s;
    if (!enter(&s))
        return;
    station_open(&s.station, &s.driver, s.relay_url);
    station_fill(&s.station, s.queue, 1);
    s.station.published = 0;
    s.relay.cut_after = s.relay.passed + 40000;
    size_t up = s.station.up, sent = 0;
    int code = UMBEL_OK;
    for (; sent < 2000 && code == UMBEL_OK; sent++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", sent);
        struct message msg = letter(s.queue, id, BODY);
        code = s.station.transport->ops->publish(s.station.transport, &msg, 0, 0, sent);
        sent -= code != UMBEL_OK;
        if (sent % 100 == 99)
            uv_run(&s.driver.loop.uv, UV_RUN_NOWAIT);
    }
    cr_assert(station_wait(&s.station, &s.station.published, sent));
    double cut = clock_mono();
    cr_assert(station_wait(&s.station, &s.station.up, up + 1));
    cr_assert_lt(clock_mono() - cut, 3.0);
    size_t away = 0, *seen = calloc(sent, sizeof *seen);
    for (size_t i = 0; i < s.station.published; i++) {
        const struct answer *answer = &s.station.answers[i];
        cr_assert(answer->code == UMBEL_OK || answer->code == UMBEL_BROKER_AWAY);
        away += answer->code == UMBEL_BROKER_AWAY;
        cr_assert_eq(seen[answer->token]++, 0, "%d ended twice", (int)answer->token);
    }
    cr_assert_gt(away, 0, "the cut came among them");
    cr_assert_geq(station_count(&s.station, s.queue), sent - away, "what was confirmed is there");
    free(seen);
    leave(&s);
}

Test(amqp, after_a_cut_consumers_come_back_and_old_tags_acknowledge_nothing)
{
    struct scene s;
    if (!enter(&s))
        return;
    station_open(&s.station, &s.driver, s.relay_url);
    station_fill(&s.station, s.queue, 20);
    station_consume(&s.station, s.queue, 20);
    cr_assert(station_wait(&s.station, &s.station.arrived, 20));
    station_settle(&s.station, 0, SETTLE_ACK);
    size_t consuming = s.station.consuming;
    relay_cut(&s.relay); /* before the turn ends, so before the acknowledgement leaves */
    cr_assert(station_wait(&s.station, &s.station.consuming, consuming + 1));
    cr_assert(station_wait(&s.station, &s.station.arrived, 40), "%zu", s.station.arrived);
    cr_assert_eq(s.station.disowned, 1, "the owner was told before they came again");
    for (size_t i = 0; i < 20; i++) {
        cr_assert(s.station.arrivals[20 + i].msg.redelivered);
        station_settle(&s.station, i, SETTLE_ACK); /* stale */
    }
    station_count(&s.station, s.queue); /* a round trip: the broker has seen what we had to say */
    consuming = s.station.consuming;
    relay_cut(&s.relay);
    cr_assert(station_wait(&s.station, &s.station.arrived, 60), "nothing had been acknowledged: %zu",
              s.station.arrived);
    leave(&s);
}

/* Two connections stand behind a transport: the first to go may be the one that publishes. */
Test(amqp, deliveries_are_disowned_with_the_connection_that_brought_them)
{
    struct scene s;
    if (!enter(&s))
        return;
    station_open(&s.station, &s.driver, s.relay_url);
    station_fill(&s.station, s.queue, 4);
    station_consume(&s.station, s.queue, 4);
    cr_assert(station_wait(&s.station, &s.station.arrived, 4));
    for (size_t cut = 0; cut < 2; cut++) { /* one after the other */
        size_t up = s.station.up;
        relay_cut_oldest(&s.relay);
        cr_assert(station_wait(&s.station, &s.station.up, up + 1));
    }
    cr_assert(station_wait(&s.station, &s.station.arrived, 8));
    cr_assert_eq(s.station.disowned, 1, "not by the loss of the other connection");
    leave(&s);
}

Test(amqp, a_server_that_falls_silent_is_left_after_two_heartbeats_and_found_again)
{
    struct scene s;
    if (!enter(&s))
        return;
    station_open(&s.station, &s.driver, s.relay_url);
    station_consume(&s.station, s.queue, 1);
    size_t accepted = s.relay.accepted, consuming = s.station.consuming;
    s.relay.silent = true;
    cr_assert(station_wait(&s.station, &s.relay.accepted, accepted + 2), "it did not notice");
    s.relay.silent = false;
    cr_assert(station_wait(&s.station, &s.station.consuming, consuming + 1));
    leave(&s);
}

Test(amqp, the_next_url_of_a_list_is_tried)
{
    struct scene s;
    if (!enter(&s))
        return;
    char urls[1100];
    snprintf(urls, sizeof urls, "amqp://127.0.0.1:1;%s", s.relay_url);
    station_open(&s.station, &s.driver, urls);
    size_t up = s.station.up;
    relay_cut(&s.relay);
    cr_assert(station_wait(&s.station, &s.station.up, up + 1));
    leave(&s);
}

/* ---- refusals ---- */

static void refused(struct scene *s, const char *format, const char *expected)
{
    char url[256];
    struct buffer why;
    buffer_init(&why, 4096);
    snprintf(url, sizeof url, format, s->relay.port);
    cr_assert_eq(station_try(&s->station, &s->driver, url, &why), UMBEL_OK);
    cr_assert(station_wait(&s->station, &s->station.failed, 1));
    cr_assert_eq(s->station.fail_code, UMBEL_AUTH, "%s", s->station.fail_why);
    cr_assert(strstr(s->station.fail_why, expected), "%s", s->station.fail_why);
    cr_assert_not(strstr(s->station.fail_why, "sesame"), "%s", s->station.fail_why);
    buffer_fini(&why);
    leave(s);
}

Test(amqp, a_wrong_password_is_named_but_not_shown)
{
    struct scene s;
    if (enter(&s))
        refused(&s, "amqp://guest:sesame@127.0.0.1:%d//", "user 'guest' is refused");
}

Test(amqp, an_unknown_virtual_host_is_named)
{
    struct scene s;
    if (enter(&s))
        refused(&s, "amqp://guest:guest@127.0.0.1:%d/nowhere", "virtual host 'nowhere'");
}

Test(amqp, a_missing_exchange_ends_its_own_publish_only)
{
    struct scene s;
    if (!enter(&s))
        return;
    station_open(&s.station, &s.driver, s.relay_url);
    station_fill(&s.station, s.queue, 1);
    struct message good = letter(s.queue, "1", BODY), bad = good;
    bad.exchange = STR("test.no.such.exchange");
    bad.routing_key = STR("k");
    station_send(&s.station, &good, 0, 0, 11);
    station_send(&s.station, &bad, 0, 0, 12);
    station_send(&s.station, &good, 0, 0, 13);
    cr_assert(station_wait(&s.station, &s.station.published, 4));
    for (size_t i = 1; i < 4; i++)
        cr_assert_eq(s.station.answers[i].code,
                     s.station.answers[i].token == 12 ? UMBEL_UNROUTABLE : UMBEL_OK);
    leave(&s);
}

Test(amqp, a_queue_that_another_consumes_alone_is_lost_with_a_reason)
{
    struct scene s;
    if (!enter(&s))
        return;
    struct station other;
    struct consume_options alone = {.prefetch = 1, .create_queue = true, .exclusive = true};
    station_open(&s.station, &s.driver, s.relay_url);
    station_open(&other, &s.driver, s.relay_url);
    s.station.transport->ops->consume(s.station.transport, s.queue, &alone);
    cr_assert(station_wait(&s.station, &s.station.consuming, 1));
    other.transport->ops->consume(other.transport, s.queue, &alone);
    cr_assert(station_wait(&other, &other.lost, 1));
    cr_assert_eq(other.lost_code, UMBEL_REFUSED);
    station_shut(&s.station, 2);
    cr_assert(station_wait(&other, &other.consuming, 1), "it tries again by itself");
    station_close(&other);
    leave(&s);
}

/* ---- the broker's own objects ---- */

Test(amqp, a_queue_deleted_under_its_consumer_is_made_again)
{
    struct scene s;
    if (!enter(&s))
        return;
    station_open(&s.station, &s.driver, s.relay_url);
    station_consume(&s.station, s.queue, 5);
    delete_queue(&s);
    cr_assert(station_wait(&s.station, &s.station.lost, 1));
    cr_assert(station_wait(&s.station, &s.station.consuming, 2));
    station_fill(&s.station, s.queue, 3);
    cr_assert(station_wait(&s.station, &s.station.arrived, 3));
    leave(&s);
}

Test(amqp, a_queue_deleted_under_a_publisher_is_unroutable_once_and_then_made_again)
{
    struct scene s;
    if (!enter(&s))
        return;
    struct message msg = letter(s.queue, "1", BODY);
    station_open(&s.station, &s.driver, s.relay_url);
    station_fill(&s.station, s.queue, 1);
    delete_queue(&s);
    station_send(&s.station, &msg, 0, PUBLISH_CREATE_QUEUE, 7);
    cr_assert(station_wait(&s.station, &s.station.published, 2));
    cr_assert_eq(s.station.answers[1].code, UMBEL_UNROUTABLE);
    station_send(&s.station, &msg, 0, PUBLISH_CREATE_QUEUE, 8);
    cr_assert(station_wait(&s.station, &s.station.published, 3));
    cr_assert_eq(s.station.answers[2].code, UMBEL_OK);
    leave(&s);
}

Test(amqp, a_delay_is_kept_by_the_broker)
{
    struct scene s;
    if (!enter(&s))
        return;
    struct message msg = letter(s.queue, "later", BODY);
    station_open(&s.station, &s.driver, s.relay_url);
    station_consume(&s.station, s.queue, 5);
    double sent = clock_mono();
    station_send(&s.station, &msg, 1.2, 0, 1);
    cr_assert(driver_wait(&s.driver, &s.station.published, 1, 30));
    cr_assert_eq(s.station.answers[0].code, UMBEL_OK);
    cr_assert(driver_wait(&s.driver, &s.station.arrived, 1, 30));
    double took = s.station.arrivals[0].at - sent;
    cr_assert(took >= 2.0, "rounded up to two seconds: %f", took);
    cr_assert(str_equal(s.station.arrivals[0].msg.id, STR("later")));
    msg.queue = STR("test.never.made");
    station_send(&s.station, &msg, 1, 0, 2);
    cr_assert(driver_wait(&s.driver, &s.station.published, 2, 30));
    cr_assert_eq(s.station.answers[1].code, UMBEL_UNROUTABLE, "a delay to nowhere is not lost in silence");
    leave(&s);
}

Test(amqp, bodies_about_the_size_of_a_frame_and_far_above_arrive_whole)
{
    struct scene s;
    if (!enter(&s))
        return;
    static const size_t sizes[] = {0, 131063, 131064, 131065, 262128, 3000000};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    char *bytes = malloc(3000000);
    for (size_t i = 0; i < 3000000; i++)
        bytes[i] = (char)(i % 251);
    station_open(&s.station, &s.driver, s.relay_url);
    station_consume(&s.station, s.queue, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        struct message msg = letter(s.queue, "1", (umbel_str){bytes, sizes[i]});
        station_send(&s.station, &msg, 0, 0, i);
    }
    cr_assert(station_wait(&s.station, &s.station.arrived, COUNT));
    for (size_t i = 0; i < COUNT; i++) {
        umbel_str body = s.station.arrivals[i].msg.body;
        cr_assert_eq(body.size, sizes[i]);
        cr_assert(body.size == 0 || memcmp(body.data, bytes, body.size) == 0);
    }
    free(bytes);
    leave(&s);
}

Test(amqp, headers_nested_too_deep_are_garbled_and_their_body_is_kept)
{
    struct scene s;
    if (!enter(&s))
        return;
    station_open(&s.station, &s.driver, s.relay_url);
    station_consume(&s.station, s.queue, 5);
    amqp_table_entry_t levels[100];
    for (size_t i = 0; i < 100; i++) {
        levels[i] =
            (amqp_table_entry_t){.key = amqp_cstring_bytes("deep"), .value.kind = AMQP_FIELD_KIND_TABLE};
        levels[i].value.value.table = i ? (amqp_table_t){1, &levels[i - 1]} : (amqp_table_t){0, NULL};
    }
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_HEADERS_FLAG, .headers = {1, &levels[99]}};
    amqp_connection_state_t client = other_client(&s);
    amqp_basic_publish(client, 1, amqp_empty_bytes, amqp_cstring_bytes(s.queue), 0, 0, &properties,
                       amqp_cstring_bytes("body"));
    leave_other(client);
    cr_assert(station_wait(&s.station, &s.station.arrived, 1));
    cr_assert(s.station.arrivals[0].garbled);
    cr_assert(str_equal(s.station.arrivals[0].msg.body, STR("body")));
    leave(&s);
}
