/* json_word.h: eight bytes of JSON text at a time. */
#ifndef COMMON_JSON_WORD_H
#define COMMON_JSON_WORD_H

#include <stdint.h>

#define JSON_EACH_BYTE(byte) (0x0101010101010101u * (byte))

/* Is one of the eight bytes a quote, a backslash, a control character, or not ASCII? A 0 is exact; anything
 * else says that they have to be looked at one by one. (Taking 1 from a zero byte sets its high bit, and so
 * does taking 0x20 from a control character; a borrow can only add alarms.) */
static inline uint64_t json_word_special(uint64_t word)
{
    uint64_t quote = word ^ JSON_EACH_BYTE('"'), backslash = word ^ JSON_EACH_BYTE('\\');
    uint64_t alarms =
        word | (word - JSON_EACH_BYTE(0x20)) | (quote - JSON_EACH_BYTE(1)) | (backslash - JSON_EACH_BYTE(1));
    return alarms & JSON_EACH_BYTE(0x80);
}

/* The same, and DEL. */
static inline uint64_t json_word_escaped(uint64_t word)
{
    uint64_t del = word ^ JSON_EACH_BYTE(0x7F);
    return json_word_special(word) | ((del - JSON_EACH_BYTE(1)) & JSON_EACH_BYTE(0x80));
}

#endif
