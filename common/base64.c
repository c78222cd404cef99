/* base64.c: strict on reading: no line breaks, no missing padding. */
#include "common/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_three(const uint8_t *from, size_t count, uint8_t to[4])
{
    uint32_t bits = (uint32_t)from[0] << 16;
    if (count > 1)
        bits |= (uint32_t)from[1] << 8;
    if (count > 2)
        bits |= from[2];
    to[0] = (uint8_t)alphabet[bits >> 18];
    to[1] = (uint8_t)alphabet[bits >> 12 & 63];
    to[2] = count > 1 ? (uint8_t)alphabet[bits >> 6 & 63] : '=';
    to[3] = count > 2 ? (uint8_t)alphabet[bits & 63] : '=';
}

void base64_write(struct buffer *out, umbel_str bytes)
{
    const uint8_t *from = (const uint8_t *)bytes.data;
    size_t groups = bytes.size / 3 + (bytes.size % 3 != 0);
    uint8_t *to = groups <= SIZE_MAX / 8 ? buffer_room(out, groups * 4) : NULL;
    if (!to)
        return;
    for (size_t i = 0; i < bytes.size; i += 3)
        encode_three(from + i, bytes.size - i, to + i / 3 * 4);
    buffer_grew(out, groups * 4);
}

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* `count` characters (2 to 4) into count - 1 bytes. */
static bool decode_group(const char *from, size_t count, char *to)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = i < count ? digit_of(from[i]) : 0;
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
    }
    for (size_t i = 0; i + 1 < count; i++)
        to[i] = (char)(bits >> (16 - 8 * i) & 0xFF);
    return true;
}

static bool is_base64(umbel_str text, size_t digits)
{
    for (size_t i = 0; i < digits; i++) {
        if (digit_of(text.data[i]) < 0)
            return false;
    }
    return true;
}

bool base64_read(umbel_str text, char *to, size_t *size)
{
    size_t digits = text.size, written = 0;
    if (text.size % 4)
        return false;
    while (digits && text.size - digits < 2 && text.data[digits - 1] == '=')
        digits--;
    if (!is_base64(text, digits)) /* before anything is overwritten */
        return false;
    for (size_t i = 0; i < digits; i += 4) {
        size_t count = digits - i < 4 ? digits - i : 4;
        decode_group(text.data + i, count, to + written);
        written += count - 1;
    }
    *size = written;
    return true;
}
