/* resp_message.c: see resp_message.h. Nothing is trusted: each length is held against what is there. */
#include "broker/resp_message.h"

#include <string.h>
#include "common/str.h"

enum { LINE_END = 2, DIGITS_MAX = 9 }; /* longer texts are not worth the haste */

static bool take_words(umbel_str *rest, umbel_str words)
{
    if (!str_starts(*rest, words))
        return false;
    *rest = (umbel_str){rest->data + words.size, rest->size - words.size};
    return true;
}

/* "$7\r\n", without sign and zeros before it, as the parser wants it too. */
static bool take_length(umbel_str *rest, size_t *length)
{
    size_t at = 1;
    *length = 0;
    if (!rest->size || rest->data[0] != '$')
        return false;
    for (; at < rest->size && at <= DIGITS_MAX && rest->data[at] >= '0' && rest->data[at] <= '9'; at++)
        *length = *length * 10 + (size_t)(rest->data[at] - '0');
    bool plain = at > 1 && (at == 2 || rest->data[1] != '0');
    *rest = (umbel_str){rest->data + at, rest->size - at};
    return plain && take_words(rest, STR("\r\n"));
}

static bool take_text(umbel_str *rest, umbel_str *text)
{
    size_t length;
    if (!take_length(rest, &length) || rest->size < length + LINE_END)
        return false;
    *text = (umbel_str){rest->data, length};
    *rest = (umbel_str){rest->data + length, rest->size - length};
    return take_words(rest, STR("\r\n"));
}

size_t resp_message(const uint8_t *data, size_t size, umbel_str *channel, umbel_str *payload)
{
    umbel_str rest = {(const char *)data, size};
    if (!take_words(&rest, STR(RESP_MESSAGE)) || !take_text(&rest, channel) || !take_text(&rest, payload))
        return 0;
    return size - rest.size;
}
