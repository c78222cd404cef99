/* msgpack_token.c: msgpack's format, one token at a time, and stepping over values.
 *
 * Reading is ours rather than msgpack-c's because its reader allocates what a header promises: five bytes can
 * ask for 16 GB. A check before it would have to understand every byte anyway, and then the second reading is
 * for nothing. */
#include "common/msgpack.h"

#include <string.h>

#include "common/codec.h"

static uint64_t big_endian(const uint8_t *p, size_t size)
{
    uint64_t number = 0;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | p[i];
    return number;
}

static size_t left(const struct msgpack_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->at);
}

/* `size` bytes of content behind a head of `head` bytes. */
static bool content(struct msgpack_cursor *cursor, struct msgpack_token *token, enum msgpack_kind kind,
                    size_t head, uint64_t size)
{
    if (size > left(cursor) - head)
        return false;
    token->kind = kind;
    token->as.bytes = (umbel_str){(const char *)cursor->at + head, (size_t)size};
    cursor->at += head + size;
    return true;
}

static bool container(struct msgpack_cursor *cursor, struct msgpack_token *token, enum msgpack_kind kind,
                      size_t head, uint64_t count)
{
    token->kind = kind;
    token->as.count = (uint32_t)count;
    cursor->at += head;
    return true;
}

static bool natural(struct msgpack_cursor *cursor, struct msgpack_token *token, size_t head, uint64_t number)
{
    token->kind = number > INT64_MAX ? MSGPACK_NATURAL : MSGPACK_INT;
    token->as.natural = number; /* the same bits as integer */
    cursor->at += head;
    return true;
}

static bool integer(struct msgpack_cursor *cursor, struct msgpack_token *token, size_t head, int64_t number)
{
    token->kind = MSGPACK_INT;
    token->as.integer = number;
    cursor->at += head;
    return true;
}

static bool real(struct msgpack_cursor *cursor, struct msgpack_token *token, size_t head, uint64_t bits)
{
    token->kind = MSGPACK_REAL;
    if (head == 5) {
        uint32_t narrow = (uint32_t)bits;
        float number;
        memcpy(&number, &narrow, sizeof number);
        token->as.real = (double)number;
    } else {
        memcpy(&token->as.real, &bits, sizeof bits);
    }
    cursor->at += head;
    return true;
}

static bool plain(struct msgpack_cursor *cursor, struct msgpack_token *token, enum msgpack_kind kind,
                  bool value)
{
    token->kind = kind;
    token->as.boolean = value;
    cursor->at++;
    return true;
}

/* How many bytes of number follow each head byte from 0xC0 to 0xDF. */
static const uint8_t number_sizes[32] = {0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8,
                                         1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4};

static bool with_number(struct msgpack_cursor *cursor, struct msgpack_token *token, uint8_t byte)
{
    size_t size = number_sizes[byte - 0xC0];
    if (left(cursor) < 1 + size)
        return false;
    size_t head = 1 + size;
    uint64_t number = big_endian(cursor->at + 1, size);
    switch (byte) {
    case 0xC0:
        return plain(cursor, token, MSGPACK_NIL, false);
    case 0xC2:
    case 0xC3:
        return plain(cursor, token, MSGPACK_BOOL, byte == 0xC3);
    case 0xC4:
    case 0xC5:
    case 0xC6:
        return content(cursor, token, MSGPACK_BIN, head, number);
    case 0xC7:
    case 0xC8:
    case 0xC9: /* the type's byte belongs to the head */
        return left(cursor) > head && content(cursor, token, MSGPACK_EXT, head + 1, number);
    case 0xCA:
    case 0xCB:
        return real(cursor, token, head, number);
    case 0xCC:
    case 0xCD:
    case 0xCE:
    case 0xCF:
        return natural(cursor, token, head, number);
    case 0xD0:
        return integer(cursor, token, head, (int8_t)number);
    case 0xD1:
        return integer(cursor, token, head, (int16_t)number);
    case 0xD2:
        return integer(cursor, token, head, (int32_t)number);
    case 0xD3:
        return integer(cursor, token, head, (int64_t)number);
    case 0xD4:
    case 0xD5:
    case 0xD6:
    case 0xD7:
    case 0xD8: /* fixext 1, 2, 4, 8, 16 */
        return left(cursor) > 1 && content(cursor, token, MSGPACK_EXT, 2, 1u << (byte - 0xD4));
    case 0xD9:
    case 0xDA:
    case 0xDB:
        return content(cursor, token, MSGPACK_STR, head, number);
    case 0xDC:
    case 0xDD:
        return container(cursor, token, MSGPACK_LIST, head, number);
    case 0xDE:
    case 0xDF:
        return container(cursor, token, MSGPACK_MAP, head, number);
    default: /* 0xC1 is reserved */
        return false;
    }
}

bool msgpack_next(struct msgpack_cursor *cursor, struct msgpack_token *token)
{
    if (cursor->at == cursor->end)
        return false;
    uint8_t byte = *cursor->at;
    if (byte < 0x80)
        return integer(cursor, token, 1, byte);
    if (byte < 0x90)
        return container(cursor, token, MSGPACK_MAP, 1, byte & 0x0F);
    if (byte < 0xA0)
        return container(cursor, token, MSGPACK_LIST, 1, byte & 0x0F);
    if (byte < 0xC0)
        return content(cursor, token, MSGPACK_STR, 1, byte & 0x1F);
    if (byte < 0xE0)
        return with_number(cursor, token, byte);
    return integer(cursor, token, 1, (int8_t)byte);
}

const char *msgpack_skip(struct msgpack_cursor *cursor, bool *too_deep)
{
    uint64_t open[CODEC_DEPTH_MAX]; /* values still to come, per level */
    int depth = 0;
    *too_deep = false;
    do {
        struct msgpack_token token;
        if (!msgpack_next(cursor, &token))
            return cursor->at == cursor->end ? "it ends too early" : "a token is cut off or reserved";
        if (depth)
            open[depth - 1]--;
        uint64_t count = token.kind == MSGPACK_LIST  ? token.as.count
                         : token.kind == MSGPACK_MAP ? token.as.count * 2ull
                                                     : 0;
        bool is_container = token.kind >= MSGPACK_LIST;
        if (is_container && depth == CODEC_DEPTH_MAX) {
            *too_deep = true;
            return "it is nested too deep";
        }
        if (count)
            open[depth++] = count;
        while (depth && open[depth - 1] == 0)
            depth--;
    } while (depth);
    return NULL;
}
