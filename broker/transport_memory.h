/* transport_memory.h: task messages inside one process. */
#ifndef BROKER_TRANSPORT_MEMORY_H
#define BROKER_TRANSPORT_MEMORY_H

#include "broker/transport.h"

extern const struct transport_ops transport_memory;

#endif
