/* Any bytes as msgpack: no crash; what the first pass lets through is read by msgpack-c too. */
#include <msgpack.h>
#include <stdlib.h>

#include "common/codec.h"
#include "common/msgpack.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

static bool is_let_through(const uint8_t *data, size_t size)
{
    struct msgpack_cursor cursor = {data, data + size};
    bool too_deep;
    return !msgpack_skip(&cursor, &too_deep) && cursor.at == cursor.end;
}

static void compare(const uint8_t *data, size_t size)
{
    msgpack_unpacked theirs;
    size_t used = 0;
    msgpack_unpacked_init(&theirs);
    check(msgpack_unpack_next(&theirs, (const char *)data, size, &used) == MSGPACK_UNPACK_SUCCESS &&
          used == size);
    msgpack_unpacked_destroy(&theirs);
}

static void write_back(struct arena *arena, const umbel_value *value)
{
    struct buffer out;
    umbel_value *back;
    buffer_init(&out, 1 << 24);
    if (msgpack_encode(&out, value) == UMBEL_OK) {
        umbel_str packed = {(const char *)buffer_head(&out), buffer_length(&out)};
        check(msgpack_decode(arena, packed, &back, NULL) == UMBEL_OK);
    }
    buffer_clear(&out);
    codec_row(CODEC_JSON)->encode(&out, value);
    value_repr(&out, value, 200);
    buffer_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    umbel_value *value;
    const char *why = NULL;
    /* A byte becomes one value at most: memory past this multiple would mean that a count lied and was
     * believed. */
    arena_init(&arena, 128 * size + 1024);
    int code = msgpack_decode(&arena, (umbel_str){(const char *)data, size}, &value, &why);
    bool let_through = is_let_through(data, size);
    check(code != UMBEL_TOO_LARGE && (code == UMBEL_OK || why) && (code != UMBEL_OK || let_through));
    if (let_through)
        compare(data, size);
    arena.limit = 0;
    if (code == UMBEL_OK)
        write_back(&arena, value);
    arena_fini(&arena);
    return 0;
}
