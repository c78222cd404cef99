/* value.h: what travels in arguments and results: null, bool, integer, double, string, bytes, list, map.
 *
 * Readers never allocate and never fail hard: they return a code. A `const umbel_value *` is borrowed: from the task
 * until its function returns, from a future until umbel_future_free, from a root of one's own until umbel_value_free.
 * Builders make a root that owns everything below it. A value is not locked: one thread at a time writes it. */
#ifndef UMBEL_VALUE_H
#define UMBEL_VALUE_H

#include <umbel/abi.h>
#include <umbel/error.h>

/* Bytes with a length; a string is UTF-8. `data` of the library's own strings is also NUL-terminated where it says so. */
typedef struct umbel_str {
    const char *data;
    size_t size;
} umbel_str;

typedef struct umbel_value umbel_value;

typedef enum umbel_kind {
    UMBEL_NULL,
    UMBEL_BOOL,
    UMBEL_INT,    /* int64_t */
    UMBEL_DOUBLE, /* NaN and the infinities included, as Python writes them */
    UMBEL_STRING, /* UTF-8, may hold NUL */
    UMBEL_BYTES,  /* msgpack bin; in JSON kombu 5.3's {"__type__": "bytes"|"base64", ...} */
    UMBEL_LIST,
    UMBEL_MAP /* string keys; the last of equal keys wins, as in Python */
} umbel_kind;

/* Deepest nesting of lists and maps that is read or written. */
#define UMBEL_DEPTH_MAX 30

UMBEL_BEGIN

/* ---- reading -------------------------------------------------------------------------------------------------- */

/* NULL reads as UMBEL_NULL, so a missing map entry can be passed on. */
UMBEL_API umbel_kind umbel_value_kind(const umbel_value *value);
/* Reads a value of that kind. UMBEL_OK, or UMBEL_BAD_TYPE and *out untouched. `umbel_value_double` also takes an integer. */
UMBEL_API int umbel_value_bool(const umbel_value *value, bool *out);
UMBEL_API int umbel_value_int(const umbel_value *value, int64_t *out);
UMBEL_API int umbel_value_double(const umbel_value *value, double *out);
/* String or bytes; out->data is NUL-terminated after out->size bytes. */
UMBEL_API int umbel_value_str(const umbel_value *value, umbel_str *out);
/* Number of elements of a list or entries of a map; 0 for anything else. */
UMBEL_API size_t umbel_value_count(const umbel_value *value);
/* Element or entry `index` in order, or NULL past the end. */
UMBEL_API const umbel_value *umbel_value_at(const umbel_value *value, size_t index);
/* Key of entry `index` of a map; {NULL, 0} past the end. */
UMBEL_API umbel_str umbel_value_key(const umbel_value *value, size_t index);
/* The entry called `key`, or NULL. */
UMBEL_API const umbel_value *umbel_value_find(const umbel_value *value, const char *key);

/* ---- building ------------------------------------------------------------------------------------------------- */

/* A root, to be given to umbel_value_free. NULL only when memory is out. */
UMBEL_API umbel_value *umbel_list_new(void);
UMBEL_API umbel_value *umbel_map_new(void);
/* Frees a root made by the two calls above (and everything below it). NULL is allowed. */
UMBEL_API void umbel_value_free(umbel_value *root);
/* Add to a list (key NULL) or set in a map. Strings are copied. UMBEL_BAD_TYPE when `parent` cannot take it. */
UMBEL_API int umbel_add_null(umbel_value *parent, const char *key);
UMBEL_API int umbel_add_bool(umbel_value *parent, const char *key, bool value);
UMBEL_API int umbel_add_int(umbel_value *parent, const char *key, int64_t value);
UMBEL_API int umbel_add_double(umbel_value *parent, const char *key, double value);
UMBEL_API int umbel_add_str(umbel_value *parent, const char *key, const char *text);
UMBEL_API int umbel_add_strn(umbel_value *parent, const char *key, umbel_str text);
UMBEL_API int umbel_add_bytes(umbel_value *parent, const char *key, const void *data, size_t size);
/* A deep copy of `value`. */
UMBEL_API int umbel_add_value(umbel_value *parent, const char *key, const umbel_value *value);
/* A new list or map inside `parent`, owned by its root. NULL when parent cannot take it or UMBEL_DEPTH_MAX is reached. */
UMBEL_API umbel_value *umbel_add_list(umbel_value *parent, const char *key);
UMBEL_API umbel_value *umbel_add_map(umbel_value *parent, const char *key);

/* JSON text of a value, Python's dialect (NaN, Infinity). Owned by the caller: free(). NULL when memory is out. */
UMBEL_API char *umbel_value_json(const umbel_value *value);
/* Reads JSON text (`size` bytes) into a new root to be freed with umbel_value_free. UMBEL_BAD_MESSAGE, UMBEL_TOO_DEEP. */
UMBEL_API int umbel_value_parse(const char *json, size_t size, umbel_value **out);

UMBEL_END

/* ---- typed cells: what UMBEL_ARGS, umbel_args, umbel_return and umbel_get are made of -------------------------- */

/* One value given by a caller. */
typedef enum umbel_give_kind {
    UMBEL_GIVE_NULL,
    UMBEL_GIVE_BOOL,
    UMBEL_GIVE_INT,
    UMBEL_GIVE_UINT,
    UMBEL_GIVE_DOUBLE,
    UMBEL_GIVE_TEXT, /* NUL-terminated; a NULL pointer is null */
    UMBEL_GIVE_STR,
    UMBEL_GIVE_BYTES,
    UMBEL_GIVE_VALUE
} umbel_give_kind;

typedef struct umbel_give {
    const char *name; /* NULL: positional */
    umbel_give_kind kind;
    union {
        bool boolean;
        int64_t integer;
        uint64_t natural;
        double real;
        const char *text;
        umbel_str str;
        const umbel_value *value;
    } as;
} umbel_give;

/* Where one value goes to: the kind is the C type behind the pointer, so that ranges are checked. */
typedef enum umbel_take_kind {
    UMBEL_TAKE_NOTHING,
    UMBEL_TAKE_BOOL,
    UMBEL_TAKE_I8,
    UMBEL_TAKE_I16,
    UMBEL_TAKE_I32,
    UMBEL_TAKE_I64,
    UMBEL_TAKE_U8,
    UMBEL_TAKE_U16,
    UMBEL_TAKE_U32,
    UMBEL_TAKE_U64,
    UMBEL_TAKE_FLOAT,
    UMBEL_TAKE_DOUBLE,
    UMBEL_TAKE_TEXT, /* const char *: a string without NUL inside; null gives NULL */
    UMBEL_TAKE_STR,  /* umbel_str: string or bytes */
    UMBEL_TAKE_VALUE /* const umbel_value *: anything */
} umbel_take_kind;

typedef struct umbel_take {
    const char *name; /* NULL: positional only */
    void *to;
    umbel_take_kind kind;
    bool optional; /* when absent, *to keeps what it held */
} umbel_take;

UMBEL_BEGIN
static inline umbel_give umbel_give_none(const void *unused)
{
    (void)unused;
    umbel_give g = {NULL, UMBEL_GIVE_NULL, {false}};
    return g;
}
static inline umbel_give umbel_give_bool(bool v)
{
    umbel_give g = {NULL, UMBEL_GIVE_BOOL, {false}};
    g.as.boolean = v;
    return g;
}
static inline umbel_give umbel_give_int(long long v)
{
    umbel_give g = {NULL, UMBEL_GIVE_INT, {false}};
    g.as.integer = v;
    return g;
}
static inline umbel_give umbel_give_uint(unsigned long long v)
{
    umbel_give g = {NULL, UMBEL_GIVE_UINT, {false}};
    g.as.natural = v;
    return g;
}
static inline umbel_give umbel_give_double(double v)
{
    umbel_give g = {NULL, UMBEL_GIVE_DOUBLE, {false}};
    g.as.real = v;
    return g;
}
static inline umbel_give umbel_give_text(const char *v)
{
    umbel_give g = {NULL, UMBEL_GIVE_TEXT, {false}};
    g.as.text = v;
    return g;
}
static inline umbel_give umbel_give_str(umbel_str v)
{
    umbel_give g = {NULL, UMBEL_GIVE_STR, {false}};
    g.as.str = v;
    return g;
}
static inline umbel_give umbel_give_value(const umbel_value *v)
{
    umbel_give g = {NULL, UMBEL_GIVE_VALUE, {false}};
    g.as.value = v;
    return g;
}
static inline umbel_give umbel_give_same(umbel_give v)
{
    return v;
}
/* `size` bytes as UMBEL_BYTES; borrowed until the call that takes it returns. */
static inline umbel_give umbel_bytes(const void *data, size_t size)
{
    umbel_give g = {NULL, UMBEL_GIVE_BYTES, {false}};
    g.as.str.data = (const char *)data;
    g.as.str.size = size;
    return g;
}
/* In C11 the word `true` is the int 1, and so is every comparison: UMBEL_ARGS(true) sends 1. These are booleans in C and
 * C++; a bool variable is one anyway, and for a comparison there is umbel_give_bool(x > y). */
#define UMBEL_TRUE umbel_give_bool(true)
#define UMBEL_FALSE umbel_give_bool(false)
/* null, spelled out */
static inline umbel_give umbel_null(void)
{
    return umbel_give_none(NULL);
}
static inline umbel_give umbel_give_named(const char *name, umbel_give give)
{
    give.name = name;
    return give;
}
static inline umbel_take umbel_take_make(void *to, umbel_take_kind kind)
{
    umbel_take t = {NULL, to, kind, false};
    return t;
}
static inline umbel_take umbel_take_named(const char *name, bool optional, umbel_take take)
{
    take.name = name;
    take.optional = optional;
    return take;
}
UMBEL_END

#endif
