/* memory_revoked.c: see memory_revoked.h. An id that cannot be kept is lost: a revocation is a wish. */
#include "broker/memory_revoked.h"

#include <math.h>
#include <stdlib.h>
#include "common/clock.h"

struct memory_revoked {
    struct table_node node;
    double until; /* since the epoch */
    char text[];
};

void memory_revoked_free(struct memory_hub *hub)
{
    for (struct table_node *node = table_next(&hub->revoked, NULL), *next; node; node = next) {
        next = table_next(&hub->revoked, node);
        free(node);
    }
}

void memory_revoked_tidy(struct memory_hub *hub)
{
    double now = clock_now();
    for (struct table_node *node = table_next(&hub->revoked, NULL), *next; node; node = next) {
        next = table_next(&hub->revoked, node);
        if (((struct memory_revoked *)node)->until <= now) {
            table_remove(&hub->revoked, node);
            free(node);
        }
    }
}

void memory_revoked_put(struct memory_hub *hub, const struct backend_revocation *what)
{
    struct memory_revoked *old = (struct memory_revoked *)table_find(&hub->revoked, what->id);
    if (old) {
        old->until = fmax(old->until, what->until);
        return;
    }
    struct memory_revoked *revoked =
        hub->revoked.count < BACKEND_REVOKED_MAX ? malloc(sizeof *revoked + what->id.size) : NULL;
    if (!revoked)
        return;
    if (what->id.size)
        memcpy(revoked->text, what->id.data, what->id.size);
    revoked->node.key = (umbel_str){revoked->text, what->id.size};
    revoked->until = what->until;
    if (table_add(&hub->revoked, &revoked->node) != UMBEL_OK)
        free(revoked);
}

size_t memory_revoked_copy(struct memory_hub *hub, struct arena *arena, struct backend_revocation **list)
{
    size_t count = 0;
    *list = arena_alloc(arena, (hub->revoked.count + 1) * sizeof **list);
    for (struct table_node *node = *list ? table_next(&hub->revoked, NULL) : NULL; node;
         node = table_next(&hub->revoked, node))
        (*list)[count++] =
            (struct backend_revocation){arena_str(arena, node->key), ((struct memory_revoked *)node)->until};
    return count;
}
