/* registry.h: the tasks this worker can run, by name. Filled before the fork server is started, read-only
 * after. */
#ifndef WORKER_REGISTRY_H
#define WORKER_REGISTRY_H

#include <umbel/task.h>
#include "common/buffer.h"

struct registry;

struct registry *registry_new(void);
void registry_free(struct registry *registry);
/* A task of this process is left behind and uses it for as long as the process lives: it is not freed, nor
 * should be what the pool was told of beside it. */
void registry_keep(struct registry *registry);
bool registry_is_kept(const struct registry *registry);
/* Adds all tasks and hooks of a table (checked: magic, ABI, names, sizes). UMBEL_OK, UMBEL_BAD_MODULE,
 * UMBEL_CONFLICT (two tasks of one name), with one sentence in `why`. */
int registry_add(struct registry *registry, const umbel_module_table *module, const char *from,
                 struct buffer *why);
/* Opens a shared object and adds its `umbel_module`. A path without a slash is looked for in the current
 * folder first. */
int registry_load(struct registry *registry, const char *path, struct buffer *why);
const umbel_task_def *registry_find(const struct registry *registry, umbel_str name);
size_t registry_count(const struct registry *registry);
const umbel_task_def *registry_at(const struct registry *registry, size_t index); /* sorted by name */
/* Where one that registry_find or registry_at gave stands in that order. */
size_t registry_index(const struct registry *registry, const umbel_task_def *def);
/* Runs the start hooks in order, stops at the first that fails; and the end hooks in reverse. */
int registry_child_start(const struct registry *registry, void **user, char why[200]);
void registry_child_end(const struct registry *registry, void *user);

#endif
