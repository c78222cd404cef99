/* sqlite_parts.h: parts of results in the database; on its thread. */
#ifndef BROKER_SQLITE_PARTS_H
#define BROKER_SQLITE_PARTS_H

#include "broker/sqlite_result.h"

/* Each carries out one note of its kind and answers it. SQLite codes. */
int sqlite_parts_add(struct sqlite_port *port, const struct notes *notes, const struct note *note);
int sqlite_parts_read(struct sqlite_port *port, umbel_str id, const struct note *note);
/* They are kept as long as their result is. */
int sqlite_parts_keep(struct sqlite_store *store, umbel_str id, double until);
/* Is a terminal state stored under it? */
bool sqlite_parts_ended(struct sqlite_store *store, umbel_str id);
int sqlite_parts_drop(struct sqlite_store *store, umbel_str id);
/* Takes the next payload from the front of an answer's text; false at its end. */
bool sqlite_parts_unpack(umbel_str *packed, umbel_str *payload);

#endif
