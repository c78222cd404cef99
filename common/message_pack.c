/* message_pack.c: a message as bytes, for database rows and for frames to children of the same machine.
 *
 *     version  1 byte
 *     present  4 bytes: one bit for each text field (message_fields.h), then one for each number, one for
 * extras flags, priority, ignore_result + 1: 1 byte each texts    length (7 bits a byte, low first) and
 * bytes, for each bit numbers  8 bytes each, low byte first extras   to the end: a map in msgpack
 *
 * A row may have been written by another version or by somebody else, so unpacking trusts nothing. */
#include "common/message.h"

#include <string.h>

#include "common/codec.h"
#include "common/message_fields.h"
#include "common/str.h"

enum { VERSION = 1, HEAD_SIZE = 8 };
enum { NUMBER_COUNT = 6, NUMBER_BIT = MESSAGE_FIELD_COUNT, EXTRA_BIT = NUMBER_BIT + NUMBER_COUNT };
enum { FLAG_TRANSIENT = 1, FLAG_REDELIVERED = 2, FLAG_REPUBLISHED = 4, FLAGS_ALL = 7 };

enum { FIELD_BITS = (1 << MESSAGE_FIELD_COUNT) - 1, NUMBER_BITS = (1 << NUMBER_COUNT) - 1 };

_Static_assert(EXTRA_BIT < 32, "the bits fit in four bytes");

/* The lowest bit that is set, for loops over those that are: most messages have half of the fields. */
static size_t first(uint32_t bits)
{
    return (size_t)__builtin_ctz(bits);
}

/* ---- numbers as bits; a default is not written
 * -------------------------------------------------------------------- */

static uint64_t bits_of(double real)
{
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits;
}

static void numbers_of(const struct message *msg, uint64_t numbers[NUMBER_COUNT])
{
    numbers[0] = (uint64_t)msg->expiration_ms;
    numbers[1] = (uint64_t)msg->retries;
    numbers[2] = (uint64_t)msg->group_index;
    numbers[3] = bits_of(msg->hard_limit);
    numbers[4] = bits_of(msg->soft_limit);
    numbers[5] = (uint64_t)(int64_t)msg->deaths;
}

static void set_numbers(struct message *msg, const uint64_t numbers[NUMBER_COUNT])
{
    msg->expiration_ms = (int64_t)numbers[0];
    msg->retries = (int64_t)numbers[1];
    msg->group_index = (int64_t)numbers[2];
    memcpy(&msg->hard_limit, &numbers[3], sizeof numbers[3]);
    memcpy(&msg->soft_limit, &numbers[4], sizeof numbers[4]);
    msg->deaths = (int32_t)numbers[5];
}

/* As message_init has them. */
static const uint64_t absent[NUMBER_COUNT] = {[0] = UINT64_MAX, [2] = UINT64_MAX};

/* ---- packing
 * ------------------------------------------------------------------------------------------------------ */

static uint8_t *pack_fixed(uint8_t *to, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *to++ = (uint8_t)(number >> (8 * i));
    return to;
}

static uint8_t *pack_text(uint8_t *to, umbel_str text)
{
    size_t length = text.size;
    for (; length >= 0x80; length >>= 7)
        *to++ = (uint8_t)(length | 0x80);
    *to++ = (uint8_t)length;
    if (text.size)
        memcpy(to, text.data, text.size);
    return to + text.size;
}

static uint32_t present(const struct message *msg, const uint64_t numbers[NUMBER_COUNT])
{
    uint32_t bits = 0;
    for (size_t i = 0; i < MESSAGE_FIELD_COUNT; i++)
        bits |= (uint32_t)(message_field_of(msg, i)->data != NULL) << i;
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        bits |= (uint32_t)(numbers[i] != absent[i]) << (NUMBER_BIT + i);
    return bits | (uint32_t)(msg->extra_count > 0) << EXTRA_BIT;
}

static uint8_t *pack_head(uint8_t *to, const struct message *msg, uint32_t bits)
{
    int flags = (msg->transient ? FLAG_TRANSIENT : 0) | (msg->redelivered ? FLAG_REDELIVERED : 0) |
                (msg->republished ? FLAG_REPUBLISHED : 0);
    *to++ = VERSION;
    to = pack_fixed(to, bits, 4);
    *to++ = (uint8_t)flags;
    *to++ = msg->priority;
    *to++ = (uint8_t)(msg->ignore_result + 1);
    return to;
}

/* How much everything but the extras can take. */
static size_t most(const struct message *msg, uint32_t bits)
{
    enum { LENGTH_MAX = 10 };
    size_t size = HEAD_SIZE + NUMBER_COUNT * 8;
    for (uint32_t rest = bits & FIELD_BITS; rest; rest &= rest - 1)
        size += LENGTH_MAX + message_field_of(msg, first(rest))->size;
    return size;
}

static void pack_fields(struct buffer *out, const struct message *msg, const uint64_t numbers[NUMBER_COUNT],
                        uint32_t bits)
{
    uint8_t *start = buffer_room(out, most(msg, bits)), *to = start;
    if (!to)
        return;
    to = pack_head(to, msg, bits);
    for (uint32_t rest = bits & FIELD_BITS; rest; rest &= rest - 1)
        to = pack_text(to, *message_field_of(msg, first(rest)));
    for (uint32_t rest = bits >> NUMBER_BIT & NUMBER_BITS; rest; rest &= rest - 1)
        to = pack_fixed(to, numbers[first(rest)], 8);
    buffer_grew(out, (size_t)(to - start));
}

static int pack_extra(struct buffer *out, const struct message *msg)
{
    int code = UMBEL_OK;
    codec_open_map(CODEC_MSGPACK, out, (uint32_t)msg->extra_count);
    for (size_t i = 0; i < msg->extra_count && !code; i++) {
        if (!str_utf8(msg->extra[i].name))
            return UMBEL_BAD_VALUE;
        codec_key(CODEC_MSGPACK, out, (uint32_t)i, msg->extra[i].name);
        umbel_give give = umbel_give_value(&msg->extra[i].value);
        codec_give(CODEC_MSGPACK, out, &give, &code);
    }
    return code;
}

int message_pack(struct buffer *out, const struct message *msg)
{
    uint64_t numbers[NUMBER_COUNT];
    size_t length = buffer_length(out);
    int code = UMBEL_OK;
    numbers_of(msg, numbers);
    pack_fields(out, msg, numbers, present(msg, numbers));
    if (msg->extra_count)
        code = pack_extra(out, msg);
    if (out->failed)
        return UMBEL_NO_MEMORY;
    if (code)
        out->end = out->start + length;
    return code;
}

/* ---- unpacking
 * ---------------------------------------------------------------------------------------------------- */

struct cursor {
    const uint8_t *at, *end;
};

static size_t left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static bool unpack_fixed(struct cursor *cursor, uint64_t *number, size_t size)
{
    if (left(cursor) < size)
        return false;
    *number = 0;
    for (size_t i = 0; i < size; i++)
        *number |= (uint64_t)cursor->at[i] << (8 * i);
    cursor->at += size;
    return true;
}

static bool unpack_text(struct cursor *cursor, umbel_str *text)
{
    uint64_t length = 0;
    for (int shift = 0;; shift += 7) {
        if (cursor->at == cursor->end || shift > 56)
            return false;
        uint8_t byte = *cursor->at++;
        length |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            break;
    }
    if (length > left(cursor))
        return false;
    *text = (umbel_str){(const char *)cursor->at, (size_t)length};
    cursor->at += length;
    return true;
}

static bool unpack_head(struct cursor *cursor, struct message *msg, uint32_t *bits)
{
    uint64_t mask;
    if (left(cursor) < HEAD_SIZE || *cursor->at++ != VERSION)
        return false;
    unpack_fixed(cursor, &mask, 4);
    uint8_t flags = cursor->at[0], ignore = cursor->at[2];
    if (mask >> (EXTRA_BIT + 1) || flags > FLAGS_ALL || ignore > 2)
        return false;
    *bits = (uint32_t)mask;
    msg->transient = flags & FLAG_TRANSIENT;
    msg->redelivered = flags & FLAG_REDELIVERED;
    msg->republished = flags & FLAG_REPUBLISHED;
    msg->priority = cursor->at[1];
    msg->ignore_result = (int8_t)(ignore - 1);
    cursor->at += 3;
    return true;
}

static bool unpack_fields(struct cursor *cursor, struct message *msg, uint32_t bits)
{
    uint64_t numbers[NUMBER_COUNT];
    memcpy(numbers, absent, sizeof numbers);
    for (uint32_t rest = bits & FIELD_BITS; rest; rest &= rest - 1)
        if (!unpack_text(cursor, message_field(msg, first(rest))))
            return false;
    for (uint32_t rest = bits >> NUMBER_BIT & NUMBER_BITS; rest; rest &= rest - 1)
        if (!unpack_fixed(cursor, &numbers[first(rest)], 8))
            return false;
    set_numbers(msg, numbers);
    return true;
}

static int unpack_extra(struct arena *arena, struct cursor *cursor, struct message *msg)
{
    umbel_value *map;
    umbel_str rest = {(const char *)cursor->at, left(cursor)};
    int code = codec_row(CODEC_MSGPACK)->decode(arena, rest, &map, NULL);
    if (code)
        return code == UMBEL_TOO_DEEP ? UMBEL_BAD_MESSAGE : code;
    if (map->kind != UMBEL_MAP || map->count == 0)
        return UMBEL_BAD_MESSAGE;
    struct message_header *extra = arena_alloc(arena, message_extra_room(map->count) * sizeof *extra);
    if (!extra)
        return UMBEL_NO_MEMORY;
    for (uint32_t i = 0; i < map->count; i++)
        extra[i] = (struct message_header){map->as.pairs[i].key, map->as.pairs[i].value};
    msg->extra = extra;
    msg->extra_count = map->count;
    return UMBEL_OK;
}

int message_unpack(struct arena *arena, umbel_str bytes, struct message *msg)
{
    const uint8_t *data = (const uint8_t *)(bytes.data ? bytes.data : "");
    struct cursor cursor = {data, data + bytes.size};
    uint32_t bits;
    message_init(msg);
    if (!unpack_head(&cursor, msg, &bits) || !unpack_fields(&cursor, msg, bits))
        return UMBEL_BAD_MESSAGE;
    if (bits >> EXTRA_BIT & 1)
        return unpack_extra(arena, &cursor, msg);
    return cursor.at == cursor.end ? UMBEL_OK : UMBEL_BAD_MESSAGE;
}
