/* record.c: a call becomes a message of Celery's protocol 2.
 *
 * Only what differs from the default becomes a header: each one costs the broker time, and workers need
 * `task` and `id` alone. Delays are the broker's, so a countdown is no header either. */
#include "client/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "broker/transport.h"
#include "client/chunk.h"
#include "common/clock.h"
#include "common/str.h"

enum { SHORT_TEXT = 255, BYTES_KEPT = 4096 };

struct record *record_new(void)
{
    struct record *record = calloc(1, sizeof *record);
    if (record) {
        buffer_init(&record->bytes, SIZE_MAX / 8);
        arena_init(&record->extras, 0);
    }
    return record;
}

void record_free(struct record *record)
{
    if (!record)
        return;
    buffer_fini(&record->bytes);
    arena_fini(&record->extras);
    free(record);
}

void record_clear(struct record *record)
{
    if (record->bytes.size > BYTES_KEPT)
        buffer_fini(&record->bytes);
    buffer_clear(&record->bytes);
    if (record->extras.chunk)
        arena_fini(&record->extras);
    record->future = NULL;
    record->next = record->older = record->newer = NULL;
    record->due = 0;
    record->flags = 0;
    record->ignored = record->sent = record->given_up = false;
}

static bool text_fits(const char *text)
{
    return !text || (*text && strlen(text) <= SHORT_TEXT);
}

static bool seconds_fit(double seconds)
{
    return seconds >= 0 && seconds < 1e9; /* not NaN either */
}

const char *record_check(const char *task, const umbel_submit_options *options)
{
    if (!task || !text_fits(task))
        return "the task's name must be 1 to 255 bytes";
    if (!text_fits(options->id))
        return ".id must be 1 to 255 bytes";
    if (!text_fits(options->queue))
        return ".queue must be 1 to 255 bytes";
    if (options->priority < 0 || options->priority > 255)
        return ".priority must be 0 to 255";
    if (!seconds_fit(options->expires) || !seconds_fit(options->countdown))
        return ".expires and .countdown must be seconds from now, 0 or more";
    if (!seconds_fit(options->time_limit) || !seconds_fit(options->soft_time_limit))
        return ".time_limit and .soft_time_limit must be seconds, 0 or more";
    if (options->timeout < 0 || isnan(options->timeout))
        return ".timeout must be seconds, 0 or more";
    if (options->headers && umbel_value_kind(options->headers) != UMBEL_MAP)
        return ".headers must be a map";
    return NULL;
}

static int copy_headers(struct record *record, const umbel_value *headers)
{
    for (size_t i = 0; i < umbel_value_count(headers); i++) {
        umbel_str name = arena_str(&record->extras, umbel_value_key(headers, i));
        umbel_value *value = value_copy(&record->extras, umbel_value_at(headers, i));
        if (!name.data || !value)
            return UMBEL_NO_MEMORY;
        int code = message_set_extra(&record->extras, &record->msg, name, value);
        if (code != UMBEL_OK)
            return code;
    }
    return UMBEL_OK;
}

/* Copies `text` with a NUL behind what the buffer holds; room was made before, so nothing moves. */
static umbel_str keep(struct buffer *bytes, const char *text, size_t size)
{
    umbel_str kept = {(const char *)bytes->data + bytes->end, size};
    memcpy(bytes->data + bytes->end, text, size);
    bytes->data[bytes->end + size] = '\0';
    buffer_grew(bytes, size + 1);
    return kept;
}

static umbel_str keep_optional(struct buffer *bytes, const char *text)
{
    return text ? keep(bytes, text, strlen(text)) : STR_NONE;
}

static size_t strings_size(const umbel_submit_options *options, size_t expires)
{
    return (options->queue ? strlen(options->queue) : 0) + (options->shadow ? strlen(options->shadow) : 0) +
           expires + 3;
}

/* The body is written first, alone, since only the codec knows its size. */
static int keep_bytes(struct record *record, const umbel_submit_options *options, size_t max, double wall)
{
    struct buffer *bytes = &record->bytes;
    char expires[CLOCK_ISO_SIZE];
    size_t expires_size = options->expires > 0 ? clock_iso(expires, wall + options->expires, true) : 0;
    size_t body_size = buffer_length(bytes);
    if (body_size > max)
        return UMBEL_TOO_LARGE;
    if (!buffer_room(bytes, strings_size(options, expires_size)))
        return UMBEL_NO_MEMORY;
    struct message *msg = &record->msg;
    msg->body = (umbel_str){(const char *)buffer_head(bytes), body_size};
    msg->queue = options->queue ? keep_optional(bytes, options->queue) : STR("celery");
    msg->shadow = keep_optional(bytes, options->shadow);
    msg->expires = expires_size ? keep(bytes, expires, expires_size) : STR_NONE;
    return UMBEL_OK;
}

static int8_t ignore_header(umbel_switch wish)
{
    return wish == UMBEL_ON ? 1 : wish == UMBEL_OFF ? 0 : -1;
}

static int write_body(struct record *record, const struct record_call *call, enum codec codec)
{
    return call->chunk ? chunk_write_body(call->chunk, &record->bytes)
                       : codec_write_body(codec, &record->bytes, call->arguments);
}

int record_fill(struct record *record, const char *id, const char *task, const struct record_call *call,
                const umbel_submit_options *options, enum codec codec, size_t max, double wall, double mono)
{
    struct message *msg = &record->msg;
    message_init(msg);
    int code = write_body(record, call, codec);
    if (code == UMBEL_OK)
        code = keep_bytes(record, options, max, wall);
    if (code == UMBEL_OK && options->headers)
        code = copy_headers(record, options->headers);
    if (code != UMBEL_OK)
        return code;
    const struct codec_row *row = codec_row(codec);
    msg->content_type = str_of(row->content_type);
    msg->content_encoding = str_of(row->content_encoding);
    msg->id = msg->correlation_id = str_of(id);
    msg->task = call->chunk ? STR(CHUNK_TASK) : str_of(task);
    msg->priority = (uint8_t)options->priority;
    msg->transient = options->transient;
    msg->hard_limit = options->time_limit;
    msg->soft_limit = options->soft_time_limit;
    msg->ignore_result = ignore_header(options->ignore_result);
    record->ignored = options->ignore_result == UMBEL_ON;
    record->flags =
        (options->create_queue ? PUBLISH_CREATE_QUEUE : 0) | (options->unconfirmed ? PUBLISH_UNCONFIRMED : 0);
    record->due = options->countdown > 0 ? mono + options->countdown : 0;
    record->charge = sizeof *record + buffer_length(&record->bytes) + record->extras.total;
    return UMBEL_OK;
}

int record_descend(struct record *record, const struct nested_origin *origin)
{
    struct message *msg = &record->msg;
    umbel_value depth = {.kind = UMBEL_INT, .as.integer = origin->depth};
    msg->root_id = arena_str(&record->extras, origin->root_id);
    msg->parent_id = arena_str(&record->extras, origin->parent_id);
    record->charge += origin->root_id.size + origin->parent_id.size + sizeof(struct message_header);
    if (!msg->root_id.data || !msg->parent_id.data)
        return UMBEL_NO_MEMORY;
    return message_set_extra(&record->extras, msg, STR(NESTED_DEPTH_HEADER), &depth);
}
