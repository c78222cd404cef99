/* value_repr.c: values as a Python programmer would see them, for logs, `argsrepr` and error texts.
 *
 * The work is bounded by the limit, not by the value: once past it nothing more is written. */
#include "common/value.h"

#include <math.h>

#include "common/number.h"
#include "common/str.h"
#include "common/utf8.h"

enum { DEPTH_SHOWN = 3 };

struct repr {
    struct buffer *out;
    size_t end; /* length of `out` at which to stop */
};

static bool is_full(const struct repr *repr)
{
    return repr->out->failed || buffer_length(repr->out) > repr->end;
}

/* Roughly Python's str.isprintable: controls, other spaces, marks that change the direction, private use. */
static bool is_printable(uint32_t point)
{
    if (point < 0x7F)
        return point >= 0x20;
    if (point <= 0xA0 || point == 0xAD || point == 0x1680 || point == 0x3000 || point == 0xFEFF)
        return false;
    if (point >= 0x2000 && point <= 0x206F)
        return (point >= 0x2010 && point <= 0x2027) || (point >= 0x2030 && point <= 0x205E);
    return !(point >= 0xE000 && point <= 0xF8FF) && !(point >= 0xFFF0 && point <= 0xFFFB) && point < 0xE0000;
}

static void escape_point(struct buffer *out, uint32_t point)
{
    if (point == '\n')
        buffer_text(out, "\\n");
    else if (point == '\r')
        buffer_text(out, "\\r");
    else if (point == '\t')
        buffer_text(out, "\\t");
    else
        buffer_format(out, point < 0x100 ? "\\x%02x" : point < 0x10000 ? "\\u%04x" : "\\U%08x", point);
}

/* Text that is printed as it is; no more of it than can be shown. */
static void raw(struct repr *repr, umbel_str text)
{
    size_t left = is_full(repr) ? 0 : repr->end - buffer_length(repr->out) + 1;
    buffer_add(repr->out, text.data, text.size < left ? text.size : left);
}

/* Python takes double quotes when the text holds single ones and no double ones. */
static char quote_of(umbel_str text)
{
    bool has_single = text.size && memchr(text.data, '\'', text.size);
    return has_single && !memchr(text.data, '"', text.size) ? '"' : '\'';
}

static void repr_bytes(struct repr *repr, umbel_str bytes)
{
    char quote = quote_of(bytes);
    buffer_byte(repr->out, 'b');
    buffer_byte(repr->out, (uint8_t)quote);
    for (size_t i = 0; i < bytes.size && !is_full(repr); i++) {
        uint8_t byte = (uint8_t)bytes.data[i];
        if (byte == '\\' || byte == (uint8_t)quote)
            buffer_byte(repr->out, '\\');
        if (byte >= 0x20 && byte < 0x7F)
            buffer_byte(repr->out, byte);
        else
            escape_point(repr->out, byte);
    }
    buffer_byte(repr->out, (uint8_t)quote);
}

static void repr_text(struct repr *repr, umbel_str text)
{
    if (!str_utf8(text)) { /* our own bug or a foreign header: still not a reason to read past its end */
        repr_bytes(repr, text);
        return;
    }
    char quote = quote_of(text);
    const uint8_t *p = (const uint8_t *)text.data, *end = p + text.size;
    size_t size;
    buffer_byte(repr->out, (uint8_t)quote);
    for (; p < end && !is_full(repr); p += size) {
        uint32_t point = utf8_read(p, &size);
        if (point == '\\' || point == (uint32_t)quote)
            buffer_byte(repr->out, '\\');
        if (is_printable(point))
            buffer_add(repr->out, p, size);
        else
            escape_point(repr->out, point);
    }
    buffer_byte(repr->out, (uint8_t)quote);
}

static void repr_value(struct repr *repr, const umbel_value *value, int depth);

static void repr_elements(struct repr *repr, const umbel_value *value, int depth)
{
    for (uint32_t i = 0; i < value->count && !is_full(repr); i++) {
        if (i)
            buffer_text(repr->out, ", ");
        if (value->kind == UMBEL_MAP) {
            repr_text(repr, value->as.pairs[i].key);
            buffer_text(repr->out, ": ");
        }
        repr_value(repr, umbel_value_at(value, i), depth);
    }
}

static void repr_container(struct repr *repr, const umbel_value *value, int depth)
{
    bool is_list = value->kind == UMBEL_LIST;
    buffer_byte(repr->out, is_list ? '[' : '{');
    if (depth >= DEPTH_SHOWN && value->count)
        buffer_text(repr->out, "...");
    else
        repr_elements(repr, value, depth + 1);
    buffer_byte(repr->out, is_list ? ']' : '}');
}

static void repr_value(struct repr *repr, const umbel_value *value, int depth)
{
    char number[NUMBER_SIZE];
    switch (value ? value->kind : UMBEL_NULL) {
    case UMBEL_NULL:
        buffer_text(repr->out, "None");
        break;
    case UMBEL_BOOL:
        buffer_text(repr->out, value->as.boolean ? "True" : "False");
        break;
    case UMBEL_INT:
        buffer_add(repr->out, number, number_integer(number, value->as.integer));
        break;
    case UMBEL_DOUBLE:
        buffer_add(repr->out, number, number_real(number, value->as.real));
        break;
    case UMBEL_STRING:
        repr_text(repr, value->as.str);
        break;
    case UMBEL_BYTES:
        repr_bytes(repr, value->as.str);
        break;
    case UMBEL_LIST:
    case UMBEL_MAP:
        repr_container(repr, value, depth);
        break;
    case VALUE_TOO_BIG:
        raw(repr, value->as.str);
        break;
    case VALUE_NOT_TEXT: /* already in its escaped form */
        buffer_byte(repr->out, '\'');
        raw(repr, value->as.str);
        buffer_byte(repr->out, '\'');
        break;
    default:
        buffer_text(repr->out, "ExtType(...)");
    }
}

/* Takes back what is past the limit, down to a whole character, and says so. */
static void cut(struct buffer *out, size_t begin, size_t limit)
{
    size_t length = buffer_length(out);
    if (length - begin <= limit)
        return;
    length = begin + (limit > 3 ? limit - 3 : 0);
    const uint8_t *data = buffer_head(out);
    while (length > begin && (data[length] & 0xC0) == 0x80)
        length--;
    out->end = out->start + length;
    buffer_text(out, "...");
}

void value_repr(struct buffer *out, const umbel_value *value, size_t limit)
{
    size_t begin = buffer_length(out);
    struct repr repr = {out, begin + limit};
    repr_value(&repr, value, 0);
    if (!out->failed)
        cut(out, begin, limit);
}

void value_repr_args(struct buffer *out, const umbel_value *list, size_t limit)
{
    size_t begin = buffer_length(out);
    struct repr repr = {out, begin + limit};
    buffer_byte(out, '(');
    if (list && list->kind == UMBEL_LIST) {
        repr_elements(&repr, list, 1);
        if (list->count == 1)
            buffer_byte(out, ',');
    }
    buffer_byte(out, ')');
    if (!out->failed)
        cut(out, begin, limit);
}

const char *value_type_name(const umbel_value *value)
{
    static const char *const names[] = {
        [UMBEL_NULL] = "None",    [UMBEL_BOOL] = "bool",         [UMBEL_INT] = "int",
        [UMBEL_DOUBLE] = "float", [UMBEL_STRING] = "str",        [UMBEL_BYTES] = "bytes",
        [UMBEL_LIST] = "list",    [UMBEL_MAP] = "dict",          [VALUE_TOO_BIG] = "int",
        [VALUE_NOT_TEXT] = "str", [VALUE_EXTENSION] = "ExtType",
    };
    return names[value ? value->kind : UMBEL_NULL];
}
