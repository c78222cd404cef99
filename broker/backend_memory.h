/* backend_memory.h: results inside one process. */
#ifndef BROKER_BACKEND_MEMORY_H
#define BROKER_BACKEND_MEMORY_H

#include "broker/backend.h"

extern const struct backend_ops backend_memory;

#endif
