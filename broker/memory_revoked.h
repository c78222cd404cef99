/* memory_revoked.h: the ids of a hub that are not to be run, each until a time. All under the hub's lock. */
#ifndef BROKER_MEMORY_REVOKED_H
#define BROKER_MEMORY_REVOKED_H

#include "broker/backend.h"
#include "broker/memory_hub.h"

/* Keeps one, the longer of two times. Dropped when memory is out or BACKEND_REVOKED_MAX are kept. */
void memory_revoked_put(struct memory_hub *hub, const struct backend_revocation *what);
/* Forgets those whose time is over. */
void memory_revoked_tidy(struct memory_hub *hub);
/* A list of copies in the arena; its length. *list is NULL when memory is out. */
size_t memory_revoked_copy(struct memory_hub *hub, struct arena *arena, struct backend_revocation **list);
/* Frees all of them; nobody has the hub any more. */
void memory_revoked_free(struct memory_hub *hub);

#endif
