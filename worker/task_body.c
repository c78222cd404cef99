/* task_body.c: opening the body of protocol 2, [args, kwargs, embed], in the child that will run it.
 *
 * The bytes come from whoever can reach the queue. What is refused here is refused with a reason under the
 * task's id: a body that cannot be read is OUTCOME_BAD_BODY, one that asks for what this version cannot do
 * OUTCOME_UNSUPPORTED, a value that C cannot hold a FAILURE ValueError that names the argument. */
#include <stdio.h>
#include <strings.h>
#include "common/compression.h"
#include "common/str.h"
#include "worker/task.h"

#define BAD(task, type, ...) task_settle((task), OUTCOME_BAD_BODY, (type), __VA_ARGS__)

/* For texts of peers inside a sentence: cut, so that nobody fills a log with one header. */
#define SHOWN(str) (int)((str).size < 100 ? (str).size : 100), ((str).data ? (str).data : "")

static bool encoding_known(umbel_str encoding)
{
    static const char *const known[] = {"utf-8", "utf8", "us-ascii", "ascii", "binary"};
    if (encoding.size == 0)
        return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (encoding.size == strlen(known[i]) && strncasecmp(encoding.data, known[i], encoding.size) == 0)
            return true;
    return false;
}

static void refuse_type(struct umbel_task *task, umbel_str type)
{
    if (type.size == 0)
        BAD(task, "ContentDisallowed", "the message names no content type");
    else if (str_equal(type, STR("application/x-python-serialize")))
        BAD(task, "ContentDisallowed",
            "pickle (application/x-python-serialize) is refused; send json or msgpack");
    else
        BAD(task, "ContentDisallowed",
            "content type %.*s is refused; send application/json or application/x-msgpack", SHOWN(type));
}

static const struct codec_row *choose_codec(struct umbel_task *task)
{
    const struct message *msg = task->call->msg;
    const struct codec_row *row = codec_by_content_type(msg->content_type);
    if (!row)
        refuse_type(task, msg->content_type);
    else if (!encoding_known(msg->content_encoding))
        BAD(task, "ContentDisallowed", "content encoding %.*s is refused; send utf-8 or binary",
            SHOWN(msg->content_encoding));
    else if (msg->body.size > TASK_BODY_MAX)
        BAD(task, "DecodeError", "the body of %zu bytes is over the limit of %u", msg->body.size,
            TASK_BODY_MAX);
    else
        return row;
    return NULL;
}

/* The body's own bytes: those of the message, or what they unpack to, in `out`. */
static bool unpack(struct umbel_task *task, struct buffer *out, umbel_str *bytes)
{
    const struct message *msg = task->call->msg;
    const char *why = NULL;
    *bytes = msg->body;
    if (!msg->compression.size)
        return true;
    int code = compression_open(msg->compression, msg->body, out, &why);
    *bytes = (umbel_str){(const char *)buffer_head(out), buffer_length(out)};
    if (code == UMBEL_NOT_SUPPORTED)
        BAD(task, "DecodeError", "compressed bodies (%.*s) cannot be read by this version; %s",
            SHOWN(msg->compression), why);
    else if (code == UMBEL_TOO_LARGE)
        BAD(task, "DecodeError", "the body is over the limit of %u bytes when it is unpacked", TASK_BODY_MAX);
    else if (code)
        BAD(task, "DecodeError", "the compressed body cannot be read: %s", why);
    return code == UMBEL_OK;
}

umbel_value *task_decode(struct umbel_task *task, const struct codec_row **codec)
{
    umbel_value *body = NULL;
    const char *why = NULL;
    const struct codec_row *row = choose_codec(task);
    struct buffer unpacked;
    umbel_str bytes;
    if (!row)
        return NULL;
    buffer_init(&unpacked, TASK_BODY_MAX);
    if (!unpack(task, &unpacked, &bytes)) {
        buffer_fini(&unpacked);
        return NULL;
    }
    int code = row->decode(&task->arena, bytes, &body, &why);
    buffer_fini(&unpacked); /* what was decoded is in the arena */
    if (code) {
        BAD(task, "DecodeError", "the body is not readable %s: %s", row->name,
            why ? why : umbel_strerror(code));
        return NULL;
    }
    *codec = row;
    return body;
}

/* ---- embed ---- */

static bool carries(const umbel_value *embed, const char *key)
{
    const umbel_value *value = umbel_value_find(embed, key);
    switch (umbel_value_kind(value)) {
    case UMBEL_NULL:
        return false;
    case UMBEL_LIST:
    case UMBEL_MAP:
        return umbel_value_count(value) > 0;
    default:
        return true;
    }
}

/* False, and UNSUPPORTED with their names, when something is to follow the task. */
static bool check_embed(struct umbel_task *task, const umbel_value *embed)
{
    static const char *const links[] = {"callbacks", "errbacks", "chain", "chord"};
    char names[64] = "";
    for (size_t i = 0; i < 4 && umbel_value_count(embed); i++) {
        if (!carries(embed, links[i]))
            continue;
        if (names[0])
            strcat(names, ", ");
        strcat(names, links[i]);
    }
    if (!names[0])
        return true;
    task_settle(task, OUTCOME_UNSUPPORTED, "NotImplementedError",
                "%s was sent with %s, which this version of Umbel cannot carry on; it was not run",
                task->call->def->name, names);
    task->outcome.has_links = true;
    return false;
}

/* ---- values that no C type can hold ---- */

static void refuse_argument(struct umbel_task *task, const char *which, size_t which_size, umbel_str path,
                            const umbel_value *bad)
{
    const char *name = task->call->def->name;
    int size = (int)(which_size < 100 ? which_size : 100);
    switch ((int)bad->kind) {
    case VALUE_TOO_BIG:
        task_settle(task, OUTCOME_FAILURE, "ValueError",
                    "argument %.*s%.*s of %s: integer %.*s does not fit in 64 bits", size, which, SHOWN(path),
                    name, SHOWN(bad->as.str));
        return;
    case VALUE_NOT_TEXT:
        task_settle(task, OUTCOME_FAILURE, "ValueError",
                    "argument %.*s%.*s of %s: '%.*s' is not valid text (lone surrogate)", size, which,
                    SHOWN(path), name, SHOWN(bad->as.str));
        return;
    default:
        task_settle(task, OUTCOME_FAILURE, "ValueError",
                    "argument %.*s%.*s of %s: msgpack extensions are not supported", size, which, SHOWN(path),
                    name);
    }
}

/* Refuses the first one that is not valid. */
static void refuse_values(struct umbel_task *task, const umbel_value *container)
{
    struct buffer path;
    buffer_init(&path, 4096);
    const umbel_value *bad = NULL;
    for (size_t i = 0; !bad && i < umbel_value_count(container); i++) {
        umbel_str key = umbel_value_key(container, i);
        bad = value_find_invalid(umbel_value_at(container, i), &path);
        if (!bad)
            continue;
        char number[24];
        size_t digits = (size_t)snprintf(number, sizeof number, "%zu", i + 1);
        bool named = umbel_value_kind(container) == UMBEL_MAP;
        umbel_str where = {(const char *)buffer_head(&path), buffer_length(&path)};
        refuse_argument(task, named ? key.data : number, named ? key.size : digits, where, bad);
    }
    buffer_fini(&path);
}

static bool check_values(struct umbel_task *task, const umbel_value *container)
{
    if (value_is_valid(container))
        return true;
    refuse_values(task, container);
    return false;
}

bool task_open_body(struct umbel_task *task)
{
    const struct codec_row *row;
    const umbel_value *body = task_decode(task, &row);
    if (!body)
        return false;
    const umbel_value *args = umbel_value_at(body, 0), *kwargs = umbel_value_at(body, 1);
    const umbel_value *embed = umbel_value_at(body, 2);
    size_t count = umbel_value_count(body);
    if (umbel_value_kind(body) != UMBEL_LIST || count < 2 || count > 3 ||
        umbel_value_kind(args) != UMBEL_LIST || umbel_value_kind(kwargs) != UMBEL_MAP ||
        (umbel_value_kind(embed) != UMBEL_MAP && umbel_value_kind(embed) != UMBEL_NULL)) {
        BAD(task, "DecodeError", "the body is not [arguments, named arguments, links]");
        return false;
    }
    task->args = args;
    task->kwargs = kwargs;
    return check_embed(task, embed) && check_values(task, args) && check_values(task, kwargs);
}
