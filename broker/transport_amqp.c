/* transport_amqp.c: RabbitMQ as a transport: one connection to publish, one to consume.
 *
 * Two, because a broker in alarm stops reading from whoever publishes, and acknowledgements must not wait
 * behind that. This file only joins the two halves: amqp_publisher.c and amqp_consumers.c do the work. */
#include "broker/transport_amqp.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/amqp_consumers.h"
#include "broker/amqp_publisher.h"
#include "common/str.h"

#define NAME_SIZE 128

struct amqp_transport {
    struct transport base;
    struct loop *loop;
    struct transport_options options;
    struct transport_events events;
    void *self;
    struct amqp_address *addresses;
    size_t address_count;
    char publisher_name[NAME_SIZE], consumers_name[NAME_SIZE];
    bool publishes, consumes; /* which of the two there are */
    struct amqp_publisher publisher;
    struct amqp_consumers consumers;
    enum transport_state state;

    /* closing */
    enum { OPEN, FLUSHING, PARTING, CLOSED } phase;
    uint64_t deadline;
    uv_timer_t timer;
    int parting, handles;
    void (*closed)(void *self);
    void *closed_self;
};

static struct amqp_transport *amqp_of(struct transport *transport)
{
    return (struct amqp_transport *)transport;
}

/* ---- state ---- */

/* The worse of the two. */
static enum transport_state state_of(const struct amqp_transport *t)
{
    enum transport_state publishing = t->publishes ? amqp_publisher_state(&t->publisher) : TRANSPORT_UP;
    enum transport_state consuming = t->consumes ? amqp_consumers_state(&t->consumers) : TRANSPORT_UP;
    if (publishing == TRANSPORT_FAILED || consuming == TRANSPORT_FAILED)
        return TRANSPORT_FAILED;
    if (publishing == TRANSPORT_CONNECTING || consuming == TRANSPORT_CONNECTING)
        return TRANSPORT_CONNECTING;
    return publishing;
}

/* Told when it differs, and whenever an attempt to come up has failed, so that the reason is known. */
static void on_changed(void *self, int code, const char *why)
{
    struct amqp_transport *t = self;
    enum transport_state state = state_of(t);
    bool news = state != t->state || (state != TRANSPORT_UP && code != UMBEL_OK);
    t->state = state;
    if (t->phase == OPEN && news)
        t->events.state(t->self, state, code, why);
}

/* ---- what the halves say ---- */

static void on_published(void *self, uint64_t token, int code, const char *why)
{
    struct amqp_transport *t = self;
    t->events.published(t->self, token, code, why);
}

static void on_room(void *self)
{
    struct amqp_transport *t = self;
    if (t->phase == OPEN)
        t->events.room(t->self);
}

static void part(struct amqp_transport *t);

static void on_idle(void *self)
{
    struct amqp_transport *t = self;
    if (t->phase == FLUSHING)
        part(t);
}

static void finish(struct amqp_transport *t);

static void on_ended(void *self)
{
    struct amqp_transport *t = self;
    if (--t->parting == 0)
        finish(t);
}

static const struct amqp_publisher_events publisher_events = {on_changed, on_published, on_room, on_idle,
                                                              on_ended};
static const struct amqp_consumers_events consumers_events = {on_changed, on_ended};

/* ---- opening ---- */

static void free_transport(struct amqp_transport *t)
{
    for (size_t i = 0; i < t->address_count; i++)
        amqp_address_fini(&t->addresses[i]);
    free(t->addresses);
    free(t);
}

static int read_addresses(struct amqp_transport *t, const struct url *urls, size_t count, const char **why)
{
    t->addresses = calloc(count, sizeof *t->addresses);
    if (!t->addresses)
        return UMBEL_NO_MEMORY;
    for (; t->address_count < count; t->address_count++) {
        int code = amqp_address_init(&t->addresses[t->address_count], &urls[t->address_count], why);
        if (code) {
            amqp_address_fini(&t->addresses[t->address_count]);
            return code;
        }
        const struct amqp_address *address = &t->addresses[t->address_count];
        if (address->stream.tls && !address->tls.verify)
            log_line(t->options.log, UMBEL_WARNING, "amqp",
                     "the certificate of %s is not verified (verify=none)", address->name);
    }
    return UMBEL_OK;
}

static void set_defaults(struct amqp_transport *t)
{
    struct transport_options *options = &t->options;
    const char *name = options->client_name ? options->client_name : "umbel";
    if (!(options->connect_timeout > 0))
        options->connect_timeout = 5;
    if (!(options->heartbeat > 0))
        options->heartbeat = 30;
    if (!options->output_max)
        options->output_max = (size_t)16 << 20;
    if (!options->input_budget)
        options->input_budget = (size_t)256 << 20;
    snprintf(t->publisher_name, NAME_SIZE, "%.100s publish", name);
    snprintf(t->consumers_name, NAME_SIZE, "%.100s consume", name);
    options->client_name = NULL; /* the caller's; not ours to keep */
    t->publishes = !options->consume_only;
    t->consumes = !options->publish_only || options->consume_only;
}

static void handle_gone(void *self);

static int open_halves(struct amqp_transport *t)
{
    struct amqp_conn_options options = {.loop = t->loop,
                                        .log = t->options.log,
                                        .addresses = t->addresses,
                                        .address_count = t->address_count,
                                        .connect_timeout = t->options.connect_timeout,
                                        .heartbeat = t->options.heartbeat,
                                        .name = t->publisher_name};
    bool consumes = t->consumes;
    t->consumes = false; /* until it is there to be closed */
    if (t->publishes && amqp_publisher_init(&t->publisher, &options, t->options.output_max, &publisher_events,
                                            t) != UMBEL_OK) {
        t->publishes = false;
        return UMBEL_NO_MEMORY;
    }
    options.name = t->consumers_name;
    if (consumes && amqp_consumers_init(&t->consumers, &options, t->options.input_budget, &consumers_events,
                                        t, &t->events, t->self) != UMBEL_OK) {
        return UMBEL_NO_MEMORY;
    }
    t->consumes = consumes;
    return UMBEL_OK;
}

static int open_amqp(struct transport **out, struct loop *loop, const struct url *urls, size_t url_count,
                     const struct transport_options *options, const struct transport_events *events,
                     void *self, const char **why)
{
    struct amqp_transport *t = calloc(1, sizeof *t);
    if (!t)
        return UMBEL_NO_MEMORY;
    t->base.ops = &transport_amqp;
    t->loop = loop;
    t->options = options ? *options : (struct transport_options){0};
    t->events = *events;
    t->self = self;
    set_defaults(t);
    int code = read_addresses(t, urls, url_count, why);
    if (code) {
        free_transport(t);
        return code;
    }
    uv_timer_init(&loop->uv, &t->timer);
    t->timer.data = t;
    code = open_halves(t);
    if (code) {
        finish(t);
        return code;
    }
    *out = &t->base;
    return UMBEL_OK;
}

/* ---- calls ---- */

static int publish(struct transport *transport, const struct message *msg, double delay, int flags,
                   uint64_t token)
{
    struct amqp_transport *t = amqp_of(transport);
    if (!t->publishes || t->phase != OPEN)
        return UMBEL_BROKER_AWAY;
    return amqp_publisher_publish(&t->publisher, msg, delay, flags, token);
}

static uint32_t consume(struct transport *transport, const char *queue, const struct consume_options *options)
{
    struct amqp_transport *t = amqp_of(transport);
    return t->consumes ? amqp_consumers_add(&t->consumers, queue, options) : 0;
}

static void cancel(struct transport *transport, uint32_t consumer)
{
    struct amqp_transport *t = amqp_of(transport);
    if (t->consumes)
        amqp_consumers_cancel(&t->consumers, consumer);
}

static void settle(struct transport *transport, struct tag tag, enum settle how)
{
    struct amqp_transport *t = amqp_of(transport);
    if (t->consumes)
        amqp_consumers_settle(&t->consumers, tag, how);
}

static void pause_reading(struct transport *transport, bool paused)
{
    struct amqp_transport *t = amqp_of(transport);
    if (t->consumes)
        amqp_consumers_pause(&t->consumers, paused);
}

static void on_counted(void *self, uint64_t token, int code, uint64_t count, const char *why)
{
    struct amqp_transport *t = self;
    t->events.counted(t->self, token, code, count, why);
}

/* The consuming connection answers even when the broker takes no publishes; but not while we do not read it.
 */
static void ask(struct amqp_transport *t, enum amqp_errand_kind kind, const char *queue, uint64_t token)
{
    bool there = t->consumes && !(t->publishes && t->consumers.conn.paused);
    struct amqp_errand_order order = {
        .kind = kind, .name = str_of(queue), .done = on_counted, .self = t, .token = token};
    amqp_errands_ask(there ? &t->consumers.errands : &t->publisher.errands, &order);
}

static void count(struct transport *transport, const char *queue, uint64_t token)
{
    ask(amqp_of(transport), ERRAND_COUNT, queue, token);
}

static void purge(struct transport *transport, const char *queue, uint64_t token)
{
    ask(amqp_of(transport), ERRAND_PURGE, queue, token);
}

/* ---- closing: flush, say goodbye, go ---- */

static void handle_gone(void *self)
{
    struct amqp_transport *t = self;
    if (--t->handles == 0)
        free_transport(t);
}

static void timer_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

static void finish(struct amqp_transport *t)
{
    if (t->phase == CLOSED)
        return;
    t->phase = CLOSED;
    t->handles = 1 + t->publishes + t->consumes;
    if (t->consumes)
        amqp_consumers_fini(&t->consumers, handle_gone, t);
    if (t->publishes)
        amqp_publisher_fini(&t->publisher, handle_gone, t);
    uv_close((uv_handle_t *)&t->timer, timer_closed);
    if (t->closed)
        t->closed(t->closed_self);
}

static double time_left(const struct amqp_transport *t)
{
    uint64_t now = loop_now(t->loop);
    return t->deadline > now ? (double)(t->deadline - now) / 1000 : 0;
}

static void part(struct amqp_transport *t)
{
    t->phase = PARTING;
    t->parting = 1 + t->publishes + t->consumes; /* one for ourselves: an end may come from inside */
    if (t->consumes) {
        amqp_consumers_tell(&t->consumers);
        amqp_conn_close(&t->consumers.conn, time_left(t));
    }
    if (t->publishes)
        amqp_conn_close(&t->publisher.conn, time_left(t));
    on_ended(t);
}

static void on_time_over(uv_timer_t *timer)
{
    struct amqp_transport *t = timer->data;
    if (t->phase == FLUSHING)
        part(t);
}

static void close_amqp(struct transport *transport, double grace, void (*closed)(void *self), void *self)
{
    struct amqp_transport *t = amqp_of(transport);
    if (t->phase != OPEN)
        return;
    t->phase = FLUSHING;
    t->closed = closed;
    t->closed_self = self;
    t->consumers.muted = true;
    t->deadline = loop_now(t->loop) + (grace > 0 ? (uint64_t)(grace * 1000) : 0);
    bool idle = !t->publishes || amqp_publisher_idle(&t->publisher);
    if (idle || !(grace > 0))
        part(t);
    else
        uv_timer_start(&t->timer, on_time_over, (uint64_t)(grace * 1000), 0);
}

const struct transport_ops transport_amqp = {.scheme = "amqp",
                                             .open = open_amqp,
                                             .publish = publish,
                                             .consume = consume,
                                             .cancel = cancel,
                                             .settle = settle,
                                             .count = count,
                                             .purge = purge,
                                             .pause = pause_reading,
                                             .close = close_amqp};
