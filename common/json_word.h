/* json_word.h: eight bytes of JSON text at a time. */
#ifndef COMMON_JSON_WORD_H
#define COMMON_JSON_WORD_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define JSON_EACH_BYTE(byte) (0x0101010101010101u * (byte))

enum { JSON_WORD = sizeof(uint64_t) };

/* Eight bytes, the first one lowest. */
static inline uint64_t json_word(const void *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return le64toh(word);
}

/* Is one of the eight bytes a quote, a backslash, a control character, or not ASCII? A 0 is exact, and so is
 * the first alarm; those behind it may be false. (Taking 1 from a zero byte sets its high bit, and so does
 * taking 0x20 from a control character; the borrow goes to the bytes behind.) */
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

/* Which of the eight bytes the first alarm is about. */
static inline int json_word_first(uint64_t alarms)
{
    return __builtin_ctzll(alarms) / 8;
}

#endif
