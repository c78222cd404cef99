/* chunk.c: a chunk is filled on the caller's thread: each call is encoded behind the others at once. */
#include "client/chunk.h"

#include <stdlib.h>
#include <string.h>
#include "client/client.h"
#include "common/str.h"

/* A call's arguments stand two levels deeper in the message than those of a call alone. */
enum { HEIGHT_MAX = UMBEL_DEPTH_MAX - 2 };

umbel_chunk *umbel_chunk_new(umbel_client *client, const char *task, umbel_serializer serializer)
{
    umbel_chunk *chunk = client ? calloc(1, sizeof *chunk) : NULL;
    char *name = strdup(task ? task : "");
    if (!chunk || !name) {
        free(chunk);
        free(name);
        return NULL;
    }
    client_ref(client);
    chunk->client = client;
    chunk->task = name;
    chunk->codec = client_codec(client, serializer);
    buffer_init(&chunk->calls, client->options.buffer_bytes);
    return chunk;
}

void umbel_chunk_free(umbel_chunk *chunk)
{
    if (!chunk)
        return;
    client_unref(chunk->client);
    buffer_fini(&chunk->calls);
    free(chunk->task);
    free(chunk);
}

size_t umbel_chunk_count(const umbel_chunk *chunk)
{
    return chunk ? chunk->count : 0;
}

void chunk_empty(struct umbel_chunk *chunk)
{
    buffer_clear(&chunk->calls);
    chunk->count = 0;
}

static bool too_deep(umbel_arguments arguments)
{
    for (size_t i = 0; i < arguments.count; i++) {
        const umbel_give *give = &arguments.gives[i];
        if (give->kind == UMBEL_GIVE_VALUE && value_height(give->as.value) > HEIGHT_MAX)
            return true;
    }
    return false;
}

int umbel_chunk_add(umbel_chunk *chunk, umbel_arguments arguments)
{
    if (!chunk)
        return UMBEL_NO_MEMORY;
    struct buffer *calls = &chunk->calls;
    size_t before = buffer_length(calls);
    if (chunk->count == UINT32_MAX)
        return UMBEL_TOO_LARGE;
    if (too_deep(arguments))
        return UMBEL_TOO_DEEP;
    codec_next(chunk->codec, calls, chunk->count);
    int code = codec_write_list(chunk->codec, calls, arguments);
    if (calls->failed)
        code = calls->end - calls->start > calls->max / 2 ? UMBEL_TOO_LARGE : UMBEL_NO_MEMORY;
    if (code == UMBEL_OK) {
        chunk->count++;
        return UMBEL_OK;
    }
    calls->end = calls->start + before;
    calls->failed = false;
    return code;
}

/* {"task": name, "args": [], "kwargs": {}, "options": {}, "subtask_type": null, "immutable": false} */
static int write_signature(enum codec codec, struct buffer *out, const char *task)
{
    const struct codec_row *row = codec_row(codec);
    codec_open_map(codec, out, 6);
    codec_key(codec, out, 0, STR("task"));
    int code = row->text(out, str_of(task));
    codec_key(codec, out, 1, STR("args"));
    codec_open_list(codec, out, 0);
    codec_close_list(codec, out);
    codec_key(codec, out, 2, STR("kwargs"));
    codec_open_map(codec, out, 0);
    codec_close_map(codec, out);
    codec_key(codec, out, 3, STR("options"));
    codec_open_map(codec, out, 0);
    codec_close_map(codec, out);
    codec_key(codec, out, 4, STR("subtask_type"));
    row->null(out);
    codec_key(codec, out, 5, STR("immutable"));
    row->boolean(out, false);
    codec_close_map(codec, out);
    return code;
}

int chunk_write_body(const struct umbel_chunk *chunk, struct buffer *out)
{
    enum codec codec = chunk->codec;
    codec_open_list(codec, out, 3);
    codec_next(codec, out, 0);
    codec_open_list(codec, out, 0);
    codec_close_list(codec, out);
    codec_next(codec, out, 1);
    codec_open_map(codec, out, 2);
    codec_key(codec, out, 0, STR("task"));
    int code = write_signature(codec, out, chunk->task);
    codec_key(codec, out, 1, STR("it"));
    codec_open_list(codec, out, chunk->count);
    buffer_add(out, buffer_head(&chunk->calls), buffer_length(&chunk->calls));
    codec_close_list(codec, out);
    codec_close_map(codec, out);
    codec_next(codec, out, 2);
    codec_write_embed(codec, out);
    codec_close_list(codec, out);
    return code ? code : out->failed ? UMBEL_NO_MEMORY : UMBEL_OK;
}
