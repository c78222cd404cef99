#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/number.h"
#include "common/json.h"
#include "common/str.h"

static struct arena arena;
static struct buffer out;
static const char *why;

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
TestSuite(json, .init = begin, .fini = end);

static int decode(const char *text, size_t size, const umbel_value **value)
{
    umbel_value *made = NULL;
    why = "";
    int code = json_decode(&arena, (umbel_str){text, size}, &made, &why);
    *value = made;
    return code;
}

/* Of text that must be accepted. */
static const umbel_value *read(const char *text)
{
    const umbel_value *value;
    cr_assert_eq(decode(text, strlen(text), &value), UMBEL_OK, "%s: %s", text, why);
    return value;
}

static const char *written(const umbel_value *value)
{
    buffer_clear(&out);
    cr_assert_eq(json_encode(&out, value), UMBEL_OK);
    buffer_byte(&out, '\0');
    return (const char *)buffer_head(&out);
}

Test(json, python_writes_back_what_it_wrote)
{
    static const char *const rows[] = {
        "null",
        "true",
        "false",
        "0",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1.0",
        "0.1",
        "-0.0",
        "1e+16",
        "1.5e-07",
        "123456789012345.6",
        "3.141592653589793",
        "5e-324",
        "7.120236347223045e-307",
        "1.7976931348623157e+308",
        "2.2250738585072014e-308",
        "0.0001",
        "1e-05",
        "9007199254740993.0",
        "NaN",
        "Infinity",
        "-Infinity",
        "\"\"",
        "\"plain\"",
        "\"1234567\\u007f12345678\\u007f\"",
        "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\"",
        "\"caf\\u00e9 \\u20ac \\ud83d\\ude00\"",
        "[]",
        "{}",
        "[[], {}, [[]]]",
        "{\"a\": {\"b\": [1, 2.5, \"x\", null]}, \"\": true}",
        "[[2, 3], {}, {}]",
        "{\"__type__\": \"base64\", \"__value__\": \"AP/+\"}",
        "9223372036854775808",
        "-170141183460469231731687303715884105728",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *expected = strcmp(rows[i], "9007199254740993.0") == 0 ? "9007199254740992.0" : rows[i];
        cr_assert_str_eq(written(read(rows[i])), expected);
    }
}

Test(json, integers_past_64_bits_keep_their_digits)
{
    const umbel_value *value = read("[9223372036854775808, -9223372036854775809, 100000000000000000000]");
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(umbel_value_at(value, i)->kind, VALUE_TOO_BIG);
    cr_assert_str_eq(umbel_value_at(value, 1)->as.str.data, "-9223372036854775809");
    cr_assert_eq(read("9223372036854775807")->as.integer, INT64_MAX);
    cr_assert_eq(read("-9223372036854775808")->as.integer, INT64_MIN);
}

Test(json, a_lone_surrogate_is_kept_as_not_text)
{
    static const struct {
        const char *json, *kept;
    } rows[] = {
        {"\"\\ud800\"", "\\ud800"},
        {"\"\\udc00\"", "\\udc00"},
        {"\"\\udc00\\udc00\"", "\\udc00\\udc00"},
        {"\"a\\n\\ud800\\u0041b\"", "a\\n\\ud800\\u0041b"},
        {"\"\\ud83d\\ude00\\ud83d\"", "\\ud83d\\ude00\\ud83d"},
        {"\"\\\\\\ud800\"", "\\\\\\ud800"},
        {"\"a\xFFz\"", "a\\xffz"},
        {"\"\xC0\x80\"", "\\xc0\\x80"},
        {"\"\xED\xA0\x80\"", "\\xed\\xa0\\x80"},
        {"\"\\n\xFF\"", "\\x0a\\xff"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const umbel_value *value = read(rows[i].json);
        cr_assert_eq(value->kind, VALUE_NOT_TEXT, "%s", rows[i].json);
        cr_assert_str_eq(value->as.str.data, rows[i].kept);
        cr_assert_eq(value->as.str.size, strlen(rows[i].kept));
    }
    cr_assert_eq(read("\"\\\\ud800\"")->kind, UMBEL_STRING);
}

Test(json, a_key_that_is_not_text_is_told_by_its_value)
{
    const umbel_value *value = read("{\"ok\": 1, \"\\ud800\": 2}");
    cr_assert_eq(umbel_value_at(value, 1)->kind, VALUE_NOT_TEXT);
    cr_assert_str_eq(umbel_value_key(value, 1).data, "\\ud800");
}

Test(json, strings_hold_nul_and_end_in_nul)
{
    const umbel_value *value = read("[\"a\\u0000b\", \"c\"]");
    umbel_str text = umbel_value_at(value, 0)->as.str;
    cr_assert(text.size == 3 && memcmp(text.data, "a\0b", 4) == 0);
    cr_assert_str_eq(umbel_value_at(value, 1)->as.str.data, "c");
}

Test(json, numbers_are_read_as_python_reads_them)
{
    static const struct {
        const char *text;
        double value;
    } rows[] = {
        {"1.5", 1.5},
        {"-1.5E2", -150},
        {"1e3", 1000},
        {"1E-2", 0.01},
        {"0.1", 0.1},
        {"123456.789", 123456.789},
        {"1e400", INFINITY},
        {"-1e400", -INFINITY},
        {"1e-400", 0},
        {"0.30000000000000004", 0.30000000000000004},
        {"2.5000000000000000000000000000", 2.5},
        {"0.000000000000000000000000001", 1e-27},
        {"12345678901234567890.5", 12345678901234567890.5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const umbel_value *value = read(rows[i].text);
        cr_assert(value->kind == UMBEL_DOUBLE && value->as.real == rows[i].value, "%s", rows[i].text);
    }
    cr_assert(isnan(read("NaN")->as.real));
    cr_assert(read("-0")->kind == UMBEL_INT && read("-0")->as.integer == 0);
    cr_assert(signbit(read("-0.0")->as.real));
}

Test(json, the_locale_does_not_matter)
{
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "C.UTF-8"};
    for (size_t i = 0; i < 4 && !setlocale(LC_ALL, locales[i]); i++)
        continue;
    cr_assert_str_eq(written(read("[0.30000000000000004, 1.5e-07, 1e+300]")),
                     "[0.30000000000000004, 1.5e-07, 1e+300]");
}

Test(json, the_last_of_equal_keys_wins)
{
    cr_assert_str_eq(written(read("{\"a\": 1, \"b\": 2, \"a\": 3, \"a\": 4}")), "{\"a\": 4, \"b\": 2}");
    char text[4000] = "{";
    for (int i = 0; i < 200; i++)
        sprintf(text + strlen(text), "%s\"k%d\": %d", i ? ", " : "", i % 50, i);
    strcat(text, "}");
    const umbel_value *value = read(text);
    cr_assert_eq(umbel_value_count(value), 50);
    for (int i = 0; i < 50; i++)
        cr_assert_eq(umbel_value_at(value, (size_t)i)->as.integer, 150 + i);
}

Test(json, a_hundred_thousand_keys_take_no_time)
{
    buffer_byte(&out, '{');
    for (int i = 0; i < 100000; i++)
        buffer_format(&out, "%s\"%d\":0", i ? "," : "", i % 90000);
    buffer_byte(&out, '}');
    const umbel_value *value;
    cr_assert_eq(decode((char *)buffer_head(&out), buffer_length(&out), &value), UMBEL_OK);
    cr_assert_eq(umbel_value_count(value), 90000);
}

Test(json, typed_maps_of_kombu_become_values)
{
    const umbel_value *value =
        read("[{\"__type__\": \"bytes\", \"__value__\": \"caf\\u00e9\"}, {\"__type__\": \"base64\", "
             "\"__value__\": \"AP/+\"},"
             "{\"__type__\": \"datetime\", \"__value__\": \"2026-11-21T09:11:35\"},"
             "{\"__type__\": \"uuid\", \"__value__\": {\"hex\": \"0123456789abcdef0123456789abcdef\"}},"
             "{\"__value__\": \"1.50\", \"__type__\": \"decimal\"}]");
    umbel_str bytes = umbel_value_at(value, 0)->as.str;
    cr_assert(umbel_value_kind(umbel_value_at(value, 0)) == UMBEL_BYTES && bytes.size == 5);
    bytes = umbel_value_at(value, 1)->as.str;
    cr_assert(umbel_value_kind(umbel_value_at(value, 1)) == UMBEL_BYTES && bytes.size == 3);
    cr_assert(memcmp(bytes.data, "\x00\xFF\xFE", 4) == 0);
    cr_assert_str_eq(umbel_value_at(value, 2)->as.str.data, "2026-11-21T09:11:35");
    cr_assert_str_eq(umbel_value_at(value, 3)->as.str.data, "01234567-89ab-cdef-0123-456789abcdef");
    cr_assert_str_eq(umbel_value_at(value, 4)->as.str.data, "1.50");
}

Test(json, maps_that_only_look_typed_stay_maps)
{
    static const char *const rows[] = {
        "{\"__type__\": \"complex\", \"__value__\": \"1\"}",
        "{\"__type__\": \"base64\", \"__value__\": \"AP/\"}",
        "{\"__type__\": \"base64\", \"__value__\": \"AP/*\"}",
        "{\"__type__\": \"bytes\", \"__value__\": 1}",
        "{\"__type__\": 1, \"__value__\": \"x\"}",
        "{\"__type__\": \"uuid\", \"__value__\": {\"hex\": \"0123\"}}",
        "{\"__type__\": \"uuid\", \"__value__\": {\"hex\": \"0123456789abcdef0123456789abcdef0\"}}",
        "{\"__type__\": \"bytes\", \"other\": \"x\"}",
        "{\"__type__\": \"bytes\", \"__value__\": \"x\", \"more\": 1}",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_str_eq(written(read(rows[i])), rows[i]);
}

Test(json, what_is_not_json_is_refused_with_its_place)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "not JSON: it ends too early, at byte 0"},
        {"[1, 2", "not JSON: it ends too early, at byte 5"},
        {"[1 2]", "not JSON: a ',' or ']' is expected, at byte 3"},
        {"[1,]", "not JSON: a value is expected, at byte 3"},
        {"{\"a\" 1}", "not JSON: a ':' is expected, at byte 5"},
        {"{\"a\": 1,}", "not JSON: a key in quotes is expected, at byte 8"},
        {"{1: 2}", "not JSON: a key in quotes is expected, at byte 1"},
        {"[1}", "not JSON: a ',' or ']' is expected, at byte 2"},
        {"01", "not JSON: a number is not written as JSON has them, at byte 0"},
        {"-", "not JSON: a number is not written as JSON has them, at byte 0"},
        {"1.", "not JSON: a number is not written as JSON has them, at byte 0"},
        {".5", "not JSON: a value is expected, at byte 0"},
        {"1e", "not JSON: a number is not written as JSON has them, at byte 0"},
        {"+1", "not JSON: a value is expected, at byte 0"},
        {"0x10", "not JSON: something follows the value, at byte 1"},
        {"nul", "not JSON: a value is expected, at byte 0"},
        {"nullx", "not JSON: something follows the value, at byte 4"},
        {"\"a\nb\"", "not JSON: a string holds a control character or is not closed, at byte 2"},
        {"\"a", "not JSON: it ends too early, at byte 2"},
        {"\"\\x\"", "not JSON: a string holds an unknown escape, at byte 1"},
        {"\"\\u12g4\"", "not JSON: a string holds an unknown escape, at byte 1"},
        {"[1] [2]", "not JSON: something follows the value, at byte 4"},
        {"'a'", "not JSON: a value is expected, at byte 0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const umbel_value *value;
        cr_assert_eq(decode(rows[i].text, strlen(rows[i].text), &value), UMBEL_BAD_MESSAGE, "%s",
                     rows[i].text);
        cr_assert_str_eq(why, rows[i].why);
    }
    const umbel_value *value;
    cr_assert_eq(decode("[1]\0", 4, &value), UMBEL_BAD_MESSAGE);
    cr_assert_eq(decode("\"a\0b\"", 5, &value), UMBEL_BAD_MESSAGE);
}

static int nested(int depth, const char *inside)
{
    const umbel_value *value;
    buffer_clear(&out);
    for (int i = 0; i < depth; i++)
        buffer_byte(&out, '[');
    buffer_text(&out, inside);
    for (int i = 0; i < depth; i++)
        buffer_byte(&out, ']');
    return decode((char *)buffer_head(&out), buffer_length(&out), &value);
}

Test(json, depth_is_bounded)
{
    cr_assert_eq(nested(CODEC_DEPTH_MAX, "1"), UMBEL_OK);
    cr_assert_eq(nested(CODEC_DEPTH_MAX + 1, "1"), UMBEL_TOO_DEEP);
    cr_assert_eq(nested(CODEC_DEPTH_MAX + 1, ""), UMBEL_TOO_DEEP);
    cr_assert_eq(nested(100000, "1"), UMBEL_TOO_DEEP);
    cr_assert_eq(nested(CODEC_DEPTH_MAX, "{\"__type__\": \"base64\", \"__value__\": \"AAAA\"}"), UMBEL_OK);
    cr_assert_eq(nested(CODEC_DEPTH_MAX, "{\"a\": \"base64\", \"__value__\": \"AAAA\"}"), UMBEL_TOO_DEEP);
}

Test(json, memory_is_bounded_by_the_arena)
{
    arena_fini(&arena);
    arena_init(&arena, 10000);
    char text[2001] = "[";
    for (int i = 1; i < 1999; i++)
        text[i] = i % 2 ? '0' : ',';
    strcpy(text + 1998, "]");
    const umbel_value *value;
    cr_assert_eq(decode(text, 100, &value), UMBEL_BAD_MESSAGE);
    arena_reset(&arena);
    cr_assert_eq(decode(text, 1999, &value), UMBEL_TOO_LARGE);
}

Test(json, text_that_is_not_utf8_is_not_written)
{
    buffer_text(&out, "before");
    cr_assert_eq(json_text(&out, STR("a\xFF")), UMBEL_BAD_VALUE);
    umbel_value items[2] = {{.kind = UMBEL_INT, .as.integer = 1},
                            {.kind = UMBEL_STRING, .as.str = STR("\xC3")}};
    umbel_value list = {.kind = UMBEL_LIST, .count = 2, .as.items = items};
    cr_assert_eq(json_encode(&out, &list), UMBEL_BAD_VALUE);
    cr_assert_eq(buffer_length(&out), 6);
}

Test(json, skipping_finds_the_end_of_a_value)
{
    static const struct {
        const char *text, *value;
    } rows[] = {
        {" 1, 2", "1"},
        {"null}", "null"},
        {"\"a\\\"],b\" : 1", "\"a\\\"],b\""},
        {"[1, [2], \"]\"], 3", "[1, [2], \"]\"]"},
        {"{\"a\": {}} x", "{\"a\": {}}"},
        {"-1.5e3", "-1.5e3"},
        {"", NULL},
        {"[1", NULL},
        {"\"a", NULL},
        {"\"a\\", NULL},
        {"]", NULL},
        {",", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        umbel_str got = json_skip(str_of(rows[i].text));
        if (rows[i].value)
            cr_assert(str_equal(got, str_of(rows[i].value)), "%s gave %.*s", rows[i].text, (int)got.size,
                      got.data);
        else
            cr_assert_null(got.data, "%s", rows[i].text);
    }
}

Test(json, an_integer_of_any_length_is_written_as_printf_does)
{
    char text[NUMBER_SIZE], expected[NUMBER_SIZE];
    int64_t power = 1;
    for (int digits = 1; digits <= 19; digits++, power = digits < 19 ? power * 10 : INT64_MAX) {
        int64_t near[] = {power - 1, power, -power, 1 - power, -power - 1, power / 3};
        for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
            int size = snprintf(expected, sizeof expected, "%lld", (long long)near[i]);
            cr_assert_eq(number_integer(text, near[i]), (size_t)size, "%s", expected);
            cr_assert_str_eq(text, expected);
        }
    }
}
