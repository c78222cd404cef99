#include <criterion/criterion.h>
#include <math.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/msgpack.h"
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
TestSuite(msgpack, .init = begin, .fini = end);

static int decode(umbel_str input, umbel_value **value)
{
    /* A block of the exact size, so that the address sanitizer sees a read past it. */
    char *exact = malloc(input.size ? input.size : 1);
    memcpy(exact, input.data, input.size);
    why = "";
    int code = msgpack_decode(&arena, (umbel_str){exact, input.size}, value, &why);
    free(exact);
    return code;
}

static umbel_value *read(umbel_str input)
{
    umbel_value *value = NULL;
    cr_assert_eq(decode(input, &value), UMBEL_OK, "%s", why);
    return value;
}
#define READ(literal) read(STR(literal))

static const char *as_json(const umbel_value *value)
{
    buffer_clear(&out);
    cr_assert_eq(codec_row(CODEC_JSON)->encode(&out, value), UMBEL_OK);
    return arena_copy(&arena, buffer_head(&out), buffer_length(&out));
}

Test(msgpack, every_kind_is_read)
{
    cr_assert_eq(READ("\xC0")->kind, UMBEL_NULL);
    cr_assert(READ("\xC3")->as.boolean && !READ("\xC2")->as.boolean && READ("\xC2")->kind == UMBEL_BOOL);
    cr_assert(READ("\x7F")->as.integer == 127 && READ("\xE0")->as.integer == -32);
    cr_assert(READ("\xCC\xFF")->as.integer == 255 && READ("\xCD\xFF\xFE")->as.integer == 65534);
    cr_assert(READ("\xCE\xFF\xFF\xFF\xFF")->as.integer == UINT32_MAX);
    cr_assert(READ("\xCF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF")->as.integer == INT64_MAX);
    cr_assert(READ("\xD0\x80")->as.integer == -128 && READ("\xD1\x80\x00")->as.integer == -32768);
    cr_assert(READ("\xD2\x80\x00\x00\x00")->as.integer == INT32_MIN);
    cr_assert(READ("\xD3\x80\x00\x00\x00\x00\x00\x00\x00")->as.integer == INT64_MIN);
    cr_assert(READ("\xCA\x3F\xC0\x00\x00")->as.real == 1.5 &&
              READ("\xCA\x3F\xC0\x00\x00")->kind == UMBEL_DOUBLE);
    cr_assert(READ("\xCB\x3F\xB9\x99\x99\x99\x99\x99\x9A")->as.real == 0.1);
    cr_assert_str_eq(as_json(READ("\x93\x01\x90\x80")), "[1, [], {}]");
    cr_assert_str_eq(as_json(READ("\xDC\x00\x01\xDE\x00\x01\xD9\x01\x61\xDA\x00\x01\x62")),
                     "[{\"a\": \"b\"}]");
    cr_assert_str_eq(as_json(READ("\xDD\x00\x00\x00\x01\xDF\x00\x00\x00\x00")), "[{}]");
    umbel_value *bytes = READ("\xC4\x03\x00\xFF\x01");
    cr_assert(bytes->kind == UMBEL_BYTES && bytes->as.str.size == 3 &&
              memcmp(bytes->as.str.data, "\x00\xFF\x01", 4) == 0);
}

Test(msgpack, what_no_c_type_holds_is_kept)
{
    umbel_value *big = READ("\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    cr_assert_eq(big->kind, VALUE_TOO_BIG);
    cr_assert_str_eq(big->as.str.data, "18446744073709551615");
    umbel_value *text = READ("\xA3\x61\xFF\x0A");
    cr_assert_eq(text->kind, VALUE_NOT_TEXT);
    cr_assert_str_eq(text->as.str.data, "a\\xff\\x0a");
    cr_assert_eq(READ("\xD4\x01\x02")->kind, VALUE_EXTENSION);
    cr_assert_eq(READ("\xC7\x00\x05")->kind, VALUE_EXTENSION);
    umbel_value *map = READ("\x82\xA1\xFF\x93\x01\x02\x03\xA1\x62\x05");
    cr_assert(map->count == 2 && map->as.pairs[0].value.kind == VALUE_NOT_TEXT &&
              map->as.pairs[1].value.as.integer == 5);
}

Test(msgpack, the_last_of_equal_keys_wins)
{
    cr_assert_str_eq(as_json(READ("\x83\xA1\x61\x01\xA1\x62\x02\xA1\x61\x03")), "{\"a\": 3, \"b\": 2}");
}

Test(msgpack, nonsense_is_refused)
{
    static const umbel_str rows[] = {
        STR(""),
        STR("\xC1"),
        STR("\x91"),
        STR("\x92\x01"),
        STR("\xA2\x61"),
        STR("\xD9"),
        STR("\xDB\xFF\xFF\xFF\xFF\x61"),
        STR("\xDD\xFF\xFF\xFF\xFF\x01\x01"),
        STR("\xDF\xFF\xFF\xFF\xFF\x01\x01"),
        STR("\x81\x01\x02"),
        STR("\x81\xC4\x01\x61\x02"),
        STR("\x01\x02"),
        STR("\xCF\x00\x00"),
        STR("\xC7\x01\x05"),
        STR("\xD8\x01\x02"),
        STR("\xC7\x00"),
    };
    umbel_value *value;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(decode(rows[i], &value), UMBEL_BAD_MESSAGE, "row %zu", i);
    decode(STR("\x92\x01\xC1"), &value);
    cr_assert_str_eq(why, "not msgpack: a token is cut off or reserved, at byte 2");
}

Test(msgpack, counts_that_lie_reserve_nothing)
{
    arena_fini(&arena);
    arena_init(&arena, 100000);
    char bomb[31 * 5 + 1];
    for (size_t i = 0; i < 31; i++)
        memcpy(bomb + i * 5, "\xDD\x20\x00\x00\x00", 5);
    umbel_value *value;
    cr_assert_eq(decode((umbel_str){bomb, 31 * 5}, &value), UMBEL_BAD_MESSAGE);
    /* each list alone could be there, all of them together could not */
    char shared[200];
    memset(shared, 1, sizeof shared);
    for (size_t i = 0; i < 20; i++)
        memcpy(shared + i * 3, "\xDC\x00\x80", 3);
    cr_assert_eq(decode((umbel_str){shared, sizeof shared}, &value), UMBEL_BAD_MESSAGE);
    cr_assert_lt(arena.total, 1000);
}

static int nested(int depth, uint8_t head)
{
    umbel_value *value;
    buffer_clear(&out);
    for (int i = 0; i < depth - 1; i++) {
        buffer_byte(&out, head);
        if (head == 0x81)
            buffer_text(&out, "\xA1k");
    }
    buffer_byte(&out, 0x90);
    return decode((umbel_str){(char *)buffer_head(&out), buffer_length(&out)}, &value);
}

Test(msgpack, depth_is_bounded)
{
    cr_assert_eq(nested(CODEC_DEPTH_MAX, 0x91), UMBEL_OK);
    cr_assert_eq(nested(CODEC_DEPTH_MAX, 0x81), UMBEL_OK);
    cr_assert_eq(nested(CODEC_DEPTH_MAX + 1, 0x91), UMBEL_TOO_DEEP);
    cr_assert_eq(nested(10000, 0x91), UMBEL_TOO_DEEP);
    cr_assert_eq(nested(10000, 0x81), UMBEL_TOO_DEEP);
}

/* ---- against msgpack-c
 * -------------------------------------------------------------------------------------------- */

static void same(const msgpack_object *theirs, const umbel_value *ours);

static void same_text(const char *data, size_t size, const umbel_value *ours)
{
    if (ours->kind == VALUE_NOT_TEXT)
        cr_assert(!str_utf8((umbel_str){data, size}));
    else
        cr_assert(str_equal((umbel_str){data, size}, ours->as.str));
}

static void same_list(const msgpack_object *theirs, const umbel_value *ours)
{
    cr_assert(ours->kind == UMBEL_LIST && ours->count == theirs->via.array.size);
    for (uint32_t i = 0; i < ours->count; i++)
        same(&theirs->via.array.ptr[i], &ours->as.items[i]);
}

static void same(const msgpack_object *theirs, const umbel_value *ours)
{
    switch (theirs->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        cr_assert(theirs->via.u64 > INT64_MAX ? ours->kind == VALUE_TOO_BIG
                                              : ours->as.integer == (int64_t)theirs->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        cr_assert_eq(ours->as.integer, theirs->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        cr_assert(ours->as.real == theirs->via.f64 || (isnan(ours->as.real) && isnan(theirs->via.f64)));
        break;
    case MSGPACK_OBJECT_STR:
        same_text(theirs->via.str.ptr, theirs->via.str.size, ours);
        break;
    case MSGPACK_OBJECT_BIN:
        cr_assert_eq(ours->kind, UMBEL_BYTES);
        break;
    case MSGPACK_OBJECT_ARRAY:
        same_list(theirs, ours);
        break;
    default:
        break;
    }
}

static void compare(const char *data, size_t size)
{
    umbel_value *ours;
    int code = decode((umbel_str){data, size}, &ours);
    struct msgpack_cursor cursor = {(const uint8_t *)data, (const uint8_t *)data + size};
    bool too_deep;
    const char *wrong = msgpack_skip(&cursor, &too_deep);
    if (wrong)
        return;
    msgpack_unpacked theirs;
    size_t used = 0;
    msgpack_unpacked_init(&theirs);
    msgpack_unpack_return answer = msgpack_unpack_next(&theirs, data, size, &used);
    cr_assert_eq(answer, MSGPACK_UNPACK_SUCCESS, "what was let through is not read by msgpack-c: %d", answer);
    cr_assert_eq(used, (size_t)((const char *)cursor.at - data));
    if (code == UMBEL_OK)
        same(&theirs.data, ours);
    msgpack_unpacked_destroy(&theirs);
}

Test(msgpack, what_is_let_through_msgpack_c_reads_alike)
{
    static const uint8_t heads[] = {0x01, 0x7F, 0xE0, 0x80, 0x81, 0x82, 0x90, 0x91, 0x92, 0x93, 0xA0, 0xA1,
                                    0xA3, 0xC0, 0xC2, 0xC3, 0xC4, 0xC5, 0xC7, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE,
                                    0xCF, 0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD9, 0xDA, 0xDC, 0xDE};
    srand(7);
    for (int round = 0; round < 200000; round++) {
        char data[40];
        size_t size = (size_t)(rand() % 40);
        for (size_t i = 0; i < size; i++)
            data[i] = (char)(rand() % 3 ? heads[(size_t)rand() % sizeof heads] : rand() % 4);
        compare(data, size);
        arena_reset(&arena);
    }
}

Test(msgpack, what_is_written_msgpack_c_reads_back)
{
    umbel_value *value;
    const char *json = "[[null, true, false, 0, 127, 128, 65535, 65536, 4294967296, 9223372036854775807, -1, "
                       "-32, -33, -129, "
                       "-32769, -2147483649, -9223372036854775808, 1.5, 0.1, \"\", \"caf\\u00e9\"], []]";
    cr_assert_eq(codec_row(CODEC_JSON)->decode(&arena, str_of(json), &value, NULL), UMBEL_OK);
    buffer_clear(&out);
    cr_assert_eq(msgpack_encode(&out, value), UMBEL_OK);
    compare((char *)buffer_head(&out), buffer_length(&out));
    umbel_str packed = {arena_copy(&arena, buffer_head(&out), buffer_length(&out)), buffer_length(&out)};
    cr_assert_str_eq(as_json(read(packed)), as_json(value));
}
