/* Any bytes as JSON: no crash; what is accepted is written and read back to the same text, in both codecs. */
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/json.h"

static void check(bool holds)
{
    if (!holds)
        abort();
}

static umbel_str content(const struct buffer *buffer)
{
    return (umbel_str){(const char *)buffer_head(buffer), buffer_length(buffer)};
}

static void round_trip(struct arena *arena, const umbel_value *value)
{
    struct buffer once, again;
    umbel_value *back;
    buffer_init(&once, 1 << 24);
    buffer_init(&again, 1 << 24);
    if (json_encode(&once, value) == UMBEL_OK) {
        check(json_decode(arena, content(&once), &back, NULL) == UMBEL_OK);
        check(json_encode(&again, back) == UMBEL_OK);
        check(buffer_length(&once) == buffer_length(&again) &&
              memcmp(buffer_head(&once), buffer_head(&again), buffer_length(&once)) == 0);
    }
    buffer_clear(&again);
    if (codec_row(CODEC_MSGPACK)->encode(&again, value) == UMBEL_OK)
        check(codec_row(CODEC_MSGPACK)->decode(arena, content(&again), &back, NULL) == UMBEL_OK);
    buffer_clear(&again);
    value_find_invalid(value, &again);
    value_repr(&again, value, 200);
    check(value_height(value) <= CODEC_DEPTH_MAX && value_copy(arena, value));
    buffer_fini(&once);
    buffer_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    umbel_value *value;
    const char *why = NULL;
    umbel_str input = {(const char *)data, size};
    arena_init(&arena, 1 << 24);
    int code = json_decode(&arena, input, &value, &why);
    check(code == UMBEL_OK || why);
    if (code == UMBEL_OK) {
        check(json_skip(input).data != NULL);
        round_trip(&arena, value);
    }
    arena_fini(&arena);
    return 0;
}
