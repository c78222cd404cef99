/* json_skip.c: stepping over a value of JSON by its brackets and quotes alone. */
#include "common/json.h"

#include "common/codec.h"
#include "common/json_word.h"
#include "common/str.h"

/* The first character that is not white space. */
static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* Past the quote that closes the string whose opening quote is at `at`; NULL when there is none. */
static const char *skip_text(const char *at, const char *end)
{
    at++;
    while (at < end) {
        if (end - at >= JSON_WORD) {
            uint64_t alarms = json_word_special(json_word(at));
            at += alarms ? json_word_first(alarms) : JSON_WORD;
            if (!alarms)
                continue;
        }
        if (*at == '"')
            return at + 1;
        at += *at == '\\' ? 2 : 1;
    }
    return NULL;
}

/* Letters, digits and signs: whatever numbers and words are made of. */
static bool is_scalar(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '+' || c == '.';
}

static const char *skip_scalar(const char *at, const char *end)
{
    while (at < end && is_scalar(*at))
        at++;
    return at;
}

umbel_str json_skip(umbel_str input)
{
    const char *end = input.data + input.size, *at = skip_space(input.data, end), *begin = at;
    int depth = 0;
    while (at && at < end) {
        char c = *at;
        if (c == '"') {
            at = skip_text(at, end);
        } else if (c == '[' || c == '{') {
            at = ++depth <= CODEC_DEPTH_MAX + 1 ? at + 1 : NULL;
        } else if (c == ']' || c == '}') {
            at = --depth >= 0 ? at + 1 : NULL;
        } else if (depth) { /* inside a container only its brackets and quotes matter */
            at++;
            continue;
        } else {
            at = skip_scalar(at, end);
            return at > begin ? (umbel_str){begin, (size_t)(at - begin)} : STR_NONE;
        }
        if (at && depth == 0)
            return (umbel_str){begin, (size_t)(at - begin)};
    }
    return STR_NONE;
}
