/* abi.h: linkage, visibility and the version of the binary interface. */
#ifndef UMBEL_ABI_H
#define UMBEL_ABI_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#define UMBEL_VERSION_MAJOR 0
#define UMBEL_VERSION_MINOR 1
#define UMBEL_VERSION_PATCH 0
#define UMBEL_VERSION "0.1.0"

/* A module of tasks carries this number; a worker refuses a module with another one. It changes only when a struct or
 * a call of task.h changes in a way that a compiled module would notice. */
#define UMBEL_ABI 1

#if defined(__cplusplus)
#define UMBEL_BEGIN extern "C" {
#define UMBEL_END }
#else
#define UMBEL_BEGIN
#define UMBEL_END
#endif

#define UMBEL_API __attribute__((visibility("default")))
#define UMBEL_PRINTF(text, first) __attribute__((format(printf, text, first)))

UMBEL_BEGIN
/* The version of the library that is linked, e.g. "0.1.0". Static; any thread. */
UMBEL_API const char *umbel_version(void);
UMBEL_END

#endif
