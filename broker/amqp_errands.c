/* amqp_errands.c: see amqp_errands.h. */
#include "broker/amqp_errands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/amqp_delay.h"
#include "common/str.h"

#define PATIENCE_MS 15000 /* a broker that answers heartbeats but not this has lost us */

struct amqp_errand {
    struct amqp_errand_order order; /* its strings are behind the struct */
    struct amqp_errand *next;
};

static const struct amqp_chan_events chan_events;

/* ---- asking ---- */

static amqp_bytes_t bytes_of(umbel_str text)
{
    return (amqp_bytes_t){.len = text.size, .bytes = (void *)text.data};
}

static void send_look_up(struct amqp_chan *chan, umbel_str queue)
{
    amqp_queue_declare_t method = {.queue = bytes_of(queue), .passive = 1};
    amqp_chan_send(chan, AMQP_QUEUE_DECLARE_METHOD, &method);
}

static void send_declare(struct amqp_chan *chan, const struct amqp_errand_order *order)
{
    amqp_table_entry_t priority = {.key = amqp_cstring_bytes("x-max-priority"),
                                   .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = order->max_priority}};
    amqp_queue_declare_t method = {.queue = bytes_of(order->name), .durable = 1};
    if (order->max_priority > 0)
        method.arguments = (amqp_table_t){.num_entries = 1, .entries = &priority};
    amqp_chan_send(chan, AMQP_QUEUE_DECLARE_METHOD, &method);
}

static void send_purge(struct amqp_chan *chan, umbel_str queue)
{
    amqp_queue_purge_t method = {.queue = bytes_of(queue)};
    amqp_chan_send(chan, AMQP_QUEUE_PURGE_METHOD, &method);
}

static void send_exchange_look_up(struct amqp_chan *chan, umbel_str exchange)
{
    amqp_exchange_declare_t method = {
        .exchange = bytes_of(exchange), .type = amqp_cstring_bytes("direct"), .passive = 1};
    amqp_chan_send(chan, AMQP_EXCHANGE_DECLARE_METHOD, &method);
}

static void send_bind(struct amqp_chan *chan, const struct amqp_errand_order *order)
{
    if (order->kind == ERRAND_BIND_QUEUE) {
        amqp_queue_bind_t method = {.queue = bytes_of(order->name),
                                    .exchange = bytes_of(order->source),
                                    .routing_key = bytes_of(order->key)};
        amqp_chan_send(chan, AMQP_QUEUE_BIND_METHOD, &method);
    } else {
        amqp_exchange_bind_t method = {.destination = bytes_of(order->name),
                                       .source = bytes_of(order->source),
                                       .routing_key = bytes_of(order->key)};
        amqp_chan_send(chan, AMQP_EXCHANGE_BIND_METHOD, &method);
    }
}

static void send_order(struct amqp_chan *chan, const struct amqp_errand_order *order, bool declaring)
{
    switch (order->kind) {
    case ERRAND_COUNT:
        send_look_up(chan, order->name);
        break;
    case ERRAND_ENSURE:
        if (declaring)
            send_declare(chan, order);
        else
            send_look_up(chan, order->name);
        break;
    case ERRAND_PURGE:
        send_purge(chan, order->name);
        break;
    case ERRAND_HAS_EXCHANGE:
        send_exchange_look_up(chan, order->name);
        break;
    case ERRAND_BIND_QUEUE:
    case ERRAND_BIND_EXCHANGE:
        send_bind(chan, order);
        break;
    case ERRAND_DELAY:
        amqp_delay_declare(chan);
        break;
    }
}

static void on_patience_over(uv_timer_t *timer);
static void answer_first(struct amqp_errands *errands, int code, uint64_t count, const char *why);

static void ask_first(struct amqp_errands *errands)
{
    if (!errands->chan.number && !amqp_chan_open(&errands->chan, errands->conn, &chan_events, errands)) {
        if (amqp_conn_is_up(errands->conn)) /* else the hook answers */
            answer_first(errands, UMBEL_BROKER_AWAY, 0, "RabbitMQ allows no further channel");
        return;
    }
    errands->asked = true;
    send_order(&errands->chan, &errands->first->order, errands->declaring);
    uv_timer_start(&errands->timer, on_patience_over, PATIENCE_MS, 0);
}

/* ---- answers ---- */

static void answer_first(struct amqp_errands *errands, int code, uint64_t count, const char *why)
{
    struct amqp_errand *errand = errands->first;
    errands->first = errand->next;
    if (!errands->first)
        errands->last = &errands->first;
    errands->asked = errands->declaring = false;
    uv_timer_stop(&errands->timer);
    if (errands->first)
        loop_mark(errands->conn->options.loop, &errands->hook);
    errand->order.done(errand->order.self, errand->order.token, code, count, why);
    free(errand);
}

static void answer_all(struct amqp_errands *errands)
{
    struct amqp_errand *first = errands->first;
    errands->first = NULL;
    errands->last = &errands->first;
    errands->asked = errands->declaring = false;
    uv_timer_stop(&errands->timer);
    while (first) {
        struct amqp_errand *errand = first;
        first = errand->next;
        errand->order.done(errand->order.self, errand->order.token, UMBEL_BROKER_AWAY, 0,
                           "the connection to RabbitMQ is down");
        free(errand);
    }
}

static void on_hook(void *self)
{
    struct amqp_errands *errands = self;
    if (!amqp_conn_is_up(errands->conn))
        answer_all(errands);
    else if (errands->first && !errands->asked)
        ask_first(errands);
}

static void on_patience_over(uv_timer_t *timer)
{
    struct amqp_errands *errands = timer->data;
    if (errands->conn->blocked || errands->conn->paused) {
        /* It is not read, or we do not read: the channel is given up, so that a late answer meets nobody. */
        amqp_chan_close(&errands->chan);
        answer_first(errands, UMBEL_TIMEOUT, 0, "RabbitMQ did not answer in time");
    } else {
        amqp_conn_break(errands->conn, UMBEL_BROKER_AWAY, "a request was not answered in time");
    }
}

static bool is_answer(enum amqp_errand_kind kind, amqp_method_number_t id)
{
    switch (kind) {
    case ERRAND_COUNT:
    case ERRAND_ENSURE:
        return id == AMQP_QUEUE_DECLARE_OK_METHOD;
    case ERRAND_PURGE:
        return id == AMQP_QUEUE_PURGE_OK_METHOD;
    case ERRAND_HAS_EXCHANGE:
        return id == AMQP_EXCHANGE_DECLARE_OK_METHOD;
    case ERRAND_BIND_QUEUE:
        return id == AMQP_QUEUE_BIND_OK_METHOD;
    case ERRAND_BIND_EXCHANGE:
    case ERRAND_DELAY:
        return id == AMQP_EXCHANGE_BIND_OK_METHOD;
    }
    return false;
}

static void on_method(void *self, amqp_method_number_t id, const void *method)
{
    struct amqp_errands *errands = self;
    uint64_t count = 0;
    if (id == AMQP_CHANNEL_OPEN_OK_METHOD)
        return;
    if (!errands->asked || !is_answer(errands->first->order.kind, id)) {
        amqp_conn_break(errands->conn, UMBEL_PROTOCOL, "the server answered what was not asked");
        return;
    }
    if (id == AMQP_QUEUE_DECLARE_OK_METHOD)
        count = ((const amqp_queue_declare_ok_t *)method)->message_count;
    else if (id == AMQP_QUEUE_PURGE_OK_METHOD)
        count = ((const amqp_queue_purge_ok_t *)method)->message_count;
    answer_first(errands, UMBEL_OK, count, "");
}

static void on_content(void *self, const struct amqp_content *content)
{
    (void)content;
    struct amqp_errands *errands = self;
    amqp_conn_break(errands->conn, UMBEL_PROTOCOL, "the server sent a message where none was asked for");
}

static void on_closed(void *self, int reply_code, const char *why)
{
    struct amqp_errands *errands = self;
    if (!errands->asked)
        return;
    bool missing = reply_code == AMQP_NOT_FOUND && errands->first->order.kind == ERRAND_ENSURE;
    if (missing && !errands->declaring) {
        errands->declaring = true;
        ask_first(errands);
    } else {
        answer_first(errands, amqp_chan_code(reply_code), 0, why);
    }
}

static const struct amqp_chan_events chan_events = {on_method, on_content, on_closed};

/* ---- the object ---- */

void amqp_errands_init(struct amqp_errands *errands, struct amqp_conn *conn)
{
    *errands = (struct amqp_errands){.conn = conn, .last = &errands->first};
    errands->hook = (struct turn_hook){.call = on_hook, .self = errands};
    uv_timer_init(&conn->options.loop->uv, &errands->timer);
    errands->timer.data = errands;
}

static void timer_closed(uv_handle_t *handle)
{
    struct amqp_errands *errands = handle->data;
    errands->gone(errands->gone_self);
}

void amqp_errands_fini(struct amqp_errands *errands, void (*gone)(void *self), void *self)
{
    loop_unmark(errands->conn->options.loop, &errands->hook);
    answer_all(errands);
    errands->gone = gone;
    errands->gone_self = self;
    uv_close((uv_handle_t *)&errands->timer, timer_closed);
}

static umbel_str keep(char **at, umbel_str text)
{
    umbel_str kept = {*at, text.size};
    if (text.size)
        memcpy(*at, text.data, text.size);
    *at += text.size;
    return kept;
}

int amqp_errands_ask(struct amqp_errands *errands, const struct amqp_errand_order *order)
{
    struct amqp_errand *errand =
        malloc(sizeof *errand + order->name.size + order->source.size + order->key.size);
    if (!errand)
        return UMBEL_NO_MEMORY;
    char *at = (char *)(errand + 1);
    errand->order = *order;
    errand->order.name = keep(&at, order->name);
    errand->order.source = keep(&at, order->source);
    errand->order.key = keep(&at, order->key);
    errand->next = NULL;
    *errands->last = errand;
    errands->last = &errand->next;
    loop_mark(errands->conn->options.loop, &errands->hook);
    return UMBEL_OK;
}

void amqp_errands_down(struct amqp_errands *errands)
{
    if (errands->first)
        answer_all(errands);
}
