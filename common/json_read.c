/* json_read.c: JSON as Python writes it, straight into values.
 *
 * Why a reader of our own: what Celery calls JSON is Python's dialect. It has NaN and Infinity, integers of
 * any size and halves of surrogate pairs. A strict library refuses a body with any of these as a whole, and a
 * lenient one changes the number; but a body that a caller's Python wrote must reach the task's argument
 * check, which can name the argument.
 *
 * The input is copied into the arena once, strings are decoded where they stand. Containers under
 * construction stand on a stack of fixed depth, so a body of ten thousand brackets is an error like any
 * other. It fails with UMBEL_BAD_MESSAGE (text and byte in `why`), UMBEL_TOO_DEEP, UMBEL_TOO_LARGE at the
 * arena's limit, UMBEL_NO_MEMORY. */
#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/json_text.h"
#include "common/json_typed.h"
#include "common/number.h"
#include "common/str.h"
#include "common/value_make.h"

/* kombu's typed bytes are a map that collapses into one scalar, so it may stand below the last depth. */
enum { STACK = CODEC_DEPTH_MAX + 1, PADDING = 16 };

struct frame {
    umbel_value container;
    umbel_value key; /* of the pair whose value is being read */
};

struct reader {
    struct arena *arena;
    char *begin, *at, *end;
    const char *wrong; /* what; where is `at` */
    int code;
    int depth;
    struct frame stack[STACK];
};

static bool fail(struct reader *reader, int code, const char *wrong)
{
    reader->code = code;
    reader->wrong = wrong;
    return false;
}

static bool no_memory(struct reader *reader)
{
    return fail(reader, reader->arena->limit ? UMBEL_TOO_LARGE : UMBEL_NO_MEMORY, "no memory is left for it");
}

static inline bool is_space(char c)
{
    return (uint8_t)c <= ' ' && (c == ' ' || c == '\n' || c == '\t' || c == '\r');
}

static inline void skip_space(struct reader *reader)
{
    while (is_space(*reader->at))
        reader->at++;
}

/* ---- scalars
 * ---------------------------------------------------------------------------------------------------- */

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Answers the first character after the number, or NULL when it is not written as one. */
static char *number_end(char *at, bool *whole)
{
    *whole = true;
    if (*at == '.') {
        *whole = false;
        if (!is_digit(*++at))
            return NULL;
        while (is_digit(*at))
            at++;
    }
    if (*at == 'e' || *at == 'E') {
        *whole = false;
        at++;
        if (*at == '+' || *at == '-')
            at++;
        if (!is_digit(*at))
            return NULL;
        while (is_digit(*at))
            at++;
    }
    return at;
}

/* Digits that int64 cannot hold, kept as they stand. */
static bool keep_digits(struct reader *reader, const char *from, const char *end, umbel_value *out)
{
    *out = (umbel_value){.kind = VALUE_TOO_BIG};
    out->as.str = arena_str(reader->arena, (umbel_str){from, (size_t)(end - from)});
    return out->as.str.data ? true : no_memory(reader);
}

/* A number with up to 15 digits and 22 decimals is one exact division; any other is strtod's work. */
static double real_of(const char *from, const char *end, bool negative)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t mantissa = 0;
    size_t digits = 0, places = 0;
    for (const char *p = from + negative; p < end && digits <= 15; p++) {
        if (*p == '.') {
            places = (size_t)(end - p - 1);
        } else if (is_digit(*p)) {
            mantissa = mantissa * 10 + (uint64_t)(*p - '0');
            digits += mantissa != 0;
        } else {
            digits = 16; /* an exponent */
        }
    }
    if (digits > 15 || places >= sizeof powers / sizeof *powers)
        return number_parse(from);
    double value = (double)mantissa / powers[places];
    return negative ? -value : value;
}

static bool read_number(struct reader *reader, umbel_value *out)
{
    char *from = reader->at, *at = from;
    bool negative = *at == '-', whole;
    uint64_t number = 0;
    at += negative;
    if (negative && strncmp(at, "Infinity", 8) == 0) {
        reader->at = at + 8;
        *out = (umbel_value){.kind = UMBEL_DOUBLE, .as.real = -(double)INFINITY};
        return true;
    }
    char *digits = at;
    while (is_digit(*at))
        number =
            number * 10 + (uint64_t)(*at++ - '0'); /* wraps only past 19 digits, which is looked at below */
    char *end = at == digits || (*digits == '0' && at - digits > 1) ? NULL : number_end(at, &whole);
    if (!end)
        return fail(reader, UMBEL_BAD_MESSAGE, "a number is not written as JSON has them");
    reader->at = end;
    if (!whole) {
        *out = (umbel_value){.kind = UMBEL_DOUBLE, .as.real = real_of(from, end, negative)};
        return true;
    }
    if (end - digits > 19 || number > (uint64_t)INT64_MAX + negative)
        return keep_digits(reader, from, end, out);
    *out = (umbel_value){.kind = UMBEL_INT, .as.integer = (int64_t)(negative ? 0 - number : number)};
    return true;
}

static bool read_word(struct reader *reader, const char *word, umbel_value value, umbel_value *out)
{
    size_t size = strlen(word);
    if (strncmp(reader->at, word, size) != 0)
        return fail(reader, UMBEL_BAD_MESSAGE, "a value is expected");
    reader->at += size;
    *out = value;
    return true;
}

static bool read_text(struct reader *reader, umbel_value *out)
{
    reader->at++;
    const char *wrong = json_text_read(reader->arena, &reader->at, out);
    if (wrong)
        return fail(reader, UMBEL_BAD_MESSAGE, wrong);
    return out->as.str.data ? true : no_memory(reader);
}

static bool read_scalar(struct reader *reader, umbel_value *out)
{
    switch (*reader->at) {
    case '"':
        return read_text(reader, out);
    case 'n':
        return read_word(reader, "null", (umbel_value){.kind = UMBEL_NULL}, out);
    case 't':
        return read_word(reader, "true", (umbel_value){.kind = UMBEL_BOOL, .as.boolean = true}, out);
    case 'f':
        return read_word(reader, "false", (umbel_value){.kind = UMBEL_BOOL}, out);
    case 'N':
        return read_word(reader, "NaN", (umbel_value){.kind = UMBEL_DOUBLE, .as.real = (double)NAN}, out);
    case 'I':
        return read_word(reader, "Infinity", (umbel_value){.kind = UMBEL_DOUBLE, .as.real = (double)INFINITY},
                         out);
    default:
        if (*reader->at == '-' || is_digit(*reader->at))
            return read_number(reader, out);
        return fail(reader, UMBEL_BAD_MESSAGE, "a value is expected");
    }
}

/* ---- containers
 * ------------------------------------------------------------------------------------------------- */

static bool read_key(struct reader *reader, struct frame *frame)
{
    skip_space(reader);
    if (*reader->at != '"')
        return fail(reader, UMBEL_BAD_MESSAGE, "a key in quotes is expected");
    if (!read_text(reader, &frame->key))
        return false;
    skip_space(reader);
    if (*reader->at != ':')
        return fail(reader, UMBEL_BAD_MESSAGE, "a ':' is expected");
    reader->at++;
    return true;
}

static bool open_container(struct reader *reader)
{
    if (reader->depth == STACK)
        return fail(reader, UMBEL_TOO_DEEP, "it is nested too deep");
    struct frame *frame = &reader->stack[reader->depth++];
    frame->container = (umbel_value){.kind = *reader->at == '[' ? UMBEL_LIST : UMBEL_MAP};
    reader->at++;
    return true;
}

/* Adds a finished value to the innermost container. */
static bool add(struct reader *reader, const umbel_value *value)
{
    struct frame *frame = &reader->stack[reader->depth - 1];
    umbel_value *place;
    if (frame->container.kind == UMBEL_LIST) {
        place = value_list_add(reader->arena, &frame->container);
    } else {
        place = value_map_add(reader->arena, &frame->container, frame->key.as.str);
        if (frame->key.kind != UMBEL_STRING) /* a key cannot say that it is not text: its value says so */
            value = &frame->key;
    }
    if (!place)
        return no_memory(reader);
    *place = *value;
    return true;
}

/* The innermost container is complete and becomes `out`. */
static bool close_container(struct reader *reader, umbel_value *out)
{
    umbel_value *container = &reader->stack[reader->depth - 1].container;
    reader->at++;
    if (container->kind == UMBEL_MAP) {
        if (container->count > 1 && !value_map_finish(reader->arena, container))
            return no_memory(reader);
        if (container->count == 2)
            json_typed(reader->arena, container);
    }
    bool collapsed = container->kind != UMBEL_LIST && container->kind != UMBEL_MAP;
    if (reader->depth > CODEC_DEPTH_MAX && !collapsed)
        return fail(reader, UMBEL_TOO_DEEP, "it is nested too deep");
    *out = *container;
    reader->depth--;
    return true;
}

/* After a value: closes what ends here, and stops before the next element or at the end of the whole. */
static bool after_value(struct reader *reader, umbel_value *value)
{
    while (reader->depth) {
        struct frame *frame = &reader->stack[reader->depth - 1];
        bool is_list = frame->container.kind == UMBEL_LIST;
        if (!add(reader, value))
            return false;
        skip_space(reader);
        if (*reader->at == ',') {
            reader->at++;
            return is_list || read_key(reader, frame);
        }
        if (*reader->at != (is_list ? ']' : '}'))
            return fail(reader, UMBEL_BAD_MESSAGE,
                        is_list ? "a ',' or ']' is expected" : "a ',' or '}' is expected");
        if (!close_container(reader, value))
            return false;
    }
    return true;
}

/* Opens a container; an empty one is closed at once and becomes `value`. */
static bool begin_container(struct reader *reader, umbel_value *value, bool *complete)
{
    char closing = *reader->at == '[' ? ']' : '}';
    if (!open_container(reader))
        return false;
    skip_space(reader);
    *complete = *reader->at == closing;
    if (*complete)
        return close_container(reader, value);
    return closing == ']' || read_key(reader, &reader->stack[reader->depth - 1]);
}

static bool read_all(struct reader *reader, umbel_value *value)
{
    do {
        bool complete = true;
        skip_space(reader);
        if (*reader->at == '[' || *reader->at == '{') {
            if (!begin_container(reader, value, &complete))
                return false;
        } else if (!read_scalar(reader, value)) {
            return false;
        }
        if (complete && !after_value(reader, value))
            return false;
    } while (reader->depth);
    skip_space(reader);
    return reader->at == reader->end ? true : fail(reader, UMBEL_BAD_MESSAGE, "something follows the value");
}

/* ---- the whole
 * ---------------------------------------------------------------------------------------------------- */

static const char *explain(struct reader *reader)
{
    enum { SIZE = 128 };
    char *text = arena_alloc(reader->arena, SIZE);
    if (!text)
        return reader->wrong;
    snprintf(text, SIZE, "not JSON: %s, at byte %zu", reader->wrong, (size_t)(reader->at - reader->begin));
    return text;
}

static int stop(struct reader *reader, const char **why)
{
    if (reader->at >= reader->end && reader->code == UMBEL_BAD_MESSAGE)
        reader->wrong = "it ends too early";
    if (why)
        *why = explain(reader);
    return reader->code;
}

int json_decode(struct arena *arena, umbel_str input, umbel_value **out, const char **why)
{
    struct reader reader; /* its stack is not cleared: frames are set as they are opened */
    const char *ignored;
    reader.arena = arena;
    reader.depth = 0;
    reader.code = UMBEL_OK;
    why = why ? why : &ignored;
    umbel_value *value = arena_alloc(arena, sizeof *value);
    reader.begin = input.size < SIZE_MAX - PADDING ? arena_alloc(arena, input.size + PADDING) : NULL;
    if (!value || !reader.begin) {
        *why = "no memory is left for it";
        return arena->limit ? UMBEL_TOO_LARGE : UMBEL_NO_MEMORY;
    }
    if (input.size)
        memcpy(reader.begin, input.data, input.size);
    memset(reader.begin + input.size, 0, PADDING);
    reader.at = reader.begin;
    reader.end = reader.begin + input.size;
    if (!read_all(&reader, value))
        return stop(&reader, why);
    *out = value;
    return UMBEL_OK;
}
