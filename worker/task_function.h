/* task_function.h: the task that calls any function of the program, by its address.
 *
 * Only a local worker registers it: caller and callee are the same program, and children are forked from it,
 * so that the address means the same to all. */
#ifndef WORKER_TASK_FUNCTION_H
#define WORKER_TASK_FUNCTION_H

#include <umbel/task.h>

#define TASK_FUNCTION_NAME "umbel.function"
#define TASK_FUNCTION_HEADER "umbel-function"

/* A module that holds it alone. */
extern const umbel_module_table task_function_module;

#endif
