/* amqp_headers.c: see amqp_headers.h. The kinds of table values are those of RabbitMQ and py-amqp, where the
 * two agree.
 *
 * Reading goes over a cursor that turns bad at the first byte that is not there and stays so; who reads
 * checks once. */
#include "broker/amqp_headers.h"

#include <stdio.h>
#include <string.h>

#include "broker/amqp_bytes.h"
#include "broker/amqp_codec.h"
#include "common/str.h"

enum {
    FLAG_CONTENT_TYPE = 1 << 15,
    FLAG_CONTENT_ENCODING = 1 << 14,
    FLAG_HEADERS = 1 << 13,
    FLAG_DELIVERY_MODE = 1 << 12,
    FLAG_PRIORITY = 1 << 11,
    FLAG_CORRELATION_ID = 1 << 10,
    FLAG_REPLY_TO = 1 << 9,
    FLAG_EXPIRATION = 1 << 8,
    FLAGS_MORE = 1
};

/* ---- the cursor ---- */

struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

static inline const uint8_t *get(struct cursor *cursor, size_t size)
{
    if (cursor->bad || (size_t)(cursor->end - cursor->at) < size) {
        cursor->bad = true;
        return NULL;
    }
    const uint8_t *at = cursor->at;
    cursor->at += size;
    return at;
}

static inline uint8_t get_byte(struct cursor *cursor)
{
    const uint8_t *at = get(cursor, 1);
    return at ? *at : 0;
}

static uint64_t get_number(struct cursor *cursor, size_t size)
{
    const uint8_t *at = get(cursor, size);
    uint64_t number = 0;
    for (size_t i = 0; at && i < size; i++)
        number = number << 8 | at[i];
    return number;
}

static inline umbel_str get_bytes(struct cursor *cursor, size_t size)
{
    const uint8_t *at = get(cursor, size);
    return at ? (umbel_str){(const char *)at, size} : STR_NONE;
}

/* A text with its length before it, in one byte or in four. */
static inline umbel_str get_short(struct cursor *cursor)
{
    return get_bytes(cursor, get_byte(cursor));
}

static inline umbel_str get_long(struct cursor *cursor)
{
    const uint8_t *length = get(cursor, 4);
    return get_bytes(cursor, length ? bytes_get32(length) : 0);
}

/* The inside of a table or array, as a cursor of its own. */
static struct cursor get_inside(struct cursor *cursor)
{
    umbel_str inside = get_long(cursor);
    const uint8_t *at = (const uint8_t *)inside.data;
    return (struct cursor){.at = at, .end = at ? at + inside.size : at, .bad = cursor->bad};
}

static bool at_end(const struct cursor *cursor)
{
    return cursor->bad || cursor->at == cursor->end;
}

/* Bytes of a value of fixed size; 0 for a void, -1 for a string or container, -2 for an unknown kind. */
static int fixed_size(uint8_t kind)
{
    switch (kind) {
    case 'V':
        return 0;
    case 't':
    case 'b':
    case 'B':
        return 1;
    case 's':
    case 'u':
        return 2;
    case 'I':
    case 'i':
    case 'f':
        return 4;
    case 'D':
        return 5;
    case 'l':
    case 'L':
    case 'd':
    case 'T':
        return 8;
    case 'S':
    case 'x':
    case 'A':
    case 'F':
        return -1;
    default:
        return -2;
    }
}

static void skip_value(struct cursor *cursor)
{
    uint8_t kind = get_byte(cursor);
    int size = fixed_size(kind);
    if (size >= 0)
        get(cursor, (size_t)size);
    else if (size == -1)
        get_long(cursor);
    else
        cursor->bad = true;
}

/* How many values follow; no recursion, as containers are skipped by their length. */
static size_t count_values(struct cursor cursor, bool keys)
{
    size_t count = 0;
    while (!at_end(&cursor)) {
        if (keys)
            get_short(&cursor);
        skip_value(&cursor);
        count += !cursor.bad;
    }
    return count;
}

/* ---- values in ---- */

struct reading {
    struct arena *arena;
    bool no_memory;
};

static bool read_value(struct reading *reading, struct cursor *cursor, int depth, umbel_value *out);

static void set_integer(umbel_value *out, int64_t number)
{
    out->kind = UMBEL_INT;
    out->as.integer = number;
}

static void set_real(umbel_value *out, double number)
{
    out->kind = UMBEL_DOUBLE;
    out->as.real = number;
}

static double real_of(uint64_t bits, size_t size)
{
    if (size == 4) {
        uint32_t half = (uint32_t)bits;
        float small;
        memcpy(&small, &half, sizeof small);
        return (double)small;
    }
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static double decimal_of(uint64_t bits)
{
    double number = (double)(int32_t)(uint32_t)bits;
    for (unsigned places = (unsigned)(bits >> 32) & 0xff; places; places--)
        number /= 10;
    return number;
}

static void read_fixed(uint8_t kind, uint64_t bits, umbel_value *out)
{
    switch (kind) {
    case 't':
        out->kind = UMBEL_BOOL;
        out->as.boolean = bits != 0;
        break;
    case 'b':
        set_integer(out, (int8_t)(uint8_t)bits);
        break;
    case 's':
        set_integer(out, (int16_t)(uint16_t)bits);
        break;
    case 'I':
        set_integer(out, (int32_t)(uint32_t)bits);
        break;
    case 'f':
        set_real(out, real_of(bits, 4));
        break;
    case 'd':
        set_real(out, real_of(bits, 8));
        break;
    case 'D':
        set_real(out, decimal_of(bits));
        break;
    case 'V':
        out->kind = UMBEL_NULL;
        break;
    default: /* B u i l L T */
        set_integer(out, (int64_t)bits);
    }
}

/* Whether it is UTF-8, message_read_header will see. */
static void read_text(uint8_t kind, umbel_str text, umbel_value *out)
{
    out->kind = kind == 'S' ? UMBEL_STRING : UMBEL_BYTES;
    out->as.str = text;
}

static bool read_list(struct reading *reading, struct cursor *cursor, int depth, umbel_value *out)
{
    struct cursor inside = get_inside(cursor);
    size_t count = count_values(inside, false);
    umbel_value *items = count ? arena_alloc(reading->arena, count * sizeof *items) : NULL;
    if (count && !items)
        return reading->no_memory = true, false;
    *out = (umbel_value){.kind = UMBEL_LIST, .count = (uint32_t)count, .as.items = items};
    for (size_t i = 0; !at_end(&inside); i++) {
        if (i == count || !read_value(reading, &inside, depth + 1, &items[i]))
            return false;
    }
    return !inside.bad;
}

static bool read_map(struct reading *reading, struct cursor *cursor, int depth, umbel_value *out)
{
    struct cursor inside = get_inside(cursor);
    size_t count = count_values(inside, true);
    struct value_pair *pairs = count ? arena_alloc(reading->arena, count * sizeof *pairs) : NULL;
    if (count && !pairs)
        return reading->no_memory = true, false;
    *out = (umbel_value){.kind = UMBEL_MAP, .count = (uint32_t)count, .as.pairs = pairs};
    for (size_t i = 0; !at_end(&inside); i++) {
        umbel_str key = get_short(&inside);
        if (i == count || inside.bad)
            return false;
        pairs[i].key = arena_str(reading->arena, key);
        if (!read_value(reading, &inside, depth + 1, &pairs[i].value))
            return false;
    }
    return !inside.bad;
}

/* Strings below the top are copied, because values promise a NUL behind them; those of the top level are
 * borrowed. */
static bool read_value(struct reading *reading, struct cursor *cursor, int depth, umbel_value *out)
{
    *out = (umbel_value){.kind = UMBEL_NULL};
    uint8_t kind = get_byte(cursor);
    int size = fixed_size(kind);
    if (cursor->bad || size == -2 || depth > AMQP_CODEC_DEPTH)
        return false;
    if (size >= 0) {
        read_fixed(kind, get_number(cursor, (size_t)size), out);
    } else if (kind == 'A') {
        return read_list(reading, cursor, depth, out);
    } else if (kind == 'F') {
        return read_map(reading, cursor, depth, out);
    } else {
        read_text(kind, get_long(cursor), out);
        if (depth > 0 && !cursor->bad)
            out->as.str = arena_str(reading->arena, out->as.str);
    }
    return !cursor->bad;
}

bool amqp_headers_table_good(const uint8_t *data, size_t size)
{
    struct cursor cursor = {.at = data, .end = data + size};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct reading reading = {.arena = &arena};
    umbel_value ignored;
    bool good = read_map(&reading, &cursor, 0, &ignored);
    arena_fini(&arena);
    return good;
}

/* ---- properties in ---- */

/* Reads all headers it can; `why` names the first that makes no sense. */
static int read_headers(struct arena *arena, struct cursor inside, struct message *msg, const char **why)
{
    struct reading reading = {.arena = arena};
    int code = UMBEL_OK;
    while (!at_end(&inside)) {
        umbel_str name = get_short(&inside);
        umbel_value value;
        if (!read_value(&reading, &inside, 0, &value)) {
            *why = reading.no_memory ? "the headers do not fit into memory"
                                     : "the header table is cut off, nested too deep or of an unknown kind";
            return UMBEL_BAD_MESSAGE;
        }
        if (message_read_header(arena, msg, name, &value) != UMBEL_OK && code == UMBEL_OK) {
            *why = "a header of the task protocol has a value of an impossible type";
            code = UMBEL_BAD_MESSAGE;
        }
    }
    if (inside.bad)
        *why = "the header table is cut off";
    return inside.bad ? UMBEL_BAD_MESSAGE : code;
}

static int64_t read_expiration(umbel_str text)
{
    int64_t number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || number > INT64_MAX / 10 - 10)
            return -1;
        number = number * 10 + (text.data[i] - '0');
    }
    return text.size ? number : -1;
}

int amqp_headers_read(struct arena *arena, const uint8_t *data, size_t size, struct message *msg,
                      const char **why)
{
    struct cursor cursor = {.at = data, .end = data + size};
    unsigned flags = (unsigned)get_number(&cursor, 2);
    int code = UMBEL_OK;
    for (unsigned more = flags; more & FLAGS_MORE && !cursor.bad;)
        more = (unsigned)get_number(&cursor, 2);
    if (flags & FLAG_CONTENT_TYPE)
        msg->content_type = get_short(&cursor);
    if (flags & FLAG_CONTENT_ENCODING)
        msg->content_encoding = get_short(&cursor);
    if (flags & FLAG_HEADERS) {
        struct cursor inside = get_inside(&cursor);
        code = read_headers(arena, inside, msg, why);
    }
    if (flags & FLAG_DELIVERY_MODE)
        msg->transient = get_byte(&cursor) != AMQP_DELIVERY_PERSISTENT;
    if (flags & FLAG_PRIORITY)
        msg->priority = get_byte(&cursor);
    if (flags & FLAG_CORRELATION_ID)
        msg->correlation_id = get_short(&cursor);
    if (flags & FLAG_REPLY_TO)
        msg->reply_to = get_short(&cursor);
    if (flags & FLAG_EXPIRATION)
        msg->expiration_ms = read_expiration(get_short(&cursor));
    if (cursor.bad) {
        *why = "the properties are cut off";
        code = UMBEL_BAD_MESSAGE;
    }
    return code;
}

/* ---- values out ---- */

struct writing {
    struct buffer *out;
    int depth;
};

static int write_value(struct writing *writing, const umbel_value *value);

static void put_kind(struct buffer *out, uint8_t kind, uint64_t bits, size_t size)
{
    uint8_t *at = buffer_room(out, 1 + size);
    if (!at)
        return;
    at[0] = kind;
    for (size_t i = size; i > 0; i--, bits >>= 8)
        at[i] = (uint8_t)bits;
    buffer_grew(out, 1 + size);
}

static void put_long(struct buffer *out, umbel_str text)
{
    uint8_t *at = buffer_room(out, 5 + text.size);
    if (!at)
        return;
    at[0] = 'S';
    bytes_put32(at + 1, (uint32_t)text.size);
    if (text.size)
        memcpy(at + 5, text.data, text.size);
    buffer_grew(out, 5 + text.size);
}

static void put_name(struct buffer *out, umbel_str name)
{
    uint8_t *at = buffer_room(out, 1 + name.size);
    if (!at)
        return;
    bytes_put_short(at, name);
    buffer_grew(out, 1 + name.size);
}

/* Large integers go as py-amqp sends its own: 'L', which it and RabbitMQ both read as signed. */
static void put_integer(struct buffer *out, int64_t number)
{
    if (number >= INT32_MIN && number <= INT32_MAX)
        put_kind(out, 'I', (uint64_t)number, 4);
    else
        put_kind(out, 'L', (uint64_t)number, 8);
}

static int write_inside(struct writing *writing, const umbel_value *value)
{
    for (uint32_t i = 0; i < value->count; i++) {
        const umbel_value *item = value->kind == UMBEL_LIST ? &value->as.items[i] : &value->as.pairs[i].value;
        if (value->kind == UMBEL_MAP && value->as.pairs[i].key.size > UINT8_MAX)
            return UMBEL_TOO_LARGE;
        if (value->kind == UMBEL_MAP)
            put_name(writing->out, value->as.pairs[i].key);
        int code = write_value(writing, item);
        if (code)
            return code;
    }
    return UMBEL_OK;
}

static void patch_length(struct buffer *out, size_t at)
{
    if (!out->failed)
        bytes_put32(buffer_head(out) + at, (uint32_t)(buffer_length(out) - at - 4));
}

static int write_container(struct writing *writing, const umbel_value *value)
{
    if (++writing->depth > AMQP_CODEC_DEPTH)
        return UMBEL_TOO_LARGE;
    put_kind(writing->out, value->kind == UMBEL_LIST ? 'A' : 'F', 0, 4);
    size_t at = buffer_length(writing->out) - 4;
    int code = write_inside(writing, value);
    patch_length(writing->out, at);
    writing->depth--;
    return code;
}

static int write_value(struct writing *writing, const umbel_value *value)
{
    uint64_t bits;
    switch (value->kind) {
    case UMBEL_NULL:
        put_kind(writing->out, 'V', 0, 0);
        return UMBEL_OK;
    case UMBEL_BOOL:
        put_kind(writing->out, 't', value->as.boolean, 1);
        return UMBEL_OK;
    case UMBEL_INT:
        put_integer(writing->out, value->as.integer);
        return UMBEL_OK;
    case UMBEL_DOUBLE:
        memcpy(&bits, &value->as.real, sizeof bits);
        put_kind(writing->out, 'd', bits, 8);
        return UMBEL_OK;
    case UMBEL_STRING:
    case UMBEL_BYTES:
        put_long(writing->out, value->as.str);
        return UMBEL_OK;
    case UMBEL_LIST:
    case UMBEL_MAP:
        return write_container(writing, value);
    default:
        return UMBEL_BAD_VALUE;
    }
}

static int emit_header(void *to, umbel_str name, const umbel_value *value)
{
    struct writing *writing = to;
    if (name.size > UINT8_MAX)
        return UMBEL_TOO_LARGE;
    put_name(writing->out, name);
    if (value->kind == UMBEL_STRING) { /* nearly all of them */
        put_long(writing->out, value->as.str);
        return UMBEL_OK;
    }
    return write_value(writing, value);
}

/* ---- properties out ---- */

static bool fits(umbel_str text)
{
    return text.size <= UINT8_MAX;
}

static unsigned flags_of(const struct message *msg)
{
    unsigned flags = FLAG_HEADERS | FLAG_DELIVERY_MODE;
    flags |= msg->content_type.size ? FLAG_CONTENT_TYPE : 0;
    flags |= msg->content_encoding.size ? FLAG_CONTENT_ENCODING : 0;
    flags |= msg->priority ? FLAG_PRIORITY : 0;
    flags |= msg->correlation_id.size ? FLAG_CORRELATION_ID : 0;
    flags |= msg->reply_to.size ? FLAG_REPLY_TO : 0;
    flags |= msg->expiration_ms >= 0 ? FLAG_EXPIRATION : 0;
    return flags;
}

static int write_headers(struct buffer *out, const struct message *msg)
{
    struct writing writing = {.out = out};
    size_t at = buffer_length(out);
    if (!buffer_room(out, 4))
        return UMBEL_NO_MEMORY;
    buffer_grew(out, 4);
    int code = message_each_header(msg, emit_header, &writing);
    patch_length(out, at);
    return code;
}

static void write_rest(struct buffer *out, const struct message *msg, unsigned flags)
{
    uint8_t *start = buffer_room(out, 2 + 3 * (UINT8_MAX + 1)), *at = start;
    if (!start)
        return;
    *at++ = msg->transient ? AMQP_DELIVERY_NONPERSISTENT : AMQP_DELIVERY_PERSISTENT;
    if (flags & FLAG_PRIORITY)
        *at++ = msg->priority;
    if (flags & FLAG_CORRELATION_ID)
        at = bytes_put_short(at, msg->correlation_id);
    if (flags & FLAG_REPLY_TO)
        at = bytes_put_short(at, msg->reply_to);
    if (flags & FLAG_EXPIRATION) {
        char text[24];
        int size = snprintf(text, sizeof text, "%lld", (long long)msg->expiration_ms);
        at = bytes_put_short(at, (umbel_str){text, (size_t)size});
    }
    buffer_grew(out, (size_t)(at - start));
}

int amqp_headers_write(struct buffer *out, const struct message *msg)
{
    if (!fits(msg->content_type) || !fits(msg->content_encoding) || !fits(msg->correlation_id) ||
        !fits(msg->reply_to))
        return UMBEL_TOO_LARGE;
    unsigned flags = flags_of(msg);
    uint8_t *start = buffer_room(out, 2 + 2 * (UINT8_MAX + 1)), *at = start;
    if (!start)
        return UMBEL_NO_MEMORY;
    bytes_put16(at, (uint16_t)flags);
    at += 2;
    if (flags & FLAG_CONTENT_TYPE)
        at = bytes_put_short(at, msg->content_type);
    if (flags & FLAG_CONTENT_ENCODING)
        at = bytes_put_short(at, msg->content_encoding);
    buffer_grew(out, (size_t)(at - start));
    int code = write_headers(out, msg);
    if (code == UMBEL_OK)
        write_rest(out, msg, flags);
    return code;
}
