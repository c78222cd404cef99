/* backend_sqlite.h: results in a file that many processes share. */
#ifndef BROKER_BACKEND_SQLITE_H
#define BROKER_BACKEND_SQLITE_H

#include "broker/backend.h"

extern const struct backend_ops backend_sqlite;

#endif
