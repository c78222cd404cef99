/* worker.h: a worker inside a program of one's own. */
#ifndef UMBEL_WORKER_H
#define UMBEL_WORKER_H

#include <umbel/abi.h>
#include <umbel/task.h>

UMBEL_BEGIN
/* Everything the `umbel` program does, with `module`'s tasks registered first. Call it first thing in main, before any
 * thread, descriptor or signal handler exists: it forks. Answers an exit code. `module` may be NULL. */
UMBEL_API int umbel_main_with(const umbel_module_table *module, int argc, char **argv);

#ifndef UMBEL_NO_MODULE
/* int main(int argc, char **argv) { return umbel_main(argc, argv); } in a program that holds UMBEL_TASKs. */
static inline int umbel_main(int argc, char **argv)
{
    return umbel_main_with(&umbel_module, argc, argv);
}
#endif
UMBEL_END

#endif
