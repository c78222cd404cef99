/* values.c: every type there is, in and out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <umbel.h>

UMBEL_TASK(echo, "echo")
{
    const umbel_value *value = NULL;
    if (umbel_args(task, umbel_named("value", &value)))
        return;
    umbel_return(task, value);
}

/* [args, kwargs], as they came */
UMBEL_TASK(echo_all, "echo.all")
{
    umbel_value *all = umbel_list_new();
    umbel_add_value(all, NULL, umbel_task_args(task));
    umbel_add_value(all, NULL, umbel_task_kwargs(task));
    umbel_return(task, all);
    umbel_value_free(all);
}

#define ONE(symbol, name, type, start)                                                                       \
    UMBEL_TASK(symbol, name)                                                                                 \
    {                                                                                                        \
        type value = start;                                                                                  \
        if (umbel_args(task, umbel_named("value", &value)))                                                  \
            return;                                                                                          \
        umbel_return(task, value);                                                                           \
    }
ONE(i8, "type.int8", int8_t, 0)
ONE(i16, "type.int16", int16_t, 0)
ONE(i32, "type.int32", int32_t, 0)
ONE(i64, "type.int64", int64_t, 0)
ONE(u8, "type.uint8", uint8_t, 0)
ONE(u16, "type.uint16", uint16_t, 0)
ONE(u32, "type.uint32", uint32_t, 0)
ONE(u64, "type.uint64", uint64_t, 0)
ONE(real, "type.double", double, 0)
ONE(truth, "type.bool", bool, false)
ONE(text, "type.text", const char *, NULL)

UMBEL_TASK(size, "type.size")
{
    umbel_str value;
    if (umbel_args(task, &value))
        return;
    umbel_return(task, value.size);
}

UMBEL_TASK(null, "give.null")
{
    umbel_return(task, umbel_null());
}

UMBEL_TASK(nothing, "give.nothing")
{
    (void)task;
}

UMBEL_TASK(nan_, "give.nan")
{
    umbel_return(task, (double)NAN);
}

UMBEL_TASK(not_utf8, "give.not_utf8")
{
    umbel_return(task, "caf\xe9");
}

UMBEL_TASK(bytes, "give.bytes")
{
    int64_t count;
    if (umbel_args(task, &count))
        return;
    unsigned char *data = malloc((size_t)count + 1);
    for (int64_t i = 0; i < count; i++)
        data[i] = (unsigned char)i;
    umbel_return(task, umbel_bytes(data, (size_t)count));
    free(data);
}

UMBEL_TASK(big, "give.text")
{
    int64_t count;
    if (umbel_args(task, &count))
        return;
    char *data = malloc((size_t)count + 1);
    memset(data, 'x', (size_t)count);
    umbel_return(task, ((umbel_str){data, (size_t)count}));
    free(data);
}

/* A list in a list in a list ... */
UMBEL_TASK(deep, "give.deep")
{
    int depth;
    if (umbel_args(task, &depth))
        return;
    umbel_value *root = umbel_list_new(), *here = root;
    for (int i = 1; i < depth && here; i++)
        here = umbel_add_list(here, NULL);
    if (here)
        umbel_return(task, root);
    else
        umbel_fail(task, "ValueError", "deeper than %d", UMBEL_DEPTH_MAX);
    umbel_value_free(root);
}
