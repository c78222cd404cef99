/* msgpack_write.c: values as msgpack, by msgpack-c's packer on a buffer. Text leaves as str, bytes as bin. */
#include "common/msgpack.h"

#include <msgpack/pack.h>

#include "common/codec.h"
#include "common/str.h"

static int append(void *buffer, const char *data, size_t size)
{
    buffer_add(buffer, data, size);
    return 0; /* failure is sticky in the buffer */
}

static msgpack_packer packer(struct buffer *out)
{
    msgpack_packer pk;
    msgpack_packer_init(&pk, out, append);
    return pk;
}

void msgpack_null(struct buffer *out)
{
    msgpack_packer pk = packer(out);
    msgpack_pack_nil(&pk);
}

void msgpack_boolean(struct buffer *out, bool value)
{
    msgpack_packer pk = packer(out);
    if (value)
        msgpack_pack_true(&pk);
    else
        msgpack_pack_false(&pk);
}

void msgpack_integer(struct buffer *out, int64_t value)
{
    msgpack_packer pk = packer(out);
    msgpack_pack_int64(&pk, value);
}

void msgpack_natural(struct buffer *out, uint64_t value)
{
    msgpack_packer pk = packer(out);
    msgpack_pack_uint64(&pk, value);
}

void msgpack_real(struct buffer *out, double value)
{
    msgpack_packer pk = packer(out);
    msgpack_pack_double(&pk, value);
}

int msgpack_text(struct buffer *out, umbel_str text)
{
    msgpack_packer pk = packer(out);
    if (!str_utf8(text) || text.size > UINT32_MAX)
        return UMBEL_BAD_VALUE;
    msgpack_pack_str(&pk, text.size);
    msgpack_pack_str_body(&pk, text.data, text.size);
    return UMBEL_OK;
}

void msgpack_bytes(struct buffer *out, umbel_str bytes)
{
    msgpack_packer pk = packer(out);
    if (bytes.size > UINT32_MAX) {
        out->failed = true;
        return;
    }
    msgpack_pack_bin(&pk, bytes.size);
    msgpack_pack_bin_body(&pk, bytes.data, bytes.size);
}

void msgpack_list(struct buffer *out, uint32_t count)
{
    msgpack_packer pk = packer(out);
    msgpack_pack_array(&pk, count);
}

void msgpack_map(struct buffer *out, uint32_t count)
{
    msgpack_packer pk = packer(out);
    msgpack_pack_map(&pk, count);
}

/* An integer past int64 has a form here only as far as uint64 goes. */
static int write_digits(struct buffer *out, const umbel_value *value)
{
    uint64_t natural;
    umbel_take take = umbel_take_make(&natural, UMBEL_TAKE_U64);
    int code = value_take(value, &take);
    if (!code)
        msgpack_natural(out, natural);
    return code;
}

static int write_value(struct buffer *out, const umbel_value *value, int depth);

static int write_container(struct buffer *out, const umbel_value *value, int depth)
{
    int code = UMBEL_OK;
    if (depth >= CODEC_DEPTH_MAX)
        return UMBEL_TOO_DEEP;
    if (value->kind == UMBEL_LIST)
        msgpack_list(out, value->count);
    else
        msgpack_map(out, value->count);
    for (uint32_t i = 0; i < value->count && !code; i++) {
        if (value->kind == UMBEL_MAP)
            code = msgpack_text(out, value->as.pairs[i].key);
        if (!code)
            code = write_value(out, umbel_value_at(value, i), depth + 1);
    }
    return code;
}

static int write_value(struct buffer *out, const umbel_value *value, int depth)
{
    switch (value ? value->kind : UMBEL_NULL) {
    case UMBEL_NULL:
        msgpack_null(out);
        return UMBEL_OK;
    case UMBEL_BOOL:
        msgpack_boolean(out, value->as.boolean);
        return UMBEL_OK;
    case UMBEL_INT:
        msgpack_integer(out, value->as.integer);
        return UMBEL_OK;
    case UMBEL_DOUBLE:
        msgpack_real(out, value->as.real);
        return UMBEL_OK;
    case UMBEL_STRING:
        return msgpack_text(out, value->as.str);
    case UMBEL_BYTES:
        msgpack_bytes(out, value->as.str);
        return UMBEL_OK;
    case UMBEL_LIST:
    case UMBEL_MAP:
        return write_container(out, value, depth);
    case VALUE_TOO_BIG:
        return write_digits(out, value);
    default:
        return UMBEL_BAD_VALUE;
    }
}

int msgpack_encode(struct buffer *out, const umbel_value *value)
{
    size_t length = buffer_length(out);
    int code = write_value(out, value, 0);
    if (out->failed)
        return UMBEL_NO_MEMORY;
    if (code)
        out->end = out->start + length;
    return code;
}
