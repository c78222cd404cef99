/* outline.c: see outline.h. */
#include "client/outline.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/str.h"

/* The length of the letter at the front of `text`: 0 for what a terminal could take for a command (the
 * control characters of ASCII and of Unicode's first page) and for what is no UTF-8. */
static size_t letter_length(umbel_str text)
{
    unsigned char c = (unsigned char)text.data[0];
    size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c < 0x20 || c == 0x7f || length > text.size || !str_utf8((umbel_str){text.data, length}))
        return 0;
    return c == 0xc2 && (unsigned char)text.data[1] < 0xa0 ? 0 : length;
}

size_t outline_text(umbel_str text, size_t most)
{
    size_t letters = 0;
    while (text.size && letters < most) {
        size_t length = letter_length(text), skip = length ? length : 1;
        if (length)
            fwrite(text.data, 1, length, stdout);
        else if (text.data[0] == '\n' || text.data[0] == '\t')
            putchar(' ');
        letters += length || text.data[0] == '\n' || text.data[0] == '\t';
        text = (umbel_str){text.data + skip, text.size - skip};
    }
    return letters;
}

static void print_text(umbel_str text)
{
    outline_text(text, SIZE_MAX);
}

void outline_scalar(const umbel_value *value)
{
    umbel_str text;
    if (umbel_value_kind(value) == UMBEL_STRING && umbel_value_str(value, &text) == UMBEL_OK) {
        print_text(text);
        return;
    }
    char *json = umbel_value_json(value);
    fputs(json ? json : "?", stdout);
    free(json);
}

static void print_below(const umbel_value *value, int indent);

static bool is_simple(const umbel_value *value)
{
    umbel_kind kind = umbel_value_kind(value);
    return (kind != UMBEL_LIST && kind != UMBEL_MAP) || umbel_value_count(value) == 0;
}

static void print_entry(umbel_str title, const umbel_value *value, int indent)
{
    printf("%*s", indent, "");
    if (title.data) {
        print_text(title);
        putchar(':');
    } else {
        putchar('-');
    }
    if (is_simple(value)) {
        putchar(' ');
        outline_scalar(value);
        putchar('\n');
    } else {
        putchar('\n');
        print_below(value, indent + 4);
    }
}

/* The depth of a decoded value is limited. */
static void print_below(const umbel_value *value, int indent)
{
    for (size_t i = 0; i < umbel_value_count(value); i++)
        print_entry(umbel_value_key(value, i), umbel_value_at(value, i), indent);
}

void outline_print(umbel_str title, const umbel_value *value)
{
    print_entry(title, value, 0);
}
