/* transport_memory.c: task messages inside one process; the contract (transport.h) at its simplest. Read it
 * first.
 *
 * A publish reaches its queue at once, under the hub's lock; the queue gives messages to consumers' inboxes.
 * What the owner must hear, answers and deliveries, waits until the loop wakes up by our async handle: so no
 * event comes from inside a call, and another loop is woken the same way as our own. Nothing here fails but
 * memory. */
#include <math.h>
#include <stdlib.h>
#include "broker/memory_answers.h"
#include "broker/memory_hub.h"
#include "broker/unsettled.h"
#include "broker/transport_memory.h"
#include "common/clock.h"

enum {
    BODY_MAX = 128 << 20, /* RabbitMQ's own limit */
    OUTPUT_MAX = 16 << 20,
    INPUT_BUDGET = 256 << 20,
    DELIVERIES_PER_TURN = 256 /* then other handles of the loop have theirs */
};

/* What a consumer asked for, kept until its queue exists. */
struct subscription {
    struct memory_consumer consumer; /* first: the queue knows it as that */
    struct consume_options options;
    bool ended, complained;
    char queue[];
};

struct memory_transport {
    struct transport base;
    struct loop *loop;
    const struct transport_events *events;
    void *self;
    struct memory_hub *hub;
    struct memory_member member;
    struct memory_inbox inbox;
    struct answers answers;
    struct memory_consumer *consumers; /* of struct subscription */
    uint32_t last_consumer;
    struct unsettled unsettled; /* ids are pointers to messages */
    size_t output_max, output;  /* bytes published and not yet answered */
    bool wants_room, closing;
    uv_async_t wake;
    uv_timer_t due; /* of delayed messages in our consumers' queues */
    unsigned handles;
    struct buffer packed;
    struct arena arena; /* of the message being delivered */
    void (*closed)(void *self);
    void *closed_self;
};

/* ---- answers
 * ----------------------------------------------------------------------------------------------------- */

/* The room must have been made. */
static void answer(struct memory_transport *mt, struct answer item)
{
    answers_add(&mt->answers, item);
    uv_async_send(&mt->wake);
}

static void give_room(struct memory_transport *mt, size_t bytes)
{
    mt->output -= bytes;
    if (mt->wants_room && mt->output <= mt->output_max / 2) {
        mt->wants_room = false;
        mt->events->room(mt->self);
    }
}

static void tell(struct memory_transport *mt, const struct answer *item)
{
    const struct transport_events *events = mt->events;
    switch (item->kind) {
    case ANSWER_UP:
        events->state(mt->self, TRANSPORT_UP, UMBEL_OK, "");
        break;
    case ANSWER_PUBLISHED:
        events->published(mt->self, item->token, item->code, item->why);
        give_room(mt, item->number);
        break;
    case ANSWER_CONSUMING:
        events->consuming(mt->self, (uint32_t)item->token, item->number);
        break;
    case ANSWER_CANCELLED:
        events->cancelled(mt->self, (uint32_t)item->token);
        break;
    case ANSWER_LOST:
        events->consumer_lost(mt->self, (uint32_t)item->token, item->code, item->why);
        break;
    case ANSWER_COUNTED:
        events->counted(mt->self, item->token, item->code, item->number, item->why);
        break;
    }
}

/* ---- publishing
 * -------------------------------------------------------------------------------------------------- */

static struct memory_message *pack(struct memory_transport *mt, const struct message *msg)
{
    buffer_clear(&mt->packed);
    if (message_pack(&mt->packed, msg) != UMBEL_OK || mt->packed.failed)
        return NULL;
    size_t size = buffer_length(&mt->packed);
    struct memory_message *made = malloc(sizeof *made + size);
    if (!made)
        return NULL;
    *made = (struct memory_message){.size = size};
    memcpy(made->packed, buffer_head(&mt->packed), size);
    return made;
}

/* Takes the message when it answers UMBEL_OK. */
static int route(struct memory_transport *mt, struct memory_message *made, const struct message *msg,
                 double delay, int flags)
{
    struct memory_hub *hub = mt->hub;
    if (msg->exchange.size)
        return UMBEL_UNROUTABLE;
    struct memory_queue *queue = flags & PUBLISH_CREATE_QUEUE ? memory_hub_make_queue(hub, msg->queue, 0)
                                                              : memory_hub_queue(hub, msg->queue);
    if (!queue)
        return flags & PUBLISH_CREATE_QUEUE ? UMBEL_REFUSED : UMBEL_UNROUTABLE;
    made->number = ++hub->numbers;
    if (delay > 0) {
        made->due = clock_mono() + delay;
        memory_queue_delay(queue, made, msg->priority);
        for (struct memory_consumer *at = queue->consumers; at; at = at->next_here)
            uv_async_send(at->inbox->wake); /* to wait no longer than until then */
    } else {
        memory_queue_put(queue, made, msg->priority);
        memory_queue_dispatch(queue);
    }
    return UMBEL_OK;
}

static const char *why_not(int code, const struct message *msg)
{
    if (code == UMBEL_UNROUTABLE)
        return msg->exchange.size ? "there are no exchanges in memory" : "no such queue";
    return code == UMBEL_REFUSED ? "out of memory" : "";
}

static int publish(struct transport *transport, const struct message *msg, double delay, int flags,
                   uint64_t token)
{
    struct memory_transport *mt = (struct memory_transport *)transport;
    if (mt->closing)
        return UMBEL_BROKER_AWAY;
    if (msg->body.size > BODY_MAX)
        return UMBEL_TOO_LARGE;
    if (mt->output >= mt->output_max) {
        mt->wants_room = true;
        return UMBEL_BUSY;
    }
    if (!answers_room(&mt->answers))
        return UMBEL_NO_MEMORY;
    struct memory_message *made = pack(mt, msg);
    if (!made)
        return UMBEL_NO_MEMORY;
    size_t size = made->size;
    memory_hub_lock(mt->hub);
    int code = route(mt, made, msg, delay, flags);
    memory_hub_unlock(mt->hub);
    if (code != UMBEL_OK)
        free(made);
    mt->output += size;
    answer(mt, (struct answer){ANSWER_PUBLISHED, code, token, size, why_not(code, msg)});
    return UMBEL_OK;
}

/* ---- consumers
 * --------------------------------------------------------------------------------------------------- */

static void complain(struct memory_transport *mt, struct subscription *sub, int code, const char *why)
{
    if (sub->complained || !answers_room(&mt->answers))
        return;
    sub->complained = true;
    answer(mt, (struct answer){ANSWER_LOST, code, sub->consumer.number, 0, why});
}

/* Under the lock. Tried again whenever a queue is made or a consumer ends. */
static void attach(struct memory_transport *mt, struct subscription *sub)
{
    umbel_str name = str_of(sub->queue);
    struct memory_queue *queue = memory_hub_queue(mt->hub, name);
    if (!queue && sub->options.create_queue)
        queue = memory_hub_make_queue(mt->hub, name, sub->options.max_priority);
    if (!queue) {
        complain(mt, sub, UMBEL_NOT_FOUND, "no such queue");
        return;
    }
    if (!answers_room(&mt->answers) || !memory_queue_attach(queue, &sub->consumer)) {
        complain(mt, sub, UMBEL_CONFLICT, "a consumer has the queue for itself alone");
        return;
    }
    sub->complained = false;
    memory_queue_mature(queue, clock_mono());
    answer(mt, (struct answer){ANSWER_CONSUMING, UMBEL_OK, sub->consumer.number, queue->ready, ""});
    memory_queue_dispatch(queue);
}

static uint32_t consume(struct transport *transport, const char *queue, const struct consume_options *options)
{
    struct memory_transport *mt = (struct memory_transport *)transport;
    size_t size = strlen(queue) + 1;
    struct subscription *sub = calloc(1, sizeof *sub + size);
    if (!sub)
        return 0;
    memcpy(sub->queue, queue, size);
    sub->options = *options;
    sub->consumer = (struct memory_consumer){
        .next = mt->consumers,
        .inbox = &mt->inbox,
        .number = ++mt->last_consumer,
        .prefetch = options->prefetch,
        .priority = options->priority,
        .exclusive = options->exclusive,
    };
    mt->consumers = &sub->consumer;
    memory_hub_lock(mt->hub);
    attach(mt, sub);
    memory_hub_unlock(mt->hub);
    uv_async_send(&mt->wake); /* delayed messages may wait in it */
    return sub->consumer.number;
}

/* Under the lock: what is in the inbox and not delivered goes back as if it had never left. */
static void hand_back_undelivered(struct memory_transport *mt, const struct memory_consumer *consumer)
{
    for (struct memory_message *msg = mt->inbox.list.last, *prev; msg; msg = prev) {
        prev = msg->prev;
        if (msg->holder != consumer)
            continue;
        memory_list_remove(&mt->inbox.list, msg);
        mt->inbox.bytes -= msg->size;
        msg->holder->held--;
        memory_queue_return(msg->queue, msg);
    }
}

static void detach(struct memory_transport *mt, struct memory_consumer *consumer)
{
    struct memory_queue *queue = consumer->queue;
    if (!queue)
        return;
    memory_queue_detach(consumer);
    hand_back_undelivered(mt, consumer);
    memory_queue_dispatch(queue);
    if (consumer->exclusive)
        memory_hub_wake(mt->hub);
}

/* One that ended goes when the last of its messages is settled. */
static void drop_ended(struct memory_transport *mt, struct memory_consumer *consumer)
{
    struct memory_consumer **at = &mt->consumers;
    if (!((struct subscription *)consumer)->ended || consumer->held)
        return;
    while (*at != consumer)
        at = &(*at)->next;
    *at = consumer->next;
    free(consumer);
}

static void cancel(struct transport *transport, uint32_t number)
{
    struct memory_transport *mt = (struct memory_transport *)transport;
    struct memory_consumer *consumer = mt->consumers;
    while (consumer && consumer->number != number)
        consumer = consumer->next;
    struct subscription *sub = (struct subscription *)consumer;
    if (!sub || sub->ended || !answers_room(&mt->answers))
        return;
    sub->ended = true;
    memory_hub_lock(mt->hub);
    detach(mt, consumer);
    drop_ended(mt, consumer);
    memory_hub_unlock(mt->hub);
    answer(mt, (struct answer){ANSWER_CANCELLED, UMBEL_OK, number, 0, ""});
}

/* ---- deliveries
 * -------------------------------------------------------------------------------------------------- */

static void settle(struct transport *transport, struct tag tag, enum settle how)
{
    struct memory_transport *mt = (struct memory_transport *)transport;
    struct unsettled_slot slot;
    if (mt->closing || !unsettled_take(&mt->unsettled, tag, &slot))
        return;
    struct memory_message *msg = (struct memory_message *)(uintptr_t)slot.id;
    struct memory_queue *queue = msg->queue;
    memory_hub_lock(mt->hub);
    msg->holder->held--;
    drop_ended(mt, msg->holder);
    bool was_full = mt->inbox.bytes >= mt->inbox.budget;
    mt->inbox.bytes -= msg->size;
    if (how == SETTLE_REQUEUE) {
        msg->redelivered = true;
        memory_queue_return(queue, msg);
    }
    memory_queue_dispatch(queue);
    if (was_full)
        for (struct memory_consumer *at = mt->consumers; at; at = at->next)
            if (at->queue)
                memory_queue_dispatch(at->queue);
    memory_hub_unlock(mt->hub);
    if (how != SETTLE_REQUEUE)
        free(msg);
}

static void deliver(struct memory_transport *mt, struct memory_message *made, struct tag tag)
{
    struct message msg;
    umbel_str packed = {made->packed, made->size};
    int code = message_unpack(&mt->arena, packed, &msg);
    if (code != UMBEL_OK) {
        message_init(&msg);
        msg.body = packed;
    }
    msg.queue = msg.routing_key = made->queue->node.key;
    msg.exchange = STR_NONE;
    msg.redelivered = made->redelivered;
    if (code == UMBEL_OK)
        mt->events->delivered(mt->self, tag, &msg);
    else
        mt->events->garbled(mt->self, tag, &msg, umbel_strerror(code));
    arena_reset(&mt->arena);
}

static struct memory_message *take_delivery(struct memory_transport *mt)
{
    memory_hub_lock(mt->hub);
    struct memory_message *msg = mt->inbox.paused ? NULL : mt->inbox.list.first;
    if (msg)
        memory_list_remove(&mt->inbox.list, msg);
    memory_hub_unlock(mt->hub);
    return msg;
}

static void deliver_some(struct memory_transport *mt)
{
    struct memory_message *msg;
    for (int i = 0; i < DELIVERIES_PER_TURN && !mt->closing && (msg = take_delivery(mt)); i++) {
        struct tag tag;
        if (unsettled_add(&mt->unsettled, (uintptr_t)msg, msg->holder->number, msg->size, &tag) == UMBEL_OK) {
            deliver(mt, msg, tag);
            continue;
        }
        memory_hub_lock(mt->hub); /* out of memory: it waits for a better time */
        msg->holder->held--;
        mt->inbox.bytes -= msg->size;
        memory_queue_return(msg->queue, msg);
        memory_hub_unlock(mt->hub);
        return;
    }
    memory_hub_lock(mt->hub);
    if (!mt->closing && !mt->inbox.paused && mt->inbox.list.first)
        uv_async_send(&mt->wake);
    memory_hub_unlock(mt->hub);
}

/* ---- the turn
 * ---------------------------------------------------------------------------------------------------- */

/* Attaches consumers that had no queue, and moves what is due; answers when to look again. */
static double look_at_queues(struct memory_transport *mt)
{
    double now = clock_mono(), due = INFINITY;
    memory_hub_lock(mt->hub);
    for (struct memory_consumer *at = mt->consumers; at; at = at->next) {
        struct subscription *sub = (struct subscription *)at;
        if (!sub->ended && !at->queue)
            attach(mt, sub);
        if (!at->queue)
            continue;
        due = fmin(due, memory_queue_mature(at->queue, now));
        memory_queue_dispatch(at->queue);
    }
    memory_hub_unlock(mt->hub);
    return due - now;
}

static void on_wake(uv_async_t *wake);

static void on_due(uv_timer_t *timer)
{
    struct memory_transport *mt = timer->data;
    on_wake(&mt->wake);
}

static void on_wake(uv_async_t *wake)
{
    struct memory_transport *mt = wake->data;
    double wait = look_at_queues(mt);
    if (isfinite(wait))
        uv_timer_start(&mt->due, on_due, (uint64_t)(fmax(wait, 0) * 1000) + 1, 0);
    for (size_t count = mt->answers.count; count && !mt->closing; count--) {
        struct answer item = answers_take(&mt->answers);
        tell(mt, &item);
    }
    deliver_some(mt);
}

/* ---- the rest
 * ---------------------------------------------------------------------------------------------------- */

static void answer_count(struct memory_transport *mt, const char *name, uint64_t token, bool purge)
{
    if (mt->closing || !answers_room(&mt->answers))
        return;
    struct answer item = {ANSWER_COUNTED, UMBEL_NOT_FOUND, token, 0, "no such queue"};
    memory_hub_lock(mt->hub);
    struct memory_queue *queue = memory_hub_queue(mt->hub, str_of(name));
    if (queue) {
        memory_queue_mature(queue, clock_mono());
        item.code = UMBEL_OK;
        item.why = "";
        item.number = purge ? memory_queue_purge(queue) : queue->ready;
    }
    memory_hub_unlock(mt->hub);
    answer(mt, item);
}

static void count(struct transport *transport, const char *queue, uint64_t token)
{
    answer_count((struct memory_transport *)transport, queue, token, false);
}

static void purge(struct transport *transport, const char *queue, uint64_t token)
{
    answer_count((struct memory_transport *)transport, queue, token, true);
}

static void pause_input(struct transport *transport, bool paused)
{
    struct memory_transport *mt = (struct memory_transport *)transport;
    memory_hub_lock(mt->hub);
    mt->inbox.paused = paused;
    memory_hub_unlock(mt->hub);
    uv_async_send(&mt->wake);
}

static void give_back_all(struct memory_transport *mt)
{
    memory_hub_lock(mt->hub);
    for (struct memory_consumer *at = mt->consumers; at; at = at->next)
        detach(mt, at);
    for (uint32_t i = 0; i < mt->unsettled.count; i++) {
        if (!mt->unsettled.slots[i].used)
            continue;
        struct memory_message *msg = (struct memory_message *)(uintptr_t)mt->unsettled.slots[i].id;
        msg->redelivered = true;
        memory_queue_return(msg->queue, msg);
        memory_queue_dispatch(msg->queue);
    }
    struct memory_member **at = &mt->hub->transports;
    while (*at != &mt->member)
        at = &(*at)->next;
    *at = mt->member.next;
    memory_hub_unlock(mt->hub);
}

static void free_transport(struct memory_transport *mt)
{
    for (struct memory_consumer *at = mt->consumers, *next; at; at = next) {
        next = at->next;
        free(at);
    }
    memory_hub_close(mt->hub);
    answers_fini(&mt->answers);
    unsettled_fini(&mt->unsettled);
    buffer_fini(&mt->packed);
    arena_fini(&mt->arena);
    free(mt);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct memory_transport *mt = handle->data;
    if (--mt->handles)
        return;
    while (mt->answers.count) {
        struct answer item = answers_take(&mt->answers);
        if (item.kind == ANSWER_PUBLISHED || item.kind == ANSWER_COUNTED || item.kind == ANSWER_CANCELLED)
            tell(mt, &item);
    }
    void (*closed)(void *) = mt->closed;
    void *self = mt->closed_self;
    free_transport(mt);
    closed(self);
}

static void close_transport(struct transport *transport, double grace, void (*closed)(void *self), void *self)
{
    struct memory_transport *mt = (struct memory_transport *)transport;
    (void)grace;
    mt->closing = true;
    mt->wants_room = false;
    mt->closed = closed;
    mt->closed_self = self;
    give_back_all(mt);
    uv_close((uv_handle_t *)&mt->wake, on_handle_closed);
    uv_close((uv_handle_t *)&mt->due, on_handle_closed);
}

static void join_hub(struct memory_transport *mt)
{
    mt->member.wake = mt->inbox.wake = &mt->wake;
    memory_hub_lock(mt->hub);
    mt->member.next = mt->hub->transports;
    mt->hub->transports = &mt->member;
    memory_hub_unlock(mt->hub);
}

static int open_transport(struct transport **out, struct loop *loop, const struct url *urls, size_t url_count,
                          const struct transport_options *options, const struct transport_events *events,
                          void *self, const char **why)
{
    (void)url_count;
    struct memory_transport *mt = calloc(1, sizeof *mt);
    *why = "out of memory";
    if (!mt || !answers_room(&mt->answers) || !(mt->hub = memory_hub_open(&urls[0]))) {
        if (mt)
            answers_fini(&mt->answers);
        free(mt);
        return UMBEL_NO_MEMORY;
    }
    mt->base.ops = &transport_memory;
    mt->loop = loop;
    mt->events = events;
    mt->self = self;
    mt->output_max = options->output_max ? options->output_max : OUTPUT_MAX;
    mt->inbox.budget = options->input_budget ? options->input_budget : INPUT_BUDGET;
    buffer_init(&mt->packed, BODY_MAX * 2u);
    arena_init(&mt->arena, 0);
    unsettled_init(&mt->unsettled);
    uv_async_init(&loop->uv, &mt->wake, on_wake);
    uv_timer_init(&loop->uv, &mt->due);
    mt->handles = 2;
    mt->wake.data = mt->due.data = mt;
    join_hub(mt);
    answer(mt, (struct answer){ANSWER_UP, UMBEL_OK, 0, 0, ""});
    *out = &mt->base;
    return UMBEL_OK;
}

const struct transport_ops transport_memory = {
    .scheme = "memory",
    .open = open_transport,
    .publish = publish,
    .consume = consume,
    .cancel = cancel,
    .settle = settle,
    .count = count,
    .purge = purge,
    .pause = pause_input,
    .close = close_transport,
};
