/* compression_test.c: compressed bodies, good and hostile. */
#include <criterion/criterion.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>
#include <umbel/error.h>

#include "common/compression.h"
#include "common/str.h"

TestSuite(compression, .timeout = 60);

/* As zlib's own form, or as gzip's. To be freed. */
static umbel_str pack(const void *data, size_t size, bool gzip)
{
    z_stream stream = {0};
    cr_assert_eq(deflateInit2(&stream, 9, Z_DEFLATED, gzip ? 15 + 16 : 15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    size_t most = deflateBound(&stream, size);
    char *packed = malloc(most);
    stream.next_in = data;
    stream.avail_in = (uInt)size;
    stream.next_out = (Bytef *)packed;
    stream.avail_out = (uInt)most;
    cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return (umbel_str){packed, most - stream.avail_out};
}

static int open_into(struct buffer *out, size_t max, const char *kind, umbel_str packed)
{
    const char *why = NULL;
    buffer_init(out, max);
    int code = compression_open(str_of(kind), packed, out, &why);
    cr_assert(code == UMBEL_OK || why);
    return code;
}

Test(compression, what_was_packed_is_there_again_in_both_forms)
{
    static char text[300000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * i / 7);
    for (int gzip = 0; gzip < 2; gzip++) {
        for (size_t size = 0; size < sizeof text; size = size * 5 + 1) {
            struct buffer out;
            umbel_str packed = pack(text, size, gzip);
            cr_assert_eq(open_into(&out, size, gzip ? "application/x-gzip" : "zlib", packed), UMBEL_OK, "%zu",
                         size);
            cr_assert_eq(buffer_length(&out), size);
            cr_assert(size == 0 || memcmp(buffer_head(&out), text, size) == 0);
            buffer_fini(&out);
            free((void *)(size_t)packed.data);
        }
    }
}

Test(compression, a_bomb_ends_at_the_limit)
{
    size_t size = 64 << 20;
    char *zeros = calloc(1, size);
    umbel_str packed = pack(zeros, size, false);
    struct buffer out;
    free(zeros);
    cr_assert_lt(packed.size, 100000);
    cr_assert_eq(open_into(&out, 1 << 20, "gzip", packed), UMBEL_TOO_LARGE);
    cr_assert_leq(buffer_length(&out), 1u << 20);
    buffer_fini(&out);
    cr_assert_eq(open_into(&out, size - 1, "gzip", packed), UMBEL_TOO_LARGE);
    buffer_fini(&out);
    cr_assert_eq(open_into(&out, size, "gzip", packed), UMBEL_OK);
    buffer_fini(&out);
    free((void *)(size_t)packed.data);
}

Test(compression, what_is_cut_off_or_damaged_is_refused_at_every_place)
{
    static const char text[] =
        "[[\"some\", \"words\"], {\"and\": \"some\"}, {}] and so on, words, words, words";
    umbel_str packed = pack(text, sizeof text, true);
    struct buffer out;
    for (size_t size = 0; size < packed.size; size++) {
        cr_assert_eq(open_into(&out, 4096, "gzip", (umbel_str){packed.data, size}), UMBEL_BAD_MESSAGE, "%zu",
                     size);
        buffer_fini(&out);
    }
    cr_assert_eq(open_into(&out, 4096, "gzip", STR("[[1, 2], {}, {}]")), UMBEL_BAD_MESSAGE);
    buffer_fini(&out);
    free((void *)(size_t)packed.data);
}

Test(compression, other_kinds_are_not_known)
{
    static const char *const kinds[] = {"application/x-bz2", "application/x-lzma", "", "GZIP",
                                        "application/zstd"};
    struct buffer out;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        cr_assert_eq(open_into(&out, 4096, kinds[i], STR("x")), UMBEL_NOT_SUPPORTED);
        buffer_fini(&out);
    }
}
