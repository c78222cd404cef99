#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/str.h"

static struct arena arena;
static struct buffer out;

static void begin(void)
{
    arena_init(&arena, 0);
    buffer_init(&out, 1 << 24);
}
static void end(void)
{
    arena_fini(&arena);
    buffer_fini(&out);
}
TestSuite(value, .init = begin, .fini = end);
TestSuite(value_build, .init = begin, .fini = end);
TestSuite(value_cell, .init = begin, .fini = end);
TestSuite(value_repr, .init = begin, .fini = end);

static umbel_value *parse(const char *json)
{
    umbel_value *value = NULL;
    const char *why = "";
    cr_assert_eq(codec_row(CODEC_JSON)->decode(&arena, str_of(json), &value, &why), UMBEL_OK, "%s: %s", json,
                 why);
    return value;
}

static const char *taken(void)
{
    const char *text = arena_copy(&arena, buffer_head(&out), buffer_length(&out));
    buffer_clear(&out);
    return text;
}

static const char *json(const umbel_value *value)
{
    cr_assert_eq(codec_row(CODEC_JSON)->encode(&out, value), UMBEL_OK);
    return taken();
}

/* ---- reading
 * ---------------------------------------------------------------------------------------------------- */

Test(value, null_pointers_read_as_null)
{
    int64_t number = 7;
    umbel_str text = STR("kept");
    cr_assert_eq(umbel_value_kind(NULL), UMBEL_NULL);
    cr_assert_eq(umbel_value_int(NULL, &number), UMBEL_BAD_TYPE);
    cr_assert_eq(umbel_value_str(NULL, &text), UMBEL_BAD_TYPE);
    cr_assert(number == 7 && str_equal(text, STR("kept")));
    cr_assert(umbel_value_count(NULL) == 0 && !umbel_value_at(NULL, 0) && !umbel_value_find(NULL, "x"));
    cr_assert_null(umbel_value_key(NULL, 0).data);
}

Test(value, kinds_are_not_mixed_up)
{
    umbel_value *list = parse("[true, 1, 1.5, \"s\", null, [], {\"k\": 2}]");
    bool flag;
    int64_t number;
    double real = 0;
    umbel_str text;
    cr_assert_eq(umbel_value_int(umbel_value_at(list, 0), &number), UMBEL_BAD_TYPE);
    cr_assert_eq(umbel_value_bool(umbel_value_at(list, 1), &flag), UMBEL_BAD_TYPE);
    cr_assert_eq(umbel_value_double(umbel_value_at(list, 1), &real), UMBEL_OK);
    cr_assert_eq(real, 1.0);
    cr_assert_eq(umbel_value_int(umbel_value_at(list, 2), &number), UMBEL_BAD_TYPE);
    cr_assert_eq(umbel_value_double(umbel_value_at(list, 3), &real), UMBEL_BAD_TYPE);
    cr_assert_eq(umbel_value_str(umbel_value_at(list, 4), &text), UMBEL_BAD_TYPE);
    cr_assert_eq(umbel_value_str(umbel_value_at(list, 5), &text), UMBEL_BAD_TYPE);
    cr_assert_null(umbel_value_at(list, 7));
    cr_assert_eq(umbel_value_find(umbel_value_at(list, 6), "k")->as.integer, 2);
    cr_assert_null(umbel_value_find(umbel_value_at(list, 6), "x"));
    cr_assert_null(umbel_value_find(list, "k"));
    cr_assert(str_equal(umbel_value_key(umbel_value_at(list, 6), 0), STR("k")));
}

Test(value, what_no_c_type_holds_is_the_nearest_kind_with_a_bad_value)
{
    umbel_value *list = parse("[99999999999999999999, \"\\ud800\"]");
    int64_t number;
    double real;
    umbel_str text;
    cr_assert_eq(umbel_value_kind(umbel_value_at(list, 0)), UMBEL_INT);
    cr_assert_eq(umbel_value_int(umbel_value_at(list, 0), &number), UMBEL_BAD_VALUE);
    cr_assert_eq(umbel_value_double(umbel_value_at(list, 0), &real), UMBEL_BAD_VALUE);
    cr_assert_eq(umbel_value_str(umbel_value_at(list, 0), &text), UMBEL_BAD_TYPE);
    cr_assert_eq(umbel_value_kind(umbel_value_at(list, 1)), UMBEL_STRING);
    cr_assert_eq(umbel_value_str(umbel_value_at(list, 1), &text), UMBEL_BAD_VALUE);
}

Test(value, the_first_invalid_value_is_found_with_its_path)
{
    static const struct {
        const char *json, *path;
    } rows[] = {
        {"[1, {\"a\": [2, 99999999999999999999]}, \"\\ud800\"]", "[1]['a'][1]"},
        {"\"\\ud800\"", ""},
        {"{\"it's\": \"\\ud800\"}", "[\"it's\"]"},
        {"{\"\\ud800\": 1}", "['\\\\ud800']"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const umbel_value *found = value_find_invalid(parse(rows[i].json), &out);
        cr_assert(found && found->kind > UMBEL_MAP);
        cr_assert_str_eq(taken(), rows[i].path);
    }
    cr_assert_null(value_find_invalid(parse("[1, {\"a\": [2.5, \"x\"]}]"), &out));
    cr_assert_null(value_find_invalid(NULL, &out));
    cr_assert_eq(buffer_length(&out), 0);
}

Test(value, a_copy_shares_nothing)
{
    struct arena source;
    arena_init(&source, 0);
    umbel_value *value;
    const char *text = "[1, {\"k\": [\"text\", 2.5]}, {}]";
    codec_row(CODEC_JSON)->decode(&source, str_of(text), &value, NULL);
    umbel_value *copy = value_copy(&arena, value);
    arena_fini(&source);
    cr_assert_str_eq(json(copy), text);
    cr_assert_eq(value_copy(&arena, NULL)->kind, UMBEL_NULL);
    struct arena small;
    for (size_t limit = 16; limit < 300; limit += 16) {
        arena_init(&small, limit);
        cr_assert_null(value_copy(&small, copy));
        arena_fini(&small);
    }
}

/* ---- building
 * --------------------------------------------------------------------------------------------------- */

Test(value_build, every_kind_is_added)
{
    umbel_value *root = umbel_map_new();
    cr_assert(!umbel_add_null(root, "n") && !umbel_add_bool(root, "b", true) &&
              !umbel_add_int(root, "i", -5));
    cr_assert(!umbel_add_double(root, "d", 0.5) && !umbel_add_str(root, "s", "text") &&
              !umbel_add_str(root, "0", NULL));
    cr_assert(!umbel_add_strn(root, "sn", STR("a\0b")) && !umbel_add_bytes(root, "y", "\xFF", 1));
    umbel_value *list = umbel_add_list(root, "l");
    cr_assert(!umbel_add_int(list, NULL, 1) && !umbel_add_value(list, NULL, parse("[{\"x\": 1}]")));
    umbel_value *map = umbel_add_map(list, NULL);
    cr_assert(!umbel_add_int(map, "in", 1));
    cr_assert_str_eq(json(root),
                     "{\"n\": null, \"b\": true, \"i\": -5, \"d\": 0.5, \"s\": \"text\", \"0\": null, "
                     "\"sn\": \"a\\u0000b\", \"y\": {\"__type__\": \"base64\", \"__value__\": \"/w==\"}, "
                     "\"l\": [1, [{\"x\": 1}], {\"in\": 1}]}");
    umbel_value_free(root);
    umbel_value_free(NULL);
}

Test(value_build, children_stay_alive_while_their_parents_grow)
{
    umbel_value *root = umbel_list_new(), *children[100], *inner[100];
    for (int i = 0; i < 100; i++) {
        children[i] = umbel_add_list(root, NULL);
        inner[i] = umbel_add_map(children[i], NULL);
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 100; i++) {
            char key[20];
            snprintf(key, sizeof key, "k%d", round);
            cr_assert_eq(umbel_add_int(children[i], NULL, round), UMBEL_OK);
            cr_assert_eq(umbel_add_int(inner[i], key, i), UMBEL_OK);
        }
    }
    for (size_t i = 0; i < 100; i++) {
        const umbel_value *child = umbel_value_at(root, i);
        cr_assert_eq(umbel_value_count(child), 11);
        cr_assert_eq(umbel_value_count(children[i]), 11);
        cr_assert_eq(umbel_value_find(umbel_value_at(child, 0), "k9")->as.integer, (int64_t)i);
        cr_assert_eq(umbel_value_at(child, 10)->as.integer, 9);
    }
    umbel_value_free(root);
}

Test(value_build, the_last_of_equal_keys_wins_and_the_old_child_hangs_nowhere)
{
    umbel_value *root = umbel_map_new();
    umbel_value *old = umbel_add_list(root, "k");
    umbel_value *new = umbel_add_list(root, "k");
    cr_assert(!umbel_add_int(old, NULL, 1) && !umbel_add_int(new, NULL, 2) && !umbel_add_int(root, "x", 3));
    cr_assert(!umbel_add_int(old, NULL, 4));
    cr_assert_str_eq(json(root), "{\"k\": [2], \"x\": 3}");
    cr_assert_str_eq(json(old), "[1, 4]");
    cr_assert(!umbel_add_int(root, "k", 5) && !umbel_add_int(new, NULL, 6));
    cr_assert_str_eq(json(root), "{\"k\": 5, \"x\": 3}");
    umbel_value_free(root);
}

Test(value_build, what_does_not_fit_is_refused)
{
    umbel_value *list = umbel_list_new(), *map = umbel_map_new();
    cr_assert_eq(umbel_add_int(list, "key", 1), UMBEL_BAD_TYPE);
    cr_assert_eq(umbel_add_int(map, NULL, 1), UMBEL_BAD_TYPE);
    cr_assert_eq(umbel_add_int(NULL, NULL, 1), UMBEL_BAD_TYPE);
    cr_assert_eq(umbel_add_int(parse("[]"), NULL, 1), UMBEL_BAD_TYPE);
    cr_assert_eq(umbel_add_str(list, NULL, "\xFF"), UMBEL_BAD_VALUE);
    cr_assert_eq(umbel_add_int(map, "\xFF", 1), UMBEL_BAD_VALUE);
    cr_assert_null(umbel_add_list(map, NULL));
    cr_assert_null(umbel_add_list(NULL, NULL));
    cr_assert(umbel_value_count(list) == 0 && umbel_value_count(map) == 0);
    umbel_value_free(list);
    umbel_value_free(map);
}

Test(value_build, depth_is_bounded)
{
    umbel_value *root = umbel_list_new(), *at = root;
    for (int depth = 1; depth < UMBEL_DEPTH_MAX; depth++) {
        at = umbel_add_list(at, NULL);
        cr_assert_not_null(at);
    }
    cr_assert_null(umbel_add_map(at, NULL));
    cr_assert_eq(umbel_add_value(at, NULL, parse("[]")), UMBEL_TOO_DEEP);
    cr_assert_eq(umbel_add_value(at, NULL, parse("1")), UMBEL_OK);
    cr_assert_eq(value_height(root), UMBEL_DEPTH_MAX);
    umbel_value *other = umbel_list_new();
    cr_assert_eq(umbel_add_value(other, NULL, root), UMBEL_TOO_DEEP);
    umbel_value_free(other);
    umbel_value_free(root);
}

Test(value_build, parsed_text_is_a_root_of_its_own)
{
    umbel_value *value;
    cr_assert_eq(umbel_value_parse("[1, [2]]", 8, &value), UMBEL_OK);
    cr_assert_eq(umbel_add_int(value, NULL, 3), UMBEL_OK);
    char *text = umbel_value_json(value);
    cr_assert_str_eq(text, "[1, [2], 3]");
    free(text);
    umbel_value_free(value);
    cr_assert_eq(umbel_value_parse("5", 1, &value), UMBEL_OK);
    cr_assert_eq(umbel_add_int(value, NULL, 3), UMBEL_BAD_TYPE);
    umbel_value_free(value);
    cr_assert_eq(umbel_value_parse("[", 1, &value), UMBEL_BAD_MESSAGE);
    text = umbel_value_json(NULL);
    cr_assert_str_eq(text, "null");
    free(text);
}

/* ---- cells
 * ------------------------------------------------------------------------------------------------------ */

#define TAKES(json_text, type, expected)                                                                     \
    do {                                                                                                     \
        type to = 0;                                                                                         \
        umbel_take cell = UMBEL_TAKE(&to);                                                                   \
        cr_assert_eq(value_take(parse(json_text), &cell), UMBEL_OK, "%s", json_text);                        \
        cr_assert(to == (expected), "%s", json_text);                                                        \
    } while (0)
#define REFUSES(json_text, type, code)                                                                       \
    do {                                                                                                     \
        type to = 77;                                                                                        \
        umbel_take cell = UMBEL_TAKE(&to);                                                                   \
        cr_assert_eq(value_take(parse(json_text), &cell), code, "%s", json_text);                            \
        cr_assert(to == 77);                                                                                 \
    } while (0)

Test(value_cell, integers_of_all_widths_are_checked)
{
    TAKES("-128", int8_t, INT8_MIN);
    REFUSES("-129", int8_t, UMBEL_BAD_VALUE);
    TAKES("127", int8_t, INT8_MAX);
    REFUSES("128", int8_t, UMBEL_BAD_VALUE);
    TAKES("255", uint8_t, UINT8_MAX);
    REFUSES("256", uint8_t, UMBEL_BAD_VALUE);
    REFUSES("-1", uint8_t, UMBEL_BAD_VALUE);
    TAKES("-32768", int16_t, INT16_MIN);
    REFUSES("32768", int16_t, UMBEL_BAD_VALUE);
    TAKES("65535", uint16_t, UINT16_MAX);
    REFUSES("65536", uint16_t, UMBEL_BAD_VALUE);
    TAKES("-2147483648", int32_t, INT32_MIN);
    REFUSES("2147483648", int32_t, UMBEL_BAD_VALUE);
    TAKES("4294967295", uint32_t, UINT32_MAX);
    REFUSES("4294967296", uint32_t, UMBEL_BAD_VALUE);
    TAKES("-9223372036854775808", int64_t, INT64_MIN);
    REFUSES("9223372036854775808", int64_t, UMBEL_BAD_VALUE);
    TAKES("9223372036854775808", uint64_t, 9223372036854775808u);
    TAKES("18446744073709551615", uint64_t, UINT64_MAX);
    REFUSES("18446744073709551616", uint64_t, UMBEL_BAD_VALUE);
    REFUSES("-9223372036854775809", uint64_t, UMBEL_BAD_VALUE);
    REFUSES("-1", uint64_t, UMBEL_BAD_VALUE);
    REFUSES("1.0", int64_t, UMBEL_BAD_TYPE);
    REFUSES("true", int64_t, UMBEL_BAD_TYPE);
    REFUSES("\"1\"", int64_t, UMBEL_BAD_TYPE);
    REFUSES("null", int64_t, UMBEL_BAD_TYPE);
}

Test(value_cell, reals_take_integers_too)
{
    TAKES("1.5", double, 1.5);
    TAKES("3", double, 3.0);
    TAKES("1e-3", float, 1e-3f);
    TAKES("Infinity", float, INFINITY);
    REFUSES("1e300", float, UMBEL_BAD_VALUE);
    REFUSES("\"1\"", double, UMBEL_BAD_TYPE);
    REFUSES("true", double, UMBEL_BAD_TYPE);
    REFUSES("99999999999999999999", double, UMBEL_BAD_VALUE);
    TAKES("true", bool, true);
}

Test(value_cell, text_is_text)
{
    const char *text = "old";
    umbel_str str = STR("old");
    umbel_take to_text = UMBEL_TAKE(&text), to_str = UMBEL_TAKE(&str);
    cr_assert_eq(value_take(parse("\"abc\""), &to_text), UMBEL_OK);
    cr_assert_str_eq(text, "abc");
    cr_assert_eq(value_take(parse("\"a\\u0000c\""), &to_text), UMBEL_BAD_VALUE);
    cr_assert_eq(value_take(parse("\"\\ud800\""), &to_text), UMBEL_BAD_VALUE);
    cr_assert_eq(value_take(parse("{\"__type__\": \"base64\", \"__value__\": \"QUJD\"}"), &to_text),
                 UMBEL_BAD_TYPE);
    cr_assert_eq(value_take(parse("5"), &to_text), UMBEL_BAD_TYPE);
    cr_assert_str_eq(text, "abc");
    cr_assert_eq(value_take(parse("null"), &to_text), UMBEL_OK);
    cr_assert_null(text);
    cr_assert_eq(value_take(parse("\"a\\u0000c\""), &to_str), UMBEL_OK);
    cr_assert_eq(str.size, 3);
    cr_assert_eq(value_take(parse("{\"__type__\": \"base64\", \"__value__\": \"QUJD\"}"), &to_str), UMBEL_OK);
    cr_assert(str_equal(str, STR("ABC")));
    cr_assert_eq(value_take(parse("null"), &to_str), UMBEL_BAD_TYPE);
}

Test(value_cell, what_is_given_is_taken_back)
{
    umbel_give gives[] = {UMBEL_GIVE((bool)true),
                          UMBEL_GIVE(-5),
                          UMBEL_GIVE(5u),
                          UMBEL_GIVE(UINT64_MAX),
                          UMBEL_GIVE(0.5),
                          UMBEL_GIVE("text"),
                          UMBEL_GIVE(STR("a\0b")),
                          umbel_bytes("\xFF", 1),
                          umbel_null(),
                          UMBEL_GIVE((const char *)NULL),
                          UMBEL_GIVE((const umbel_value *)parse("[1]"))};
    umbel_value items[11], list = {.kind = UMBEL_LIST, .count = 11, .as.items = items};
    for (size_t i = 0; i < 11; i++)
        cr_assert_eq(value_give(&arena, &gives[i], &items[i]), UMBEL_OK, "%zu", i);
    cr_assert_str_eq(json(&list), "[true, -5, 5, 18446744073709551615, 0.5, \"text\", \"a\\u0000b\", "
                                  "{\"__type__\": \"base64\", \"__value__\": \"/w==\"}, null, null, [1]]");
    umbel_give bad = UMBEL_GIVE("\xFF");
    cr_assert_eq(value_give(&arena, &bad, &items[0]), UMBEL_BAD_VALUE);
}

Test(value_cell, every_kind_has_a_name)
{
    cr_assert_str_eq(value_take_name(UMBEL_TAKE_I32), "32-bit integer");
    for (int kind = UMBEL_TAKE_NOTHING; kind <= UMBEL_TAKE_VALUE; kind++)
        cr_assert_not_null(value_take_name((umbel_take_kind)kind));
    cr_assert_str_eq(value_type_name(NULL), "None");
    cr_assert_str_eq(value_type_name(parse("{}")), "dict");
    cr_assert_str_eq(value_type_name(parse("99999999999999999999")), "int");
}

/* ---- repr
 * ------------------------------------------------------------------------------------------------------- */

Test(value_repr, arguments_are_shown_as_celery_shows_them)
{
    static const struct {
        const char *json, *repr;
    } rows[] = {
        {"[2, 3]", "(2, 3)"},
        {"[2]", "(2,)"},
        {"[]", "()"},
        {"[null, true, false, 1.0, 0.1, 1e16, 1e-7, NaN, Infinity, -Infinity]",
         "(None, True, False, 1.0, 0.1, 1e+16, 1e-07, nan, inf, -inf)"},
        {"[\"it's\", \"q\\\"\", \"both'\\\"\", \"\\\\\"]", "(\"it's\", 'q\"', 'both\\'\"', '\\\\')"},
        {"[\"\\n\\r\\t\\u0000\\u007f\\u0085\\u00e9\\u2028\\ud83d\\ude00\"]",
         "('\\n\\r\\t\\x00\\x7f\\x85\xC3\xA9\\u2028\xF0\x9F\x98\x80',)"},
        {"[[1, [2, [3, [4]]]]]", "([1, [2, [...]]],)"},
        {"[{\"a\": {\"b\": {\"c\": 1}}}]", "({'a': {'b': {...}}},)"},
        {"[99999999999999999999, \"\\ud800\"]", "(99999999999999999999, '\\ud800')"},
        {"[{\"__type__\": \"base64\", \"__value__\": \"YWL/Jw==\"}]", "(b\"ab\\xff'\",)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        value_repr_args(&out, parse(rows[i].json), 1024);
        cr_assert_str_eq(taken(), rows[i].repr);
    }
    value_repr(&out, parse("{\"y\": 3}"), 1024);
    cr_assert_str_eq(taken(), "{'y': 3}");
    value_repr(&out, NULL, 1024);
    cr_assert_str_eq(taken(), "None");
}

Test(value_repr, long_ones_are_cut_between_characters)
{
    static const char json_text[] =
        "[\"\xC3\xA9\xE2\x82\xAC\xC3\xA9\xC3\xA9\xF0\x9F\x98\x80\xC3\xA9\xC3\xA9\", 1, 2, "
        "3, [4, 5, 6], {\"a\": 7}]";
    value_repr(&out, parse(json_text), 1000);
    size_t full = strlen(taken());
    for (size_t limit = 10; limit < 80; limit++) {
        buffer_text(&out, "before:");
        value_repr(&out, parse(json_text), limit);
        const char *text = taken();
        cr_assert_leq(strlen(text), limit + 7);
        cr_assert(str_utf8(str_of(text)), "%s", text);
        cr_assert_eq(strstr(text, "...") != NULL, limit < full, "%s", text);
    }
}

Test(value_repr, the_work_is_bounded_by_the_limit)
{
    umbel_value *list = umbel_list_new();
    for (int i = 0; i < 100000; i++)
        umbel_add_int(list, NULL, i);
    value_repr(&out, list, 100);
    cr_assert_eq(strlen(taken()), 100);
    cr_assert_leq(out.size, 1024);
    umbel_value_free(list);
}
