/* message_pack.c: a message as bytes, for database rows and for frames to children of the same machine.
 *
 *     version  1 byte
 *     present  4 bytes: one bit for each of message.texts, then one for each number, one for extras
 *     flags, priority, ignore_result + 1: 1 byte each
 *     texts    length (7 bits a byte, low first) and bytes, for each bit
 *     numbers  8 bytes each, low byte first
 *     extras   to the end: a map in msgpack
 *
 * A row may have been written by another version or by somebody else, so unpacking trusts nothing. */
#include "common/message.h"

#include <endian.h>
#include <string.h>

#include "common/codec.h"
#include "common/message_fields.h"
#include "common/str.h"

enum { VERSION = 1, HEAD_SIZE = 8 };
enum { NUMBER_COUNT = 6, NUMBER_BIT = MESSAGE_TEXTS, EXTRA_BIT = NUMBER_BIT + NUMBER_COUNT };
enum { FLAG_TRANSIENT = 1, FLAG_REDELIVERED = 2, FLAG_REPUBLISHED = 4, FLAGS_ALL = 7 };

enum { TEXT_BITS = (1 << MESSAGE_TEXTS) - 1, NUMBER_BITS = (1 << NUMBER_COUNT) - 1 };

_Static_assert(EXTRA_BIT < 32, "the bits fit in four bytes");

/* The lowest bit that is set, for loops over those that are: most messages have half of the texts. */
static size_t first(uint32_t bits)
{
    return (size_t)__builtin_ctz(bits);
}

/* ---- numbers as bits; a default is not written ---- */

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

/* ---- packing ---- */

static uint8_t *pack_text(uint8_t *to, umbel_str text)
{
    size_t length = text.size;
    for (; length >= 0x80; length >>= 7)
        *to++ = (uint8_t)(length | 0x80);
    *to++ = (uint8_t)length;
    memcpy(to, text.data, text.size);
    return to + text.size;
}

static uint8_t *pack_number(uint8_t *to, uint64_t number)
{
    number = htole64(number);
    memcpy(to, &number, sizeof number);
    return to + sizeof number;
}

/* `bits` of texts and numbers. */
static void pack_head(uint8_t *to, const struct message *msg, uint32_t bits)
{
    int flags = (msg->transient ? FLAG_TRANSIENT : 0) | (msg->redelivered ? FLAG_REDELIVERED : 0) |
                (msg->republished ? FLAG_REPUBLISHED : 0);
    bits = htole32(bits | (uint32_t)(msg->extra_count > 0) << EXTRA_BIT);
    to[0] = VERSION;
    memcpy(to + 1, &bits, sizeof bits);
    to[5] = (uint8_t)flags;
    to[6] = msg->priority;
    to[7] = (uint8_t)(msg->ignore_result + 1);
}

/* How much everything but the extras can take. */
static size_t most(const struct message *msg)
{
    enum { LENGTH_MAX = 10 };
    size_t size = HEAD_SIZE + NUMBER_COUNT * 8 + MESSAGE_TEXTS * LENGTH_MAX;
    for (size_t i = 0; i < MESSAGE_TEXTS; i++)
        size += msg->texts[i].size;
    return size;
}

/* Everything but the extras, to where there is room for the most it can take; answers its end. With `moved`,
 * a copy of the message, the copy's texts are those that were written. */
static uint8_t *pack_fields(uint8_t *to, const struct message *msg, struct message *moved)
{
    uint64_t numbers[NUMBER_COUNT];
    uint8_t *head = to;
    uint32_t bits = 0;
    to += HEAD_SIZE;
    for (size_t i = 0; i < MESSAGE_TEXTS; i++) {
        umbel_str text = msg->texts[i];
        if (!text.data)
            continue;
        bits |= (uint32_t)1 << i;
        to = pack_text(to, text);
        if (moved)
            moved->texts[i].data = (const char *)to - text.size;
    }
    numbers_of(msg, numbers);
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        if (numbers[i] == absent[i])
            continue;
        bits |= (uint32_t)1 << (NUMBER_BIT + i);
        to = pack_number(to, numbers[i]);
    }
    pack_head(head, msg, bits);
    return to;
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

/* Behind what is packed of it, which began at `length`. */
static int pack_rest(struct buffer *out, const struct message *msg, size_t length)
{
    int code = msg->extra_count ? pack_extra(out, msg) : UMBEL_OK;
    if (out->failed)
        return UMBEL_NO_MEMORY;
    if (code)
        out->end = out->start + length;
    return code;
}

int message_pack(struct buffer *out, const struct message *msg)
{
    size_t length = buffer_length(out);
    uint8_t *to = buffer_room(out, most(msg));
    if (!to)
        return UMBEL_NO_MEMORY;
    buffer_grew(out, (size_t)(pack_fields(to, msg, NULL) - to));
    return pack_rest(out, msg, length);
}

int message_keep(struct arena *arena, struct message *to, const struct message *from, umbel_str *kept)
{
    uint8_t *room = arena_alloc(arena, most(from));
    *to = *from;
    if (!room || !message_copy_extra(arena, to, from))
        return UMBEL_NO_MEMORY;
    *kept = (umbel_str){(const char *)room, (size_t)(pack_fields(room, from, to) - room)};
    return UMBEL_OK;
}

int message_pack_kept(struct buffer *out, const struct message *msg, umbel_str kept)
{
    size_t length = buffer_length(out);
    uint8_t *to = buffer_room(out, kept.size);
    uint32_t bits;
    if (!to)
        return UMBEL_NO_MEMORY;
    memcpy(to, kept.data, kept.size);
    memcpy(&bits, to + 1, sizeof bits);
    pack_head(to, msg, le32toh(bits) & (TEXT_BITS | (uint32_t)NUMBER_BITS << NUMBER_BIT));
    buffer_grew(out, kept.size);
    return pack_rest(out, msg, length);
}

/* ---- unpacking ---- */

struct cursor {
    const uint8_t *at, *end;
};

static size_t left(const struct cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

static bool unpack_number(struct cursor *cursor, uint64_t *number)
{
    if (left(cursor) < sizeof *number)
        return false;
    memcpy(number, cursor->at, sizeof *number);
    *number = le64toh(*number);
    cursor->at += sizeof *number;
    return true;
}

/* The bytes of a length behind the first. */
static bool unpack_long_length(struct cursor *cursor, uint64_t *length)
{
    *length &= 0x7F;
    for (int shift = 7; cursor->at < cursor->end && shift <= 56; shift += 7) {
        uint8_t byte = *cursor->at++;
        *length |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool unpack_text(struct cursor *cursor, umbel_str *text)
{
    if (cursor->at == cursor->end)
        return false;
    uint64_t length = *cursor->at++;
    if (length >= 0x80 && !unpack_long_length(cursor, &length))
        return false;
    if (length > left(cursor))
        return false;
    *text = (umbel_str){(const char *)cursor->at, (size_t)length};
    cursor->at += length;
    return true;
}

static bool unpack_head(struct cursor *cursor, struct message *msg, uint32_t *bits)
{
    const uint8_t *at = cursor->at;
    if (left(cursor) < HEAD_SIZE || at[0] != VERSION)
        return false;
    memcpy(bits, at + 1, sizeof *bits);
    *bits = le32toh(*bits);
    uint8_t flags = at[5], ignore = at[7];
    if (*bits >> (EXTRA_BIT + 1) || flags > FLAGS_ALL || ignore > 2)
        return false;
    msg->transient = flags & FLAG_TRANSIENT;
    msg->redelivered = flags & FLAG_REDELIVERED;
    msg->republished = flags & FLAG_REPUBLISHED;
    msg->priority = at[6];
    msg->ignore_result = (int8_t)(ignore - 1);
    cursor->at += HEAD_SIZE;
    return true;
}

static bool unpack_fields(struct cursor *cursor, struct message *msg, uint32_t bits)
{
    uint64_t numbers[NUMBER_COUNT];
    memcpy(numbers, absent, sizeof numbers);
    for (uint32_t rest = bits & TEXT_BITS; rest; rest &= rest - 1)
        if (!unpack_text(cursor, &msg->texts[first(rest)]))
            return false;
    for (uint32_t rest = bits >> NUMBER_BIT & NUMBER_BITS; rest; rest &= rest - 1)
        if (!unpack_number(cursor, &numbers[first(rest)]))
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
