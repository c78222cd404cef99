/* value.h: the one shape of decoded data, JSON and msgpack alike. See umbel/value.h for what callers see.
 *
 * Values live in an arena and are never freed one by one. Kinds past UMBEL_MAP are things a peer may send that no C
 * type can hold; they keep enough to say so. */
#ifndef COMMON_VALUE_H
#define COMMON_VALUE_H

#include <umbel/value.h>
#include "common/arena.h"
#include "common/buffer.h"

enum {
    VALUE_TOO_BIG = UMBEL_MAP + 1, /* an integer outside int64; str holds its digits */
    VALUE_NOT_TEXT,                /* text with a lone surrogate or bytes that are not UTF-8; str holds an escaped form */
    VALUE_EXTENSION                /* a msgpack extension */
};

struct value_pair;

struct umbel_value {
    uint8_t kind;
    uint8_t depth;     /* of a value under construction: distance from the root */
    uint32_t count;    /* of a list or map */
    uint32_t capacity; /* of a list or map under construction */
    union {
        bool boolean;
        int64_t integer;
        double real;
        umbel_str str; /* NUL-terminated past its size */
        struct umbel_value *items;
        struct value_pair *pairs;
    } as;
    struct arena *arena; /* under construction: where its children go; else NULL */
};

struct value_pair {
    umbel_str key;
    struct umbel_value value;
};

/* Is there nothing in the tree whose kind is past UMBEL_MAP? An absent value is valid. */
bool value_is_valid(const umbel_value *value);
/* The first value in the tree whose kind is past UMBEL_MAP, or NULL. `path` gets where it is, e.g. "[1]['k']". */
const umbel_value *value_find_invalid(const umbel_value *value, struct buffer *path);
/* Deep copy into `arena`; NULL when memory is out. */
umbel_value *value_copy(struct arena *arena, const umbel_value *value);
/* Levels of lists and maps: 0 for a scalar. */
int value_height(const umbel_value *value);
/* Entry by key with a length; NULL when absent or not a map. */
const umbel_value *value_find(const umbel_value *map, umbel_str key);
/* Text of a string entry, {NULL, 0} when absent, null or no string. */
umbel_str value_text(const umbel_value *map, const char *key);
/* One typed cell from/to a value. value_give writes `give` as a value into the arena. value_take fills *take->to.
 * UMBEL_OK, UMBEL_BAD_TYPE, UMBEL_BAD_VALUE, UMBEL_NO_MEMORY. */
int value_give(struct arena *arena, const umbel_give *give, umbel_value *out);
int value_take(const umbel_value *value, const umbel_take *take);
/* The name of a kind as a Python programmer knows it: "int", "str", "bytes", "list", "dict", "float", "bool", "None". */
const char *value_type_name(const umbel_value *value);
const char *value_take_name(umbel_take_kind kind); /* "32-bit integer", "string" ... */
/* Python's repr, cut to `limit` bytes with "..." and at depth 3, as Celery's argsrepr. value_repr_args writes a tuple. */
void value_repr(struct buffer *out, const umbel_value *value, size_t limit);
void value_repr_args(struct buffer *out, const umbel_value *list, size_t limit);

#endif
