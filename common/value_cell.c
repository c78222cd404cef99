/* value_cell.c: between one C variable and one value, with every range checked.
 *
 * A type that does not fit is UMBEL_BAD_TYPE (Python's TypeError), a number or text that does not is
 * UMBEL_BAD_VALUE (ValueError). A bool is no int and a float is no int, also where the number would fit: in
 * another language the difference is a bug of the caller more often than not. An int is taken for a double.
 */
#include "common/value.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/str.h"

/* Kinds differ by bits and sign only, so one row each. */
struct int_row {
    const char *name;
    int64_t low;
    uint64_t high;
};

static const struct int_row int_rows[] = {
    [UMBEL_TAKE_I8] = {"8-bit integer", INT8_MIN, INT8_MAX},
    [UMBEL_TAKE_I16] = {"16-bit integer", INT16_MIN, INT16_MAX},
    [UMBEL_TAKE_I32] = {"32-bit integer", INT32_MIN, INT32_MAX},
    [UMBEL_TAKE_I64] = {"64-bit integer", INT64_MIN, INT64_MAX},
    [UMBEL_TAKE_U8] = {"unsigned 8-bit integer", 0, UINT8_MAX},
    [UMBEL_TAKE_U16] = {"unsigned 16-bit integer", 0, UINT16_MAX},
    [UMBEL_TAKE_U32] = {"unsigned 32-bit integer", 0, UINT32_MAX},
    [UMBEL_TAKE_U64] = {"unsigned 64-bit integer", 0, UINT64_MAX},
};

static int give_text(struct arena *arena, umbel_kind kind, umbel_str text, umbel_value *out)
{
    if (kind == UMBEL_STRING && !str_utf8(text))
        return UMBEL_BAD_VALUE;
    *out = (umbel_value){.kind = (uint8_t)kind, .as.str = arena_str(arena, text)};
    return out->as.str.data ? UMBEL_OK : UMBEL_NO_MEMORY;
}

static int give_natural(struct arena *arena, uint64_t natural, umbel_value *out)
{
    char digits[24];
    if (natural <= INT64_MAX) {
        *out = (umbel_value){.kind = UMBEL_INT, .as.integer = (int64_t)natural};
        return UMBEL_OK;
    }
    int size = snprintf(digits, sizeof digits, "%" PRIu64, natural);
    return give_text(arena, (umbel_kind)VALUE_TOO_BIG, (umbel_str){digits, (size_t)size}, out);
}

static int give_value(struct arena *arena, const umbel_value *value, umbel_value *out)
{
    umbel_value *copy = value_copy(arena, value);
    if (!copy)
        return UMBEL_NO_MEMORY;
    *out = *copy;
    return UMBEL_OK;
}

int value_give(struct arena *arena, const umbel_give *give, umbel_value *out)
{
    *out = (umbel_value){.kind = UMBEL_NULL};
    switch (give->kind) {
    case UMBEL_GIVE_NULL:
        return UMBEL_OK;
    case UMBEL_GIVE_BOOL:
        *out = (umbel_value){.kind = UMBEL_BOOL, .as.boolean = give->as.boolean};
        return UMBEL_OK;
    case UMBEL_GIVE_INT:
        *out = (umbel_value){.kind = UMBEL_INT, .as.integer = give->as.integer};
        return UMBEL_OK;
    case UMBEL_GIVE_UINT:
        return give_natural(arena, give->as.natural, out);
    case UMBEL_GIVE_DOUBLE:
        *out = (umbel_value){.kind = UMBEL_DOUBLE, .as.real = give->as.real};
        return UMBEL_OK;
    case UMBEL_GIVE_TEXT:
        return give->as.text ? give_text(arena, UMBEL_STRING, str_of(give->as.text), out) : UMBEL_OK;
    case UMBEL_GIVE_STR:
        return give_text(arena, UMBEL_STRING, give->as.str, out);
    case UMBEL_GIVE_BYTES:
        return give_text(arena, UMBEL_BYTES, give->as.str, out);
    case UMBEL_GIVE_VALUE:
        return give_value(arena, give->as.value, out);
    }
    return UMBEL_BAD_TYPE;
}

/* The number behind digits of an integer past int64, when it is one that uint64_t holds. */
static bool natural_of(umbel_str digits, uint64_t *natural)
{
    uint64_t number = 0;
    for (size_t i = 0; i < digits.size; i++) {
        uint64_t digit = (uint64_t)(digits.data[i] - '0');
        if (digit > 9 || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *natural = number;
    return digits.size > 0;
}

static void store_int(const umbel_take *take, uint64_t bits)
{
    switch (take->kind) {
    case UMBEL_TAKE_I8:
    case UMBEL_TAKE_U8:
        *(uint8_t *)take->to = (uint8_t)bits;
        break;
    case UMBEL_TAKE_I16:
    case UMBEL_TAKE_U16:
        *(uint16_t *)take->to = (uint16_t)bits;
        break;
    case UMBEL_TAKE_I32:
    case UMBEL_TAKE_U32:
        *(uint32_t *)take->to = (uint32_t)bits;
        break;
    default:
        *(uint64_t *)take->to = bits;
    }
}

static int take_int(const umbel_value *value, const umbel_take *take)
{
    const struct int_row *row = &int_rows[take->kind];
    uint64_t bits;
    if (value->kind == VALUE_TOO_BIG) {
        if (row->high < UINT64_MAX || !natural_of(value->as.str, &bits))
            return UMBEL_BAD_VALUE;
    } else if (value->kind == UMBEL_INT) {
        bits = (uint64_t)value->as.integer;
        if (value->as.integer < row->low || (value->as.integer >= 0 && bits > row->high))
            return UMBEL_BAD_VALUE;
    } else {
        return UMBEL_BAD_TYPE;
    }
    store_int(take, bits);
    return UMBEL_OK;
}

static int take_float(const umbel_value *value, float *to)
{
    double wide = 0;
    int code = umbel_value_double(value, &wide);
    if (code)
        return code;
    if (isfinite(wide) && fabs(wide) > (double)FLT_MAX)
        return UMBEL_BAD_VALUE;
    *to = (float)wide;
    return UMBEL_OK;
}

static int take_text(const umbel_value *value, const char **to)
{
    umbel_str text;
    if (value->kind == UMBEL_NULL) {
        *to = NULL;
        return UMBEL_OK;
    }
    if (value->kind == UMBEL_BYTES)
        return UMBEL_BAD_TYPE;
    int code = umbel_value_str(value, &text);
    if (code)
        return code;
    if (memchr(text.data, '\0', text.size))
        return UMBEL_BAD_VALUE;
    *to = text.data;
    return UMBEL_OK;
}

int value_take(const umbel_value *value, const umbel_take *take)
{
    static const umbel_value null = {.kind = UMBEL_NULL};
    const umbel_value *from = value ? value : &null;
    switch (take->kind) {
    case UMBEL_TAKE_NOTHING:
        return UMBEL_OK;
    case UMBEL_TAKE_BOOL:
        return umbel_value_bool(from, take->to);
    case UMBEL_TAKE_FLOAT:
        return take_float(from, take->to);
    case UMBEL_TAKE_DOUBLE:
        return umbel_value_double(from, take->to);
    case UMBEL_TAKE_TEXT:
        return take_text(from, take->to);
    case UMBEL_TAKE_STR:
        return umbel_value_str(from, take->to);
    case UMBEL_TAKE_VALUE:
        *(const umbel_value **)take->to = value;
        return UMBEL_OK;
    default:
        return take_int(from, take);
    }
}

const char *value_take_name(umbel_take_kind kind)
{
    switch (kind) {
    case UMBEL_TAKE_NOTHING:
        return "nothing";
    case UMBEL_TAKE_BOOL:
        return "bool";
    case UMBEL_TAKE_FLOAT:
        return "float";
    case UMBEL_TAKE_DOUBLE:
        return "double";
    case UMBEL_TAKE_TEXT:
        return "string";
    case UMBEL_TAKE_STR:
        return "string or bytes";
    case UMBEL_TAKE_VALUE:
        return "value";
    default:
        return int_rows[kind].name;
    }
}
