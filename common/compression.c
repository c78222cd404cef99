/* compression.c: see compression.h. zlib reads both of its forms, zlib's own (which kombu writes, and calls
 * gzip) and gzip's. */
#include "common/compression.h"

#define ZLIB_CONST
#include <zlib.h>
#include <umbel/error.h>
#include "common/str.h"

enum { PIECE = 64 << 10, BOTH_FORMS = 15 + 32 };

static bool is_deflated(umbel_str kind)
{
    return str_equal(kind, STR("application/x-gzip")) || str_equal(kind, STR("gzip")) ||
           str_equal(kind, STR("zlib"));
}

static int fail(int code, const char *text, const char **why)
{
    *why = text;
    return code;
}

/* As much output as there is room for. Z_OK: there may be more; room that stays empty says that input is
 * missing. */
static int inflate_into(z_stream *stream, uint8_t *room, size_t size)
{
    stream->next_out = room;
    stream->avail_out = (uInt)size;
    int code = inflate(stream, Z_NO_FLUSH);
    return code == Z_OK && stream->avail_out ? Z_DATA_ERROR : code;
}

/* The limit is reached: only the end may follow. Z_BUF_ERROR: something else does. */
static int inflate_end(z_stream *stream)
{
    uint8_t more;
    int code = inflate_into(stream, &more, 1);
    return stream->avail_out ? code : Z_BUF_ERROR;
}

static int inflate_piece(z_stream *stream, struct buffer *out)
{
    size_t left = out->max - buffer_length(out), size = left < PIECE ? left : PIECE;
    if (size == 0)
        return inflate_end(stream);
    uint8_t *room = buffer_room(out, size);
    if (!room)
        return Z_MEM_ERROR;
    int code = inflate_into(stream, room, size);
    buffer_grew(out, size - stream->avail_out);
    return code;
}

int compression_open(umbel_str kind, umbel_str packed, struct buffer *out, const char **why)
{
    if (!is_deflated(kind))
        return fail(UMBEL_NOT_SUPPORTED, "zlib and gzip can be read", why);
    z_stream stream = {.next_in = (const Bytef *)packed.data, .avail_in = (uInt)packed.size};
    if (packed.size > UINT32_MAX)
        return fail(UMBEL_TOO_LARGE, "it is over the limit", why);
    if (inflateInit2(&stream, BOTH_FORMS) != Z_OK)
        return fail(UMBEL_NO_MEMORY, "out of memory", why);
    int code = Z_OK;
    while (code == Z_OK)
        code = inflate_piece(&stream, out);
    inflateEnd(&stream);
    if (code == Z_STREAM_END)
        return UMBEL_OK;
    if (code == Z_BUF_ERROR && buffer_length(out) == out->max && !stream.avail_out)
        return fail(UMBEL_TOO_LARGE, "it is over the limit", why);
    if (code == Z_MEM_ERROR)
        return fail(UMBEL_NO_MEMORY, "out of memory", why);
    return fail(UMBEL_BAD_MESSAGE, "it is damaged or cut off", why);
}
