/* result_read.c: reading what any worker, Python's too, has stored.
 *
 * Peeking walks over the stored bytes and decodes nothing: a client sees a notice for each of its tasks, most
 * of which it only needs to assign. */
#include "common/result.h"

#include "common/json.h"
#include "common/msgpack.h"
#include "common/result_usual.h"
#include "common/str.h"

static enum result_state state_of(umbel_str name)
{
    static const enum result_state states[] = {RESULT_SUCCESS, RESULT_FAILURE, RESULT_REVOKED, RESULT_STARTED,
                                               RESULT_RETRY,   RESULT_PENDING, RESULT_PART};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        if (str_equal(name, str_of(result_state_name(states[i]))))
            return states[i];
    }
    return str_equal(name, STR("RECEIVED")) ? RESULT_PENDING : RESULT_CUSTOM;
}

/* ---- peeking
 * ------------------------------------------------------------------------------------------------------ */

struct peek {
    umbel_str status, id; /* {NULL, 0} until found */
    umbel_str value;      /* of JSON, when `whole`: the encoded result */
    bool whole;           /* go on to the end of the map */
    bool in_parts;        /* it names the run that gave parts */
};

static bool peek_is_done(const struct peek *peek)
{
    return !peek->whole && peek->status.data && peek->id.data;
}

static void skip_space(umbel_str *rest)
{
    const char *at = rest->data, *end = at + rest->size;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    *rest = (umbel_str){at, (size_t)(end - at)};
}

static bool take_char(umbel_str *rest, char wanted)
{
    skip_space(rest);
    if (rest->size == 0 || rest->data[0] != wanted)
        return false;
    *rest = (umbel_str){rest->data + 1, rest->size - 1};
    return true;
}

static umbel_str take_value(umbel_str *rest)
{
    umbel_str value = json_skip(*rest);
    if (value.data) {
        const char *end = rest->data + rest->size;
        rest->data = value.data + value.size;
        rest->size = (size_t)(end - rest->data);
    }
    return value;
}

/* What is between the quotes, when it stands there as it is meant. */
static umbel_str plain_text(umbel_str value)
{
    if (value.size < 2 || value.data[0] != '"' || memchr(value.data, '\\', value.size))
        return STR_NONE;
    return (umbel_str){value.data + 1, value.size - 2};
}

static bool peek_json(umbel_str rest, struct peek *peek)
{
    if (!take_char(&rest, '{'))
        return false;
    do {
        umbel_str key = plain_text(take_value(&rest));
        if (!key.data || !take_char(&rest, ':'))
            return false;
        umbel_str value = take_value(&rest);
        if (!value.data)
            return false;
        if (str_equal(key, STR("status")))
            peek->status = plain_text(value);
        else if (str_equal(key, STR("task_id")))
            peek->id = plain_text(value);
        else if (str_equal(key, STR("result")))
            peek->value = value;
        else if (str_equal(key, STR("run")))
            peek->in_parts = true;
    } while (!peek_is_done(peek) && take_char(&rest, ','));
    return !peek->whole || (take_char(&rest, '}') && (skip_space(&rest), rest.size == 0));
}

static bool next_text(struct msgpack_cursor *cursor, umbel_str *text)
{
    struct msgpack_token token;
    struct msgpack_cursor ahead = *cursor;
    if (!msgpack_next(&ahead, &token) || token.kind != MSGPACK_STR)
        return false;
    *text = token.as.bytes;
    *cursor = ahead;
    return true;
}

static bool peek_msgpack(umbel_str stored, struct peek *peek)
{
    const uint8_t *data = (const uint8_t *)stored.data;
    struct msgpack_cursor cursor = {data, data + stored.size};
    struct msgpack_token map;
    bool too_deep;
    if (!msgpack_next(&cursor, &map) || map.kind != MSGPACK_MAP)
        return false;
    for (uint32_t i = 0; i < map.as.count && !peek_is_done(peek); i++) {
        umbel_str key;
        if (!next_text(&cursor, &key))
            return false;
        umbel_str *to = str_equal(key, STR("status"))    ? &peek->status
                        : str_equal(key, STR("task_id")) ? &peek->id
                                                         : NULL;
        if ((!to || !next_text(&cursor, to)) && msgpack_skip(&cursor, &too_deep))
            return false;
    }
    return true;
}

int result_peek(umbel_str stored, enum result_state *state, umbel_str *id)
{
    struct peek peek = {.whole = false};
    if (result_usual_read(stored, &peek.value, id)) {
        *state = RESULT_SUCCESS;
        return UMBEL_OK;
    }
    if (stored.size == 0)
        return UMBEL_BAD_MESSAGE;
    bool walked = codec_sniff(stored) == CODEC_JSON ? peek_json(stored, &peek) : peek_msgpack(stored, &peek);
    if (!walked || !peek_is_done(&peek) || !str_utf8(peek.status) || !str_utf8(peek.id))
        return UMBEL_BAD_MESSAGE;
    *state = state_of(peek.status);
    *id = peek.id;
    return UMBEL_OK;
}

/* ---- reading
 * ------------------------------------------------------------------------------------------------------ */

/* The exception's first argument as text; Python also stores a plain string. */
static bool read_message(struct arena *arena, const umbel_value *message, umbel_str *out)
{
    enum { SHOWN = 4096 };
    if (message && message->kind == UMBEL_LIST)
        message = umbel_value_at(message, 0);
    *out = STR("");
    if (!message || message->kind == UMBEL_NULL)
        return true;
    if (message->kind == UMBEL_STRING) {
        *out = message->as.str;
        return true;
    }
    struct buffer text;
    buffer_init(&text, SIZE_MAX / 2);
    value_repr(&text, message, SHOWN);
    *out = arena_str(arena, (umbel_str){(const char *)buffer_head(&text), buffer_length(&text)});
    bool made = !text.failed && out->data;
    buffer_fini(&text);
    return made;
}

static bool read_error(struct arena *arena, struct result_view *view)
{
    if (!view->value || view->value->kind != UMBEL_MAP)
        return true; /* RETRY without a cause */
    view->error_type = value_text(view->value, "exc_type");
    view->error_module = value_text(view->value, "exc_module");
    return read_message(arena, umbel_value_find(view->value, "exc_message"), &view->error_message);
}

static bool peek_success(umbel_str stored, struct peek *peek)
{
    *peek = (struct peek){.whole = true};
    return codec_sniff(stored) == CODEC_JSON && peek_json(stored, peek) && !peek->in_parts &&
           peek->value.data && peek->id.data && str_equal(peek->status, STR("SUCCESS")) && str_utf8(peek->id);
}

/* A success, in JSON, as it is meant to stand there: everything but the value is stepped over. False: it has
 * to be decoded as a whole. */
static bool read_success(struct arena *arena, umbel_str stored, struct result_view *view)
{
    struct peek peek;
    umbel_value *value;
    if ((!result_usual_read(stored, &peek.value, &peek.id) && !peek_success(stored, &peek)) ||
        codec_row(CODEC_JSON)->decode(arena, peek.value, &value, NULL))
        return false;
    *view = (struct result_view){.state = RESULT_SUCCESS, .id = arena_str(arena, peek.id), .value = value};
    return view->id.data != NULL;
}

int result_read(struct arena *arena, umbel_str stored, struct result_view *view)
{
    umbel_value *map;
    if (stored.size && read_success(arena, stored, view))
        return UMBEL_OK;
    *view = (struct result_view){.state = RESULT_PENDING};
    int code = codec_row(codec_sniff(stored))->decode(arena, stored, &map, NULL);
    if (code)
        return code;
    umbel_str status = value_text(map, "status");
    if (!status.data)
        return UMBEL_BAD_MESSAGE;
    view->state = state_of(status);
    if (view->state == RESULT_CUSTOM)
        view->custom = status;
    view->map = map;
    view->id = value_text(map, "task_id");
    view->value = umbel_value_find(map, "result");
    view->traceback = value_text(map, "traceback");
    bool is_error =
        view->state == RESULT_FAILURE || view->state == RESULT_REVOKED || view->state == RESULT_RETRY;
    return is_error && !read_error(arena, view) ? UMBEL_NO_MEMORY : UMBEL_OK;
}

bool result_read_part(const struct result_view *view, umbel_str *run, uint32_t *part)
{
    int64_t number;
    *run = value_text(view->map, "run");
    const char *key = view->state == RESULT_PART ? "part" : "parts";
    if (!run->size || umbel_value_int(umbel_value_find(view->map, key), &number) != UMBEL_OK || number < 0 ||
        number > UINT32_MAX)
        return false;
    *part = (uint32_t)number;
    return true;
}
