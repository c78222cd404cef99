/* msgpack_read.c: msgpack into values.
 *
 * msgpack_skip goes over the whole input first; what it let through has depth and counts that the second pass
 * may trust, so each container is allocated once, at its size. A string is at least one byte shorter than its
 * token, so all of them, each with a NUL behind, fit into one block of the input's size. */
#include "common/msgpack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/str.h"
#include "common/value_make.h"

struct level {
    umbel_value *container;
    uint32_t filled;
};

struct reader {
    struct arena *arena;
    struct msgpack_cursor cursor;
    char *text; /* where the next string goes */
    const char *wrong;
    int code;
    int depth;
    struct level levels[CODEC_DEPTH_MAX];
};

static bool fail(struct reader *reader, int code, const char *wrong)
{
    reader->code = code;
    reader->wrong = wrong;
    return false;
}

static bool no_memory(struct reader *reader)
{
    return fail(reader, reader->arena->limit ? UMBEL_TOO_LARGE : UMBEL_NO_MEMORY, "no memory is left for it");
}

static bool make_text(struct reader *reader, umbel_str text, uint8_t kind, umbel_value *out)
{
    *out = (umbel_value){.kind = kind, .as.str = {reader->text, text.size}};
    memcpy(reader->text, text.data, text.size);
    reader->text[text.size] = '\0';
    reader->text += text.size + 1;
    return true;
}

static bool make_natural(struct reader *reader, uint64_t natural, umbel_value *out)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%" PRIu64, natural);
    *out = (umbel_value){.kind = VALUE_TOO_BIG,
                         .as.str = arena_str(reader->arena, (umbel_str){digits, (size_t)size})};
    return out->as.str.data ? true : no_memory(reader);
}

/* Counts were checked against the input's size, so one allocation of the right size is safe. */
static bool make_container(struct reader *reader, const struct msgpack_token *token, umbel_value *out)
{
    bool is_list = token->kind == MSGPACK_LIST;
    size_t size = is_list ? sizeof(umbel_value) : sizeof(struct value_pair);
    *out = (umbel_value){
        .kind = is_list ? UMBEL_LIST : UMBEL_MAP, .count = token->as.count, .capacity = token->as.count};
    if (token->as.count == 0)
        return true;
    out->as.items = arena_alloc(reader->arena, token->as.count * size);
    if (!out->as.items)
        return no_memory(reader);
    reader->levels[reader->depth++] = (struct level){out, 0};
    return true;
}

static bool make_value(struct reader *reader, const struct msgpack_token *token, umbel_value *out)
{
    switch (token->kind) {
    case MSGPACK_NIL:
        *out = (umbel_value){.kind = UMBEL_NULL};
        return true;
    case MSGPACK_BOOL:
        *out = (umbel_value){.kind = UMBEL_BOOL, .as.boolean = token->as.boolean};
        return true;
    case MSGPACK_INT:
        *out = (umbel_value){.kind = UMBEL_INT, .as.integer = token->as.integer};
        return true;
    case MSGPACK_NATURAL:
        return make_natural(reader, token->as.natural, out);
    case MSGPACK_REAL:
        *out = (umbel_value){.kind = UMBEL_DOUBLE, .as.real = token->as.real};
        return true;
    case MSGPACK_STR:
        if (!str_utf8(token->as.bytes))
            return value_make_not_text(reader->arena, token->as.bytes, out) ? true : no_memory(reader);
        return make_text(reader, token->as.bytes, UMBEL_STRING, out);
    case MSGPACK_BIN:
        return make_text(reader, token->as.bytes, UMBEL_BYTES, out);
    case MSGPACK_EXT:
        return make_text(reader, token->as.bytes, VALUE_EXTENSION, out);
    case MSGPACK_LIST:
    case MSGPACK_MAP:
        return make_container(reader, token, out);
    }
    return fail(reader, UMBEL_BAD_MESSAGE, "a token of an unknown kind");
}

/* Reads the key of the next pair. One that is not text is kept escaped, and its value says so. */
static bool read_key(struct reader *reader, struct value_pair *pair, bool *is_text)
{
    struct msgpack_token token;
    umbel_value key;
    if (!msgpack_next(&reader->cursor, &token) || token.kind != MSGPACK_STR)
        return fail(reader, UMBEL_BAD_MESSAGE, "a map's key is not a string");
    if (!make_value(reader, &token, &key))
        return false;
    pair->key = key.as.str;
    *is_text = key.kind == UMBEL_STRING;
    if (!*is_text)
        pair->value = key;
    return true;
}

/* Where the next value goes: the next place of the innermost container. */
static bool next_place(struct reader *reader, umbel_value **place)
{
    struct level *level = &reader->levels[reader->depth - 1];
    umbel_value *container = level->container;
    uint32_t index = level->filled++;
    if (container->kind == UMBEL_LIST) {
        *place = &container->as.items[index];
        return true;
    }
    struct value_pair *pair = &container->as.pairs[index];
    bool is_text;
    *place = &pair->value;
    if (!read_key(reader, pair, &is_text))
        return false;
    if (!is_text) {
        bool too_deep;
        msgpack_skip(&reader->cursor, &too_deep);
        *place = NULL;
    }
    return true;
}

static bool close_full(struct reader *reader)
{
    while (reader->depth) {
        struct level *level = &reader->levels[reader->depth - 1];
        if (level->filled < level->container->count)
            return true;
        if (level->container->kind == UMBEL_MAP && !value_map_finish(reader->arena, level->container))
            return no_memory(reader);
        reader->depth--;
    }
    return true;
}

static bool read_all(struct reader *reader, umbel_value *root)
{
    umbel_value *place = root;
    for (;;) {
        struct msgpack_token token;
        if (place) {
            if (!msgpack_next(&reader->cursor, &token))
                return fail(reader, UMBEL_BAD_MESSAGE, "it ends too early");
            if (!make_value(reader, &token, place))
                return false;
        }
        if (!close_full(reader))
            return false;
        if (reader->depth == 0)
            return true;
        if (!next_place(reader, &place))
            return false;
    }
}

static bool check(struct reader *reader)
{
    struct msgpack_cursor cursor = reader->cursor;
    bool too_deep;
    const char *wrong = msgpack_skip(&cursor, &too_deep);
    if (!wrong && cursor.at != cursor.end)
        wrong = "something follows the value";
    if (!wrong)
        return true;
    reader->cursor = cursor;
    return fail(reader, too_deep ? UMBEL_TOO_DEEP : UMBEL_BAD_MESSAGE, wrong);
}

static const char *explain(struct reader *reader, umbel_str input)
{
    enum { SIZE = 128 };
    char *text = arena_alloc(reader->arena, SIZE);
    if (!text)
        return reader->wrong;
    size_t at = input.size - (size_t)(reader->cursor.end - reader->cursor.at);
    snprintf(text, SIZE, "not msgpack: %s, at byte %zu", reader->wrong, at);
    return text;
}

int msgpack_decode(struct arena *arena, umbel_str input, umbel_value **out, const char **why)
{
    const uint8_t *data = (const uint8_t *)(input.data ? input.data : "");
    struct reader reader; /* its levels are set as they are opened */
    reader.arena = arena;
    reader.cursor = (struct msgpack_cursor){data, data + input.size};
    reader.code = UMBEL_OK;
    reader.depth = 0;
    umbel_value *root = NULL;
    if (check(&reader)) {
        root = arena_alloc(arena, sizeof *root);
        reader.text = arena_alloc(arena, input.size);
        if (root && reader.text ? read_all(&reader, root) : no_memory(&reader)) {
            *out = root;
            return UMBEL_OK;
        }
    }
    if (why)
        *why = explain(&reader, input);
    return reader.code;
}
