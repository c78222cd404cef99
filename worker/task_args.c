/* task_args.c: matching the arguments of a call with the parameters that a task declares, by Python's rules
 * and in Python's words, because that is who often made the call. */
#include <stdio.h>
#include "common/str.h"
#include "worker/task.h"

#define WRONG(task, ...) (task_settle((task), OUTCOME_FAILURE, "TypeError", __VA_ARGS__), UMBEL_BAD_TYPE)

const umbel_value *umbel_task_args(umbel_task *task)
{
    return task->args;
}

const umbel_value *umbel_task_kwargs(umbel_task *task)
{
    return task->kwargs;
}

static const char *name_of(const umbel_task *task)
{
    return task->call->def->name;
}

/* "argument 2 ('y')", or "argument 2" when it has no name. */
static void describe(char out[160], const umbel_take *take, size_t index)
{
    if (take->name)
        snprintf(out, 160, "argument %zu ('%.120s')", index + 1, take->name);
    else
        snprintf(out, 160, "argument %zu", index + 1);
}

/* ---- who is missing, who is too much ---- */

static int refuse_count(umbel_task *task, const umbel_take *takes, size_t count, size_t given)
{
    size_t least = 0;
    for (size_t i = 0; i < count; i++)
        least += !takes[i].optional;
    if (least == count)
        return WRONG(task, "%s() takes %zu argument%s but %zu %s given", name_of(task), count,
                     count == 1 ? "" : "s", given, given == 1 ? "was" : "were");
    return WRONG(task, "%s() takes from %zu to %zu arguments but %zu %s given", name_of(task), least, count,
                 given, given == 1 ? "was" : "were");
}

static int refuse_missing(umbel_task *task, const umbel_take *takes, const bool *missing, size_t count)
{
    struct buffer names;
    size_t all = 0, seen = 0;
    buffer_init(&names, 4096);
    for (size_t i = 0; i < count; i++)
        all += missing[i];
    for (size_t i = 0; i < count; i++) {
        if (!missing[i])
            continue;
        if (seen++)
            buffer_text(&names, seen < all ? ", " : " and ");
        if (takes[i].name)
            buffer_format(&names, "'%s'", takes[i].name);
        else
            buffer_format(&names, "number %zu", i + 1);
    }
    int code = WRONG(task, "%s() missing %zu required argument%s: %.*s", name_of(task), all,
                     all == 1 ? "" : "s", (int)buffer_length(&names), (const char *)buffer_head(&names));
    buffer_fini(&names);
    return code;
}

/* Every named argument must be one of ours, and not be given by position as well. */
static int check_names(umbel_task *task, const umbel_take *takes, size_t count)
{
    size_t positional = umbel_value_count(task->args), named = umbel_value_count(task->kwargs);
    for (size_t k = 0; k < named; k++) {
        umbel_str key = umbel_value_key(task->kwargs, k);
        size_t i = 0;
        while (i < count && !(takes[i].name && str_equal(str_of(takes[i].name), key)))
            i++;
        if (i == count)
            return WRONG(task, "%s() got an unexpected keyword argument '%.*s'", name_of(task),
                         (int)(key.size < 200 ? key.size : 200), key.data);
        if (i < positional)
            return WRONG(task, "%s() got multiple values for argument '%s'", name_of(task), takes[i].name);
    }
    return UMBEL_OK;
}

/* ---- one by one ---- */

static const char *article(const char *name)
{
    return strchr("aeiou8", name[0]) ? "an" : "a";
}

static int refuse_value(umbel_task *task, const umbel_take *take, size_t index, const umbel_value *value,
                        int code)
{
    const char *wanted = value_take_name(take->kind);
    char which[160];
    describe(which, take, index);
    if (code == UMBEL_BAD_TYPE) {
        task_settle(task, OUTCOME_FAILURE, "TypeError", "%s() %s must be %s %s, not %s", name_of(task), which,
                    article(wanted), wanted, value_type_name(value));
        return code;
    }
    struct buffer shown;
    buffer_init(&shown, 256);
    value_repr(&shown, value, 80);
    task_settle(task, OUTCOME_FAILURE, "ValueError", "%s() %s must be %s %s, and %.*s is not", name_of(task),
                which, article(wanted), wanted, (int)buffer_length(&shown),
                (const char *)buffer_head(&shown));
    buffer_fini(&shown);
    return code;
}

static const umbel_value *find(const umbel_task *task, const umbel_take *take, size_t index)
{
    if (index < umbel_value_count(task->args))
        return umbel_value_at(task->args, index);
    return take->name ? umbel_value_find(task->kwargs, take->name) : NULL;
}

int umbel_args_take(umbel_task *task, const umbel_take *takes, size_t count)
{
    bool missing[64] = {false}, any = false;
    size_t given = umbel_value_count(task->args);
    if (count > sizeof missing / sizeof *missing)
        return WRONG(task, "%s() declares more than 64 parameters", name_of(task));
    if (given > count)
        return refuse_count(task, takes, count, given);
    int code = umbel_value_count(task->kwargs) ? check_names(task, takes, count) : UMBEL_OK;
    for (size_t i = 0; !code && i < count; i++) {
        const umbel_value *value = find(task, &takes[i], i);
        if (value)
            code = value_take(value, &takes[i]);
        else if (!takes[i].optional)
            any = missing[i] = true;
        if (code)
            return refuse_value(task, &takes[i], i, value, code);
    }
    return !code && any ? refuse_missing(task, takes, missing, count) : code;
}
