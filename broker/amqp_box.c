/* amqp_box.c: see amqp_box.h. Everything needed is sent in one go; whatever is wrong costs the channel, and a
 * new one is tried after a pause. */
#include "broker/amqp_box.h"

#include <stdio.h>
#include <string.h>

#include "common/str.h"

#define TAKEN_MS 1000      /* how long a taken name is tried again */
#define TAKEN_PAUSE_MS 100 /* between two of those tries */
#define PAUSE_MS 1000      /* after any other refusal */
#define NUMBER_MAX 1000

static const struct amqp_chan_events chan_events;

void amqp_box_number_name(char *out, size_t size, const char *name, uint32_t number)
{
    size_t head = strcspn(name, "@");
    if (number)
        snprintf(out, size, "%.*s-%u%s", (int)head, name, number, name + head);
    else
        snprintf(out, size, "%s", name);
}

/* ---- asking ---- */

static amqp_table_entry_t number_entry(const char *key, int value)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = value}};
}

void amqp_box_declare_exchange(struct amqp_chan *chan, const struct amqp_box_form *form)
{
    amqp_exchange_declare_t method = {.exchange = amqp_cstring_bytes(form->exchange),
                                      .type = amqp_cstring_bytes(form->type),
                                      .durable = form->durable,
                                      .nowait = 1};
    amqp_chan_send(chan, AMQP_EXCHANGE_DECLARE_METHOD, &method);
}

static void declare_queue(struct amqp_box *box, amqp_bytes_t queue)
{
    amqp_table_entry_t arguments[] = {number_entry("x-expires", box->form->expires_ms),
                                      number_entry("x-message-ttl", box->form->ttl_ms)};
    amqp_queue_declare_t method = {.queue = queue,
                                   .exclusive = 1,
                                   .auto_delete = 1,
                                   .nowait = 1,
                                   .arguments = {.num_entries = 2, .entries = arguments}};
    amqp_chan_send(&box->chan, AMQP_QUEUE_DECLARE_METHOD, &method);
}

static void ask(struct amqp_box *box)
{
    char name[256];
    snprintf(name, sizeof name, box->form->name, box->name);
    amqp_bytes_t queue = amqp_cstring_bytes(name);
    amqp_queue_bind_t bind = {.queue = queue,
                              .exchange = amqp_cstring_bytes(box->form->exchange),
                              .routing_key = amqp_cstring_bytes(box->form->key ? box->form->key : box->name),
                              .nowait = 1};
    amqp_basic_consume_t consume = {.queue = queue, .no_ack = 1};
    if (!box->foreign_exchange)
        amqp_box_declare_exchange(&box->chan, box->form);
    declare_queue(box, queue);
    amqp_chan_send(&box->chan, AMQP_QUEUE_BIND_METHOD, &bind);
    amqp_chan_send(&box->chan, AMQP_BASIC_CONSUME_METHOD, &consume);
}

static void on_timer(uv_timer_t *timer)
{
    struct amqp_box *box = timer->data;
    if (!amqp_conn_is_up(box->conn) || box->chan.number)
        return;
    if (amqp_chan_open(&box->chan, box->conn, &chan_events, box))
        ask(box);
    else
        uv_timer_start(&box->timer, on_timer, PAUSE_MS, 0);
}

/* ---- answers ---- */

static void on_method(void *self, amqp_method_number_t id, const void *method)
{
    struct amqp_box *box = self;
    (void)method;
    if (id == AMQP_BASIC_CONSUME_OK_METHOD) {
        box->up = true;
        box->taken_since = 0;
        box->events->up(box->self, box->name);
    } else if (id == AMQP_BASIC_CANCEL_METHOD) { /* somebody deleted the queue */
        amqp_chan_close(&box->chan);
        box->up = false;
        uv_timer_start(&box->timer, on_timer, PAUSE_MS, 0);
    }
}

static void on_content(void *self, const struct amqp_content *content)
{
    struct amqp_box *box = self;
    if (!content->returned)
        box->events->letter(box->self, content->msg);
}

/* How long to wait before the next attempt, under whatever name. */
static uint64_t after_taken(struct amqp_box *box)
{
    uint64_t now = loop_now(box->conn->options.loop);
    if (!box->taken_since)
        box->taken_since = now ? now : 1;
    if (now - box->taken_since < TAKEN_MS)
        return TAKEN_PAUSE_MS;
    if (box->number >= NUMBER_MAX)
        return PAUSE_MS;
    box->number = box->number ? box->number + 1 : 2;
    amqp_box_number_name(box->name, sizeof box->name, box->wanted, box->number);
    return 0;
}

static void on_closed(void *self, int reply_code, const char *why)
{
    struct amqp_box *box = self;
    uint64_t pause = PAUSE_MS;
    bool mismatch = reply_code == AMQP_PRECONDITION_FAILED;
    box->up = false;
    if (mismatch && strstr(why, "for exchange") && !box->foreign_exchange) {
        box->foreign_exchange = true;
        pause = 0;
    } else if (mismatch || reply_code == AMQP_RESOURCE_LOCKED) {
        pause = after_taken(box);
    } else {
        log_line(box->conn->options.log, UMBEL_WARNING, "amqp", "the mailbox of %s is refused: %d %s",
                 box->name, reply_code, why);
    }
    uv_timer_start(&box->timer, on_timer, pause, 0);
}

static const struct amqp_chan_events chan_events = {on_method, on_content, on_closed};

/* ---- the object ---- */

bool amqp_box_init(struct amqp_box *box, struct amqp_conn *conn, const struct amqp_box_form *form,
                   const char *name, const struct amqp_box_events *events, void *self)
{
    *box = (struct amqp_box){.conn = conn, .form = form, .events = events, .self = self};
    if (strlen(name) >= sizeof box->wanted)
        return false;
    strcpy(box->wanted, name);
    uv_timer_init(&conn->options.loop->uv, &box->timer);
    box->timer.data = box;
    return true;
}

void amqp_box_fini(struct amqp_box *box, void (*gone)(uv_handle_t *timer))
{
    uv_close((uv_handle_t *)&box->timer, gone);
}

void amqp_box_open(struct amqp_box *box)
{
    box->number = 0;
    box->taken_since = 0;
    strcpy(box->name, box->wanted);
    on_timer(&box->timer);
}

void amqp_box_down(struct amqp_box *box)
{
    box->up = false;
    uv_timer_stop(&box->timer);
}
