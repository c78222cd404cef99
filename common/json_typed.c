/* json_typed.c: typed maps of kombu. Anything not exactly as kombu writes it stays a map: guessing could
 * change data. */
#include "common/json_typed.h"

#include <string.h>

#include "common/base64.h"
#include "common/str.h"

static bool is_hex(const umbel_value *value)
{
    return value->kind == UMBEL_MAP && value->count == 1 && str_equal(value->as.pairs[0].key, STR("hex"));
}

static void as_bytes(umbel_value *map, const umbel_value *value)
{
    *map = *value;
    map->kind = UMBEL_BYTES;
}

/* Decoded in place: the text is ours. */
static void as_base64(umbel_value *map, const umbel_value *value)
{
    umbel_value bytes = {.kind = UMBEL_BYTES, .as.str = value->as.str};
    char *data = (char *)value->as.str.data;
    if (!base64_read(value->as.str, data, &bytes.as.str.size))
        return;
    data[bytes.as.str.size] = '\0';
    *map = bytes;
}

static void as_uuid(struct arena *arena, umbel_value *map, const umbel_value *value)
{
    enum { DIGITS = 32 };
    if (!is_hex(value) || value->as.pairs[0].value.kind != UMBEL_STRING)
        return;
    umbel_str hex = value->as.pairs[0].value.as.str;
    char *text = hex.size == DIGITS && strspn(hex.data, "0123456789abcdefABCDEF") == DIGITS
                     ? arena_alloc(arena, 37)
                     : NULL;
    if (!text)
        return;
    umbel_value uuid = {.kind = UMBEL_STRING, .as.str = {text, 36}};
    for (size_t i = 0; i < DIGITS; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *text++ = '-';
        *text++ = hex.data[i];
    }
    *text = '\0';
    *map = uuid;
}

static bool is_plain_type(umbel_str type)
{
    static const char *const types[] = {"datetime", "date", "time", "decimal"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (str_equal(type, str_of(types[i])))
            return true;
    }
    return false;
}

void json_typed(struct arena *arena, umbel_value *map)
{
    const umbel_value *type = value_find(map, STR("__type__"));
    const umbel_value *value = type ? value_find(map, STR("__value__")) : NULL;
    if (!value || type->kind != UMBEL_STRING)
        return;
    if (str_equal(type->as.str, STR("uuid"))) {
        as_uuid(arena, map, value);
        return;
    }
    if (value->kind != UMBEL_STRING)
        return;
    if (str_equal(type->as.str, STR("bytes")))
        as_bytes(map, value);
    else if (str_equal(type->as.str, STR("base64")))
        as_base64(map, value);
    else if (is_plain_type(type->as.str))
        *map = *value;
}
