/* task_outcome.c: how a task ends. The first outcome counts, all later ones are ignored. */
#include <math.h>
#include <stdio.h>
#include "common/str.h"
#include "worker/task.h"

#define TYPE_MAX_BYTES 255
#define MAX_RETRIES_DEFAULT 3

/* The type goes to waiters as a name: no control characters, never empty. */
static umbel_str type_copy(struct umbel_task *task, const char *type)
{
    if (!type || !*type)
        type = "RuntimeError";
    char *copy = arena_copy(&task->arena, type, strnlen(type, TYPE_MAX_BYTES));
    if (!copy)
        return STR("RuntimeError");
    text_clean(copy, strlen(copy));
    for (char *at = copy; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = '?';
    return str_of(copy);
}

static umbel_str message_format(struct umbel_task *task, const char *format, va_list list)
{
    va_list again;
    buffer_clear(&task->text);
    va_copy(again, list);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *room = size < 0 ? NULL : (char *)buffer_room(&task->text, (size_t)size + 1);
    if (!room) { /* too long for us, or the format is broken */
        task->text.failed = false;
        return STR("(the message could not be formatted)");
    }
    vsnprintf(room, (size_t)size + 1, format, list);
    text_clean(room, (size_t)size);
    return (umbel_str){room, (size_t)size};
}

/* One that has seen that it is to end, and then fails or wants to be tried again, has ended because of that.
 */
static enum outcome_kind after_cancel(const struct umbel_task *task, enum outcome_kind kind)
{
    bool given_up = kind == OUTCOME_FAILURE || kind == OUTCOME_RETRY;
    return task->saw_cancel && given_up ? OUTCOME_CANCELLED : kind;
}

void task_settle_list(struct umbel_task *task, enum outcome_kind kind, const char *type, const char *format,
                      va_list list)
{
    if (task->settled)
        return;
    task->settled = true;
    task->outcome.kind = after_cancel(task, kind);
    task->outcome.error_type = type_copy(task, type);
    task->outcome.error_message = message_format(task, format, list);
}

void task_settle(struct umbel_task *task, enum outcome_kind kind, const char *type, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    task_settle_list(task, kind, type, format, list);
    va_end(list);
}

static const char *encode_fault(int code)
{
    switch (code) {
    case UMBEL_TOO_DEEP:
        return "it is nested too deep";
    case UMBEL_BAD_VALUE:
        return "it holds text that is not UTF-8, or an integer that does not fit in 64 bits";
    case UMBEL_NO_MEMORY:
        return "it is larger than 64 MiB, or memory is out";
    default:
        return umbel_strerror(code);
    }
}

int umbel_return_give(umbel_task *task, umbel_give value)
{
    int code = UMBEL_OK;
    if (task->settled)
        return UMBEL_ALREADY_DONE;
    codec_give(task->call->result_codec, &task->value, &value, &code);
    if (!code && task->value.failed)
        code = UMBEL_NO_MEMORY;
    if (code) {
        buffer_clear(&task->value);
        task->value.failed = false;
        task_settle(task, OUTCOME_FAILURE, "ValueError", "the result of %s cannot be encoded: %s",
                    task->call->def->name, encode_fault(code));
        return code;
    }
    task->outcome.kind = OUTCOME_SUCCESS;
    task->settled = true;
    return UMBEL_OK;
}

void umbel_fail(umbel_task *task, const char *type, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    task_settle_list(task, OUTCOME_FAILURE, type, format, list);
    va_end(list);
}

/* Pure: may a task that has been retried `retries` times be retried again? */
static bool retries_left(int max_retries, int64_t retries)
{
    if (max_retries < 0)
        return true;
    return retries < (max_retries ? max_retries : MAX_RETRIES_DEFAULT);
}

int umbel_retry(umbel_task *task, double seconds, const char *why)
{
    if (task->settled)
        return UMBEL_ALREADY_DONE;
    if (!(seconds >= 0) || isinf(seconds))
        return UMBEL_BAD_ARGUMENT;
    if (!why)
        why = "";
    if (!retries_left(task->call->def->options.max_retries, task->call->msg->retries)) {
        task_settle(task, OUTCOME_FAILURE, "MaxRetriesExceededError", "%s", why);
        return UMBEL_FAILED;
    }
    task_settle(task, OUTCOME_RETRY, "Retry", "%s", why);
    task->outcome.retry_after = seconds;
    return UMBEL_OK;
}

/* Into task->progress, where it is borrowed from until the next. */
static int encode_aside(struct umbel_task *task, const umbel_give *value, umbel_str *encoded)
{
    int code = UMBEL_OK;
    buffer_clear(&task->progress);
    codec_give(task->call->result_codec, &task->progress, value, &code);
    if (!code && task->progress.failed)
        code = UMBEL_NO_MEMORY;
    task->progress.failed = false;
    *encoded = (umbel_str){(const char *)buffer_head(&task->progress), buffer_length(&task->progress)};
    return code;
}

int umbel_progress_give(umbel_task *task, umbel_give value)
{
    umbel_str encoded;
    int code = encode_aside(task, &value, &encoded);
    if (code == UMBEL_OK)
        task->port->progress(task->port->self, encoded);
    return code;
}

/* The worker takes parts faster than most tasks make them; where it does not, looking again costs little. */
static int give_part(struct umbel_task *task, umbel_str encoded)
{
    double pause = 0.0005;
    int code;
    while ((code = task->port->part(task->port->self, encoded)) == UMBEL_BUSY) {
        if (umbel_sleep(task, pause) != UMBEL_OK)
            return UMBEL_TIMEOUT;
        pause = fmin(pause * 2, 0.02);
    }
    return code;
}

int umbel_yield_give(umbel_task *task, umbel_give value)
{
    umbel_str encoded;
    int code = encode_aside(task, &value, &encoded);
    if (code != UMBEL_OK)
        return code;
    if (encoded.size > TASK_PART_MAX || task->parts >= TASK_PARTS_MAX)
        return UMBEL_TOO_LARGE;
    code = give_part(task, encoded);
    task->parts += code == UMBEL_OK;
    return code;
}
