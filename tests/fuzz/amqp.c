/* fuzz/amqp.c: any bytes as what a RabbitMQ sends: frames, methods, and the headers of contents. */
#include <stdint.h>
#include <stdlib.h>

#include "broker/amqp_codec.h"

static void touch(const void *data, size_t size)
{
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)data)[i]);
}

static void read_method(const struct amqp_piece *piece)
{
    amqp_pool_t pool;
    amqp_method_number_t id;
    void *method;
    init_amqp_pool(&pool, 4096);
    if (amqp_codec_method(&pool, piece, &id, &method) == UMBEL_OK && id == AMQP_BASIC_DELIVER_METHOD) {
        const amqp_basic_deliver_t *deliver = method;
        touch(deliver->exchange.bytes, deliver->exchange.len);
        touch(deliver->routing_key.bytes, deliver->routing_key.len);
    }
    empty_amqp_pool(&pool);
}

/* What was understood must be writable again. */
static void read_header(const struct amqp_piece *piece)
{
    struct arena arena;
    struct amqp_codec_header header;
    struct message msg;
    const char *why = NULL;
    arena_init(&arena, (size_t)16 << 20);
    message_init(&msg);
    if (amqp_codec_header(piece, &header) == UMBEL_OK) {
        int code = amqp_codec_properties(&arena, &header, &msg, &why);
        if (code && !why)
            abort();
        struct amqp_codec_target target = {.channel = 1, .frame_max = AMQP_CODEC_FRAME_MAX};
        struct buffer out;
        buffer_init(&out, (size_t)64 << 20);
        code = amqp_codec_put_message(&out, &target, &msg);
        if (code && buffer_length(&out))
            abort();
        buffer_fini(&out);
    }
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct amqp_piece piece;
    while (amqp_codec_frame(data, size, AMQP_CODEC_FRAME_MAX, &piece) == AMQP_PIECE_GOOD) {
        if (piece.type == AMQP_FRAME_METHOD)
            read_method(&piece);
        else if (piece.type == AMQP_FRAME_HEADER)
            read_header(&piece);
        data += piece.whole;
        size -= piece.whole;
    }
    return 0;
}
