/* value.c: reading values, for callers (umbel_value_*) and for our own files. Nothing here allocates but
 * value_copy. */
#include "common/value.h"

#include <string.h>

#include "common/str.h"

/* What no C type can hold is shown as the nearest kind; reading it then answers UMBEL_BAD_VALUE. */
umbel_kind umbel_value_kind(const umbel_value *value)
{
    if (!value)
        return UMBEL_NULL;
    switch (value->kind) {
    case VALUE_TOO_BIG:
        return UMBEL_INT;
    case VALUE_NOT_TEXT:
        return UMBEL_STRING;
    case VALUE_EXTENSION:
        return UMBEL_BYTES;
    default:
        return (umbel_kind)value->kind;
    }
}

/* Why a value that is not of `kind` itself cannot be read as one. */
static int mismatch(const umbel_value *value, umbel_kind kind)
{
    return value && value->kind > UMBEL_MAP && umbel_value_kind(value) == kind ? UMBEL_BAD_VALUE
                                                                               : UMBEL_BAD_TYPE;
}

int umbel_value_bool(const umbel_value *value, bool *out)
{
    if (!value || value->kind != UMBEL_BOOL)
        return UMBEL_BAD_TYPE;
    *out = value->as.boolean;
    return UMBEL_OK;
}

int umbel_value_int(const umbel_value *value, int64_t *out)
{
    if (!value || value->kind != UMBEL_INT)
        return mismatch(value, UMBEL_INT);
    *out = value->as.integer;
    return UMBEL_OK;
}

int umbel_value_double(const umbel_value *value, double *out)
{
    if (value && value->kind == UMBEL_DOUBLE)
        *out = value->as.real;
    else if (value && value->kind == UMBEL_INT)
        *out = (double)value->as.integer;
    else
        return mismatch(value, UMBEL_INT);
    return UMBEL_OK;
}

int umbel_value_str(const umbel_value *value, umbel_str *out)
{
    if (!value)
        return UMBEL_BAD_TYPE;
    if (value->kind == UMBEL_STRING || value->kind == UMBEL_BYTES) {
        *out = value->as.str;
        return UMBEL_OK;
    }
    return value->kind == VALUE_NOT_TEXT || value->kind == VALUE_EXTENSION ? UMBEL_BAD_VALUE : UMBEL_BAD_TYPE;
}

static bool is_container(const umbel_value *value)
{
    return value && (value->kind == UMBEL_LIST || value->kind == UMBEL_MAP);
}

size_t umbel_value_count(const umbel_value *value)
{
    return is_container(value) ? value->count : 0;
}

static const umbel_value *element(const umbel_value *container, size_t index)
{
    return container->kind == UMBEL_LIST ? &container->as.items[index] : &container->as.pairs[index].value;
}

const umbel_value *umbel_value_at(const umbel_value *value, size_t index)
{
    return is_container(value) && index < value->count ? element(value, index) : NULL;
}

umbel_str umbel_value_key(const umbel_value *value, size_t index)
{
    if (!value || value->kind != UMBEL_MAP || index >= value->count)
        return STR_NONE;
    return value->as.pairs[index].key;
}

const umbel_value *umbel_value_find(const umbel_value *value, const char *key)
{
    return key ? value_find(value, str_of(key)) : NULL;
}

const umbel_value *value_find(const umbel_value *map, umbel_str key)
{
    if (!map || map->kind != UMBEL_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->count; i++) {
        if (str_equal(map->as.pairs[i].key, key))
            return &map->as.pairs[i].value;
    }
    return NULL;
}

umbel_str value_text(const umbel_value *map, const char *key)
{
    const umbel_value *value = umbel_value_find(map, key);
    return value && value->kind == UMBEL_STRING ? value->as.str : STR_NONE;
}

/* Recursion is as deep as the value, and decoders and builders bound that. */
static const umbel_value *find_invalid(const umbel_value *value, struct buffer *path)
{
    if (value->kind > UMBEL_MAP)
        return value;
    for (uint32_t i = 0; i < umbel_value_count(value); i++) {
        size_t length = buffer_length(path);
        if (value->kind == UMBEL_LIST) {
            buffer_format(path, "[%u]", i);
        } else {
            umbel_value key = {.kind = UMBEL_STRING, .as.str = value->as.pairs[i].key};
            buffer_byte(path, '[');
            value_repr(path, &key, 100);
            buffer_byte(path, ']');
        }
        const umbel_value *found = find_invalid(umbel_value_at(value, i), path);
        if (found)
            return found;
        path->end = path->start + length;
    }
    return NULL;
}

bool value_is_valid(const umbel_value *value)
{
    for (size_t i = 0; is_container(value) && i < value->count; i++) {
        const umbel_value *at = element(value, i);
        if (is_container(at) ? !value_is_valid(at) : at->kind > UMBEL_MAP)
            return false;
    }
    return !value || value->kind <= UMBEL_MAP;
}

/* Nearly every value is valid: only for one that is not is the path worth its price. */
const umbel_value *value_find_invalid(const umbel_value *value, struct buffer *path)
{
    return value_is_valid(value) ? NULL : find_invalid(value, path);
}

int value_height(const umbel_value *value)
{
    int highest = 0;
    if (!value || (value->kind != UMBEL_LIST && value->kind != UMBEL_MAP))
        return 0;
    for (size_t i = 0; i < value->count; i++) {
        int below = value_height(umbel_value_at(value, i));
        highest = below > highest ? below : highest;
    }
    return highest + 1;
}

static bool copy_into(struct arena *arena, umbel_value *to, const umbel_value *from);

static bool copy_items(struct arena *arena, umbel_value *to, const umbel_value *from)
{
    to->as.items = from->count ? arena_alloc(arena, from->count * sizeof *to->as.items) : NULL;
    if (from->count && !to->as.items)
        return false;
    for (uint32_t i = 0; i < from->count; i++) {
        if (!copy_into(arena, &to->as.items[i], &from->as.items[i]))
            return false;
    }
    return true;
}

static bool copy_pairs(struct arena *arena, umbel_value *to, const umbel_value *from)
{
    to->as.pairs = from->count ? arena_alloc(arena, from->count * sizeof *to->as.pairs) : NULL;
    if (from->count && !to->as.pairs)
        return false;
    for (uint32_t i = 0; i < from->count; i++) {
        struct value_pair *pair = &to->as.pairs[i];
        pair->key = arena_str(arena, from->as.pairs[i].key);
        if (!pair->key.data || !copy_into(arena, &pair->value, &from->as.pairs[i].value))
            return false;
    }
    return true;
}

static bool copy_into(struct arena *arena, umbel_value *to, const umbel_value *from)
{
    *to = *from;
    to->arena = NULL;
    to->depth = 0;
    to->capacity = from->count;
    switch (from->kind) {
    case UMBEL_NULL:
    case UMBEL_BOOL:
    case UMBEL_INT:
    case UMBEL_DOUBLE:
        return true;
    case UMBEL_LIST:
        return copy_items(arena, to, from);
    case UMBEL_MAP:
        return copy_pairs(arena, to, from);
    default:
        to->as.str = arena_str(arena, from->as.str);
        return to->as.str.data != NULL;
    }
}

umbel_value *value_copy(struct arena *arena, const umbel_value *value)
{
    static const umbel_value null = {.kind = UMBEL_NULL};
    umbel_value *to = arena_alloc(arena, sizeof *to);
    return to && copy_into(arena, to, value ? value : &null) ? to : NULL;
}
