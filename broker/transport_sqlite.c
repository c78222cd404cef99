/* transport_sqlite.c: task messages in a file that many processes of one machine share; no server.
 *
 * The loop's side: calls become notes (sqlite_port.h), answers become events. The SQL is in sqlite_queue.c,
 * on the database's thread. A publish is answered when its transaction has reached the disk; what a dead or
 * closed transport had not settled goes back, marked redelivered. Priorities of consumers are not kept:
 * whoever looks first is served. */
#include "broker/transport_sqlite.h"

#include <stddef.h>
#include <stdlib.h>
#include "broker/sqlite_queue.h"
#include "broker/unsettled.h"
#include "common/clock.h"

enum { BODY_MAX = 128 << 20, OUTPUT_MAX = 16 << 20, INPUT_BUDGET = 256 << 20 };

struct sqlite_transport {
    struct transport base;
    struct sqlite_port port;
    struct sqlite_queues queues; /* the thread's */
    const struct transport_events *events;
    void *self;
    struct unsettled unsettled;
    uint32_t last_consumer;
    size_t output, output_max;
    bool up, wants_room, paused;
    struct notes *kept; /* deliveries that came while paused */
    struct arena arena; /* of the message being delivered */
    void (*closed)(void *self);
    void *closed_self;
};

static struct sqlite_transport *of_port(struct sqlite_port *port)
{
    return (struct sqlite_transport *)((char *)port - offsetof(struct sqlite_transport, port));
}

/* ---- asking
 * ------------------------------------------------------------------------------------------------------ */

static bool write_publish(struct sqlite_transport *st, struct note *note, const struct message *msg)
{
    struct notes *notes = st->port.asking;
    if (!notes_text(notes, note, 0, msg->queue))
        return false;
    size_t from = notes->bytes.end;
    if (message_pack(&notes->bytes, msg) != UMBEL_OK || notes->bytes.failed)
        return false;
    notes_text_since(notes, note, 1, from);
    return true;
}

/* Exchanges are a broker's; the answer comes as it would from one. */
static int refuse_exchange(struct sqlite_transport *st, uint64_t token)
{
    struct note *note = sqlite_port_ask(&st->port, QUEUE_PUBLISH, 0);
    if (!note)
        return UMBEL_NO_MEMORY;
    note->token = token;
    return UMBEL_OK;
}

static int publish(struct transport *transport, const struct message *msg, double delay, int flags,
                   uint64_t token)
{
    struct sqlite_transport *st = (struct sqlite_transport *)transport;
    if (!st->up || st->port.closing)
        return UMBEL_BROKER_AWAY;
    if (msg->body.size > BODY_MAX)
        return UMBEL_TOO_LARGE;
    if (msg->exchange.size)
        return refuse_exchange(st, token);
    if (st->output >= st->output_max) {
        st->wants_room = true;
        return UMBEL_BUSY;
    }
    bool durable = !(flags & PUBLISH_UNCONFIRMED) && !msg->transient;
    struct note *note = sqlite_port_ask(&st->port, QUEUE_PUBLISH, NOTE_WRITES | (durable ? NOTE_SYNC : 0u));
    if (!note)
        return UMBEL_NO_MEMORY;
    note->flags |= (flags & PUBLISH_CREATE_QUEUE ? QUEUE_CREATE : 0u) | (delay > 0 ? QUEUE_LATER : 0u);
    note->when = delay > 0 ? clock_now() + delay : 0;
    note->token = token;
    note->number = msg->priority;
    if (!write_publish(st, note, msg)) {
        notes_drop(st->port.asking);
        return UMBEL_NO_MEMORY;
    }
    st->output += note->texts[1].size;
    return UMBEL_OK;
}

static struct note *ask(struct sqlite_transport *st, int kind, unsigned flags, const char *queue)
{
    if (st->port.closing)
        return NULL;
    struct note *note = sqlite_port_ask(&st->port, kind, flags);
    if (note && queue && !notes_text(st->port.asking, note, 0, str_of(queue))) {
        notes_drop(st->port.asking);
        return NULL;
    }
    return note;
}

static uint32_t consume(struct transport *transport, const char *queue, const struct consume_options *options)
{
    struct sqlite_transport *st = (struct sqlite_transport *)transport;
    struct note *note = ask(st, QUEUE_CONSUME, NOTE_WRITES | NOTE_KEEP, queue);
    if (!note)
        return 0;
    note->flags |= (options->create_queue ? QUEUE_CREATE : 0u) | (options->exclusive ? QUEUE_EXCLUSIVE : 0u);
    note->number = options->prefetch;
    note->code = options->max_priority;
    return note->consumer = ++st->last_consumer;
}

static void cancel(struct transport *transport, uint32_t consumer)
{
    struct note *note =
        ask((struct sqlite_transport *)transport, QUEUE_CANCEL, NOTE_WRITES | NOTE_KEEP, NULL);
    if (note)
        note->consumer = consumer;
}

/* When memory is out, it comes again when we close. */
static void ask_settling(struct sqlite_transport *st, int kind, uint64_t id, size_t size, uint32_t consumer)
{
    struct note *note = ask(st, kind, NOTE_WRITES | NOTE_KEEP, NULL);
    if (!note)
        return;
    note->number = id;
    note->token = size;
    note->consumer = consumer;
}

static void settle(struct transport *transport, struct tag tag, enum settle how)
{
    struct sqlite_transport *st = (struct sqlite_transport *)transport;
    struct unsettled_slot slot;
    if (!st->port.closing && unsettled_take(&st->unsettled, tag, &slot))
        ask_settling(st, how == SETTLE_REQUEUE ? QUEUE_REQUEUE : QUEUE_ACK, slot.id, slot.size,
                     slot.consumer);
}

static void count(struct transport *transport, const char *queue, uint64_t token)
{
    struct note *note = ask((struct sqlite_transport *)transport, QUEUE_COUNT, 0, queue);
    if (note)
        note->token = token;
}

static void purge(struct transport *transport, const char *queue, uint64_t token)
{
    struct note *note = ask((struct sqlite_transport *)transport, QUEUE_PURGE, NOTE_WRITES, queue);
    if (note)
        note->token = token;
}

static void pause_input(struct transport *transport, bool paused)
{
    struct sqlite_transport *st = (struct sqlite_transport *)transport;
    struct note *note = ask(st, QUEUE_PAUSE, NOTE_KEEP, NULL);
    if (note)
        note->number = paused;
    st->paused = paused;
    uv_async_send(&st->port.wake); /* for what was kept */
}

/* ---- being told
 * -------------------------------------------------------------------------------------------------- */

static void deliver(struct sqlite_transport *st, const struct notes *notes, const struct note *note)
{
    struct message msg;
    struct tag tag;
    umbel_str packed = note_text(notes, note, 0);
    if (unsettled_add(&st->unsettled, note->number, note->consumer, packed.size, &tag) != UMBEL_OK)
        return; /* out of memory: it comes again when we close */
    int code = message_unpack(&st->arena, packed, &msg);
    if (code != UMBEL_OK) {
        message_init(&msg);
        msg.body = packed;
    }
    msg.queue = msg.routing_key = note_text(notes, note, 1);
    msg.exchange = STR_NONE;
    msg.redelivered = note->code;
    if (code == UMBEL_OK)
        st->events->delivered(st->self, tag, &msg);
    else
        st->events->garbled(st->self, tag, &msg, umbel_strerror(code));
    arena_reset(&st->arena);
}

static void keep(struct sqlite_transport *st, const struct notes *notes, const struct note *note)
{
    struct note *copy = st->kept || (st->kept = notes_new()) ? notes_add(st->kept, note->kind) : NULL;
    if (!copy)
        return;
    copy->code = note->code;
    copy->number = note->number;
    copy->consumer = note->consumer;
    if (!notes_text(st->kept, copy, 0, note_text(notes, note, 0)) ||
        !notes_text(st->kept, copy, 1, note_text(notes, note, 1)))
        notes_drop(st->kept);
}

/* Paused again in the middle of it, the rest is kept again. */
static void deliver_kept(struct sqlite_transport *st)
{
    struct notes *kept = st->kept;
    if (!kept || st->paused)
        return;
    st->kept = NULL;
    for (size_t i = 0; i < kept->count && !st->port.closing; i++) {
        if (st->paused)
            keep(st, kept, &kept->items[i]);
        else
            deliver(st, kept, &kept->items[i]);
    }
    notes_free(kept);
}

/* The consumer has ended: what came for it while paused goes back, for nothing is delivered after that. */
static void give_back_kept(struct sqlite_transport *st, uint32_t consumer)
{
    struct notes *kept = st->kept;
    st->kept = NULL;
    for (size_t i = 0; kept && i < kept->count; i++) {
        const struct note *note = &kept->items[i];
        if (note->consumer == consumer)
            ask_settling(st, QUEUE_REQUEUE, note->number, note->texts[0].size, consumer);
        else
            keep(st, kept, note);
    }
    notes_free(kept);
}

static void told_delivery(struct sqlite_transport *st, const struct notes *notes, const struct note *note)
{
    if (st->port.closing)
        return;
    if (st->paused || st->kept)
        keep(st, notes, note);
    else
        deliver(st, notes, note);
}

static void told_published(struct sqlite_transport *st, const struct note *note, const char *why)
{
    st->output -= note->number;
    st->events->published(st->self, note->token, note->code, why);
    if (st->wants_room && st->output <= st->output_max / 2 && !st->port.closing) {
        st->wants_room = false;
        st->events->room(st->self);
    }
}

static void told_state(struct sqlite_transport *st, const struct note *note, const char *why)
{
    st->up = note->code == UMBEL_OK;
    if (!st->port.closing)
        st->events->state(st->self, st->up ? TRANSPORT_UP : TRANSPORT_FAILED, note->code, why);
}

static void told_consumer(struct sqlite_transport *st, const struct note *note, const char *why)
{
    if (st->port.closing)
        return;
    if (note->kind == QUEUE_CANCEL)
        give_back_kept(st, note->consumer);
    if (note->kind == QUEUE_CONSUME)
        st->events->consuming(st->self, note->consumer, note->number);
    else if (note->kind == QUEUE_LOST)
        st->events->consumer_lost(st->self, note->consumer, note->code, why);
    else
        st->events->cancelled(st->self, note->consumer);
}

static void told(struct sqlite_port *port, const struct notes *notes, const struct note *note)
{
    struct sqlite_transport *st = of_port(port);
    if (!note) {
        deliver_kept(st);
        return;
    }
    const char *why = note->texts[0].size ? note_text(notes, note, 0).data : "";
    switch (note->kind) {
    case PORT_STATE:
        told_state(st, note, why);
        break;
    case QUEUE_PUBLISH:
        told_published(st, note, why);
        break;
    case QUEUE_COUNT:
        st->events->counted(st->self, note->token, note->code, note->number, why);
        break;
    case QUEUE_DELIVERED:
        told_delivery(st, notes, note);
        break;
    default:
        told_consumer(st, note, why);
    }
}

/* ---- the thread's side
 * ------------------------------------------------------------------------------------------- */

static int join(struct sqlite_port *port)
{
    return sqlite_queues_join(&of_port(port)->queues, port);
}

static int write_note(struct sqlite_port *port, const struct notes *notes, const struct note *note)
{
    return sqlite_queues_write(&of_port(port)->queues, port, notes, note);
}

static int finish(struct sqlite_port *port)
{
    return sqlite_queues_finish(&of_port(port)->queues, port);
}

static bool wants(struct sqlite_port *port)
{
    return sqlite_queues_want(&of_port(port)->queues, port);
}

static void ended(struct sqlite_port *port, bool committed)
{
    sqlite_queues_ended(&of_port(port)->queues, committed);
}

static int read_note(struct sqlite_port *port, const struct notes *notes, const struct note *note)
{
    if (note && note->kind == QUEUE_PUBLISH) { /* to an exchange */
        struct note *answer = sqlite_port_answer(port, QUEUE_PUBLISH, note->token, UMBEL_UNROUTABLE);
        sqlite_port_explain(port, answer, "there are no exchanges in a file");
        return SQLITE_OK;
    }
    return sqlite_queues_read(&of_port(port)->queues, port, notes, note);
}

static void refuse(struct sqlite_port *port, const struct notes *notes, const struct note *note, bool away,
                   const char *why)
{
    (void)notes;
    bool publish = note->kind == QUEUE_PUBLISH;
    if (!publish && note->kind != QUEUE_COUNT && note->kind != QUEUE_PURGE)
        return;
    struct note *answer = sqlite_port_answer(port, publish ? QUEUE_PUBLISH : QUEUE_COUNT, note->token,
                                             away ? UMBEL_BROKER_AWAY : UMBEL_REFUSED);
    if (answer && publish)
        answer->number = note->texts[1].size;
    sqlite_port_explain(port, answer, why);
}

static void leave(struct sqlite_port *port)
{
    sqlite_store_orphan(port->store, of_port(port)->queues.owner);
}

/* ---- opening and closing
 * ----------------------------------------------------------------------------------------- */

static void left(struct sqlite_port *port)
{
    struct sqlite_transport *st = of_port(port);
    void (*closed)(void *) = st->closed;
    void *self = st->closed_self;
    sqlite_queues_free(&st->queues);
    unsettled_fini(&st->unsettled);
    notes_free(st->kept);
    arena_fini(&st->arena);
    free(st);
    if (closed) /* NULL: it never opened */
        closed(self);
}

static void close_transport(struct transport *transport, double grace, void (*closed)(void *self), void *self)
{
    struct sqlite_transport *st = (struct sqlite_transport *)transport;
    st->closed = closed;
    st->closed_self = self;
    sqlite_port_close(&st->port, grace);
}

static const struct sqlite_port_ops port_ops = {
    .join = join,
    .write = write_note,
    .finish = finish,
    .wants = wants,
    .ended = ended,
    .read = read_note,
    .refuse = refuse,
    .leave = leave,
    .told = told,
    .left = left,
};

static int open_transport(struct transport **out, struct loop *loop, const struct url *urls, size_t url_count,
                          const struct transport_options *options, const struct transport_events *events,
                          void *self, const char **why)
{
    (void)url_count;
    struct sqlite_transport *st = calloc(1, sizeof *st);
    *why = "out of memory";
    if (!st)
        return UMBEL_NO_MEMORY;
    st->base.ops = &transport_sqlite;
    st->events = events;
    st->self = self;
    st->output_max = options->output_max ? options->output_max : OUTPUT_MAX;
    st->queues.budget = options->input_budget ? options->input_budget : INPUT_BUDGET;
    unsettled_init(&st->unsettled);
    arena_init(&st->arena, 0);
    *out = &st->base;
    return sqlite_port_open(&st->port, loop, urls[0].path, &port_ops, why);
}

const struct transport_ops transport_sqlite = {
    .scheme = "sqlite",
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
