/* amqp_codec.c: frames, methods, acknowledgements and the outside of a publish. Headers are in
 * amqp_headers.c. */
#include "broker/amqp_codec.h"

#include <string.h>

#include "broker/amqp_bytes.h"
#include "broker/amqp_headers.h"

/* ---- in ---- */

enum amqp_piece_found amqp_codec_frame(const uint8_t *data, size_t size, size_t frame_max,
                                       struct amqp_piece *piece)
{
    if (size < 7)
        return AMQP_PIECE_MORE;
    size_t payload = bytes_get32(data + 3);
    if (data[0] != AMQP_FRAME_METHOD && data[0] != AMQP_FRAME_HEADER && data[0] != AMQP_FRAME_BODY &&
        data[0] != AMQP_FRAME_HEARTBEAT)
        return AMQP_PIECE_BAD;
    if (payload > frame_max - AMQP_CODEC_OVERHEAD)
        return AMQP_PIECE_BAD;
    if (size < payload + AMQP_CODEC_OVERHEAD)
        return AMQP_PIECE_MORE;
    if (data[7 + payload] != AMQP_FRAME_END)
        return AMQP_PIECE_BAD;
    *piece = (struct amqp_piece){.type = data[0],
                                 .channel = bytes_get16(data + 1),
                                 .payload = data + 7,
                                 .size = payload,
                                 .whole = payload + AMQP_CODEC_OVERHEAD};
    return AMQP_PIECE_GOOD;
}

/* Whether a server may send it. What is not here is not given to the library: some methods carry tables,
 * which it would walk without a limit of depth. */
static bool is_servers(amqp_method_number_t id)
{
    switch (id) {
    case AMQP_CONNECTION_START_METHOD:
    case AMQP_CONNECTION_TUNE_METHOD:
    case AMQP_CONNECTION_OPEN_OK_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_OK_METHOD:
    case AMQP_CONNECTION_BLOCKED_METHOD:
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
    case AMQP_CHANNEL_OPEN_OK_METHOD:
    case AMQP_CHANNEL_FLOW_METHOD:
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CHANNEL_CLOSE_OK_METHOD:
    case AMQP_EXCHANGE_DECLARE_OK_METHOD:
    case AMQP_EXCHANGE_BIND_OK_METHOD:
    case AMQP_QUEUE_DECLARE_OK_METHOD:
    case AMQP_QUEUE_BIND_OK_METHOD:
    case AMQP_QUEUE_PURGE_OK_METHOD:
    case AMQP_BASIC_QOS_OK_METHOD:
    case AMQP_BASIC_CONSUME_OK_METHOD:
    case AMQP_BASIC_CANCEL_METHOD:
    case AMQP_BASIC_CANCEL_OK_METHOD:
    case AMQP_BASIC_RETURN_METHOD:
    case AMQP_BASIC_DELIVER_METHOD:
    case AMQP_BASIC_ACK_METHOD:
    case AMQP_BASIC_NACK_METHOD:
    case AMQP_CONFIRM_SELECT_OK_METHOD:
        return true;
    default:
        return false;
    }
}

/* Start is the one method of a server with a table: two version bytes, then the table. */
static bool start_is_flat_enough(const uint8_t *arguments, size_t size)
{
    return size >= 2 && amqp_headers_table_good(arguments + 2, size - 2);
}

int amqp_codec_method(amqp_pool_t *pool, const struct amqp_piece *piece, amqp_method_number_t *id,
                      void **decoded)
{
    if (piece->size < 4)
        return UMBEL_PROTOCOL;
    *id = bytes_get32(piece->payload);
    amqp_bytes_t arguments = {.len = piece->size - 4, .bytes = (void *)(piece->payload + 4)};
    if (!is_servers(*id))
        return UMBEL_PROTOCOL;
    if (*id == AMQP_CONNECTION_START_METHOD && !start_is_flat_enough(arguments.bytes, arguments.len))
        return UMBEL_PROTOCOL;
    return amqp_decode_method(*id, pool, arguments, decoded) < 0 ? UMBEL_PROTOCOL : UMBEL_OK;
}

int amqp_codec_header(const struct amqp_piece *piece, struct amqp_codec_header *header)
{
    if (piece->size < 14 || bytes_get16(piece->payload) != AMQP_BASIC_CLASS)
        return UMBEL_PROTOCOL;
    *header = (struct amqp_codec_header){.body_size = bytes_get64(piece->payload + 4),
                                         .properties = piece->payload + 12,
                                         .size = piece->size - 12};
    return UMBEL_OK;
}

int amqp_codec_properties(struct arena *arena, const struct amqp_codec_header *header, struct message *msg,
                          const char **why)
{
    return amqp_headers_read(arena, header->properties, header->size, msg, why);
}

/* ---- out ---- */

static uint8_t *put_frame_start(uint8_t *at, uint8_t type, uint16_t channel, size_t payload)
{
    *at = type;
    bytes_put16(at + 1, channel);
    bytes_put32(at + 3, (uint32_t)payload);
    return at + 7;
}

void amqp_codec_put_method(struct buffer *out, uint16_t channel, amqp_method_number_t id, void *method)
{
    enum { ROOM = 8192 };
    uint8_t *frame = buffer_room(out, ROOM);
    if (!frame)
        return;
    amqp_bytes_t arguments = {.len = ROOM - 12, .bytes = frame + 11};
    int size = amqp_encode_method(id, method, arguments);
    if (size < 0) {
        out->failed = true;
        return;
    }
    put_frame_start(frame, AMQP_FRAME_METHOD, channel, (size_t)size + 4);
    bytes_put32(frame + 7, id);
    frame[11 + size] = AMQP_FRAME_END;
    buffer_grew(out, (size_t)size + 12);
}

void amqp_codec_put_heartbeat(struct buffer *out)
{
    static const uint8_t frame[8] = {AMQP_FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, AMQP_FRAME_END};
    buffer_add(out, frame, sizeof frame);
}

static void put_settlement(struct buffer *out, uint16_t channel, uint32_t method, uint64_t tag, uint8_t bits)
{
    uint8_t *frame = buffer_room(out, 21);
    if (!frame)
        return;
    put_frame_start(frame, AMQP_FRAME_METHOD, channel, 13);
    bytes_put32(frame + 7, method);
    bytes_put64(frame + 11, tag);
    frame[19] = bits;
    frame[20] = AMQP_FRAME_END;
    buffer_grew(out, 21);
}

void amqp_codec_put_ack(struct buffer *out, uint16_t channel, uint64_t tag, bool multiple)
{
    put_settlement(out, channel, AMQP_BASIC_ACK_METHOD, tag, multiple);
}

void amqp_codec_put_requeue(struct buffer *out, uint16_t channel, uint64_t tag)
{
    enum { REQUEUE = 2 };
    put_settlement(out, channel, AMQP_BASIC_NACK_METHOD, tag, REQUEUE);
}

/* ---- a publish ---- */

static void put_publish(struct buffer *out, const struct amqp_codec_target *target)
{
    size_t payload = 4 + 2 + 1 + target->exchange.size + 1 + target->key.size + 1;
    uint8_t *frame = buffer_room(out, payload + AMQP_CODEC_OVERHEAD);
    if (!frame)
        return;
    uint8_t *at = put_frame_start(frame, AMQP_FRAME_METHOD, target->channel, payload);
    bytes_put32(at, AMQP_BASIC_PUBLISH_METHOD);
    bytes_put16(at + 4, 0);
    at = bytes_put_short(at + 6, target->exchange);
    at = bytes_put_short(at, target->key);
    at[0] = target->mandatory;
    at[1] = AMQP_FRAME_END;
    buffer_grew(out, payload + AMQP_CODEC_OVERHEAD);
}

static int put_header(struct buffer *out, const struct amqp_codec_target *target, const struct message *msg)
{
    size_t before = buffer_length(out);
    uint8_t *frame = buffer_room(out, 19);
    if (!frame)
        return UMBEL_NO_MEMORY;
    put_frame_start(frame, AMQP_FRAME_HEADER, target->channel, 0);
    bytes_put16(frame + 7, AMQP_BASIC_CLASS);
    bytes_put16(frame + 9, 0);
    bytes_put64(frame + 11, msg->body.size);
    buffer_grew(out, 19);
    int code = amqp_headers_write(out, msg);
    buffer_byte(out, AMQP_FRAME_END);
    if (out->failed)
        return UMBEL_NO_MEMORY;
    size_t whole = buffer_length(out) - before;
    if (!code && whole > target->frame_max)
        code = UMBEL_TOO_LARGE;
    bytes_put32(buffer_head(out) + before + 3, (uint32_t)(whole - AMQP_CODEC_OVERHEAD));
    return code;
}

static void put_body(struct buffer *out, const struct amqp_codec_target *target, umbel_str body)
{
    size_t most = target->frame_max - AMQP_CODEC_OVERHEAD;
    while (body.size) {
        size_t part = body.size < most ? body.size : most;
        uint8_t *frame = buffer_room(out, part + AMQP_CODEC_OVERHEAD);
        if (!frame)
            return;
        uint8_t *at = put_frame_start(frame, AMQP_FRAME_BODY, target->channel, part);
        memcpy(at, body.data, part);
        at[part] = AMQP_FRAME_END;
        buffer_grew(out, part + AMQP_CODEC_OVERHEAD);
        body.data += part;
        body.size -= part;
    }
}

int amqp_codec_put_message(struct buffer *out, const struct amqp_codec_target *target,
                           const struct message *msg)
{
    if (target->exchange.size > UINT8_MAX || target->key.size > UINT8_MAX ||
        msg->body.size > AMQP_CODEC_BODY_MAX)
        return UMBEL_TOO_LARGE;
    size_t before = buffer_length(out);
    put_publish(out, target);
    int code = put_header(out, target, msg);
    if (code == UMBEL_OK)
        put_body(out, target, msg->body);
    if (out->failed)
        return UMBEL_NO_MEMORY;
    if (code)
        out->end = out->start + before;
    return code;
}
