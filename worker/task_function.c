/* task_function.c: see task_function.h. */
#include "worker/task_function.h"

static void run(umbel_task *task)
{
    int64_t address;
    if (umbel_value_int(umbel_task_header(task, TASK_FUNCTION_HEADER), &address) != UMBEL_OK || !address) {
        umbel_fail(task, "ValueError", "the call names no function");
        return;
    }
    void (*function)(umbel_task * task) = (void (*)(umbel_task *))(uintptr_t)address;
    function(task);
}

static const umbel_task_def def = {.size = sizeof def, .name = TASK_FUNCTION_NAME, .run = run};
static const umbel_task_def *const defs[] = {&def};

const umbel_module_table task_function_module = {UMBEL_MODULE_MAGIC, UMBEL_ABI, UMBEL_VERSION, defs,
                                                 defs + 1,           NULL,      NULL};
