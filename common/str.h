/* str.h: the few verbs of umbel_str. */
#ifndef COMMON_STR_H
#define COMMON_STR_H

#include <string.h>
#include <umbel/value.h>

#define STR(literal) ((umbel_str){(literal), sizeof(literal) - 1})
#define STR_NONE ((umbel_str){NULL, 0})

static inline umbel_str str_of(const char *text)
{
    return (umbel_str){text, text ? strlen(text) : 0};
}
static inline bool str_equal(umbel_str a, umbel_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
static inline bool str_starts(umbel_str text, umbel_str prefix)
{
    return text.size >= prefix.size && memcmp(text.data, prefix.data, prefix.size) == 0;
}
/* Takes `size` bytes off the front of `from`: borrowed, or copied to `to`. False, and nothing is taken, when
 * it is shorter. */
static inline bool str_take(umbel_str *from, size_t size, umbel_str *taken)
{
    if (from->size < size)
        return false;
    *taken = (umbel_str){from->data, size};
    from->data = size ? from->data + size : from->data; /* which may be NULL */
    from->size -= size;
    return true;
}
static inline bool str_take_bytes(umbel_str *from, void *to, size_t size)
{
    umbel_str taken;
    if (!str_take(from, size, &taken))
        return false;
    memcpy(to, taken.data, size);
    return true;
}
/* Is it well-formed UTF-8 (no surrogates, no overlong forms)? */
bool str_utf8(umbel_str text);

#endif
