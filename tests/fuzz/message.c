/* Any bytes as a packed message, or as headers in msgpack: no crash; what is unpacked packs again. */
#include <stdlib.h>

#include "common/codec.h"
#include "common/message.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

static int touch(void *to, umbel_str name, const umbel_value *value)
{
    buffer_str(to, name);
    value_repr(to, value, 100);
    return 0;
}

/* A copy that is packed already says what packing says. */
static void use_kept(struct arena *arena, const struct message *msg, struct buffer *out)
{
    struct message copy;
    umbel_str kept;
    buffer_clear(out);
    int code = message_pack(out, msg);
    umbel_str packed = arena_str(arena, (umbel_str){(const char *)buffer_head(out), buffer_length(out)});
    buffer_clear(out);
    check(message_keep(arena, &copy, msg, &kept) == UMBEL_OK);
    check(message_pack_kept(out, &copy, kept) == code && buffer_length(out) == packed.size);
    check(packed.size == 0 || memcmp(buffer_head(out), packed.data, packed.size) == 0);
}

static void use(struct arena *arena, const struct message *msg)
{
    struct buffer out;
    struct message copy, back;
    buffer_init(&out, 1 << 24);
    message_each_header(msg, touch, &out);
    check(message_copy(arena, &copy, msg) == UMBEL_OK);
    buffer_clear(&out);
    if (message_pack(&out, &copy) == UMBEL_OK) {
        umbel_str packed = {(const char *)buffer_head(&out), buffer_length(&out)};
        check(message_unpack(arena, packed, &back) == UMBEL_OK && back.extra_count == copy.extra_count);
    }
    use_kept(arena, msg, &out);
    buffer_fini(&out);
}

static void read_headers(struct arena *arena, umbel_str input)
{
    umbel_value *map;
    struct message msg;
    message_init(&msg);
    if (codec_row(CODEC_MSGPACK)->decode(arena, input, &map, NULL) || map->kind != UMBEL_MAP)
        return;
    for (size_t i = 0; i < umbel_value_count(map); i++)
        message_read_header(arena, &msg, umbel_value_key(map, i), umbel_value_at(map, i));
    use(arena, &msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct message msg;
    umbel_str input = {(const char *)data, size};
    arena_init(&arena, 0);
    if (message_unpack(&arena, input, &msg) == UMBEL_OK)
        use(&arena, &msg);
    read_headers(&arena, input);
    arena_fini(&arena);
    return 0;
}
