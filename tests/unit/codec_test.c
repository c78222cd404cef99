#include <criterion/criterion.h>
#include <string.h>

#include "common/codec.h"
#include "common/str.h"

static struct arena arena;
static struct buffer out;

static void begin(void)
{
    arena_init(&arena, 0);
    buffer_init(&out, 1 << 20);
}
static void end(void)
{
    arena_fini(&arena);
    buffer_fini(&out);
}
TestSuite(codec, .init = begin, .fini = end);

static umbel_str content(void)
{
    return (umbel_str){(const char *)buffer_head(&out), buffer_length(&out)};
}

/* What stands in the buffer, in whichever codec, as JSON. */
static const char *as_json(enum codec codec)
{
    umbel_value *value;
    const char *why = "";
    cr_assert_eq(codec_row(codec)->decode(&arena, content(), &value, &why), UMBEL_OK, "%s", why);
    buffer_clear(&out);
    cr_assert_eq(codec_row(CODEC_JSON)->encode(&out, value), UMBEL_OK);
    return arena_copy(&arena, buffer_head(&out), buffer_length(&out));
}

Test(codec, rows_are_found)
{
    cr_assert_eq(codec_by_content_type(STR("application/json")), codec_row(CODEC_JSON));
    cr_assert_eq(codec_by_content_type(STR("application/x-msgpack")), codec_row(CODEC_MSGPACK));
    cr_assert_null(codec_by_content_type(STR("application/x-python-serialize")));
    cr_assert_null(codec_by_content_type(STR_NONE));
    cr_assert_eq(codec_of(codec_by_name(STR("msgpack"))), CODEC_MSGPACK);
    cr_assert_null(codec_by_name(STR("pickle")));
}

Test(codec, the_body_is_celerys)
{
    cr_assert_eq(codec_write_body(CODEC_JSON, &out, UMBEL_ARGS(2, 3)), UMBEL_OK);
    buffer_byte(&out, '\0');
    cr_assert_str_eq((char *)buffer_head(&out), "[[2, 3], {}, {}]");
}

Test(codec, booleans_are_written_as_such_where_c_would_make_them_integers)
{
    int one = 1, two = 2;
    bool flag = true;
    cr_assert_eq(codec_write_body(CODEC_JSON, &out,
                                  UMBEL_ARGS(UMBEL_TRUE, UMBEL_FALSE, flag, umbel_give_bool(one < two),
                                             umbel_kwarg("deep", UMBEL_TRUE))),
                 UMBEL_OK);
    buffer_byte(&out, 0);
    const char *wanted = "[[true, false, true, true], {\"deep\": true}, ";
    cr_assert_eq(strncmp((const char *)buffer_head(&out), wanted, strlen(wanted)), 0, "%s",
                 buffer_head(&out));
}

Test(codec, the_body_is_the_same_in_both)
{
    umbel_arguments arguments =
        UMBEL_ARGS(1, "x", umbel_null(), umbel_kwarg("scale", 2.5), umbel_kwarg("on", (bool)true));
    for (int codec = CODEC_JSON; codec <= CODEC_MSGPACK; codec++) {
        buffer_clear(&out);
        cr_assert_eq(codec_write_body((enum codec)codec, &out, arguments), UMBEL_OK);
        cr_assert_str_eq(as_json((enum codec)codec),
                         "[[1, \"x\", null], {\"scale\": 2.5, \"on\": true}, {}]");
    }
}

Test(codec, a_body_that_cannot_be_written_leaves_nothing)
{
    for (int codec = CODEC_JSON; codec <= CODEC_MSGPACK; codec++) {
        buffer_clear(&out);
        buffer_text(&out, "before");
        cr_assert_eq(codec_write_body((enum codec)codec, &out, UMBEL_ARGS(1, "\xFF", 2)), UMBEL_BAD_VALUE);
        cr_assert_eq(codec_write_body((enum codec)codec, &out, UMBEL_ARGS(umbel_kwarg("\xFF", 1))),
                     UMBEL_BAD_VALUE);
        cr_assert_eq(codec_write_body((enum codec)codec, &out, UMBEL_ARGS(umbel_kwarg("a", 1), 2)),
                     UMBEL_BAD_ARGUMENT);
        cr_assert(str_equal(content(), STR("before")));
    }
}

Test(codec, the_deepest_value_that_is_taken_can_be_read_in_its_body)
{
    umbel_value *root = umbel_list_new(), *at = root, *deeper;
    for (int depth = 1; depth < UMBEL_DEPTH_MAX; depth++)
        at = umbel_add_list(at, NULL);
    umbel_add_bytes(at, NULL, "\xFF", 1);
    for (int codec = CODEC_JSON; codec <= CODEC_MSGPACK; codec++) {
        buffer_clear(&out);
        cr_assert_eq(codec_write_body((enum codec)codec, &out, UMBEL_ARGS(root)), UMBEL_OK);
        as_json((enum codec)codec);
        arena_reset(&arena);
        umbel_value items = *root, list = {.kind = UMBEL_LIST, .count = 1, .as.items = &items};
        deeper = &list;
        buffer_clear(&out);
        cr_assert_eq(codec_write_body((enum codec)codec, &out, UMBEL_ARGS(deeper)), UMBEL_TOO_DEEP);
    }
    umbel_value_free(root);
}

Test(codec, structure_is_written_piece_by_piece)
{
    for (int number = CODEC_JSON; number <= CODEC_MSGPACK; number++) {
        enum codec codec = (enum codec)number;
        const struct codec_row *row = codec_row(codec);
        buffer_clear(&out);
        codec_open_map(codec, &out, 3);
        codec_key(codec, &out, 0, STR("list"));
        codec_open_list(codec, &out, 5);
        codec_next(codec, &out, 0);
        row->integer(&out, -7);
        codec_next(codec, &out, 1);
        row->real(&out, 1.5);
        codec_next(codec, &out, 2);
        row->boolean(&out, false);
        codec_next(codec, &out, 3);
        cr_assert_eq(row->text(&out, STR("caf\xC3\xA9")), UMBEL_OK);
        codec_next(codec, &out, 4);
        codec_open_map(codec, &out, 0);
        codec_close_map(codec, &out);
        codec_close_list(codec, &out);
        codec_key(codec, &out, 1, STR("bytes"));
        row->bytes(&out, STR("\xFF\x00"));
        codec_key(codec, &out, 2, STR("null"));
        row->null(&out);
        codec_close_map(codec, &out);
        cr_assert_eq(codec_sniff(content()), codec);
        cr_assert_str_eq(as_json(codec),
                         "{\"list\": [-7, 1.5, false, \"caf\\u00e9\", {}], \"bytes\": {\"__type__\": "
                         "\"base64\", \"__value__\": \"/wA=\"}, \"null\": null}");
    }
}

Test(codec, integers_past_int64_are_given_in_both)
{
    for (int codec = CODEC_JSON; codec <= CODEC_MSGPACK; codec++) {
        int code = UMBEL_OK;
        umbel_give give = UMBEL_GIVE(UINT64_MAX);
        buffer_clear(&out);
        codec_give((enum codec)codec, &out, &give, &code);
        cr_assert_eq(code, UMBEL_OK);
        cr_assert_str_eq(as_json((enum codec)codec), "18446744073709551615");
    }
}

Test(codec, a_full_buffer_is_told)
{
    struct buffer small;
    buffer_init(&small, 10);
    cr_assert_eq(codec_write_body(CODEC_JSON, &small, UMBEL_ARGS(1)), UMBEL_NO_MEMORY);
    buffer_fini(&small);
}

Test(codec, the_first_error_of_several_is_kept)
{
    int code = UMBEL_OK;
    umbel_give bad = UMBEL_GIVE("\xFF"), good = UMBEL_GIVE(1);
    codec_give(CODEC_JSON, &out, &bad, &code);
    codec_give(CODEC_JSON, &out, &good, &code);
    cr_assert_eq(code, UMBEL_BAD_VALUE);
}
