/* mailbox_amqp.c: control messages and events on a RabbitMQ connection of their own.
 *
 * Of their own, because the two of the tasks may be held up: the consuming one is not read while deliveries
 * fill their budget, the publishing one is not read by a broker in alarm. A worker must answer all the same,
 * and a storm of control messages must not slow a task. Each lane is a channel, so that a reply to an
 * exchange that is not there costs nobody else anything. */
#include "broker/mailbox_amqp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/amqp_box.h"
#include "common/str.h"

#define OUTPUT_MAX ((size_t)4 << 20) /* bytes not yet taken by the broker */
#define NAME_SIZE 128

static const struct amqp_box_form forms[] = {
    [MAILBOX_NODE] = {"celery.pidbox", "fanout", false, "%s.celery.pidbox", "", 10000, 300000},
    [MAILBOX_CALLER] = {MAILBOX_REPLY_EXCHANGE, "direct", false, "%s.reply.celery.pidbox", NULL, 10000,
                        300000},
    [MAILBOX_WATCHER] = {"celeryev", "topic", true, "celeryev.%s", "#", 60000, 5000},
};
/* The exchange that a lane publishes to, as the box at its other end has it. */
static const enum mailbox_kind lane_ends[MAILBOX_LANES] = {
    [MAILBOX_REQUESTS] = MAILBOX_NODE,
    [MAILBOX_REPLIES] = MAILBOX_CALLER,
    [MAILBOX_REPORTS] = MAILBOX_WATCHER,
};

struct lane {
    struct amqp_chan chan;
    bool foreign; /* the exchange is there in another form than ours: it is not declared */
    bool complained;
};

struct amqp_mailbox {
    struct mailbox base;
    struct mailbox_options options;
    struct mailbox_events events;
    void *self;
    struct amqp_address *addresses;
    size_t address_count;
    char client_name[NAME_SIZE];
    struct amqp_conn conn;
    struct amqp_box box;
    struct lane lanes[MAILBOX_LANES];
    uv_timer_t timer;
    bool closing, parting;
    int handles;
    void (*closed)(void *self);
    void *closed_self;
};

/* ---- lanes ---- */

static void on_lane_method(void *self, amqp_method_number_t id, const void *method)
{
    (void)self, (void)id, (void)method;
}

static void on_lane_content(void *self, const struct amqp_content *content)
{
    (void)self, (void)content;
}

/* What was on its way behind the wrong letter is lost; the next one opens the channel again. */
static void on_lane_closed(void *self, int reply_code, const char *why)
{
    struct lane *lane = self;
    if (reply_code == AMQP_PRECONDITION_FAILED)
        lane->foreign = true;
    if (!lane->complained)
        log_line(lane->chan.conn->options.log, UMBEL_INFO, "amqp",
                 "a control message or event was refused: %d %s", reply_code, why);
    lane->complained = true;
}

static const struct amqp_chan_events lane_events = {on_lane_method, on_lane_content, on_lane_closed};

static bool open_lane(struct amqp_mailbox *m, enum mailbox_lane number)
{
    struct lane *lane = &m->lanes[number];
    if (lane->chan.number)
        return true;
    if (!amqp_chan_open(&lane->chan, &m->conn, &lane_events, lane))
        return false;
    if (!lane->foreign)
        amqp_box_declare_exchange(&lane->chan, &forms[lane_ends[number]]);
    return true;
}

static int send_letter(struct mailbox *mailbox, enum mailbox_lane number, const struct message *msg)
{
    struct amqp_mailbox *m = (struct amqp_mailbox *)mailbox;
    if (m->closing || !amqp_conn_is_up(&m->conn))
        return UMBEL_BROKER_AWAY;
    if (m->conn.blocked)
        return UMBEL_BROKER_BLOCKED;
    if (stream_pending(m->conn.stream) >= OUTPUT_MAX)
        return UMBEL_BUSY;
    if (!open_lane(m, number))
        return UMBEL_BUSY;
    struct amqp_codec_target target = {.channel = m->lanes[number].chan.number,
                                       .frame_max = m->conn.frame_max,
                                       .exchange = str_of(forms[lane_ends[number]].exchange),
                                       .key = msg->routing_key};
    if (number == MAILBOX_REPLIES)
        target.exchange = msg->exchange;
    if (number == MAILBOX_REQUESTS)
        target.key = STR("");
    int code = amqp_codec_put_message(amqp_conn_output(&m->conn), &target, msg);
    if (code == UMBEL_OK)
        amqp_conn_wrote(&m->conn);
    return code;
}

/* ---- the box ---- */

static void on_box_up(void *self, const char *name)
{
    struct amqp_mailbox *m = self;
    if (!m->closing)
        m->events.up(m->self, name);
}

static void on_box_letter(void *self, const struct message *msg)
{
    struct amqp_mailbox *m = self;
    if (!m->closing)
        m->events.letter(m->self, msg);
}

/* ---- the connection ---- */

static void on_up(void *self)
{
    struct amqp_mailbox *m = self;
    for (int i = 0; i < MAILBOX_LANES; i++)
        m->lanes[i].complained = false;
    amqp_box_open(&m->box);
}

static void on_down(void *self, int code, const char *why)
{
    struct amqp_mailbox *m = self;
    amqp_box_down(&m->box);
    if (!m->closing)
        m->events.down(m->self, code, why);
}

static void on_blocked(void *self, bool blocked, const char *why)
{
    (void)self, (void)blocked, (void)why;
}

static void on_time_over(uv_timer_t *timer);

static void part(struct amqp_mailbox *m, double grace)
{
    if (m->parting)
        return;
    m->parting = true;
    amqp_conn_close(&m->conn, grace);
}

static void on_drained(void *self)
{
    struct amqp_mailbox *m = self;
    if (m->closing)
        uv_timer_start(&m->timer, on_time_over, 0, 0);
}

static void free_mailbox(struct amqp_mailbox *m)
{
    for (size_t i = 0; i < m->address_count; i++)
        amqp_address_fini(&m->addresses[i]);
    free(m->addresses);
    free(m);
}

static void one_gone(struct amqp_mailbox *m)
{
    if (--m->handles > 0)
        return;
    void (*closed)(void *self) = m->closed;
    void *self = m->closed_self;
    free_mailbox(m);
    if (closed)
        closed(self);
}

static void conn_gone(void *self)
{
    struct amqp_mailbox *m = self;
    one_gone(m);
}

static void timer_gone(uv_handle_t *handle)
{
    one_gone(handle->data);
}

static void box_gone(uv_handle_t *handle)
{
    struct amqp_box *box = handle->data;
    one_gone(box->self);
}

static void on_ended(void *self)
{
    struct amqp_mailbox *m = self;
    m->handles = 3;
    amqp_box_fini(&m->box, box_gone);
    uv_close((uv_handle_t *)&m->timer, timer_gone);
    amqp_conn_fini(&m->conn, conn_gone);
}

/* ---- life ---- */

static void on_time_over(uv_timer_t *timer)
{
    part(timer->data, 0.5);
}

static void close_mailbox(struct mailbox *mailbox, double grace, void (*closed)(void *self), void *self)
{
    struct amqp_mailbox *m = (struct amqp_mailbox *)mailbox;
    m->closing = true;
    m->closed = closed;
    m->closed_self = self;
    bool idle = !amqp_conn_is_up(&m->conn) || stream_pending(m->conn.stream) == 0;
    uv_timer_start(&m->timer, on_time_over, idle ? 0 : (uint64_t)(grace * 1000), 0);
}

static int read_addresses(struct amqp_mailbox *m, const struct url *urls, size_t count, const char **why)
{
    m->addresses = calloc(count, sizeof *m->addresses);
    if (!m->addresses)
        return UMBEL_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        int code = amqp_address_init(&m->addresses[i], &urls[i], why);
        m->address_count++;
        if (code)
            return code;
    }
    return UMBEL_OK;
}

static int start(struct amqp_mailbox *m, struct loop *loop, const char **why)
{
    static const struct amqp_conn_events conn_events = {on_up, on_down, on_blocked, on_drained, on_ended};
    static const struct amqp_box_events box_events = {on_box_up, on_box_letter};
    struct amqp_conn_options options = {.loop = loop,
                                        .log = m->options.log,
                                        .addresses = m->addresses,
                                        .address_count = m->address_count,
                                        .connect_timeout =
                                            m->options.connect_timeout > 0 ? m->options.connect_timeout : 5,
                                        .heartbeat = m->options.heartbeat > 0 ? m->options.heartbeat : 30,
                                        .name = m->client_name};
    *why = "the name is too long";
    if (strlen(m->options.name) >= MAILBOX_NAME_MAX)
        return UMBEL_BAD_ARGUMENT;
    int code = amqp_conn_init(&m->conn, &options, &conn_events, m);
    if (code)
        return code;
    amqp_box_init(&m->box, &m->conn, &forms[m->options.kind], m->options.name, &box_events, m);
    uv_timer_init(&loop->uv, &m->timer);
    m->timer.data = m;
    m->options.name = m->options.client_name = NULL; /* the caller's */
    amqp_conn_start(&m->conn);
    return UMBEL_OK;
}

static int open_mailbox(struct mailbox **out, struct loop *loop, const struct url *urls, size_t count,
                        const struct mailbox_options *options, const struct mailbox_events *events,
                        void *self, const char **why)
{
    struct amqp_mailbox *m = calloc(1, sizeof *m);
    *why = "out of memory";
    if (!m)
        return UMBEL_NO_MEMORY;
    m->base.ops = &mailbox_amqp;
    m->options = *options;
    m->events = *events;
    m->self = self;
    snprintf(m->client_name, NAME_SIZE, "%.100s control",
             options->client_name ? options->client_name : "umbel");
    int code = read_addresses(m, urls, count, why);
    if (!code)
        code = start(m, loop, why);
    if (code)
        free_mailbox(m);
    else
        *out = &m->base;
    return code;
}

const struct mailbox_ops mailbox_amqp = {
    .scheme = "amqp", .open = open_mailbox, .send = send_letter, .close = close_mailbox};
