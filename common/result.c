/* result.c: writing the result map and the map of an exception, with Celery's keys in Celery's order.
 *
 * The value is spliced in as bytes. Text that a task gave (messages, tracebacks) may be anything: what is not
 * UTF-8 is replaced, because a result that cannot be stored would leave its waiter waiting. */
#include "common/result.h"

#include "common/clock.h"
#include "common/result_usual.h"
#include "common/str.h"
#include "common/utf8.h"

static const char *const state_names[] = {
    [RESULT_PENDING] = "PENDING", [RESULT_STARTED] = "STARTED", [RESULT_RETRY] = "RETRY",
    [RESULT_PART] = "UMBEL_PART", [RESULT_CUSTOM] = "CUSTOM",   [RESULT_SUCCESS] = "SUCCESS",
    [RESULT_FAILURE] = "FAILURE", [RESULT_REVOKED] = "REVOKED",
};

const char *result_state_name(enum result_state state)
{
    return state_names[state];
}

static void write_replaced(enum codec codec, struct buffer *out, umbel_str text)
{
    struct buffer copy;
    buffer_init(&copy, SIZE_MAX / 2);
    const uint8_t *p = (const uint8_t *)text.data, *end = p + text.size;
    while (p < end) {
        size_t size = utf8_sequence(p, (size_t)(end - p));
        buffer_add(&copy, size ? (const void *)p : "?", size ? size : 1);
        p += size ? size : 1;
    }
    if (copy.failed ||
        codec_row(codec)->text(out, (umbel_str){(const char *)buffer_head(&copy), buffer_length(&copy)}))
        out->failed = true;
    buffer_fini(&copy);
}

static void write_text(enum codec codec, struct buffer *out, umbel_str text)
{
    if (codec_row(codec)->text(out, text))
        write_replaced(codec, out, text);
}

static void write_text_or_null(enum codec codec, struct buffer *out, umbel_str text)
{
    if (text.size)
        write_text(codec, out, text);
    else
        codec_row(codec)->null(out);
}

static void write_value(enum codec codec, struct buffer *out, umbel_str encoded)
{
    if (encoded.size)
        buffer_str(out, encoded);
    else
        codec_row(codec)->null(out);
}

static void write_date(enum codec codec, struct buffer *out, double when)
{
    char text[CLOCK_ISO_SIZE];
    umbel_str date = STR_NONE;
    if (when > 0)
        date = (umbel_str){text, clock_iso(text, when, false)};
    write_text_or_null(codec, out, date);
}

static void write_run(enum codec codec, struct buffer *out, uint32_t index, const struct result_parts *parts)
{
    codec_key(codec, out, index, STR("run"));
    write_text(codec, out, parts->run);
    codec_key(codec, out, index + 1, parts->state == RESULT_PART ? STR("part") : STR("parts"));
    codec_row(codec)->integer(out, parts->part);
}

static void write_map(enum codec codec, struct buffer *out, const struct result_parts *parts)
{
    bool has_group = parts->group.size > 0, has_parent = parts->parent_id.size > 0,
         has_run = parts->run.size > 0;
    uint32_t count = 6u + has_group + has_parent + (has_run ? 2 : 0), index = 5;
    umbel_str status = parts->state == RESULT_CUSTOM ? parts->custom : str_of(state_names[parts->state]);
    codec_open_map(codec, out, count);
    codec_key(codec, out, 0, STR("status"));
    write_text(codec, out, status);
    codec_key(codec, out, 1, STR("result"));
    write_value(codec, out, parts->value);
    codec_key(codec, out, 2, STR("traceback"));
    write_text_or_null(codec, out, parts->traceback);
    codec_key(codec, out, 3, STR("children"));
    codec_open_list(codec, out, 0);
    codec_close_list(codec, out);
    codec_key(codec, out, 4, STR("date_done"));
    write_date(codec, out, parts->done_at);
    if (has_group) {
        codec_key(codec, out, index++, STR("group_id"));
        write_text(codec, out, parts->group);
    }
    if (has_parent) {
        codec_key(codec, out, index++, STR("parent_id"));
        write_text(codec, out, parts->parent_id);
    }
    codec_key(codec, out, index++, STR("task_id"));
    write_text(codec, out, parts->id);
    if (has_run)
        write_run(codec, out, index, parts);
    codec_close_map(codec, out);
}

int result_write(enum codec codec, struct buffer *out, const struct result_parts *parts)
{
    if (!result_usual_write(codec, out, parts))
        write_map(codec, out, parts);
    return out->failed ? UMBEL_NO_MEMORY : UMBEL_OK;
}

/* ---- exceptions
 * --------------------------------------------------------------------------------------------------- */

struct module_row {
    const char *module;
    const char *types; /* each between spaces */
};

/* Python's reader looks a type up in its module and makes one of its own where there is none. */
static const struct module_row modules[] = {
    {"builtins", " ArithmeticError AssertionError AttributeError BaseException BlockingIOError "
                 "BrokenPipeError BufferError "
                 "ChildProcessError ConnectionAbortedError ConnectionError ConnectionRefusedError "
                 "ConnectionResetError EOFError "
                 "EnvironmentError Exception FileExistsError FileNotFoundError FloatingPointError IOError "
                 "ImportError IndexError "
                 "InterruptedError IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError "
                 "ModuleNotFoundError NameError "
                 "NotADirectoryError NotImplementedError OSError OverflowError PermissionError "
                 "ProcessLookupError RecursionError "
                 "ReferenceError RuntimeError StopIteration SyntaxError SystemError SystemExit TimeoutError "
                 "TypeError UnicodeError "
                 "ValueError ZeroDivisionError "},
    {"celery.exceptions",
     " AlreadyRegistered BackendError BackendGetMetaError BackendStoreError ChordError Ignore "
     "ImproperlyConfigured "
     "IncompleteStream InvalidTaskError MaxRetriesExceededError NotRegistered QueueNotFound Reject Retry "
     "TaskError TaskPredicate TaskRevokedError "},
    {"billiard.exceptions",
     " RestartFreqExceeded SoftTimeLimitExceeded Terminated TimeLimitExceeded WorkerLostError "},
};

static bool lists(const char *types, umbel_str type)
{
    for (const char *at = types + 1; *at; at += strcspn(at, " ") + 1) {
        if (str_equal((umbel_str){at, strcspn(at, " ")}, type))
            return true;
    }
    return false;
}

/* Splits "a.b.C" and finds the module of a bare name. */
static umbel_str split_type(umbel_str *type)
{
    const char *dot = type->size ? memrchr(type->data, '.', type->size) : NULL;
    if (dot && dot > type->data && dot + 1 < type->data + type->size) {
        umbel_str module = {type->data, (size_t)(dot - type->data)};
        *type = (umbel_str){dot + 1, type->size - module.size - 1};
        return module;
    }
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        if (lists(modules[i].types, *type))
            return str_of(modules[i].module);
    }
    return STR("umbel.exceptions");
}

int result_write_error(enum codec codec, struct buffer *out, umbel_str type, umbel_str message)
{
    if (type.size == 0)
        type = STR("RuntimeError");
    umbel_str module = split_type(&type);
    codec_open_map(codec, out, 3);
    codec_key(codec, out, 0, STR("exc_type"));
    write_text(codec, out, type);
    codec_key(codec, out, 1, STR("exc_message"));
    codec_open_list(codec, out, 1);
    codec_next(codec, out, 0);
    write_text(codec, out, message);
    codec_close_list(codec, out);
    codec_key(codec, out, 2, STR("exc_module"));
    write_text(codec, out, module);
    codec_close_map(codec, out);
    return out->failed ? UMBEL_NO_MEMORY : UMBEL_OK;
}
