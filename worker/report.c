/* report.c: see report.h. The child's value is spliced in, never decoded. */
#include "worker/report.h"

#include "common/str.h"
#include "worker/consumer_path.h"

enum { PLACE_MAX = 4096 };

static struct result_parts parts_of(const struct request *req, enum result_state state)
{
    return (struct result_parts){
        .id = req->msg.id, .state = state, .group = req->msg.group, .parent_id = req->msg.parent_id};
}

/* The error map is written first and kept in the arena, because the whole map is written around it. */
static int write_error(struct request *req, const struct verdict *verdict, struct result_parts *parts)
{
    enum codec codec = req->job.result_codec;
    int code = result_write_error(codec, &req->payload, verdict->error_type, verdict->error_message);
    size_t size = buffer_length(&req->payload);
    umbel_str error = arena_str(&req->arena, (umbel_str){(const char *)buffer_head(&req->payload), size});
    buffer_clear(&req->payload);
    parts->value = error;
    parts->traceback = verdict->traceback;
    return code == UMBEL_OK && error.data ? UMBEL_OK : UMBEL_NO_MEMORY;
}

int report_write(struct request *req, const struct verdict *verdict, umbel_str value, double now)
{
    struct result_parts parts = parts_of(req, verdict->state);
    int code = UMBEL_OK;
    buffer_clear(&req->payload);
    parts.value = value;
    parts.done_at = result_terminal(verdict->state) ? now : 0;
    if (result_terminal(verdict->state))
        parts.run = consumer_run_name(req, &parts.part);
    if (verdict->state != RESULT_SUCCESS)
        code = write_error(req, verdict, &parts);
    if (code == UMBEL_OK)
        code = result_write(req->job.result_codec, &req->payload, &parts);
    return code == UMBEL_OK && !req->payload.failed ? UMBEL_OK : UMBEL_NO_MEMORY;
}

static int write_place(struct buffer *out, enum codec codec, int pid, const char *worker_name)
{
    const struct codec_row *row = codec_row(codec);
    codec_open_map(codec, out, 2);
    codec_key(codec, out, 0, STR("pid"));
    row->integer(out, pid);
    codec_key(codec, out, 1, STR("hostname"));
    int code = row->text(out, str_of(worker_name));
    codec_close_map(codec, out);
    return code;
}

int report_write_started(struct buffer *out, const struct request *req, const char *worker_name)
{
    struct result_parts parts = parts_of(req, RESULT_STARTED);
    struct buffer place;
    buffer_init(&place, PLACE_MAX);
    int code = write_place(&place, req->job.result_codec, req->pid, worker_name);
    parts.value = (umbel_str){(const char *)buffer_head(&place), buffer_length(&place)};
    if (code == UMBEL_OK && !place.failed)
        code = result_write(req->job.result_codec, out, &parts);
    buffer_fini(&place);
    return code;
}

int report_write_progress(struct buffer *out, const struct request *req, umbel_str meta)
{
    struct result_parts parts = parts_of(req, RESULT_CUSTOM);
    parts.custom = STR("PROGRESS");
    parts.value = meta;
    return result_write(req->job.result_codec, out, &parts);
}

int report_write_part(struct buffer *out, const struct request *req, umbel_str run, uint32_t number,
                      umbel_str value)
{
    struct result_parts parts = {
        .id = req->msg.id, .state = RESULT_PART, .value = value, .run = run, .part = number};
    return result_write(req->job.result_codec, out, &parts);
}
