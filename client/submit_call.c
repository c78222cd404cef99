/* submit_call.c: a function of the program as a task without a name, over memory://?pool=... */
#include <umbel/executor.h>

#include <dlfcn.h>
#include "client/client.h"
#include "client/future.h"
#include "client/submit.h"
#include "common/str.h"
#include "common/value.h"
#include "worker/task_function.h"

static const char *const no_pool = "a function can be called by its address only over memory://?pool=...; "
                                   "give it a name with UMBEL_TASK and "
                                   "submit that";

/* The caller's headers and the address. */
static umbel_value *write_headers(umbel_function *function, const umbel_value *own)
{
    umbel_value *headers = umbel_map_new();
    for (size_t i = 0; headers && i < umbel_value_count(own); i++)
        umbel_add_value(headers, umbel_value_key(own, i).data, umbel_value_at(own, i));
    if (headers && umbel_add_int(headers, TASK_FUNCTION_HEADER, (int64_t)(intptr_t)function) != UMBEL_OK) {
        umbel_value_free(headers);
        return NULL;
    }
    return headers;
}

/* Usually there is no header of the caller's own, and a map of one is made without asking for memory. */
static umbel_future *submit(umbel_client *client, umbel_function *function, umbel_arguments arguments,
                            umbel_submit_options *options)
{
    struct value_pair pair = {.key = STR(TASK_FUNCTION_HEADER),
                              .value = {.kind = UMBEL_INT, .as.integer = (int64_t)(intptr_t)function}};
    umbel_value headers = {.kind = UMBEL_MAP, .count = 1, .as.pairs = &pair};
    options->headers = &headers;
    return umbel_submit_with(client, TASK_FUNCTION_NAME, arguments, options);
}

/* The symbol, where the loader knows one. Asking costs as much as the rest of a submit, so the last answer is
 * kept. */
static const char *name_of(umbel_function *function)
{
    static _Thread_local umbel_function *last;
    static _Thread_local const char *name;
    Dl_info info;
    if (function != last) {
        name = dladdr((void *)(uintptr_t)function, &info) ? info.dli_sname : NULL;
        last = function;
    }
    return name;
}

umbel_future *umbel_submit_call_with(umbel_client *client, umbel_function *function,
                                     umbel_arguments arguments, const umbel_submit_options *options)
{
    static const umbel_submit_options none;
    umbel_submit_options changed = options ? *options : none;
    int code = client_check(client);
    if (code == UMBEL_OK && !engine_has_pool(&client->engine))
        return submit_refused(client, "function", &changed, UMBEL_NOT_SUPPORTED, no_pool);
    if (code == UMBEL_OK && !function)
        return submit_refused(client, "function", &changed, UMBEL_BAD_ARGUMENT, "the function is NULL");
    if (code == UMBEL_OK && submit_is_direct(client, &changed))
        return submit_function(client, function, name_of(function), arguments, &changed);
    if (!changed.shadow)
        changed.shadow = name_of(function);
    if (!changed.headers)
        return submit(client, function, arguments, &changed);
    umbel_value *headers = write_headers(function, changed.headers);
    if (!headers)
        return submit_refused(client, "function", &changed, UMBEL_NO_MEMORY, NULL);
    changed.headers = headers;
    umbel_future *future = umbel_submit_with(client, TASK_FUNCTION_NAME, arguments, &changed);
    umbel_value_free(headers);
    return future;
}
