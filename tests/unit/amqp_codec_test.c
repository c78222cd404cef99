#include <criterion/criterion.h>
#include <stdlib.h>
#include "broker/amqp_codec.h"
#include "broker/amqp_delay.h"
#include "broker/amqp_headers.h"
#include "common/str.h"

static const struct amqp_codec_target target = {
    .channel = 1, .frame_max = AMQP_CODEC_FRAME_MAX, .key = {"math", 4}, .mandatory = true};

static struct message letter(umbel_str body)
{
    struct message msg;
    message_init(&msg);
    msg.task = STR("math.add");
    msg.id = STR("0123");
    msg.correlation_id = STR("0123");
    msg.content_type = STR("application/json");
    msg.body = body;
    return msg;
}

static struct amqp_piece piece_at(const struct buffer *buffer, size_t at)
{
    struct amqp_piece piece;
    cr_assert_eq(
        amqp_codec_frame(buffer_head(buffer) + at, buffer_length(buffer) - at, AMQP_CODEC_FRAME_MAX, &piece),
        AMQP_PIECE_GOOD);
    return piece;
}

static int read_back(const struct buffer *wire, size_t at, struct arena *arena, struct message *msg)
{
    struct amqp_codec_header header;
    const char *why = NULL;
    struct amqp_piece piece = piece_at(wire, at);
    message_init(msg);
    cr_assert_eq(amqp_codec_header(&piece, &header), UMBEL_OK);
    return amqp_codec_properties(arena, &header, msg, &why);
}

/* ---- golden bytes ---- */

Test(amqp_codec, a_publish_is_these_bytes)
{
    static const uint8_t golden[] = {
        0x01, 0x00, 0x01, 0x00, 0x00, 0x00, 0x0d, 0x00, 0x3c, 0x00, 0x28, 0x00, 0x00, 0x00, 0x04, 0x6d,
        0x61, 0x74, 0x68, 0x01, 0xce, 0x02, 0x00, 0x01, 0x00, 0x00, 0x00, 0x47, 0x00, 0x3c, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xb4, 0x00, 0x10, 0x61, 0x70, 0x70, 0x6c, 0x69,
        0x63, 0x61, 0x74, 0x69, 0x6f, 0x6e, 0x2f, 0x6a, 0x73, 0x6f, 0x6e, 0x00, 0x00, 0x00, 0x1e, 0x04,
        0x74, 0x61, 0x73, 0x6b, 0x53, 0x00, 0x00, 0x00, 0x08, 0x6d, 0x61, 0x74, 0x68, 0x2e, 0x61, 0x64,
        0x64, 0x02, 0x69, 0x64, 0x53, 0x00, 0x00, 0x00, 0x04, 0x30, 0x31, 0x32, 0x33, 0x02, 0x04, 0x30,
        0x31, 0x32, 0x33, 0xce, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00, 0x02, 0x5b, 0x5d, 0xce,
    };
    struct buffer out;
    buffer_init(&out, 1 << 20);
    struct message msg = letter(STR("[]"));
    cr_assert_eq(amqp_codec_put_message(&out, &target, &msg), UMBEL_OK);
    cr_assert_eq(buffer_length(&out), sizeof golden);
    cr_assert_eq(memcmp(buffer_head(&out), golden, sizeof golden), 0);
    buffer_fini(&out);
}

Test(amqp_codec, acknowledgements_are_what_librabbitmq_would_write)
{
    struct buffer ours, theirs;
    buffer_init(&ours, 4096);
    buffer_init(&theirs, 64 * 1024);
    amqp_basic_ack_t ack = {.delivery_tag = 0x0102030405060708, .multiple = 1};
    amqp_basic_nack_t nack = {.delivery_tag = 77, .requeue = 1};
    amqp_codec_put_ack(&ours, 513, ack.delivery_tag, true);
    amqp_codec_put_requeue(&ours, 7, nack.delivery_tag);
    amqp_codec_put_method(&theirs, 513, AMQP_BASIC_ACK_METHOD, &ack);
    amqp_codec_put_method(&theirs, 7, AMQP_BASIC_NACK_METHOD, &nack);
    cr_assert_eq(buffer_length(&ours), buffer_length(&theirs));
    cr_assert_eq(memcmp(buffer_head(&ours), buffer_head(&theirs), buffer_length(&ours)), 0);
    buffer_fini(&ours);
    buffer_fini(&theirs);
}

/* ---- there and back ---- */

Test(amqp_codec, all_properties_and_headers_come_back)
{
    struct arena arena;
    struct buffer out;
    arena_init(&arena, 0);
    buffer_init(&out, 1 << 20);
    struct message msg = letter(STR("x")), back;
    umbel_value number = {.kind = UMBEL_INT, .as.integer = -5000000000},
                real = {.kind = UMBEL_DOUBLE, .as.real = 2.5};
    umbel_value items[2] = {number, real}, list = {.kind = UMBEL_LIST, .count = 2, .as.items = items};
    cr_assert_eq(message_set_extra(&arena, &msg, STR("mine"), &list), UMBEL_OK);
    msg.content_encoding = STR("utf-8");
    msg.reply_to = STR("me");
    msg.priority = 7;
    msg.expiration_ms = 12345;
    msg.transient = true;
    msg.retries = 3;
    msg.hard_limit = 9.5;
    msg.eta = STR("2026-11-21T09:08:30+00:00");
    cr_assert_eq(amqp_codec_put_message(&out, &target, &msg), UMBEL_OK);
    cr_assert_eq(read_back(&out, piece_at(&out, 0).whole, &arena, &back), UMBEL_OK);
    cr_assert(str_equal(back.task, msg.task) && str_equal(back.id, msg.id) && str_equal(back.eta, msg.eta));
    cr_assert(str_equal(back.content_type, msg.content_type) &&
              str_equal(back.content_encoding, msg.content_encoding));
    cr_assert(str_equal(back.reply_to, msg.reply_to) && str_equal(back.correlation_id, msg.correlation_id));
    cr_assert(back.priority == 7 && back.expiration_ms == 12345 && back.transient && back.retries == 3);
    cr_assert_eq(back.hard_limit, 9.5);
    const umbel_value *mine = message_extra(&back, "mine");
    cr_assert(mine && mine->kind == UMBEL_LIST && mine->count == 2);
    cr_assert_eq(mine->as.items[0].as.integer, -5000000000);
    cr_assert_eq(mine->as.items[1].as.real, 2.5);
    buffer_fini(&out);
    arena_fini(&arena);
}

Test(amqp_codec, a_body_is_cut_at_the_frame_limit_and_an_exact_multiple_needs_no_empty_frame)
{
    static const size_t sizes[][2] = {{0, 0}, {1, 1}, {4088, 1}, {4089, 2}, {8176, 2}, {8177, 3}};
    struct amqp_codec_target small = target;
    small.frame_max = 4096;
    char *bytes = calloc(1, 10000);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buffer out;
        buffer_init(&out, 1 << 20);
        struct message msg = letter((umbel_str){bytes, sizes[i][0]});
        cr_assert_eq(amqp_codec_put_message(&out, &small, &msg), UMBEL_OK);
        size_t at = piece_at(&out, 0).whole, total = 0, frames = 0;
        at += piece_at(&out, at).whole;
        for (; at < buffer_length(&out); frames++) {
            struct amqp_piece piece = piece_at(&out, at);
            cr_assert_leq(piece.whole, 4096);
            total += piece.size;
            at += piece.whole;
        }
        cr_assert_eq(total, sizes[i][0]);
        cr_assert_eq(frames, sizes[i][1]);
        buffer_fini(&out);
    }
    free(bytes);
}

Test(amqp_codec, what_does_not_fit_leaves_nothing_behind)
{
    struct buffer out;
    struct arena arena;
    arena_init(&arena, 0);
    buffer_init(&out, 1 << 20);
    buffer_text(&out, "before");
    char *text = calloc(1, 200000);
    memset(text, 'a', 199999);
    struct message msg = letter(STR("x"));
    msg.argsrepr = (umbel_str){text, 199999};
    cr_assert_eq(amqp_codec_put_message(&out, &target, &msg), UMBEL_TOO_LARGE);
    msg = letter(STR("x"));
    msg.correlation_id = (umbel_str){text, 256};
    cr_assert_eq(amqp_codec_put_message(&out, &target, &msg), UMBEL_TOO_LARGE);
    struct amqp_codec_target far = target;
    far.key = (umbel_str){text, 256};
    msg = letter(STR("x"));
    cr_assert_eq(amqp_codec_put_message(&out, &far, &msg), UMBEL_TOO_LARGE);
    cr_assert_eq(buffer_length(&out), 6);
    cr_assert_not(out.failed);
    free(text);
    buffer_fini(&out);
    arena_fini(&arena);
}

/* ---- hostile input ---- */

/* A header frame's payload around a table. */
static int read_table(const uint8_t *table, size_t size)
{
    struct arena arena;
    arena_init(&arena, (size_t)16 << 20);
    uint8_t *bytes = malloc(6 + size); /* exactly, so that the address sanitizer sees one byte too far */
    bytes[0] = 0x20;
    bytes[1] = 0;
    bytes[2] = (uint8_t)(size >> 24), bytes[3] = (uint8_t)(size >> 16), bytes[4] = (uint8_t)(size >> 8);
    bytes[5] = (uint8_t)size;
    memcpy(bytes + 6, table, size);
    struct amqp_codec_header header = {.properties = bytes, .size = 6 + size};
    struct message msg;
    message_init(&msg);
    const char *why = NULL;
    int code = amqp_codec_properties(&arena, &header, &msg, &why);
    cr_assert(code == UMBEL_OK || why != NULL);
    free(bytes);
    arena_fini(&arena);
    return code;
}

Test(amqp_codec, tables_nested_as_deep_as_a_frame_allows_are_refused_without_recursion)
{
    enum { DEPTH = 21000, EACH = 6 }; /* key of no letters, kind, length */
    size_t size = DEPTH * EACH;
    uint8_t *table = calloc(1, size);
    for (size_t i = 0; i < DEPTH; i++) {
        size_t inside = size - (i + 1) * EACH;
        uint8_t *at = table + i * EACH;
        at[1] = 'F';
        at[2] = (uint8_t)(inside >> 24), at[3] = (uint8_t)(inside >> 16), at[4] = (uint8_t)(inside >> 8);
        at[5] = (uint8_t)inside;
    }
    cr_assert_eq(read_table(table, size), UMBEL_BAD_MESSAGE);
    cr_assert_eq(read_table(table + (DEPTH - 30) * EACH, 30 * EACH), UMBEL_OK, "thirty are fine");
    for (size_t i = 0; i < DEPTH; i++)
        table[i * EACH + 1] = 'A';
    cr_assert_eq(read_table(table, size), UMBEL_BAD_MESSAGE);
    free(table);
}

Test(amqp_codec, lying_lengths_and_unknown_kinds_are_refused)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"\1aS\377\377\377\377", 7},
        {"\1aF\0\0\0\5", 7},
        {"\377a", 2},
        {"\1aZ", 3},
        {"\1a", 2},
        {"\1al\0\0", 5},
        {"\1aA\0\0\0\1S", 8},
        {"\1aA\0\0\0\2VZ", 9},
        {"\2idI\0\0\0\1", 8},
        {"\4taskt\1", 7},
        {"\1aF\0\0\0\3\1bQ", 10},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(read_table((const uint8_t *)rows[i].bytes, rows[i].size), UMBEL_BAD_MESSAGE, "row %zu",
                     i);
}

Test(amqp_codec, a_publish_cut_anywhere_is_waited_for_or_refused)
{
    struct buffer out;
    struct arena arena;
    arena_init(&arena, 0);
    buffer_init(&out, 1 << 20);
    struct message msg = letter(STR("body")), back;
    msg.hard_limit = 3;
    amqp_codec_put_message(&out, &target, &msg);
    size_t at = piece_at(&out, 0).whole;
    struct amqp_piece piece, header_piece = piece_at(&out, at);
    for (size_t size = 0; size < at; size++) {
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, buffer_head(&out), size);
        cr_assert_eq(amqp_codec_frame(copy, size, AMQP_CODEC_FRAME_MAX, &piece), AMQP_PIECE_MORE);
        free(copy);
    }
    for (size_t size = 0; size < header_piece.size; size++) {
        uint8_t *copy = malloc(size ? size : 1);
        memcpy(copy, header_piece.payload, size);
        struct amqp_piece cut = {.type = AMQP_FRAME_HEADER, .payload = copy, .size = size};
        struct amqp_codec_header header;
        const char *why = NULL;
        message_init(&back);
        cr_assert(amqp_codec_header(&cut, &header) || amqp_codec_properties(&arena, &header, &back, &why),
                  "%zu", size);
        free(copy);
    }
    buffer_fini(&out);
    arena_fini(&arena);
}

Test(amqp_codec, frames_of_other_shapes_are_no_frames)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"AMQP\0\0\11\1", 8},     {"HTTP/1.1 400", 12},      {"\1\0\0\377\377\377\377", 7},
        {"\10\0\0\0\0\0\0\0", 8}, {"\4\0\0\0\0\0\0\316", 8},
    };
    struct amqp_piece piece;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(
            amqp_codec_frame((const uint8_t *)rows[i].bytes, rows[i].size, AMQP_CODEC_FRAME_MAX, &piece),
            AMQP_PIECE_BAD, "row %zu", i);
}

Test(amqp_codec, methods_that_only_clients_send_are_not_decoded)
{
    amqp_pool_t pool;
    init_amqp_pool(&pool, 4096);
    struct buffer out;
    buffer_init(&out, 64 * 1024);
    amqp_queue_declare_t declare = {.queue = amqp_cstring_bytes("q")};
    amqp_codec_put_method(&out, 1, AMQP_QUEUE_DECLARE_METHOD, &declare);
    struct amqp_piece piece = piece_at(&out, 0);
    amqp_method_number_t id;
    void *method;
    cr_assert_eq(amqp_codec_method(&pool, &piece, &id, &method), UMBEL_PROTOCOL);
    buffer_fini(&out);
    empty_amqp_pool(&pool);
}

/* ---- delays ---- */

Test(amqp_delay, the_key_is_celerys)
{
    static const struct {
        double delay;
        const char *digits;
    } rows[] = {
        {0.2, "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.celery"},
        {1, "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.celery"},
        {9.5, "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.1.0.celery"},
        {268435455, "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.celery"},
        {1e12, "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.celery"},
    };
    char key[AMQP_DELAY_KEY_SIZE], text[AMQP_DELAY_KEY_SIZE];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        umbel_str got = amqp_delay_key(key, rows[i].delay, STR("celery"));
        snprintf(text, sizeof text, "%.*s", (int)got.size, got.data);
        cr_assert_str_eq(text, rows[i].digits);
    }
    cr_assert_eq(amqp_delay_key(key, 1, (umbel_str){text, 200}).size, 0, "too long a name");
}
