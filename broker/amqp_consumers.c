/* amqp_consumers.c: see amqp_consumers.h. A consumer's way: look the queue up (and declare it), then channel,
 * prefetch and consume in one write; when the other side ends it, wait a second and begin again.
 *
 * The epoch of a consumer changes with each try, so a tag of an earlier channel is recognised and never
 * acknowledged: its number may mean another message by now. */
#include "broker/amqp_consumers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/str.h"

#define RETRY_MS 1000
#define LATE_MS 8        /* acknowledgements wait no longer */
#define WAITING_SHARE 4u /* of the prefetch may wait, */
#define WAITING_FROM 64u /* when it is as large as this */
#define COST_EXTRA 256   /* what a delivery costs its owner besides the body, roughly */

enum consumer_step {
    CONSUMER_IDLE,    /* the connection is down */
    CONSUMER_LOOKING, /* for its queue */
    CONSUMER_OPENING,
    CONSUMER_CONSUMING,
    CONSUMER_WAITING,    /* to try again */
    CONSUMER_CANCELLING, /* the broker's answer is awaited */
    CONSUMER_SETTLING,   /* cancelled, but not all is settled */
    CONSUMER_CANCELLED   /* the owner has not heard of it yet */
};

struct amqp_consumer {
    struct amqp_consumers *all;
    uint32_t number, epoch;
    enum consumer_step step;
    struct consume_options options;
    struct amqp_chan chan;
    struct amqp_tags tags;
    bool at_once;     /* what was settled does not wait */
    uint64_t waiting; /* messages in the queue when it was looked up */
    int told;         /* the code of the last consumer_lost */
    char tag[24];
    umbel_str queue;
    char name[]; /* of the queue */
};

static const struct amqp_chan_events chan_events;

static struct amqp_consumer *consumer_of(const struct amqp_consumers *all, uint32_t number)
{
    return number > 0 && number <= all->list_size ? all->list[number - 1] : NULL;
}

static void free_consumer(struct amqp_consumer *consumer)
{
    amqp_chan_close(&consumer->chan);
    consumer->all->list[consumer->number - 1] = NULL;
    amqp_tags_fini(&consumer->tags);
    free(consumer);
}

/* ---- back-pressure ---- */

static void balance(struct amqp_consumers *all)
{
    /* Once over the budget, an eighth of it must be free before reading goes on: no stop and go at the edge.
     */
    size_t line = all->conn.paused && !all->owner_paused ? all->budget - all->budget / 8 : all->budget;
    amqp_conn_pause(&all->conn, all->owner_paused || all->unsettled > line);
}

void amqp_consumers_pause(struct amqp_consumers *all, bool paused)
{
    all->owner_paused = paused;
    balance(all);
}

/* Its deliveries belong to the past. */
static void disown(struct amqp_consumer *consumer)
{
    struct amqp_consumers *all = consumer->all;
    uint64_t number = consumer->tags.first;
    size_t cost, open = consumer->tags.open;
    for (; number < consumer->tags.next; number++) {
        if (amqp_tags_settle(&consumer->tags, number, false, &cost))
            all->unsettled -= cost;
    }
    amqp_tags_restart(&consumer->tags);
    consumer->epoch = ++all->epoch;
    balance(all);
    if (open > 0 && !all->muted && all->owner_events->disowned)
        all->owner_events->disowned(all->owner, consumer->number);
}

/* ---- ends ---- */

static void on_retry(uv_timer_t *timer);

static void lose(struct amqp_consumer *consumer, int code, const char *why)
{
    struct amqp_consumers *all = consumer->all;
    amqp_chan_close(&consumer->chan);
    disown(consumer);
    consumer->step = CONSUMER_WAITING;
    if (!uv_is_active((uv_handle_t *)&all->retry))
        uv_timer_start(&all->retry, on_retry, RETRY_MS, 0);
    if (consumer->told == code)
        return;
    consumer->told = code;
    all->owner_events->consumer_lost(all->owner, consumer->number, code, why);
}

static void tell_cancelled(struct amqp_consumer *consumer)
{
    struct amqp_consumers *all = consumer->all;
    uint32_t number = consumer->number;
    bool settled = consumer->tags.open == 0 && consumer->tags.settled_count == 0;
    if (settled || !consumer->chan.number) {
        free_consumer(consumer);
    } else {
        consumer->step = CONSUMER_SETTLING;
        loop_mark(all->conn.options.loop, &all->hook); /* for what is settled and not told */
    }
    all->owner_events->cancelled(all->owner, number);
}

/* ---- beginning ---- */

static void send_qos(struct amqp_consumer *consumer)
{
    uint32_t prefetch = consumer->options.prefetch ? consumer->options.prefetch : 1;
    amqp_basic_qos_t method = {.prefetch_count = prefetch > UINT16_MAX ? UINT16_MAX : (uint16_t)prefetch};
    amqp_chan_send(&consumer->chan, AMQP_BASIC_QOS_METHOD, &method);
}

static void send_consume(struct amqp_consumer *consumer)
{
    amqp_table_entry_t priority = {
        .key = amqp_cstring_bytes("x-priority"),
        .value = {.kind = AMQP_FIELD_KIND_I32, .value.i32 = consumer->options.priority}};
    amqp_basic_consume_t method = {.queue = {.len = consumer->queue.size, .bytes = consumer->name},
                                   .consumer_tag = amqp_cstring_bytes(consumer->tag),
                                   .exclusive = consumer->options.exclusive};
    if (consumer->options.priority)
        method.arguments = (amqp_table_t){.num_entries = 1, .entries = &priority};
    amqp_chan_send(&consumer->chan, AMQP_BASIC_CONSUME_METHOD, &method);
}

static void open_channel(struct amqp_consumer *consumer)
{
    if (!amqp_chan_open(&consumer->chan, &consumer->all->conn, &chan_events, consumer)) {
        lose(consumer, UMBEL_BROKER_AWAY, "RabbitMQ allows no further channel");
        return;
    }
    consumer->step = CONSUMER_OPENING;
    send_qos(consumer);
    send_consume(consumer);
}

static void on_looked_up(void *self, uint64_t token, int code, uint64_t count, const char *why)
{
    struct amqp_consumers *all = self;
    struct amqp_consumer *consumer = consumer_of(all, (uint32_t)token);
    if (!consumer || consumer->epoch != token >> 32 || consumer->step != CONSUMER_LOOKING)
        return;
    char text[320];
    snprintf(text, sizeof text, "queue '%s' does not exist", consumer->name);
    consumer->waiting = count;
    if (code == UMBEL_OK)
        open_channel(consumer);
    else if (amqp_conn_is_up(&all->conn))
        lose(consumer, code, code == UMBEL_NOT_FOUND ? text : why);
}

static void begin(struct amqp_consumer *consumer)
{
    struct amqp_consumers *all = consumer->all;
    disown(consumer);
    consumer->step = CONSUMER_LOOKING;
    struct amqp_errand_order order = {.kind = consumer->options.create_queue ? ERRAND_ENSURE : ERRAND_COUNT,
                                      .name = consumer->queue,
                                      .max_priority = consumer->options.max_priority,
                                      .done = on_looked_up,
                                      .self = all,
                                      .token = (uint64_t)consumer->epoch << 32 | consumer->number};
    if (amqp_errands_ask(&all->errands, &order) != UMBEL_OK)
        lose(consumer, UMBEL_NO_MEMORY, "out of memory");
}

static void on_retry(uv_timer_t *timer)
{
    struct amqp_consumers *all = timer->data;
    for (uint32_t i = 1; i <= all->list_size; i++) {
        struct amqp_consumer *consumer = consumer_of(all, i);
        if (consumer && consumer->step == CONSUMER_WAITING && amqp_conn_is_up(&all->conn))
            begin(consumer);
    }
}

/* ---- the channel ---- */

static void on_consuming(struct amqp_consumer *consumer)
{
    struct amqp_consumers *all = consumer->all;
    if (consumer->step != CONSUMER_OPENING)
        return; /* cancelled meanwhile */
    consumer->step = CONSUMER_CONSUMING;
    consumer->told = 0;
    all->owner_events->consuming(all->owner, consumer->number, consumer->waiting);
}

static void on_method(void *self, amqp_method_number_t id, const void *method)
{
    (void)method;
    struct amqp_consumer *consumer = self;
    switch (id) {
    case AMQP_CHANNEL_OPEN_OK_METHOD:
    case AMQP_BASIC_QOS_OK_METHOD:
        break;
    case AMQP_BASIC_CONSUME_OK_METHOD:
        on_consuming(consumer);
        break;
    case AMQP_BASIC_CANCEL_METHOD:
        if (consumer->step == CONSUMER_CANCELLING)
            tell_cancelled(consumer);
        else if (consumer->step != CONSUMER_SETTLING)
            lose(consumer, UMBEL_NOT_FOUND, "RabbitMQ ended the consumer: the queue was deleted or moved");
        break;
    case AMQP_BASIC_CANCEL_OK_METHOD:
        if (consumer->step == CONSUMER_CANCELLING)
            tell_cancelled(consumer);
        break;
    default:
        amqp_conn_break(&consumer->all->conn, UMBEL_PROTOCOL,
                        "the server sent a method that does not belong here");
    }
}

static void on_content(void *self, const struct amqp_content *content)
{
    struct amqp_consumer *consumer = self;
    struct amqp_consumers *all = consumer->all;
    size_t cost = content->msg->body.size + COST_EXTRA;
    if (all->muted)
        return;
    if (content->returned || !amqp_tags_add(&consumer->tags, content->tag, cost)) {
        amqp_conn_break(&all->conn, UMBEL_PROTOCOL, "the server numbered its deliveries wrongly");
        return;
    }
    all->unsettled += cost;
    balance(all);
    content->msg->queue = consumer->queue;
    struct tag tag = {.number = content->tag, .epoch = consumer->epoch, .consumer = consumer->number};
    if (content->garbled)
        all->owner_events->garbled(all->owner, tag, content->msg, content->garbled);
    else
        all->owner_events->delivered(all->owner, tag, content->msg);
}

static void on_closed(void *self, int reply_code, const char *why)
{
    struct amqp_consumer *consumer = self;
    if (consumer->step == CONSUMER_CANCELLING || consumer->step == CONSUMER_SETTLING) {
        bool told = consumer->step == CONSUMER_SETTLING;
        disown(consumer);
        if (told)
            free_consumer(consumer);
        else
            tell_cancelled(consumer);
    } else {
        lose(consumer, amqp_chan_code(reply_code), why);
    }
}

static const struct amqp_chan_events chan_events = {on_method, on_content, on_closed};

/* ---- settling ---- */

void amqp_consumers_settle(struct amqp_consumers *all, struct tag tag, enum settle how)
{
    struct amqp_consumer *consumer = consumer_of(all, tag.consumer);
    size_t cost;
    if (!consumer)
        return;
#ifndef UMBEL_DEFECT_STALE_TAG
    if (consumer->epoch != tag.epoch)
        return;
#endif
    if (!amqp_tags_settle(&consumer->tags, tag.number, how == SETTLE_REQUEUE, &cost))
        return;
    consumer->at_once |= how == SETTLE_ACK_AT_ONCE;
    all->unsettled -= cost;
    loop_mark(all->conn.options.loop, &all->hook);
}

static void tell_one(void *self, struct amqp_settlement settlement)
{
    struct amqp_consumer *consumer = self;
    struct buffer *out = amqp_conn_output(&consumer->all->conn);
    if (settlement.requeue)
        amqp_codec_put_requeue(out, consumer->chan.number, settlement.number);
    else
        amqp_codec_put_ack(out, consumer->chan.number, settlement.number, settlement.multiple);
}

/* Of few deliveries none waits: the broker sends the next only for one that is acknowledged. */
static size_t may_wait(const struct amqp_consumer *consumer)
{
    bool many = consumer->options.prefetch >= WAITING_FROM;
    return many && !consumer->at_once && consumer->step != CONSUMER_SETTLING
               ? consumer->options.prefetch / WAITING_SHARE
               : 0;
}

/* How many acknowledgements wait. */
static size_t tell_settled(struct amqp_consumers *all, bool at_once)
{
    size_t waiting = 0;
    for (uint32_t i = 1; i <= all->list_size; i++) {
        struct amqp_consumer *consumer = consumer_of(all, i);
        if (!consumer || consumer->tags.settled_count == 0 || !consumer->chan.number)
            continue;
        waiting += amqp_tags_tell(&consumer->tags, at_once ? 0 : may_wait(consumer), tell_one, consumer);
        consumer->at_once = false;
        if (consumer->step == CONSUMER_SETTLING && consumer->tags.open == 0)
            free_consumer(consumer);
    }
    amqp_conn_wrote(&all->conn);
    balance(all);
    return waiting;
}

void amqp_consumers_tell(struct amqp_consumers *all)
{
    tell_settled(all, true);
}

static void on_late(uv_timer_t *timer)
{
    amqp_consumers_tell(timer->data);
}

static void on_hook(void *self)
{
    struct amqp_consumers *all = self;
    for (uint32_t i = 1; i <= all->list_size; i++) {
        struct amqp_consumer *consumer = consumer_of(all, i);
        if (consumer && consumer->step == CONSUMER_CANCELLED)
            tell_cancelled(consumer);
    }
    if (tell_settled(all, false) && !uv_is_active((uv_handle_t *)&all->late))
        uv_timer_start(&all->late, on_late, LATE_MS, 0);
}

/* ---- adding and cancelling ---- */

static uint32_t free_number(struct amqp_consumers *all)
{
    for (size_t i = 0; i < all->list_size; i++) {
        if (!all->list[i])
            return (uint32_t)i + 1;
    }
    size_t size = all->list_size ? all->list_size * 2 : 8;
    struct amqp_consumer **list = realloc(all->list, size * sizeof(struct amqp_consumer *));
    if (!list)
        return 0;
    memset(list + all->list_size, 0, (size - all->list_size) * sizeof *list);
    all->list = list;
    uint32_t number = (uint32_t)all->list_size + 1;
    all->list_size = size;
    return number;
}

uint32_t amqp_consumers_add(struct amqp_consumers *all, const char *queue,
                            const struct consume_options *options)
{
    size_t size = strlen(queue);
    uint32_t number = free_number(all);
    struct amqp_consumer *consumer = number ? calloc(1, sizeof *consumer + size + 1) : NULL;
    if (!consumer)
        return 0;
    memcpy(consumer->name, queue, size + 1);
    consumer->queue = (umbel_str){consumer->name, size};
    consumer->all = all;
    consumer->number = number;
    consumer->options = *options;
    amqp_tags_init(&consumer->tags);
    snprintf(consumer->tag, sizeof consumer->tag, "umbel-%u", number);
    all->list[number - 1] = consumer;
    if (amqp_conn_is_up(&all->conn))
        begin(consumer);
    return number;
}

void amqp_consumers_cancel(struct amqp_consumers *all, uint32_t number)
{
    struct amqp_consumer *consumer = consumer_of(all, number);
    if (!consumer || consumer->step >= CONSUMER_CANCELLING)
        return;
    if (consumer->chan.number) {
        amqp_basic_cancel_t method = {.consumer_tag = amqp_cstring_bytes(consumer->tag)};
        amqp_chan_send(&consumer->chan, AMQP_BASIC_CANCEL_METHOD, &method);
        consumer->step = CONSUMER_CANCELLING;
    } else {
        consumer->step = CONSUMER_CANCELLED;
        loop_mark(all->conn.options.loop, &all->hook);
    }
}

/* ---- the connection ---- */

static void on_up(void *self)
{
    struct amqp_consumers *all = self;
    all->failure = 0;
    for (uint32_t i = 1; i <= all->list_size; i++) {
        struct amqp_consumer *consumer = consumer_of(all, i);
        if (consumer && consumer->step < CONSUMER_CANCELLING)
            begin(consumer);
    }
    all->events->changed(all->self, UMBEL_OK, "");
}

static void rest(struct amqp_consumer *consumer)
{
    disown(consumer);
    if (consumer->step == CONSUMER_CANCELLING)
        tell_cancelled(consumer);
    else if (consumer->step == CONSUMER_SETTLING)
        free_consumer(consumer);
    else if (consumer->step < CONSUMER_CANCELLING)
        consumer->step = CONSUMER_IDLE;
}

static void on_down(void *self, int code, const char *why)
{
    struct amqp_consumers *all = self;
    uint32_t life = all->conn.life;
    all->failure = code == UMBEL_AUTH || code == UMBEL_TLS ? code : 0;
    for (uint32_t i = 1; i <= all->list_size && all->conn.life == life; i++) {
        struct amqp_consumer *consumer = consumer_of(all, i);
        if (consumer)
            rest(consumer);
    }
    if (all->conn.life == life)
        amqp_errands_down(&all->errands);
    if (all->conn.life == life)
        all->events->changed(all->self, code, why);
}

static void on_blocked(void *self, bool blocked, const char *why)
{
    (void)self, (void)blocked, (void)why; /* concerns those who publish */
}

static void on_drained(void *self)
{
    (void)self;
}

static void on_ended(void *self)
{
    struct amqp_consumers *all = self;
    all->events->ended(all->self);
}

/* ---- the object ---- */

enum transport_state amqp_consumers_state(const struct amqp_consumers *all)
{
    if (amqp_conn_is_up(&all->conn))
        return TRANSPORT_UP;
    return all->failure ? TRANSPORT_FAILED : TRANSPORT_CONNECTING;
}

int amqp_consumers_init(struct amqp_consumers *all, const struct amqp_conn_options *options, size_t budget,
                        const struct amqp_consumers_events *events, void *self,
                        const struct transport_events *owner_events, void *owner)
{
    static const struct amqp_conn_events conn_events = {on_up, on_down, on_blocked, on_drained, on_ended};
    *all = (struct amqp_consumers){
        .events = events, .self = self, .owner_events = owner_events, .owner = owner, .budget = budget};
    int code = amqp_conn_init(&all->conn, options, &conn_events, all);
    if (code)
        return code;
    amqp_errands_init(&all->errands, &all->conn);
    /* Begun anywhere, so that a tag of another transport's consumer is taken for stale too. */
    uv_random(NULL, NULL, &all->epoch, sizeof all->epoch, 0, NULL);
    all->hook = (struct turn_hook){.call = on_hook, .self = all};
    uv_timer_init(&options->loop->uv, &all->retry);
    uv_timer_init(&options->loop->uv, &all->late);
    all->retry.data = all->late.data = all;
    amqp_conn_start(&all->conn);
    return UMBEL_OK;
}

static void handle_gone(void *self)
{
    struct amqp_consumers *all = self;
    if (--all->handles > 0)
        return;
    for (size_t i = 0; i < all->list_size; i++) {
        if (all->list[i])
            free_consumer(all->list[i]);
    }
    free(all->list);
    all->gone(all->gone_self);
}

static void timer_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

void amqp_consumers_fini(struct amqp_consumers *all, void (*gone)(void *self), void *self)
{
    all->gone = gone;
    all->gone_self = self;
    all->handles = 4;
    loop_unmark(all->conn.options.loop, &all->hook);
    uv_close((uv_handle_t *)&all->retry, timer_closed);
    uv_close((uv_handle_t *)&all->late, timer_closed);
    amqp_errands_fini(&all->errands, handle_gone, all);
    amqp_conn_fini(&all->conn, handle_gone);
}
