/* transport_parent.h: calls out of a task, carried by the worker that runs it. Publishes only. */
#ifndef BROKER_TRANSPORT_PARENT_H
#define BROKER_TRANSPORT_PARENT_H

#include "broker/transport.h"

extern const struct transport_ops transport_parent;

#endif
