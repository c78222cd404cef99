/* str.c: is it UTF-8? Eight bytes at a time while they are ASCII, which most text is. */
#include "common/str.h"

#include <stdint.h>

#include "common/utf8.h"

size_t utf8_sequence(const uint8_t *p, size_t left)
{
    uint8_t low = 0x80, high = 0xBF;
    size_t size;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    size = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (p[0] == 0xE0)
        low = 0xA0; /* shorter forms exist below */
    else if (p[0] == 0xED)
        high = 0x9F; /* surrogates above */
    else if (p[0] == 0xF0)
        low = 0x90;
    else if (p[0] == 0xF4)
        high = 0x8F; /* past U+10FFFF above */
    if (left < size || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return size;
}

static inline bool is_ascii_word(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return !(word & 0x8080808080808080u);
}

static bool utf8_between(const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        size_t size = utf8_sequence(p, (size_t)(end - p));
        if (!size)
            return false;
        p += size;
    }
    return true;
}

bool str_utf8(umbel_str text)
{
    enum { WORD = sizeof(uint64_t) };
    if (text.size == 0)
        return true;
    const uint8_t *p = (const uint8_t *)text.data, *end = p + text.size;
    while (end - p >= WORD) {
        size_t size = is_ascii_word(p) ? WORD : utf8_sequence(p, (size_t)(end - p));
        if (!size)
            return false;
        p += size;
    }
    /* The rest is looked at together with what stands before it. */
    return (text.size >= WORD && is_ascii_word(end - WORD)) || utf8_between(p, end);
}
