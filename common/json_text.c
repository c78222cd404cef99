/* json_text.c: strings of JSON, decoded in place: what is read is never shorter than what it means.
 *
 * Text that is not Unicode (a lone surrogate, bytes that are not UTF-8) is no error here: its value becomes
 * VALUE_NOT_TEXT and keeps the source, bad bytes as \xNN, so that the task can fail naming its argument. */
#include "common/json_text.h"

#include <string.h>

#include "common/json_word.h"
#include "common/str.h"
#include "common/utf8.h"
#include "common/value_make.h"

/* Bytes that end a run of plain text: quote, backslash, control characters. */
static inline bool is_special(uint8_t byte)
{
    return byte == '"' || byte == '\\' || byte < 0x20;
}

/* The first special byte; *ascii becomes false when there was anything else than ASCII before it. */
static char *plain_end(char *p, bool *ascii)
{
    for (;;) {
        if (!json_word_special(json_word(p))) {
            p += JSON_WORD;
            continue;
        }
        for (char *end = p + JSON_WORD; p < end; p++) {
            if (is_special((uint8_t)*p))
                return p;
            if ((uint8_t)*p >= 0x80)
                *ascii = false;
        }
    }
}

struct text {
    char *from, *to;
    bool ascii;     /* so far */
    bool surrogate; /* a lone one was seen */
};

static int hex4(const char *p)
{
    int number = 0;
    for (int i = 0; i < 4; i++) {
        int c = (uint8_t)p[i];
        int digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                             : -1;
        if (digit < 0)
            return -1;
        number = number * 16 + digit;
    }
    return number;
}

/* `text->from` stands behind "\u". */
static bool read_point(struct text *text)
{
    int high = hex4(text->from), low;
    if (high < 0)
        return false;
    text->from += 4;
    uint32_t point = (uint32_t)high;
    if (high >= 0xD800 && high <= 0xDFFF) {
        bool pair = high < 0xDC00 && text->from[0] == '\\' && text->from[1] == 'u';
        low = pair ? hex4(text->from + 2) : -1;
        if (low < 0xDC00 || low > 0xDFFF) {
            text->surrogate = true;
            return true;
        }
        point = 0x10000u + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
        text->from += 6;
    }
    text->to += utf8_write(text->to, point);
    return true;
}

/* `text->from` stands on a backslash. */
static bool read_escape(struct text *text)
{
    static const char meaning[128] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                      ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};
    uint8_t letter = (uint8_t)text->from[1];
    if (letter == 'u') {
        text->from += 2;
        return read_point(text);
    }
    if (letter >= sizeof meaning || !meaning[letter])
        return false;
    *text->to++ = meaning[letter];
    text->from += 2;
    return true;
}

/* Decoding in place spoils the source, so a string that will turn out not to be text is looked at once
 * before. */
static bool has_lone_surrogate(const char *p)
{
    char point[4];
    struct text text = {.to = point};
    for (; !is_special((uint8_t)*p) || *p == '\\'; p++) {
        if (*p != '\\')
            continue;
        p++;
        if (*p != 'u')
            continue;
        text.from = (char *)p + 1;
        text.to = point;
        if (!read_point(&text) || text.surrogate)
            return text.surrogate;
        p = text.from - 1;
    }
    return false;
}

static void finish(struct arena *arena, char *begin, struct text *text, char **at, umbel_value *out)
{
    size_t size = (size_t)(text->to - begin);
    *at = text->from + 1;
    *out = (umbel_value){.kind = UMBEL_STRING, .as.str = {begin, size}};
    if (!text->ascii && !str_utf8(out->as.str))
        value_make_not_text(arena, out->as.str, out);
    else
        *text->to = '\0';
}

/* Source up to the closing quote, unchanged, as VALUE_NOT_TEXT. */
static const char *skip_bad(struct arena *arena, char *begin, char **at, umbel_value *out)
{
    char *p = begin;
    while (*p != '"') {
        if ((uint8_t)*p < 0x20) {
            *at = p;
            return "a string holds a control character or is not closed";
        }
        p += *p == '\\' && (uint8_t)p[1] >= 0x20 ? 2 : 1;
    }
    *at = p + 1;
    value_make_not_text(arena, (umbel_str){begin, (size_t)(p - begin)}, out);
    return NULL;
}

const char *json_text_read(struct arena *arena, char **at, umbel_value *out)
{
    char *begin = *at;
    struct text text = {.from = begin, .to = begin, .ascii = true};
    bool escaped = false;
    for (;;) {
        char *end = plain_end(text.from, &text.ascii);
        size_t size = (size_t)(end - text.from);
        if (text.to != text.from && size)
            memmove(text.to, text.from, size);
        text.to += size;
        text.from = end;
        if (*end == '"') {
            finish(arena, begin, &text, at, out);
            return NULL;
        }
        if (*end != '\\') {
            *at = end;
            return "a string holds a control character or is not closed";
        }
        if (!escaped && has_lone_surrogate(end))
            return skip_bad(arena, begin, at, out);
        escaped = true;
        if (!read_escape(&text)) {
            *at = end;
            return "a string holds an unknown escape";
        }
    }
}
