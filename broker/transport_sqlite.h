/* transport_sqlite.h: task messages in a file that many processes share. */
#ifndef BROKER_TRANSPORT_SQLITE_H
#define BROKER_TRANSPORT_SQLITE_H

#include "broker/transport.h"

extern const struct transport_ops transport_sqlite;

#endif
