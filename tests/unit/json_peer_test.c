/* What jansson accepts, our reader accepts and reads alike: a second opinion from a strict reader. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/str.h"

static void same(const json_t *theirs, const umbel_value *ours, const char *text);

static void same_map(const json_t *theirs, const umbel_value *ours, const char *text)
{
    const char *key;
    json_t *entry;
    cr_assert_eq(json_object_size(theirs), umbel_value_count(ours), "%s", text);
    json_object_foreach((json_t *)(uintptr_t)theirs, key, entry)
        same(entry, umbel_value_find(ours, key), text);
}

static void same(const json_t *theirs, const umbel_value *ours, const char *text)
{
    cr_assert_not_null(ours, "%s", text);
    switch (json_typeof(theirs)) {
    case JSON_NULL:
        cr_assert_eq(ours->kind, UMBEL_NULL, "%s", text);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        cr_assert(ours->kind == UMBEL_BOOL && ours->as.boolean == json_is_true(theirs), "%s", text);
        break;
    case JSON_INTEGER:
        cr_assert(ours->kind == UMBEL_INT && ours->as.integer == json_integer_value(theirs), "%s", text);
        break;
    case JSON_REAL:
        cr_assert(ours->kind == UMBEL_DOUBLE && ours->as.real == json_real_value(theirs), "%s", text);
        break;
    case JSON_STRING:
        cr_assert_eq(ours->kind, UMBEL_STRING, "%s", text);
        cr_assert(str_equal(ours->as.str, (umbel_str){json_string_value(theirs), json_string_length(theirs)}),
                  "%s", text);
        break;
    case JSON_ARRAY:
        cr_assert(ours->kind == UMBEL_LIST && ours->count == json_array_size(theirs), "%s", text);
        for (size_t i = 0; i < json_array_size(theirs); i++)
            same(json_array_get(theirs, i), umbel_value_at(ours, i), text);
        break;
    case JSON_OBJECT:
        cr_assert_eq(ours->kind, UMBEL_MAP, "%s", text);
        same_map(theirs, ours, text);
        break;
    }
}

/* Answers whether jansson took it. */
static bool compare(struct arena *arena, const char *text, size_t size)
{
    json_t *theirs = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!theirs)
        return false;
    umbel_value *ours = NULL;
    const char *why = "";
    int code = codec_row(CODEC_JSON)->decode(arena, (umbel_str){text, size}, &ours, &why);
    cr_assert_eq(code, UMBEL_OK, "%.*s: %s", (int)size, text, why);
    same(theirs, ours, text);
    json_decref(theirs);
    arena_reset(arena);
    return true;
}

/* Pieces that make accepted texts likely. */
static size_t make_text(char *text, int pieces)
{
    static const char *const words[] = {
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"a\"",
        "\"b\"",
        "\"a\":",
        "\"k\": ",
        "1",
        "-1",
        "0",
        "0.5",
        "1e5",
        "-0.25E-3",
        "null",
        "true",
        "false",
        " ",
        "\n",
        "[]",
        "{}",
        "[1, 2]",
        "\"\\n\"",
        "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\xC3\xA9\"",
        "12345678901234567",
        "0.1",
        "3.141592653589793",
        "1e-320",
        "123456789.123456789",
        "\"longer than a word\"",
    };
    text[0] = '\0';
    for (int i = 0; i < pieces; i++)
        strcat(text, words[(size_t)rand() % (sizeof words / sizeof *words)]);
    return strlen(text);
}

Test(json_peer, what_jansson_accepts_is_read_alike)
{
    struct arena arena;
    char text[1000];
    int accepted = 0;
    arena_init(&arena, 0);
    srand(11);
    for (int round = 0; round < 300000; round++) {
        char inner[500];
        make_text(inner, 1 + rand() % 8);
        snprintf(text, sizeof text, round % 3 ? "[%s]" : "%s", inner);
        accepted += compare(&arena, text, strlen(text));
    }
    cr_assert_gt(accepted, 10000, "%d", accepted);
    arena_fini(&arena);
}

Test(json_peer, one_changed_byte_is_judged_alike)
{
    static const char body[] =
        "[[2, -3.5e2], {\"name\": \"caf\\u00e9 \xE2\x82\xAC\", \"list\": [true, false, null]}, "
        "{\"callbacks\": null, \"errbacks\": null}]";
    struct arena arena;
    arena_init(&arena, 0);
    cr_assert(compare(&arena, body, sizeof body - 1));
    for (size_t i = 0; i < sizeof body - 1; i++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[sizeof body];
            memcpy(text, body, sizeof body);
            text[i] = (char)byte;
            compare(&arena, text, sizeof body - 1);
        }
    }
    arena_fini(&arena);
}

Test(json_peer, numbers_of_all_sizes_are_read_alike)
{
    struct arena arena;
    arena_init(&arena, 0);
    srand(13);
    for (int round = 0; round < 100000; round++) {
        char text[100];
        unsigned long long bits =
            (unsigned long long)rand() << 42 ^ (unsigned long long)rand() << 21 ^ (unsigned)rand();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (value != value || value - value != 0)
            continue;
        snprintf(text, sizeof text, "%.*g", 1 + rand() % 20,
                 round % 2 ? value : (double)(rand() % 100000) / 1000);
        compare(&arena, text, strlen(text));
    }
    arena_fini(&arena);
}

Test(json_peer, decimals_with_many_digits_are_read_alike)
{
    struct arena arena;
    arena_init(&arena, 0);
    srand(17);
    for (int round = 0; round < 200000; round++) {
        char text[100];
        snprintf(text, sizeof text, "%d.%0*d", rand() % 1000000, 8 + rand() % 5, rand());
        compare(&arena, text, strlen(text));
    }
    arena_fini(&arena);
}
