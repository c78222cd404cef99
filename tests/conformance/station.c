/* station.c: see station.h. */
#include "station.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include "common/clock.h"
#include "common/str.h"

/* Room for entry number `count`; doubles. */
static void *grown(void *list, size_t count, size_t each)
{
    if (count & (count - 1))
        return list;
    list = realloc(list, (count ? count * 2 : 1) * each);
    cr_assert_not_null(list);
    return list;
}

static void note(struct station *station)
{
    station->unasked += station->inside;
}

static void on_state(void *self, enum transport_state state, int code, const char *why)
{
    struct station *station = self;
    note(station);
    station->up += state == TRANSPORT_UP;
    if (state == TRANSPORT_FAILED) {
        station->failed++;
        station->fail_code = code;
        snprintf(station->fail_why, sizeof station->fail_why, "%s", why ? why : "");
    }
}

static void on_published(void *self, uint64_t token, int code, const char *why)
{
    struct station *station = self;
    (void)why;
    note(station);
    station->answers = grown(station->answers, station->published, sizeof *station->answers);
    station->answers[station->published++] = (struct answer){token, code, 0};
}

static void arrive(struct station *station, struct tag tag, const struct message *msg, bool garbled)
{
    note(station);
    station->arrivals = grown(station->arrivals, station->arrived, sizeof *station->arrivals);
    struct arrival *arrival = &station->arrivals[station->arrived++];
    *arrival = (struct arrival){.tag = tag, .at = clock_mono(), .garbled = garbled};
    cr_assert_eq(message_copy(&station->arena, &arrival->msg, msg), UMBEL_OK);
    if (station->on_arrival == ON_ARRIVAL_ACK)
        station->transport->ops->settle(station->transport, tag, SETTLE_ACK);
}

static void on_delivered(void *self, struct tag tag, const struct message *msg)
{
    arrive(self, tag, msg, false);
}

static void on_garbled(void *self, struct tag tag, const struct message *msg, const char *why)
{
    (void)why;
    arrive(self, tag, msg, true);
}

static void on_lost(void *self, uint32_t consumer, int code, const char *why)
{
    struct station *station = self;
    (void)consumer, (void)why;
    note(station);
    station->lost_code = code;
    station->lost++;
}

static void on_consuming(void *self, uint32_t consumer, uint64_t waiting)
{
    struct station *station = self;
    note(station);
    station->last_consuming = consumer;
    station->waiting = waiting;
    station->consuming++;
}

static void on_cancelled(void *self, uint32_t consumer)
{
    struct station *station = self;
    note(station);
    station->last_cancelled = consumer;
    station->cancelled++;
}

static void on_room(void *self)
{
    struct station *station = self;
    note(station);
    station->room++;
}

static void on_disowned(void *self, uint32_t consumer)
{
    struct station *station = self;
    (void)consumer;
    note(station);
    station->disowned++;
}

static void on_counted(void *self, uint64_t token, int code, uint64_t messages, const char *why)
{
    struct station *station = self;
    (void)why;
    note(station);
    station->count = (struct answer){token, code, messages};
    station->counted++;
}

static void on_closed(void *self)
{
    struct station *station = self;
    station->transport = NULL;
    station->closed++;
}

static const struct transport_events events = {
    .state = on_state,
    .published = on_published,
    .delivered = on_delivered,
    .garbled = on_garbled,
    .consumer_lost = on_lost,
    .disowned = on_disowned,
    .consuming = on_consuming,
    .cancelled = on_cancelled,
    .room = on_room,
    .counted = on_counted,
};

int station_try(struct station *station, struct driver *driver, const char *url, struct buffer *why)
{
    static const struct transport_options options = {.heartbeat = 30};
    *station = (struct station){.driver = driver};
    arena_init(&station->arena, 0);
    station->inside = true;
    int code = transport_open(&station->transport, &driver->loop, url, &options, &events, station, why);
    station->inside = false;
    return code;
}

void station_open(struct station *station, struct driver *driver, const char *url)
{
    struct buffer why;
    buffer_init(&why, 4096);
    int code = station_try(station, driver, url, &why);
    cr_assert_eq(code, UMBEL_OK, "%s: %.*s", url, (int)buffer_length(&why), buffer_head(&why));
    buffer_fini(&why);
    cr_assert(station_wait(station, &station->up, 1), "%s did not come up: %s", url, station->fail_why);
}

void station_shut(struct station *station, double grace)
{
    if (station->transport)
        station->transport->ops->close(station->transport, grace, on_closed, station);
    cr_assert(station_wait(station, &station->closed, 1), "close never ended");
}

void station_close(struct station *station)
{
    station_shut(station, 2);
    cr_expect_eq(station->unasked, 0, "%zu events came from inside a call", station->unasked);
    free(station->answers);
    free(station->arrivals);
    arena_fini(&station->arena);
}

bool station_wait(struct station *station, const size_t *counter, size_t wanted)
{
    return driver_wait(station->driver, counter, wanted, PATIENCE);
}

struct message letter(const char *queue, const char *id, umbel_str body)
{
    struct message msg;
    message_init(&msg);
    msg.queue = str_of(queue);
    msg.task = STR("conformance.letter");
    msg.id = str_of(id);
    msg.content_type = STR("application/json");
    msg.content_encoding = STR("utf-8");
    msg.body = body;
    return msg;
}

static int publish(struct station *station, const struct message *msg, double delay, int flags,
                   uint64_t token)
{
    station->inside = true;
    int code = station->transport->ops->publish(station->transport, msg, delay, flags, token);
    station->inside = false;
    return code;
}

int arrival_id(const struct arrival *arrival)
{
    char text[24];
    snprintf(text, sizeof text, "%.*s", (int)arrival->msg.id.size, arrival->msg.id.data);
    return atoi(text);
}

void station_send(struct station *station, const struct message *msg, double delay, int flags, uint64_t token)
{
    int code;
    do {
        size_t seen = station->room;
        code = publish(station, msg, delay, flags, token);
        if (code == UMBEL_BUSY)
            cr_assert(station_wait(station, &station->room, seen + 1), "no room after UMBEL_BUSY");
    } while (code == UMBEL_BUSY);
    cr_assert_eq(code, UMBEL_OK, "publish: %s", umbel_strerror(code));
}

void station_fill(struct station *station, const char *queue, size_t count)
{
    size_t before = station->published;
    for (size_t i = 0; i < count; i++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", i);
        struct message msg = letter(queue, id, STR("[[], {}, {}]"));
        station_send(station, &msg, 0, PUBLISH_CREATE_QUEUE, i);
    }
    cr_assert(station_wait(station, &station->published, before + count), "%zu of %zu confirmed",
              station->published - before, count);
    for (size_t i = before; i < station->published; i++)
        cr_assert_eq(station->answers[i].code, UMBEL_OK);
}

uint32_t station_consume(struct station *station, const char *queue, uint32_t prefetch)
{
    struct consume_options options = {.prefetch = prefetch, .create_queue = true};
    size_t before = station->consuming;
    station->inside = true;
    uint32_t consumer = station->transport->ops->consume(station->transport, queue, &options);
    station->inside = false;
    cr_assert_gt(consumer, 0);
    cr_assert(station_wait(station, &station->consuming, before + 1), "the consumer never started");
    cr_assert_eq(station->last_consuming, consumer);
    return consumer;
}

void station_settle(struct station *station, size_t arrival, enum settle how)
{
    cr_assert_lt(arrival, station->arrived);
    station->inside = true;
    station->transport->ops->settle(station->transport, station->arrivals[arrival].tag, how);
    station->inside = false;
}

uint64_t station_count(struct station *station, const char *queue)
{
    size_t before = station->counted;
    station->inside = true;
    station->transport->ops->count(station->transport, queue, before + 77);
    station->inside = false;
    cr_assert(station_wait(station, &station->counted, before + 1), "count was not answered");
    cr_assert_eq(station->count.token, before + 77);
    cr_assert_eq(station->count.code, UMBEL_OK);
    return station->count.messages;
}

bool station_counts(struct station *station, const char *queue, uint64_t wanted)
{
    double end = clock_mono() + PATIENCE;
    while (clock_mono() < end)
        if (station_count(station, queue) == wanted)
            return true;
    return false;
}
