/* registry.c: the tasks and hooks of all modules, sorted by name.
 *
 * A module is data until its first task runs: everything in its table is checked here, once, so that a file
 * that is no module, or one built for another version, is one sentence at the start and not a crash in a
 * child. */
#include <assert.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/str.h"
#include "worker/registry.h"

#define NAME_MAX_BYTES 255

/* Our copy: a module's may be older and shorter. */
struct task_row {
    umbel_task_def def;
    size_t index;
};

struct registry {
    struct task_row **tasks;
    size_t task_count;
    const umbel_child_hooks **hooks;
    size_t hook_count;
    void **libraries;
    size_t library_count;
    bool kept;
};

struct registry *registry_new(void)
{
    return calloc(1, sizeof(struct registry));
}

void registry_keep(struct registry *registry)
{
    registry->kept = true;
}

bool registry_is_kept(const struct registry *registry)
{
    return registry->kept;
}

void registry_free(struct registry *registry)
{
    if (!registry || registry->kept)
        return;
    for (size_t i = 0; i < registry->task_count; i++)
        free(registry->tasks[i]);
    for (size_t i = 0; i < registry->library_count; i++)
        dlclose(registry->libraries[i]);
    free(registry->tasks);
    free(registry->hooks);
    free(registry->libraries);
    free(registry);
}

/* ---- looking up ---- */

static int compare(umbel_str a, umbel_str b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Where `name` is, or would be. */
static size_t position(const struct registry *registry, umbel_str name)
{
    size_t low = 0, high = registry->task_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(str_of(registry->tasks[middle]->def.name), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const umbel_task_def *registry_find(const struct registry *registry, umbel_str name)
{
    size_t at;
    if (name.size == 0)
        return NULL;
    at = position(registry, name);
    if (at == registry->task_count || !str_equal(str_of(registry->tasks[at]->def.name), name))
        return NULL;
    return &registry->tasks[at]->def;
}

size_t registry_count(const struct registry *registry)
{
    return registry->task_count;
}

const umbel_task_def *registry_at(const struct registry *registry, size_t index)
{
    return index < registry->task_count ? &registry->tasks[index]->def : NULL;
}

size_t registry_index(const struct registry *registry, const umbel_task_def *def)
{
    const struct task_row *row = (const struct task_row *)def;
    assert(row->index < registry->task_count && registry->tasks[row->index] == row);
    (void)registry;
    return row->index;
}

/* ---- adding ---- */

/* Room for one more element of `size` bytes, doubling; NULL when memory is out. */
static void *grown(void *array, size_t count, size_t size)
{
    if (count & (count - 1)) /* full only at powers of two, and when empty */
        return array;
    return realloc(array, (count ? 2 * count : 1) * size);
}

static int task_refuse(const umbel_task_def *def, const char *from, struct buffer *why)
{
    const char *fault = NULL;
    if (!def || def->size < offsetof(umbel_task_def, options))
        fault = "a task without a definition";
    else if (!def->name || !*def->name)
        fault = "a task without a name";
    else if (strlen(def->name) > NAME_MAX_BYTES || !str_utf8(str_of(def->name)))
        fault = "a task whose name is longer than 255 bytes or not UTF-8";
    else if (!def->run)
        fault = "a task without a function";
    if (!fault)
        return UMBEL_OK;
    buffer_format(why, "%s holds %s", from, fault);
    return UMBEL_BAD_MODULE;
}

static void insert(struct registry *registry, struct task_row *row, size_t at)
{
    struct task_row **place = registry->tasks + at;
    memmove(place + 1, place, (registry->task_count - at) * sizeof *place);
    *place = row;
    registry->task_count++;
    for (; at < registry->task_count; at++)
        registry->tasks[at]->index = at;
}

static int task_add(struct registry *registry, const umbel_task_def *def, const char *from,
                    struct buffer *why)
{
    int code = task_refuse(def, from, why);
    if (code)
        return code;
    size_t at = position(registry, str_of(def->name));
    if (at < registry->task_count && strcmp(registry->tasks[at]->def.name, def->name) == 0) {
        buffer_format(why, "%s defines the task %s, which is already registered", from, def->name);
        return UMBEL_CONFLICT;
    }
    struct task_row **tasks = grown(registry->tasks, registry->task_count, sizeof *tasks);
    struct task_row *row = calloc(1, sizeof *row);
    if (tasks)
        registry->tasks = tasks;
    if (!tasks || !row) {
        free(row);
        return UMBEL_NO_MEMORY;
    }
    memcpy(&row->def, def, def->size < sizeof row->def ? def->size : sizeof row->def);
    insert(registry, row, at);
    return UMBEL_OK;
}

static int hooks_add(struct registry *registry, const umbel_child_hooks *hooks)
{
    const umbel_child_hooks **all = grown(registry->hooks, registry->hook_count, sizeof *all);
    if (!all)
        return UMBEL_NO_MEMORY;
    registry->hooks = all;
    all[registry->hook_count++] = hooks;
    return UMBEL_OK;
}

static int module_check(const umbel_module_table *module, const char *from, struct buffer *why)
{
    if (!module || module->magic != UMBEL_MODULE_MAGIC) {
        buffer_format(why, "%s is not a module of tasks: its umbel_module does not begin as one", from);
        return UMBEL_BAD_MODULE;
    }
    if (module->abi != UMBEL_ABI) {
        buffer_format(why, "%s was built for ABI %u of Umbel, this is ABI %u; compile it again", from,
                      module->abi, (unsigned)UMBEL_ABI);
        return UMBEL_BAD_MODULE;
    }
    return UMBEL_OK;
}

int registry_add(struct registry *registry, const umbel_module_table *module, const char *from,
                 struct buffer *why)
{
    int code = module_check(module, from, why);
    /* The linker leaves both ends NULL when a module has none. */
    if (!code && module->tasks_begin)
        for (const umbel_task_def *const *at = module->tasks_begin; !code && at < module->tasks_end; at++)
            code = task_add(registry, *at, from, why);
    if (!code && module->hooks_begin)
        for (const umbel_child_hooks *const *at = module->hooks_begin; !code && at < module->hooks_end; at++)
            code = hooks_add(registry, *at);
    if (code == UMBEL_NO_MEMORY)
        buffer_text(why, "out of memory while tasks were registered");
    return code;
}

static int library_keep(struct registry *registry, void *library)
{
    void **all = grown(registry->libraries, registry->library_count, sizeof *all);
    if (!all)
        return UMBEL_NO_MEMORY;
    registry->libraries = all;
    all[registry->library_count++] = library;
    return UMBEL_OK;
}

int registry_load(struct registry *registry, const char *path, struct buffer *why)
{
    char here[4096];
    const char *from = path;
    if (!strchr(path, '/') && strlen(path) < sizeof here - 2) {
        here[0] = '.', here[1] = '/';
        strcpy(here + 2, path);
        if (access(here, R_OK) == 0)
            path = here;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        size_t named = strlen(path); /* the loader begins with the name too */
        if (strncmp(reason, path, named) == 0 && strncmp(reason + named, ": ", 2) == 0)
            reason += named + 2;
        buffer_format(why, "%s cannot be loaded: %s", from, reason);
        return UMBEL_BAD_MODULE;
    }
    const umbel_module_table *module = dlsym(library, "umbel_module");
    if (!module) {
        buffer_format(
            why, "%s is not a module of tasks: it has no symbol umbel_module (is there a UMBEL_TASK in it?)",
            from);
        dlclose(library);
        return UMBEL_BAD_MODULE;
    }
    int code = library_keep(registry, library);
    return code ? code : registry_add(registry, module, from, why);
}

/* ---- hooks ---- */

static void end_before(const struct registry *registry, size_t count, void *user)
{
    while (count-- > 0)
        if (registry->hooks[count]->end)
            registry->hooks[count]->end(user);
}

int registry_child_start(const struct registry *registry, void **user, char why[200])
{
    why[0] = '\0';
    for (size_t i = 0; i < registry->hook_count; i++) {
        if (!registry->hooks[i]->start)
            continue;
        int code = registry->hooks[i]->start(user, why);
        if (code) {
            why[199] = '\0';
            end_before(registry, i, *user);
            return code;
        }
    }
    return UMBEL_OK;
}

void registry_child_end(const struct registry *registry, void *user)
{
    end_before(registry, registry->hook_count, user);
}
