/* outline.c: see outline.h. */
#include "client/outline.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/str.h"

static void print_text(umbel_str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != 0x7f)
            putchar(c);
        else if (c == '\n' || c == '\t')
            putchar(' ');
    }
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
