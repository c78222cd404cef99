/* json_write.c: JSON as Python's json.dumps writes it: ASCII only, ", " and ": " between.
 *
 * bytes leave in kombu 5.3's base64 form, which holds any bytes; its "bytes" form only such as are UTF-8. */
#include "common/json.h"

#include <math.h>
#include <string.h>

#include "common/base64.h"
#include "common/codec.h"
#include "common/json_word.h"
#include "common/number.h"
#include "common/str.h"
#include "common/utf8.h"

void json_null(struct buffer *out)
{
    buffer_add(out, "null", 4);
}

void json_boolean(struct buffer *out, bool value)
{
    buffer_add(out, value ? "true" : "false", value ? 4 : 5);
}

void json_integer(struct buffer *out, int64_t value)
{
    char *to = (char *)buffer_room(out, NUMBER_SIZE);
    if (to)
        buffer_grew(out, number_integer(to, value));
}

void json_real(struct buffer *out, double value)
{
    if (!isfinite(value)) {
        buffer_text(out, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    char *to = (char *)buffer_room(out, NUMBER_SIZE);
    if (to)
        buffer_grew(out, number_real(to, value));
}

static inline bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

static void write_unit(struct buffer *out, uint32_t unit)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\',          'u', hex[unit >> 12 & 15], hex[unit >> 8 & 15], hex[unit >> 4 & 15],
                    hex[unit & 15]};
    buffer_add(out, text, sizeof text);
}

static void write_escaped(struct buffer *out, uint32_t point)
{
    static const char letters[128] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (point < sizeof letters && letters[point]) {
        buffer_add(out, (char[]){'\\', letters[point]}, 2);
    } else if (point < 0x10000) {
        write_unit(out, point);
    } else {
        write_unit(out, 0xD800 + ((point - 0x10000) >> 10));
        write_unit(out, 0xDC00 + ((point - 0x10000) & 0x3FF));
    }
}

/* The first byte that cannot stand as it is. */
static const uint8_t *plain_end(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= JSON_WORD; p += JSON_WORD) {
        uint64_t alarms = json_word_escaped(json_word(p));
        if (alarms)
            return p + json_word_first(alarms);
    }
    while (p < end && is_plain(*p))
        p++;
    return p;
}

static int write_plain(struct buffer *out, umbel_str text)
{
    uint8_t *to = text.size < SIZE_MAX - 2 ? buffer_room(out, text.size + 2) : NULL;
    if (!to)
        return UMBEL_OK; /* the buffer remembers */
    to[0] = '"';
    if (text.size)
        memcpy(to + 1, text.data, text.size);
    to[text.size + 1] = '"';
    buffer_grew(out, text.size + 2);
    return UMBEL_OK;
}

/* Nearly all text is plain: one look, one copy. */
int json_text(struct buffer *out, umbel_str text)
{
    const uint8_t *run = (const uint8_t *)text.data, *end = run + text.size;
    const uint8_t *p = plain_end(run, end);
    if (p == end)
        return write_plain(out, text);
    if (!str_utf8(text))
        return UMBEL_BAD_VALUE;
    buffer_byte(out, '"');
    while (p < end) {
        size_t size;
        buffer_add(out, run, (size_t)(p - run));
        write_escaped(out, utf8_read(p, &size));
        run = p + size;
        p = plain_end(run, end);
    }
    buffer_add(out, run, (size_t)(p - run));
    buffer_byte(out, '"');
    return UMBEL_OK;
}

void json_bytes(struct buffer *out, umbel_str bytes)
{
    buffer_text(out, "{\"__type__\": \"base64\", \"__value__\": \"");
    base64_write(out, bytes);
    buffer_text(out, "\"}");
}

static int write_value(struct buffer *out, const umbel_value *value, int depth);

static int write_elements(struct buffer *out, const umbel_value *value, int depth)
{
    int code = UMBEL_OK;
    for (uint32_t i = 0; i < value->count && !code; i++) {
        if (i)
            buffer_add(out, ", ", 2);
        if (value->kind == UMBEL_MAP) {
            code = json_text(out, value->as.pairs[i].key);
            buffer_add(out, ": ", 2);
        }
        if (!code)
            code = write_value(out, umbel_value_at(value, i), depth);
    }
    return code;
}

static int write_container(struct buffer *out, const umbel_value *value, int depth)
{
    if (depth >= CODEC_DEPTH_MAX)
        return UMBEL_TOO_DEEP;
    buffer_byte(out, value->kind == UMBEL_LIST ? '[' : '{');
    int code = write_elements(out, value, depth + 1);
    buffer_byte(out, value->kind == UMBEL_LIST ? ']' : '}');
    return code;
}

static int write_value(struct buffer *out, const umbel_value *value, int depth)
{
    switch (value ? value->kind : UMBEL_NULL) {
    case UMBEL_NULL:
        json_null(out);
        return UMBEL_OK;
    case UMBEL_BOOL:
        json_boolean(out, value->as.boolean);
        return UMBEL_OK;
    case UMBEL_INT:
        json_integer(out, value->as.integer);
        return UMBEL_OK;
    case UMBEL_DOUBLE:
        json_real(out, value->as.real);
        return UMBEL_OK;
    case UMBEL_STRING:
        return json_text(out, value->as.str);
    case UMBEL_BYTES:
        json_bytes(out, value->as.str);
        return UMBEL_OK;
    case UMBEL_LIST:
    case UMBEL_MAP:
        return write_container(out, value, depth);
    case VALUE_TOO_BIG: /* its digits are a number of JSON */
        buffer_str(out, value->as.str);
        return UMBEL_OK;
    default:
        return UMBEL_BAD_VALUE;
    }
}

int json_encode(struct buffer *out, const umbel_value *value)
{
    size_t length = buffer_length(out);
    int code = write_value(out, value, 0);
    if (out->failed)
        return UMBEL_NO_MEMORY;
    if (code)
        out->end = out->start + length;
    return code;
}
