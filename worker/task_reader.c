/* task_reader.c: role reader: a message of protocol 1 (or one without headers) becomes one of protocol 2.
 *
 * Only the child opens bodies. It answers with the packed message of the equivalent protocol 2 call, which
 * the parent then treats as if it had come that way. Headers that came with the message win over what the
 * body says. */
#include "common/str.h"
#include "worker/task.h"

#define BAD(task, ...) task_settle((task), OUTCOME_BAD_BODY, "DecodeError", __VA_ARGS__)

static void fill(umbel_str *header, const umbel_value *body, const char *key)
{
    if (header->size == 0)
        *header = value_text(body, key);
}

static void fill_limits(struct message *msg, const umbel_value *limits)
{
    if (msg->hard_limit == 0 && umbel_value_double(umbel_value_at(limits, 0), &msg->hard_limit))
        msg->hard_limit = 0;
    if (msg->soft_limit == 0 && umbel_value_double(umbel_value_at(limits, 1), &msg->soft_limit))
        msg->soft_limit = 0;
}

static void fill_headers(struct message *msg, const umbel_value *body)
{
    fill(&msg->task, body, "task");
    fill(&msg->id, body, "id");
    fill(&msg->eta, body, "eta");
    fill(&msg->expires, body, "expires");
    fill(&msg->group, body, "group");
    fill(&msg->group, body, "taskset");
    if (msg->retries == 0 && umbel_value_int(umbel_value_find(body, "retries"), &msg->retries))
        msg->retries = 0;
    if (msg->group_index < 0 && umbel_value_int(umbel_value_find(body, "group_index"), &msg->group_index))
        msg->group_index = -1;
    fill_limits(msg, umbel_value_find(body, "timelimit"));
}

/* A value of the body as it was, or `otherwise` when it is absent or null. */
static int copy_or(const struct codec_row *row, struct buffer *out, const umbel_value *value,
                   umbel_kind otherwise)
{
    if (value && umbel_value_kind(value) != UMBEL_NULL)
        return row->encode(out, value);
    if (otherwise == UMBEL_NULL) {
        row->null(out);
        return UMBEL_OK;
    }
    struct umbel_value empty = {.kind = (uint8_t)otherwise};
    return row->encode(out, &empty);
}

static int write_body(const struct codec_row *row, struct buffer *out, const umbel_value *body)
{
    static const char *const links[] = {"callbacks", "errbacks", "chain", "chord"};
    enum codec codec = codec_of(row);
    codec_open_list(codec, out, 3);
    codec_next(codec, out, 0);
    int code = copy_or(row, out, umbel_value_find(body, "args"), UMBEL_LIST);
    codec_next(codec, out, 1);
    if (!code)
        code = copy_or(row, out, umbel_value_find(body, "kwargs"), UMBEL_MAP);
    codec_next(codec, out, 2);
    codec_open_map(codec, out, 4);
    for (uint32_t i = 0; !code && i < 4; i++) {
        codec_key(codec, out, i, str_of(links[i]));
        code = copy_or(row, out, umbel_value_find(body, links[i]), UMBEL_NULL);
    }
    codec_close_map(codec, out);
    codec_close_list(codec, out);
    return code;
}

static bool readable(struct umbel_task *task, const umbel_value *body)
{
    umbel_kind args = umbel_value_kind(umbel_value_find(body, "args"));
    umbel_kind kwargs = umbel_value_kind(umbel_value_find(body, "kwargs"));
    if (umbel_value_kind(body) != UMBEL_MAP || value_text(body, "task").size == 0)
        BAD(task, "neither a header nor the body names a task");
    else if ((args != UMBEL_LIST && args != UMBEL_NULL) || (kwargs != UMBEL_MAP && kwargs != UMBEL_NULL))
        BAD(task, "the body's args are not a list or its kwargs not a map");
    else if (value_text(body, "id").size == 0)
        BAD(task, "the body names no id");
    else
        return true;
    return false;
}

void task_read_envelope(struct umbel_task *task)
{
    const struct codec_row *row;
    struct message msg = *task->call->msg;
    const umbel_value *body = task_decode(task, &row);
    if (!body || !readable(task, body))
        return;
    fill_headers(&msg, body);
    msg.compression = STR_NONE; /* it is written anew, as it is */
    buffer_clear(&task->progress); /* the new body, until it is packed */
    int code = write_body(row, &task->progress, body);
    msg.body = (umbel_str){(const char *)buffer_head(&task->progress), buffer_length(&task->progress)};
    if (!code && !task->progress.failed)
        code = message_pack(&task->value, &msg);
    if (code || task->progress.failed || task->value.failed) {
        task->progress.failed = task->value.failed = false;
        BAD(task, "the body holds a value that cannot be sent on: %s",
            umbel_strerror(code ? code : UMBEL_NO_MEMORY));
        return;
    }
    task->outcome.kind = OUTCOME_READ;
    task->settled = true;
}
