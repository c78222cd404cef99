/* msgpack.h: the msgpack half of codec.h. */
#ifndef COMMON_MSGPACK_H
#define COMMON_MSGPACK_H

#include "common/value.h"

/* ---- one token at a time: the header of a container, or a whole scalar
 * ------------------------------------------- */

enum msgpack_kind {
    MSGPACK_NIL,
    MSGPACK_BOOL,
    MSGPACK_INT,     /* integer */
    MSGPACK_NATURAL, /* past INT64_MAX: natural */
    MSGPACK_REAL,
    MSGPACK_STR,
    MSGPACK_BIN,
    MSGPACK_EXT,  /* bytes: without its type */
    MSGPACK_LIST, /* count elements follow */
    MSGPACK_MAP   /* count keys and values follow */
};

struct msgpack_token {
    enum msgpack_kind kind;
    union {
        bool boolean;
        int64_t integer;
        uint64_t natural;
        double real;
        umbel_str bytes; /* borrowed from the input */
        uint32_t count;
    } as;
};

struct msgpack_cursor {
    const uint8_t *at, *end;
};

/* Reads one token and moves on. False, without moving, when the input ends within it or the byte is reserved.
 * A container's count is not yet checked against what is left. */
bool msgpack_next(struct msgpack_cursor *cursor, struct msgpack_token *token);

/* Steps over one value without allocating: checks depth, lengths, and that every element a count promises is
 * there (each takes a byte at least), so that what passes can be decoded into memory of a bounded multiple of its
 * size. NULL, or a static text that says what is wrong; the cursor then stands at it. *too_deep tells that case
 * apart. */
const char *msgpack_skip(struct msgpack_cursor *cursor, bool *too_deep);

/* ---- codec.h
 * ------------------------------------------------------------------------------------------------------ */

int msgpack_decode(struct arena *arena, umbel_str input, umbel_value **out, const char **why);
int msgpack_encode(struct buffer *out, const umbel_value *value);
void msgpack_null(struct buffer *out);
void msgpack_boolean(struct buffer *out, bool value);
void msgpack_integer(struct buffer *out, int64_t value);
void msgpack_natural(struct buffer *out, uint64_t value);
void msgpack_real(struct buffer *out, double value);
int msgpack_text(struct buffer *out, umbel_str text);
void msgpack_bytes(struct buffer *out, umbel_str bytes);
void msgpack_list(struct buffer *out, uint32_t count);
void msgpack_map(struct buffer *out, uint32_t count);

#endif
