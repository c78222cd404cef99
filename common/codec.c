/* codec.c: the table of the two codecs, and writing structure piece by piece in either. */
#include "common/codec.h"

#include "common/json.h"
#include "common/msgpack.h"
#include "common/str.h"

static const struct codec_row rows[] = {
    [CODEC_JSON] =
        {
            .name = "json",
            .content_type = "application/json",
            .decode = json_decode,
            .encode = json_encode,
            .null = json_null,
            .boolean = json_boolean,
            .integer = json_integer,
            .real = json_real,
            .text = json_text,
            .bytes = json_bytes,
        },
    [CODEC_MSGPACK] =
        {
            .name = "msgpack",
            .content_type = "application/x-msgpack",
            .content_encoding = "binary",
            .decode = msgpack_decode,
            .encode = msgpack_encode,
            .null = msgpack_null,
            .boolean = msgpack_boolean,
            .integer = msgpack_integer,
            .real = msgpack_real,
            .text = msgpack_text,
            .bytes = msgpack_bytes,
        },
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

const struct codec_row *codec_row(enum codec codec)
{
    return &rows[codec];
}

const struct codec_row *codec_by_content_type(umbel_str content_type)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (str_equal(content_type, str_of(rows[i].content_type)))
            return &rows[i];
    }
    return NULL;
}

const struct codec_row *codec_by_name(umbel_str name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (str_equal(name, str_of(rows[i].name)))
            return &rows[i];
    }
    return NULL;
}

enum codec codec_of(const struct codec_row *row)
{
    return (enum codec)(row - rows);
}

/* A msgpack map begins with 0x80 to 0x8F, 0xDE or 0xDF; JSON text with '{', which there is the integer 123.
 */
enum codec codec_sniff(umbel_str stored)
{
    uint8_t first = stored.size ? (uint8_t)stored.data[0] : '{';
    return first >= 0x80 ? CODEC_MSGPACK : CODEC_JSON;
}

void codec_open_list(enum codec codec, struct buffer *out, uint32_t count)
{
    if (codec == CODEC_MSGPACK)
        msgpack_list(out, count);
    else
        buffer_byte(out, '[');
}

void codec_close_list(enum codec codec, struct buffer *out)
{
    if (codec == CODEC_JSON)
        buffer_byte(out, ']');
}

void codec_open_map(enum codec codec, struct buffer *out, uint32_t count)
{
    if (codec == CODEC_MSGPACK)
        msgpack_map(out, count);
    else
        buffer_byte(out, '{');
}

void codec_close_map(enum codec codec, struct buffer *out)
{
    if (codec == CODEC_JSON)
        buffer_byte(out, '}');
}

void codec_next(enum codec codec, struct buffer *out, uint32_t index)
{
    if (codec == CODEC_JSON && index)
        buffer_add(out, ", ", 2);
}

/* Without the key the structure is spoilt: the buffer says so. */
void codec_key(enum codec codec, struct buffer *out, uint32_t index, umbel_str key)
{
    codec_next(codec, out, index);
    if (rows[codec].text(out, key))
        out->failed = true;
    if (codec == CODEC_JSON)
        buffer_add(out, ": ", 2);
}

static int give_natural(enum codec codec, struct buffer *out, uint64_t natural)
{
    if (natural <= INT64_MAX)
        rows[codec].integer(out, (int64_t)natural);
    else if (codec == CODEC_MSGPACK)
        msgpack_natural(out, natural);
    else
        buffer_format(out, "%llu", (unsigned long long)natural);
    return UMBEL_OK;
}

static int give(enum codec codec, struct buffer *out, const umbel_give *cell)
{
    const struct codec_row *row = &rows[codec];
    switch (cell->kind) {
    case UMBEL_GIVE_NULL:
        row->null(out);
        return UMBEL_OK;
    case UMBEL_GIVE_BOOL:
        row->boolean(out, cell->as.boolean);
        return UMBEL_OK;
    case UMBEL_GIVE_INT:
        row->integer(out, cell->as.integer);
        return UMBEL_OK;
    case UMBEL_GIVE_UINT:
        return give_natural(codec, out, cell->as.natural);
    case UMBEL_GIVE_DOUBLE:
        row->real(out, cell->as.real);
        return UMBEL_OK;
    case UMBEL_GIVE_TEXT:
        if (cell->as.text)
            return row->text(out, str_of(cell->as.text));
        row->null(out);
        return UMBEL_OK;
    case UMBEL_GIVE_STR:
        return row->text(out, cell->as.str);
    case UMBEL_GIVE_BYTES:
        row->bytes(out, cell->as.str);
        return UMBEL_OK;
    case UMBEL_GIVE_VALUE: /* what is written into an envelope must leave room for its levels, or nobody will
                              read it */
        return value_height(cell->as.value) > UMBEL_DEPTH_MAX ? UMBEL_TOO_DEEP
                                                              : row->encode(out, cell->as.value);
    }
    return UMBEL_BAD_TYPE;
}

void codec_give(enum codec codec, struct buffer *out, const umbel_give *cell, int *code)
{
    int now = give(codec, out, cell);
    if (!*code)
        *code = now ? now : out->failed ? UMBEL_NO_MEMORY : UMBEL_OK;
}

static int write_args(enum codec codec, struct buffer *out, umbel_arguments arguments, size_t positional)
{
    int code = UMBEL_OK;
    codec_open_list(codec, out, (uint32_t)positional);
    for (size_t i = 0; i < positional; i++) {
        codec_next(codec, out, (uint32_t)i);
        codec_give(codec, out, &arguments.gives[i], &code);
    }
    codec_close_list(codec, out);
    return code;
}

static int write_kwargs(enum codec codec, struct buffer *out, umbel_arguments arguments, size_t positional)
{
    int code = UMBEL_OK;
    codec_open_map(codec, out, (uint32_t)(arguments.count - positional));
    for (size_t i = positional; i < arguments.count && !code; i++) {
        umbel_str name = str_of(arguments.gives[i].name);
        if (!name.data) /* a positional one behind a named one */
            return UMBEL_BAD_ARGUMENT;
        if (!str_utf8(name))
            return UMBEL_BAD_VALUE;
        codec_key(codec, out, (uint32_t)(i - positional), name);
        codec_give(codec, out, &arguments.gives[i], &code);
    }
    codec_close_map(codec, out);
    return code;
}

/* Celery writes four keys with null; a missing one says the same to its workers (they ask with get), and
 * costs a client, the broker and a worker's child less than the four do. */
void codec_write_embed(enum codec codec, struct buffer *out)
{
    codec_open_map(codec, out, 0);
    codec_close_map(codec, out);
}

int codec_write_list(enum codec codec, struct buffer *out, umbel_arguments arguments)
{
    for (size_t i = 0; i < arguments.count; i++)
        if (arguments.gives[i].name)
            return UMBEL_BAD_ARGUMENT;
    return write_args(codec, out, arguments, arguments.count);
}

int codec_write_body(enum codec codec, struct buffer *out, umbel_arguments arguments)
{
    size_t length = buffer_length(out), positional = 0;
    while (positional < arguments.count && !arguments.gives[positional].name)
        positional++;
    codec_open_list(codec, out, 3);
    codec_next(codec, out, 0);
    int code = write_args(codec, out, arguments, positional);
    codec_next(codec, out, 1);
    if (!code)
        code = write_kwargs(codec, out, arguments, positional);
    codec_next(codec, out, 2);
    codec_write_embed(codec, out);
    codec_close_list(codec, out);
    if (code && !out->failed)
        out->end = out->start + length;
    return code ? code : out->failed ? UMBEL_NO_MEMORY : UMBEL_OK;
}
