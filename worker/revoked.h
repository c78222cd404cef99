/* revoked.h: ids that are not to be run, each until some time. Bounded; the oldest go first.
 *
 * Filled from the back end before anything is consumed and by broadcasts afterwards, so that a task's
 * admission costs one look into this table, and nothing at all while it is empty. */
#ifndef WORKER_REVOKED_H
#define WORKER_REVOKED_H

#include "broker/backend.h"
#include "broker/table.h"

#define REVOKED_ID_MAX 255 /* longer ones are not ids of tasks */

struct revoked_id;

struct revoked {
    struct table table;
    struct revoked_id *first, **last; /* in order of arrival */
    size_t most;
};

void revoked_init(struct revoked *revoked);
void revoked_fini(struct revoked *revoked);
/* False: it was known already, or it cannot be kept. */
bool revoked_add(struct revoked *revoked, const struct backend_revocation *what);
bool revoked_holds(const struct revoked *revoked, umbel_str id, double now);
static inline size_t revoked_count(const struct revoked *revoked)
{
    return revoked->table.count;
}
/* Forgets those that have run out. */
void revoked_tidy(struct revoked *revoked, double now);
/* Calls `each` for all, oldest first. */
void revoked_each(const struct revoked *revoked,
                  void (*each)(void *self, const struct backend_revocation *what), void *self);

#endif
