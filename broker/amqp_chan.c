/* amqp_chan.c: channels of a connection: numbers, their end from either side, and contents put together.
 *
 * A content is three kinds of frames: method, header, bodies. Nearly always they lie behind one another in
 * what was read, with one body, and are handed on as they lie there, without a copy. Only when another
 * channel's frame came in between, or when there are several bodies, are they gathered; memory grows with
 * what arrives, never by what was announced. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/amqp_conn.h"
#include "common/str.h"

struct gathering {
    struct arena arena;
    struct message msg;
    struct amqp_content content;
    bool has_header;
    uint64_t expected, got;
    struct buffer body;
};

struct amqp_slot {
    struct amqp_chan *chan; /* NULL while the answer to our close is awaited */
    bool used;
    struct gathering *gathering;
};

/* ---- numbers ---- */

static struct amqp_slot *slot_of(struct amqp_conn *conn, uint16_t number)
{
    return number < conn->slot_count && conn->slots[number].used ? &conn->slots[number] : NULL;
}

static uint16_t free_number(struct amqp_conn *conn)
{
    for (size_t i = 1; i < conn->slot_count; i++) {
        if (!conn->slots[i].used)
            return (uint16_t)i;
    }
    size_t count = conn->slot_count ? conn->slot_count * 2 : 8;
    if (conn->slot_count > conn->channel_max)
        return 0;
    struct amqp_slot *slots = realloc(conn->slots, count * sizeof *slots);
    if (!slots)
        return 0;
    memset(slots + conn->slot_count, 0, (count - conn->slot_count) * sizeof *slots);
    uint16_t number = conn->slot_count ? (uint16_t)conn->slot_count : 1;
    conn->slots = slots;
    conn->slot_count = count;
    return number;
}

static void gathering_free(struct gathering *gathering)
{
    if (!gathering)
        return;
    arena_fini(&gathering->arena);
    buffer_fini(&gathering->body);
    free(gathering);
}

static void slot_free(struct amqp_slot *slot)
{
    gathering_free(slot->gathering);
    *slot = (struct amqp_slot){.used = false};
}

bool amqp_chan_open(struct amqp_chan *chan, struct amqp_conn *conn, const struct amqp_chan_events *events,
                    void *self)
{
    uint16_t number = amqp_conn_is_up(conn) ? free_number(conn) : 0;
    if (number == 0 || number > conn->channel_max)
        return false;
    *chan = (struct amqp_chan){.conn = conn, .events = events, .self = self, .number = number};
    conn->slots[number] = (struct amqp_slot){.chan = chan, .used = true};
    amqp_channel_open_t method = {0};
    amqp_chan_send(chan, AMQP_CHANNEL_OPEN_METHOD, &method);
    return true;
}

void amqp_chan_close(struct amqp_chan *chan)
{
    if (!chan->number)
        return;
    amqp_channel_close_t method = {.reply_code = AMQP_REPLY_SUCCESS};
    amqp_chan_send(chan, AMQP_CHANNEL_CLOSE_METHOD, &method);
    struct amqp_slot *slot = slot_of(chan->conn, chan->number);
    slot->chan = NULL;
    gathering_free(slot->gathering);
    slot->gathering = NULL;
    chan->number = 0;
}

void amqp_chan_forget_all(struct amqp_conn *conn)
{
    for (size_t i = 0; i < conn->slot_count; i++) {
        if (conn->slots[i].chan)
            conn->slots[i].chan->number = 0;
        slot_free(&conn->slots[i]);
    }
}

void amqp_chan_fini_all(struct amqp_conn *conn)
{
    amqp_chan_forget_all(conn);
    free(conn->slots);
    conn->slots = NULL;
    conn->slot_count = 0;
}

int amqp_chan_code(int reply_code)
{
    switch (reply_code) {
    case AMQP_NOT_FOUND:
        return UMBEL_NOT_FOUND;
    case AMQP_PRECONDITION_FAILED:
        return UMBEL_CONFLICT;
    case AMQP_ACCESS_REFUSED:
    case AMQP_RESOURCE_LOCKED:
        return UMBEL_REFUSED;
    default:
        return UMBEL_BROKER_AWAY;
    }
}

/* ---- contents ---- */

static const char nonsense[] = "the server sent a frame that makes no sense";

static umbel_str str_of_bytes(amqp_bytes_t bytes)
{
    return (umbel_str){bytes.bytes, bytes.len};
}

/* Fills in what the method says. */
static void begin_content(struct amqp_content *content, struct message *msg, amqp_method_number_t id,
                          const void *method)
{
    message_init(msg);
    *content = (struct amqp_content){.returned = id == AMQP_BASIC_RETURN_METHOD, .msg = msg};
    if (content->returned) {
        const amqp_basic_return_t *returned = method;
        msg->exchange = str_of_bytes(returned->exchange);
        msg->routing_key = str_of_bytes(returned->routing_key);
    } else {
        const amqp_basic_deliver_t *deliver = method;
        content->tag = deliver->delivery_tag;
        msg->exchange = str_of_bytes(deliver->exchange);
        msg->routing_key = str_of_bytes(deliver->routing_key);
        msg->redelivered = deliver->redelivered;
    }
}

static size_t broken(struct amqp_conn *conn)
{
    amqp_conn_break(conn, UMBEL_PROTOCOL, nonsense);
    return 0;
}

/* How far the frames behind the method, which is in `pieces[0]`, form a content as they lie. */
enum lying { LYING_MORE, LYING_WHOLE, LYING_SCATTERED, LYING_BAD };

static enum lying look_ahead(const struct amqp_conn *conn, const uint8_t *data, size_t size,
                             struct amqp_piece pieces[3], struct amqp_codec_header *header)
{
    size_t at = pieces[0].whole;
    enum amqp_piece_found found = amqp_codec_frame(data + at, size - at, conn->frame_max, &pieces[1]);
    if (found != AMQP_PIECE_GOOD)
        return found == AMQP_PIECE_MORE ? LYING_MORE : LYING_BAD;
    if (pieces[1].type != AMQP_FRAME_HEADER || pieces[1].channel != pieces[0].channel)
        return LYING_SCATTERED;
    if (amqp_codec_header(&pieces[1], header) != UMBEL_OK)
        return LYING_BAD;
    pieces[2] = (struct amqp_piece){.size = 0};
    if (header->body_size == 0)
        return LYING_WHOLE;
    if (header->body_size > conn->frame_max - AMQP_CODEC_OVERHEAD)
        return LYING_SCATTERED;
    at += pieces[1].whole;
    found = amqp_codec_frame(data + at, size - at, conn->frame_max, &pieces[2]);
    if (found != AMQP_PIECE_GOOD)
        return found == AMQP_PIECE_MORE ? LYING_MORE : LYING_BAD;
    bool body = pieces[2].type == AMQP_FRAME_BODY && pieces[2].channel == pieces[0].channel;
    return body && pieces[2].size == header->body_size ? LYING_WHOLE : LYING_SCATTERED;
}

static void hand_on(struct amqp_conn *conn, const struct amqp_chan *chan, amqp_method_number_t id,
                    const void *method, const struct amqp_codec_header *header, const struct amqp_piece *body)
{
    struct amqp_content content;
    struct message msg;
    begin_content(&content, &msg, id, method);
    arena_reset(&conn->arena);
    if (amqp_codec_properties(&conn->arena, header, &msg, &content.garbled) == UMBEL_OK)
        content.garbled = NULL;
    msg.body = (umbel_str){(const char *)body->payload, body->size};
    chan->events->content(chan->self, &content);
}

/* ---- contents that must be gathered ---- */

static size_t gather(struct amqp_conn *conn, struct amqp_slot *slot, amqp_method_number_t id,
                     const void *method, size_t used)
{
    struct gathering *gathering = calloc(1, sizeof *gathering);
    if (!gathering) {
        amqp_conn_break(conn, UMBEL_NO_MEMORY, "out of memory for a message");
        return 0;
    }
    arena_init(&gathering->arena, (size_t)16 << 20);
    buffer_init(&gathering->body, (size_t)AMQP_CODEC_BODY_MAX);
    begin_content(&gathering->content, &gathering->msg, id, method);
    gathering->msg.exchange = arena_str(&gathering->arena, gathering->msg.exchange);
    gathering->msg.routing_key = arena_str(&gathering->arena, gathering->msg.routing_key);
    slot->gathering = gathering;
    return used;
}

/* The header is copied whole, so that what is read from it may borrow. */
static bool gather_header(struct gathering *gathering, const struct amqp_piece *piece)
{
    struct amqp_codec_header header;
    if (gathering->has_header || amqp_codec_header(piece, &header) != UMBEL_OK)
        return false;
    header.properties = (const uint8_t *)arena_copy(&gathering->arena, header.properties, header.size);
    gathering->has_header = true;
    gathering->expected = header.body_size;
    const char *why = "the headers do not fit into memory";
    bool good = header.properties &&
                amqp_codec_properties(&gathering->arena, &header, &gathering->msg, &why) == UMBEL_OK;
    gathering->content.garbled = good ? NULL : why;
    if (header.body_size > AMQP_CODEC_BODY_MAX)
        gathering->content.garbled = "the body is larger than 128 MiB";
    return true;
}

static bool gather_body(struct gathering *gathering, const struct amqp_piece *piece)
{
    if (!gathering->has_header || piece->size > gathering->expected - gathering->got)
        return false;
    gathering->got += piece->size;
    if (gathering->expected <= AMQP_CODEC_BODY_MAX)
        buffer_add(&gathering->body, piece->payload, piece->size);
    if (gathering->body.failed)
        gathering->content.garbled = "the body does not fit into memory";
    return true;
}

static size_t gather_more(struct amqp_conn *conn, struct amqp_slot *slot, const struct amqp_piece *piece)
{
    struct gathering *gathering = slot->gathering;
    if (!gathering)
        return broken(conn);
    if (!(piece->type == AMQP_FRAME_HEADER ? gather_header(gathering, piece) : gather_body(gathering, piece)))
        return broken(conn);
    if (gathering->got < gathering->expected)
        return piece->whole;
    slot->gathering = NULL; /* the slot may go in the call */
    gathering->content.msg = &gathering->msg;
    if (!gathering->body.failed)
        gathering->msg.body =
            (umbel_str){(const char *)buffer_head(&gathering->body), buffer_length(&gathering->body)};
    slot->chan->events->content(slot->chan->self, &gathering->content);
    gathering_free(gathering);
    return piece->whole;
}

/* ---- frames ---- */

static size_t take_content(struct amqp_conn *conn, struct amqp_slot *slot, const struct amqp_piece *piece,
                           amqp_method_number_t id, const void *method, const uint8_t *data, size_t size)
{
    struct amqp_piece pieces[3] = {*piece};
    struct amqp_codec_header header;
    switch (look_ahead(conn, data, size, pieces, &header)) {
    case LYING_MORE:
        return 0;
    case LYING_SCATTERED:
        return gather(conn, slot, id, method, piece->whole);
    case LYING_BAD:
        return broken(conn);
    case LYING_WHOLE:
        break;
    }
    hand_on(conn, slot->chan, id, method, &header, &pieces[2]);
    return pieces[0].whole + pieces[1].whole + pieces[2].whole;
}

static void on_close(struct amqp_conn *conn, struct amqp_slot *slot, uint16_t number,
                     const amqp_channel_close_t *close)
{
    struct amqp_chan *chan = slot->chan;
    char why[256];
    snprintf(why, sizeof why, "%.*s", (int)close->reply_text.len, (const char *)close->reply_text.bytes);
    amqp_channel_close_ok_t ok = {0};
    amqp_conn_send(conn, number, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
    if (!chan)
        return; /* both closed at once: our answer still comes */
    slot_free(slot);
    chan->number = 0;
    chan->events->closed(chan->self, close->reply_code, why);
}

static size_t take_method(struct amqp_conn *conn, struct amqp_slot *slot, const struct amqp_piece *piece,
                          const uint8_t *data, size_t size)
{
    amqp_method_number_t id;
    void *method;
    if (slot->gathering || amqp_codec_method(&conn->pool, piece, &id, &method) != UMBEL_OK)
        return broken(conn);
    if (id == AMQP_CHANNEL_CLOSE_METHOD) {
        on_close(conn, slot, piece->channel, method);
    } else if (!slot->chan) {
        if (id == AMQP_CHANNEL_CLOSE_OK_METHOD)
            slot_free(slot);
    } else if (id == AMQP_BASIC_DELIVER_METHOD || id == AMQP_BASIC_RETURN_METHOD) {
        return take_content(conn, slot, piece, id, method, data, size);
    } else if (id == AMQP_CHANNEL_FLOW_METHOD) {
        amqp_channel_flow_ok_t ok = {.active = ((const amqp_channel_flow_t *)method)->active};
        amqp_conn_send(conn, piece->channel, AMQP_CHANNEL_FLOW_OK_METHOD, &ok);
    } else {
        slot->chan->events->method(slot->chan->self, id, method);
    }
    return piece->whole;
}

size_t amqp_chan_take(struct amqp_conn *conn, const struct amqp_piece *piece, const uint8_t *data,
                      size_t size)
{
    struct amqp_slot *slot = slot_of(conn, piece->channel);
    if (!slot)
        return broken(conn);
    if (piece->type != AMQP_FRAME_METHOD)
        return slot->chan ? gather_more(conn, slot, piece) : piece->whole;
    uint32_t life = conn->life;
    size_t used = take_method(conn, slot, piece, data, size);
    if (conn->life == life)
        recycle_amqp_pool(&conn->pool);
    return used;
}
