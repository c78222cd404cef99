/* builtin.c: the table of builtin tasks, written as a module's would be. */
#include "worker/builtin.h"

#include <string.h>

/* What it was given, or "pong": for measuring and for asking whether anybody is there. */
static void ping(umbel_task *task)
{
    const umbel_value *payload = NULL;
    if (umbel_args(task, umbel_optional("payload", &payload)))
        return;
    if (payload)
        umbel_return(task, payload);
    else
        umbel_return(task, "pong");
}

static const umbel_task_def map_def = {.size = sizeof map_def, .name = "celery.map", .run = builtin_map};
static const umbel_task_def starmap_def = {
    .size = sizeof starmap_def, .name = "celery.starmap", .run = builtin_starmap};
static const umbel_task_def ping_def = {.size = sizeof ping_def, .name = "umbel.ping", .run = ping};
static const umbel_task_def *const defs[] = {&map_def, &starmap_def, &ping_def};

enum { DEF_COUNT = sizeof defs / sizeof *defs };

int builtin_add(struct registry *registry, struct buffer *why)
{
    const umbel_module_table module = {
        .magic = UMBEL_MODULE_MAGIC,
        .abi = UMBEL_ABI,
        .version = UMBEL_VERSION,
        .tasks_begin = defs,
        .tasks_end = defs + DEF_COUNT,
    };
    return registry_add(registry, &module, "umbel", why);
}

/* The registry holds copies, so they are told by their functions. */
bool builtin_is(const umbel_task_def *def)
{
    for (size_t i = 0; i < DEF_COUNT; i++)
        if (defs[i]->run == def->run)
            return true;
    return false;
}

size_t builtin_others(const struct registry *registry)
{
    size_t count = 0;
    for (size_t i = 0; i < registry_count(registry); i++)
        count += !builtin_is(registry_at(registry, i));
    return count;
}
