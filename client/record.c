/* record.c: a call becomes a message of Celery's protocol 2, in two steps: what the caller gave is encoded on
 * the caller's thread, and the fields that follow from the future are added when it is sent.
 *
 * Only what differs from the default becomes a header: each one costs the broker time, and workers need
 * `task` and `id` alone. Delays are the broker's, so a countdown is no header either. */
#include "client/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "broker/transport.h"
#include "client/chunk.h"
#include "client/future.h"
#include "common/clock.h"
#include "common/str.h"

enum { SHORT_TEXT = 255, BYTES_KEPT = 4096, PACKED_HERE = 1024 };

static void begin(struct record *record)
{
    buffer_begin(&record->bytes, record->here, RECORD_HERE, SIZE_MAX / 8);
}

struct record *record_new(void)
{
    struct record *record = malloc(sizeof *record);
    if (!record)
        return NULL;
    memset(record, 0, offsetof(struct record, here));
    begin(record);
    return record;
}

void record_free(struct record *record)
{
    if (!record)
        return;
    buffer_fini(&record->bytes);
    free(record);
}

void record_clear(struct record *record)
{
    if (record->bytes.size > BYTES_KEPT) {
        buffer_fini(&record->bytes);
        begin(record);
    }
    buffer_clear(&record->bytes);
    record->future = NULL;
    record->next = record->older = record->newer = NULL;
    record->republished = record->sent = record->given_up = false;
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

int record_write_body(struct buffer *out, const struct record_call *call, enum codec codec, size_t max)
{
    int code =
        call->chunk ? chunk_write_body(call->chunk, out) : codec_write_body(codec, out, call->arguments);
    return code == UMBEL_OK && buffer_length(out) > max ? UMBEL_TOO_LARGE : code;
}

/* ---- what else the message has ---- */

static bool is_plain(const umbel_submit_options *options, const struct nested_origin *origin)
{
    return !origin && !options->queue && !options->shadow && !options->headers && options->expires <= 0 &&
           options->time_limit <= 0 && options->soft_time_limit <= 0;
}

static int copy_headers(struct arena *arena, struct message *msg, const umbel_value *headers)
{
    int code = UMBEL_OK;
    for (size_t i = 0; i < umbel_value_count(headers) && code == UMBEL_OK; i++)
        code = message_set_extra(arena, msg, umbel_value_key(headers, i), umbel_value_at(headers, i));
    return code;
}

static int descend(struct arena *arena, struct message *msg, const struct nested_origin *origin)
{
    umbel_value depth = {.kind = UMBEL_INT, .as.integer = origin->depth};
    msg->root_id = origin->root_id;
    msg->parent_id = origin->parent_id;
    return message_set_extra(arena, msg, STR(NESTED_DEPTH_HEADER), &depth);
}

/* Packing asks for the most that it can take, which is far more than it takes. */
static int add_packed(struct buffer *bytes, const struct message *msg)
{
    char here[PACKED_HERE];
    struct buffer packed;
    buffer_begin(&packed, here, sizeof here, SIZE_MAX / 8);
    int code = message_pack(&packed, msg);
    buffer_add(bytes, buffer_head(&packed), buffer_length(&packed));
    buffer_fini(&packed);
    return code == UMBEL_OK && bytes->failed ? UMBEL_NO_MEMORY : code;
}

static int pack(struct record *record, struct arena *arena, const umbel_submit_options *options,
                const struct nested_origin *origin)
{
    struct message msg;
    char expires[CLOCK_ISO_SIZE];
    int code = UMBEL_OK;
    message_init(&msg);
    msg.queue = options->queue ? str_of(options->queue) : STR_NONE;
    msg.shadow = options->shadow ? str_of(options->shadow) : STR_NONE;
    if (options->expires > 0)
        msg.expires = (umbel_str){expires, clock_iso(expires, clock_now() + options->expires, true)};
    msg.hard_limit = options->time_limit;
    msg.soft_limit = options->soft_time_limit;
    if (options->headers)
        code = copy_headers(arena, &msg, options->headers);
    if (code == UMBEL_OK && origin)
        code = descend(arena, &msg, origin);
    return code == UMBEL_OK ? add_packed(&record->bytes, &msg) : code;
}

static int write_rest(struct record *record, const umbel_submit_options *options,
                      const struct nested_origin *origin)
{
    struct arena arena;
    if (is_plain(options, origin))
        return UMBEL_OK;
    arena_init(&arena, 0);
    int code = pack(record, &arena, options, origin);
    arena_fini(&arena);
    return code;
}

static int8_t ignore_header(umbel_switch wish)
{
    return wish == UMBEL_ON ? 1 : wish == UMBEL_OFF ? 0 : -1;
}

int record_fill(struct record *record, const struct record_call *call, const umbel_submit_options *options,
                const struct nested_origin *origin, enum codec codec, size_t max)
{
    int code = record_write_body(&record->bytes, call, codec, max);
    record->body_size = buffer_length(&record->bytes);
    if (code == UMBEL_OK)
        code = write_rest(record, options, origin);
    if (code != UMBEL_OK)
        return code;
    record->codec = (uint8_t)codec;
    record->chunk = call->chunk != NULL;
    record->priority = (uint8_t)options->priority;
    record->transient = options->transient;
    record->ignore_result = ignore_header(options->ignore_result);
    record->flags = (uint8_t)((options->create_queue ? PUBLISH_CREATE_QUEUE : 0) |
                              (options->unconfirmed ? PUBLISH_UNCONFIRMED : 0));
    record->due = options->countdown > 0 ? clock_mono() + options->countdown : 0;
    record->charge = sizeof *record + (record->bytes.lent ? 0 : buffer_length(&record->bytes));
    return UMBEL_OK;
}

/* ---- sending ---- */

int record_message(const struct record *record, struct arena *arena, struct message *msg)
{
    umbel_str bytes = {(const char *)buffer_head(&record->bytes), buffer_length(&record->bytes)};
    umbel_str rest = {bytes.data + record->body_size, bytes.size - record->body_size};
    const struct codec_row *row = codec_row((enum codec)record->codec);
    int code = UMBEL_OK;
    if (rest.size)
        code = message_unpack(arena, rest, msg);
    else
        message_init(msg);
    if (!msg->queue.data)
        msg->queue = STR("celery");
    msg->body = (umbel_str){bytes.data, record->body_size};
    msg->content_type = str_of(row->content_type);
    msg->content_encoding = str_of(row->content_encoding);
    msg->id = msg->correlation_id = str_of(record->future->id);
    msg->task = record->chunk ? STR(CHUNK_TASK) : str_of(record->future->name);
    msg->priority = record->priority;
    msg->transient = record->transient;
    msg->ignore_result = record->ignore_result;
    msg->republished = record->republished;
    return code;
}
