/* amqp_publisher.c: see amqp_publisher.h.
 *
 * A publish ends when the broker confirms it, returns it, or the connection is lost. What is pending is only
 * known by number, so nothing of a message is kept here but its token and a mark. */
#include "broker/amqp_publisher.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/amqp_delay.h"
#include "common/str.h"

static const struct amqp_chan_events confirmed_events, plain_events;

/* ---- ending publishes ---- */

static void report(struct amqp_publisher *publisher, uint64_t token, int code, const char *why)
{
    publisher->events->published(publisher->self, token, code, why);
}

static void tell_idle(struct amqp_publisher *publisher)
{
    if (amqp_publisher_idle(publisher))
        publisher->events->idle(publisher->self);
}

/* Everything pending on the confirmed channel. No callback can add to it: `ready` is off. */
static void fail_pending(struct amqp_publisher *publisher, int code, const char *why)
{
    uint64_t token;
    while (amqp_confirms_take_any(&publisher->confirms, &token))
        report(publisher, token, code, why);
    amqp_confirms_restart(&publisher->confirms);
}

/* The list is taken over before anyone is called. */
static void end_written(struct amqp_publisher *publisher, int code, const char *why)
{
    uint64_t *tokens = publisher->written;
    size_t count = publisher->written_count;
    publisher->written = NULL;
    publisher->written_count = publisher->written_size = 0;
    for (size_t i = 0; i < count; i++)
        report(publisher, tokens[i], code, why);
    free(tokens);
}

static bool reserve_written(struct amqp_publisher *publisher)
{
    if (publisher->written_count < publisher->written_size)
        return true;
    size_t size = publisher->written_size ? publisher->written_size * 2 : 64;
    uint64_t *written = realloc(publisher->written, size * sizeof *written);
    if (!written)
        return false;
    publisher->written = written;
    publisher->written_size = size;
    return true;
}

/* ---- sending ---- */

/* Whether its end is awaited from the broker. */
static bool is_confirmed(int flags)
{
#ifdef UMBEL_DEFECT_NO_CONFIRM
    (void)flags;
    return false;
#else
    return !(flags & PUBLISH_UNCONFIRMED);
#endif
}

static bool reserve(struct amqp_publisher *publisher, int flags)
{
    return is_confirmed(flags) ? amqp_confirms_reserve(&publisher->confirms) : reserve_written(publisher);
}

static bool choose_channel(struct amqp_publisher *publisher, int flags, struct amqp_codec_target *target)
{
    target->mandatory = !(flags & PUBLISH_UNCONFIRMED);
    target->channel = publisher->confirmed.number;
    if (!(flags & PUBLISH_UNCONFIRMED))
        return true;
    bool open = publisher->plain.number ||
                amqp_chan_open(&publisher->plain, &publisher->conn, &plain_events, publisher);
    target->channel = publisher->plain.number;
    return open;
}

static int send_now(struct amqp_publisher *publisher, const struct message *msg, double delay, int flags,
                    uint64_t token)
{
    char key[AMQP_DELAY_KEY_SIZE];
    struct amqp_codec_target target = {.frame_max = publisher->conn.frame_max, .exchange = msg->exchange};
    target.key = msg->exchange.size ? msg->routing_key : msg->queue;
    if (delay > 0) {
        target.exchange = STR(AMQP_DELAY_ENTRY);
        target.key = amqp_delay_key(key, delay, target.key);
        if (!target.key.size)
            return UMBEL_TOO_LARGE;
    }
    if (!reserve(publisher, flags) || !choose_channel(publisher, flags, &target))
        return UMBEL_NO_MEMORY;
    int code = amqp_codec_put_message(amqp_conn_output(&publisher->conn), &target, msg);
    if (code)
        return code;
    amqp_conn_wrote(&publisher->conn);
    if (is_confirmed(flags))
        amqp_confirms_add(
            &publisher->confirms, token,
            amqp_confirms_mark(target.exchange, target.key, msg->correlation_id, msg->id, msg->body.size));
    else
        publisher->written[publisher->written_count++] = token;
    return UMBEL_OK;
}

int amqp_publisher_publish(struct amqp_publisher *publisher, const struct message *msg, double delay,
                           int flags, uint64_t token)
{
    if (!publisher->ready)
        return UMBEL_BROKER_AWAY;
    if (publisher->conn.blocked)
        return UMBEL_BROKER_BLOCKED;
    if (stream_pending(publisher->conn.stream) + publisher->routes.held_bytes >= publisher->output_max) {
        publisher->full = true;
        return UMBEL_BUSY;
    }
    int code = amqp_routes_pass(&publisher->routes, msg, delay, flags, token);
    if (code == UMBEL_BUSY)
        return UMBEL_OK; /* held */
    return code ? code : send_now(publisher, msg, delay, flags, token);
}

static void on_prepared(void *self, const struct amqp_held *held)
{
    struct amqp_publisher *publisher = self;
    int code = publisher->ready ? send_now(publisher, &held->msg, held->delay, held->flags, held->token)
                                : UMBEL_BROKER_AWAY;
    if (code)
        report(publisher, held->token, code, umbel_strerror(code));
}

static void on_refused(void *self, uint64_t token, int code, const char *why)
{
    struct amqp_publisher *publisher = self;
    report(publisher, token, code, why);
    tell_idle(publisher);
}

/* ---- the confirmed channel ---- */

static void open_confirmed(struct amqp_publisher *publisher)
{
    if (!amqp_chan_open(&publisher->confirmed, &publisher->conn, &confirmed_events, publisher)) {
        amqp_conn_break(&publisher->conn, UMBEL_BROKER_AWAY, "no channel can be opened");
        return;
    }
    amqp_confirm_select_t method = {0};
    amqp_chan_send(&publisher->confirmed, AMQP_CONFIRM_SELECT_METHOD, &method);
}

static void on_confirm(struct amqp_publisher *publisher, uint64_t number, bool multiple, bool good)
{
    uint64_t token;
    uint32_t life = publisher->conn.life;
    while (publisher->conn.life == life &&
           amqp_confirms_take(&publisher->confirms, number, multiple, &token)) {
        if (good)
            report(publisher, token, UMBEL_OK, "");
        else
            report(publisher, token, UMBEL_REFUSED,
                   "RabbitMQ did not take the message (the queue is full, or failed)");
    }
    if (publisher->conn.life == life)
        tell_idle(publisher);
}

static void on_confirmed_method(void *self, amqp_method_number_t id, const void *method)
{
    struct amqp_publisher *publisher = self;
    if (id == AMQP_BASIC_ACK_METHOD) {
        const amqp_basic_ack_t *ack = method;
        on_confirm(publisher, ack->delivery_tag, ack->multiple, true);
    } else if (id == AMQP_BASIC_NACK_METHOD) {
        const amqp_basic_nack_t *nack = method;
        on_confirm(publisher, nack->delivery_tag, nack->multiple, false);
    } else if (id == AMQP_CONFIRM_SELECT_OK_METHOD) {
        publisher->ready = true;
        publisher->failure = 0;
        publisher->events->changed(publisher->self, UMBEL_OK, "");
    } else if (id != AMQP_CHANNEL_OPEN_OK_METHOD) {
        amqp_conn_break(&publisher->conn, UMBEL_PROTOCOL,
                        "the server sent a method that does not belong here");
    }
}

static void on_return(void *self, const struct amqp_content *content)
{
    struct amqp_publisher *publisher = self;
    const struct message *msg = content->msg;
    uint64_t token, mark = amqp_confirms_mark(msg->exchange, msg->routing_key, msg->correlation_id, msg->id,
                                              msg->body.size);
    if (!content->returned) {
        amqp_conn_break(&publisher->conn, UMBEL_PROTOCOL,
                        "the server sent a message where none was asked for");
        return;
    }
    if (!amqp_confirms_return(&publisher->confirms, mark, &token))
        return;
    char why[400];
    if (msg->exchange.size) {
        snprintf(why, sizeof why, "exchange '%.*s' has no queue for key '%.*s'", (int)msg->exchange.size,
                 msg->exchange.data, (int)msg->routing_key.size, msg->routing_key.data);
    } else {
        amqp_routes_forget_queue(&publisher->routes, msg->routing_key);
        snprintf(why, sizeof why, "no worker has created queue '%.*s' yet; start one or set .create_queue",
                 (int)msg->routing_key.size, msg->routing_key.data);
    }
    report(publisher, token, UMBEL_UNROUTABLE, why);
}

/* Which publish was wrong is not said, and those before it have arrived. What would be wrong again is
 * refused, the rest may be published again. */
static void on_confirmed_closed(void *self, int reply_code, const char *why)
{
    struct amqp_publisher *publisher = self;
    bool wrong = reply_code == AMQP_ACCESS_REFUSED || reply_code == AMQP_PRECONDITION_FAILED;
    uint32_t life = publisher->conn.life;
    publisher->ready = false;
    amqp_routes_down(&publisher->routes, why);
    fail_pending(publisher, wrong ? UMBEL_REFUSED : UMBEL_BROKER_AWAY, why);
    publisher->events->changed(publisher->self, UMBEL_BROKER_AWAY, why);
    if (publisher->conn.life == life && amqp_conn_is_up(&publisher->conn))
        open_confirmed(publisher);
}

static const struct amqp_chan_events confirmed_events = {on_confirmed_method, on_return, on_confirmed_closed};

/* ---- the plain channel: nobody waits for it ---- */

static void on_plain_method(void *self, amqp_method_number_t id, const void *method)
{
    (void)self, (void)id, (void)method;
}

static void on_plain_content(void *self, const struct amqp_content *content)
{
    (void)self, (void)content;
}

static void on_plain_closed(void *self, int reply_code, const char *why)
{
    struct amqp_publisher *publisher = self;
    log_line(publisher->conn.options.log, UMBEL_WARNING, "amqp", "an unconfirmed publish was wrong: %d %s",
             reply_code, why);
}

static const struct amqp_chan_events plain_events = {on_plain_method, on_plain_content, on_plain_closed};

/* ---- the connection ---- */

static void on_up(void *self)
{
    struct amqp_publisher *publisher = self;
    open_confirmed(publisher);
}

static void fail_all(struct amqp_publisher *publisher, const char *why)
{
    publisher->ready = false;
    amqp_errands_down(&publisher->errands);
    amqp_routes_down(&publisher->routes, why);
    fail_pending(publisher, UMBEL_BROKER_AWAY, why);
    end_written(publisher, UMBEL_BROKER_AWAY, why);
}

static void on_down(void *self, int code, const char *why)
{
    struct amqp_publisher *publisher = self;
    uint32_t life = publisher->conn.life;
    publisher->failure = code == UMBEL_AUTH || code == UMBEL_TLS ? code : 0;
    fail_all(publisher, why);
    if (publisher->conn.life != life)
        return;
    publisher->events->changed(publisher->self, code, why);
    tell_idle(publisher);
}

static void on_blocked(void *self, bool blocked, const char *why)
{
    (void)blocked;
    struct amqp_publisher *publisher = self;
    publisher->events->changed(publisher->self, blocked ? UMBEL_BROKER_BLOCKED : UMBEL_OK, why);
    if (!publisher->conn.blocked && publisher->full && publisher->ready) {
        publisher->full = false;
        publisher->events->room(publisher->self);
    }
}

static void on_drained(void *self)
{
    struct amqp_publisher *publisher = self;
    uint32_t life = publisher->conn.life;
    if (publisher->written_count)
        end_written(publisher, UMBEL_OK, "");
    if (publisher->full && publisher->conn.life == life) {
        publisher->full = false;
        publisher->events->room(publisher->self);
    }
    if (publisher->conn.life == life)
        tell_idle(publisher);
}

static void on_ended(void *self)
{
    struct amqp_publisher *publisher = self;
    publisher->events->ended(publisher->self);
}

/* ---- the object ---- */

enum transport_state amqp_publisher_state(const struct amqp_publisher *publisher)
{
    if (publisher->ready)
        return publisher->conn.blocked ? TRANSPORT_BLOCKED : TRANSPORT_UP;
    return publisher->failure ? TRANSPORT_FAILED : TRANSPORT_CONNECTING;
}

bool amqp_publisher_idle(const struct amqp_publisher *publisher)
{
    return publisher->confirms.first == publisher->confirms.next && publisher->routes.held_count == 0 &&
           publisher->written_count == 0 && stream_pending(publisher->conn.stream) == 0;
}

int amqp_publisher_init(struct amqp_publisher *publisher, const struct amqp_conn_options *options,
                        size_t output_max, const struct amqp_publisher_events *events, void *self)
{
    static const struct amqp_conn_events conn_events = {on_up, on_down, on_blocked, on_drained, on_ended};
    static const struct amqp_routes_events routes_events = {on_prepared, on_refused};
    *publisher = (struct amqp_publisher){.events = events, .self = self, .output_max = output_max};
    int code = amqp_conn_init(&publisher->conn, options, &conn_events, publisher);
    if (code)
        return code;
    amqp_errands_init(&publisher->errands, &publisher->conn);
    amqp_routes_init(&publisher->routes, &publisher->errands, &routes_events, publisher);
    amqp_confirms_init(&publisher->confirms);
    amqp_conn_start(&publisher->conn);
    return UMBEL_OK;
}

static void handle_gone(void *self)
{
    struct amqp_publisher *publisher = self;
    if (--publisher->handles > 0)
        return;
    amqp_confirms_fini(&publisher->confirms);
    free(publisher->written);
    publisher->gone(publisher->gone_self);
}

void amqp_publisher_fini(struct amqp_publisher *publisher, void (*gone)(void *self), void *self)
{
    publisher->gone = gone;
    publisher->gone_self = self;
    publisher->handles = 2;
    fail_all(publisher, "the transport is closed");
    amqp_errands_fini(&publisher->errands, handle_gone, publisher);
    amqp_conn_fini(&publisher->conn, handle_gone);
}
