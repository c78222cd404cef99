/* message_header.c: between the headers of protocol 2 and the fields of a message.
 *
 * Reading is strict about kinds, since routing rests on these fields, and lenient about what is absent: void
 * and missing are the same. Writing leaves out what says nothing, because every header costs the broker time.
 */
#include <math.h>

#include "common/message.h"
#include "common/message_fields.h"
#include "common/str.h"

enum { EXTRA_MAX = 256 }; /* looked up one by one */

/* ---- reading
 * ---------------------------------------------------------------------------------------------------- */

static int read_text(umbel_str *field, const umbel_value *value)
{
    if (value->kind != UMBEL_STRING || !str_utf8(value->as.str))
        return UMBEL_BAD_MESSAGE;
    *field = value->as.str;
    return UMBEL_OK;
}

static int read_natural(int64_t *field, const umbel_value *value, int64_t most)
{
    int64_t number;
    if (umbel_value_int(value, &number) || number < 0)
        return UMBEL_BAD_MESSAGE;
    *field = number < most ? number : most;
    return UMBEL_OK;
}

/* Void, zero and nonsense are no limit. */
static int read_limit(double *field, const umbel_value *value)
{
    double seconds = 0;
    if (umbel_value_kind(value) != UMBEL_NULL && umbel_value_double(value, &seconds))
        return UMBEL_BAD_MESSAGE;
    *field = isfinite(seconds) && seconds > 0 ? seconds : 0;
    return UMBEL_OK;
}

/* [hard, soft]: Celery's code, not its document. */
static int read_limits(struct message *msg, const umbel_value *value)
{
    if (value->kind != UMBEL_LIST)
        return UMBEL_BAD_MESSAGE;
    int code = read_limit(&msg->hard_limit, umbel_value_at(value, 0));
    return code ? code : read_limit(&msg->soft_limit, umbel_value_at(value, 1));
}

static int read_flag(bool *flag, const umbel_value *value)
{
    return umbel_value_bool(value, flag) ? UMBEL_BAD_MESSAGE : UMBEL_OK;
}

static int read_ignore_result(struct message *msg, const umbel_value *value)
{
    bool flag;
    int code = read_flag(&flag, value);
    if (!code)
        msg->ignore_result = flag;
    return code;
}

static int read_deaths(struct message *msg, const umbel_value *value)
{
    int64_t deaths;
    int code = read_natural(&deaths, value, INT32_MAX);
    if (!code)
        msg->deaths = (int32_t)deaths;
    return code;
}

static int read_retries(struct message *msg, const umbel_value *value)
{
    return read_natural(&msg->retries, value, INT32_MAX);
}

static int read_group_index(struct message *msg, const umbel_value *value)
{
    return read_natural(&msg->group_index, value, INT64_MAX);
}

static int read_republished(struct message *msg, const umbel_value *value)
{
    return read_flag(&msg->republished, value);
}

static const struct header_row {
    umbel_str name;
    int (*read)(struct message *msg, const umbel_value *value);
} rows[] = {
    {{"retries", sizeof "retries" - 1}, read_retries},
    {{"timelimit", sizeof "timelimit" - 1}, read_limits},
    {{"group_index", sizeof "group_index" - 1}, read_group_index},
    {{"ignore_result", sizeof "ignore_result" - 1}, read_ignore_result},
    {{"umbel-republished", sizeof "umbel-republished" - 1}, read_republished},
    {{"umbel-deaths", sizeof "umbel-deaths" - 1}, read_deaths},
};

/* Text that a foreign client did not write as UTF-8 is bytes; a key must be text. */
static bool make_text_honest(umbel_value *value)
{
    if (value->kind == UMBEL_STRING && !str_utf8(value->as.str))
        value->kind = UMBEL_BYTES;
    for (uint32_t i = 0; i < umbel_value_count(value); i++) {
        if (value->kind == UMBEL_MAP && !str_utf8(value->as.pairs[i].key))
            return false;
        if (!make_text_honest(value->kind == UMBEL_MAP ? &value->as.pairs[i].value : &value->as.items[i]))
            return false;
    }
    return true;
}

static int read_extra(struct arena *arena, struct message *msg, umbel_str name, const umbel_value *value)
{
    if (msg->extra_count >= EXTRA_MAX || !str_utf8(name) || value_height(value) > UMBEL_DEPTH_MAX)
        return UMBEL_BAD_MESSAGE;
    umbel_value *copy = value_copy(arena, value);
    if (!copy)
        return UMBEL_NO_MEMORY;
    return make_text_honest(copy) ? message_set_extra(arena, msg, name, copy) : UMBEL_BAD_MESSAGE;
}

/* Only shown, never decided by. Celery writes them from the arguments, lone surrogates included: such a text
 * is left out, so that the task still runs and can say which argument is wrong. */
static bool is_cosmetic(umbel_str name)
{
    static const char *const names[] = {"argsrepr", "kwargsrepr", "shadow", "origin", "lang"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_equal(name, str_of(names[i])))
            return true;
    return false;
}

static int read_field(umbel_str *field, umbel_str name, const umbel_value *value)
{
    int code = umbel_value_kind(value) == UMBEL_NULL ? UMBEL_OK : read_text(field, value);
    return code != UMBEL_OK && is_cosmetic(name) ? UMBEL_OK : code;
}

/* Which of msg->texts travels under this name; MESSAGE_TEXTS: none. At most two names are of one size. */
static size_t find_text(umbel_str name)
{
#define NUMBER(field) MESSAGE_TEXT_NUMBER(field)
    static const uint8_t of_size[][2] = {
        [2] = {NUMBER(id)},
        [3] = {NUMBER(eta)},
        [4] = {NUMBER(task), NUMBER(lang)},
        [5] = {NUMBER(group)},
        [6] = {NUMBER(origin), NUMBER(shadow)},
        [7] = {NUMBER(root_id), NUMBER(expires)},
        [8] = {NUMBER(argsrepr)},
        [9] = {NUMBER(parent_id)},
        [10] = {NUMBER(kwargsrepr)},
        [11] = {NUMBER(compression)},
    };
#undef NUMBER
    if (name.size < 2 || name.size >= sizeof of_size / sizeof *of_size)
        return MESSAGE_TEXTS;
    for (size_t i = 0; i < 2; i++)
        if (str_equal(name, message_names[of_size[name.size][i]]))
            return of_size[name.size][i];
    return MESSAGE_TEXTS;
}

int message_read_header(struct arena *arena, struct message *msg, umbel_str name, const umbel_value *value)
{
    size_t text = find_text(name);
    if (text < MESSAGE_TEXTS)
        return read_field(&msg->texts[text], name, value);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (str_equal(name, rows[i].name))
            return umbel_value_kind(value) == UMBEL_NULL ? UMBEL_OK : rows[i].read(msg, value);
    }
    return read_extra(arena, msg, name, value);
}

/* ---- writing
 * ---------------------------------------------------------------------------------------------------- */

struct emission {
    message_emit *emit;
    void *to;
    int code; /* the first that is not 0 ends it */
};

static void emit_value(struct emission *emission, umbel_str name, umbel_value value)
{
    if (!emission->code)
        emission->code = emission->emit(emission->to, name, &value);
}

static void emit_integer(struct emission *emission, umbel_str name, int64_t number)
{
    emit_value(emission, name, (umbel_value){.kind = UMBEL_INT, .as.integer = number});
}

static void emit_flag(struct emission *emission, umbel_str name, bool flag)
{
    emit_value(emission, name, (umbel_value){.kind = UMBEL_BOOL, .as.boolean = flag});
}

/* A worker takes the id for the root where none is named. */
static void emit_texts(struct emission *emission, const struct message *msg)
{
    for (size_t i = 0; i < MESSAGE_TEXTS; i++) {
        const umbel_str *text = &msg->texts[i];
        if (!message_names[i].data || text->size == 0)
            continue;
        if (text == &msg->root_id && str_equal(msg->root_id, msg->id))
            continue;
        emit_value(emission, message_names[i], (umbel_value){.kind = UMBEL_STRING, .as.str = *text});
    }
}

/* Whole seconds as an integer, as Python's callers write them. */
static umbel_value limit_value(double seconds)
{
    if (!(seconds > 0))
        return (umbel_value){.kind = UMBEL_NULL};
    if (seconds < 1e9 && seconds == floor(seconds))
        return (umbel_value){.kind = UMBEL_INT, .as.integer = (int64_t)seconds};
    return (umbel_value){.kind = UMBEL_DOUBLE, .as.real = seconds};
}

static void emit_limits(struct emission *emission, const struct message *msg)
{
    umbel_value items[2] = {limit_value(msg->hard_limit), limit_value(msg->soft_limit)};
    emit_value(emission, STR("timelimit"), (umbel_value){.kind = UMBEL_LIST, .count = 2, .as.items = items});
}

int message_each_header(const struct message *msg, message_emit *emit, void *to)
{
    struct emission emission = {emit, to, 0};
    emit_texts(&emission, msg);
    if (msg->group_index >= 0)
        emit_integer(&emission, STR("group_index"), msg->group_index);
    if (msg->retries > 0)
        emit_integer(&emission, STR("retries"), msg->retries);
    if (msg->hard_limit > 0 || msg->soft_limit > 0)
        emit_limits(&emission, msg);
    if (msg->ignore_result >= 0)
        emit_flag(&emission, STR("ignore_result"), msg->ignore_result > 0);
    if (msg->republished)
        emit_flag(&emission, STR("umbel-republished"), true);
    if (msg->deaths > 0)
        emit_integer(&emission, STR("umbel-deaths"), msg->deaths);
    for (size_t i = 0; i < msg->extra_count && !emission.code; i++)
        emission.code = emit(to, msg->extra[i].name, &msg->extra[i].value);
    return emission.code;
}
