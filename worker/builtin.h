/* builtin.h: the tasks that every worker serves without a module.
 *
 * celery.map and celery.starmap are Celery's own: many calls of one task in one message, with one list of
 * results (Python's task.map, task.starmap and task.chunks; umbel_submit_chunk). umbel.ping answers what it
 * was given. */
#ifndef WORKER_BUILTIN_H
#define WORKER_BUILTIN_H

#include "worker/registry.h"

/* Registers them. To be called before any module is, so that a module which takes one of their names is told
 * so. */
int builtin_add(struct registry *registry, struct buffer *why);
/* Is it one of them? They are no news to who lists what a worker can do. */
bool builtin_is(const umbel_task_def *def);
/* How many of the registry's tasks came from modules. */
size_t builtin_others(const struct registry *registry);

/* ---- task_chunk.c ---- */
void builtin_map(umbel_task *task);
void builtin_starmap(umbel_task *task);

#endif
