/* other_abi.c: a module as a later version of Umbel might build it. */
#define UMBEL_NO_MODULE
#include <umbel.h>

extern const umbel_module_table umbel_module;
__attribute__((visibility("default")))
const umbel_module_table umbel_module = {UMBEL_MODULE_MAGIC, UMBEL_ABI + 41, "9.9.9", NULL, NULL, NULL, NULL};
