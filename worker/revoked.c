/* revoked.c: see revoked.h. */
#include "worker/revoked.h"

#include <stdlib.h>
#include "common/str.h"

struct revoked_id {
    struct table_node node;
    struct revoked_id *next;
    double until;
    char text[];
};

void revoked_init(struct revoked *revoked)
{
    *revoked = (struct revoked){.most = BACKEND_REVOKED_MAX};
    table_init(&revoked->table);
    revoked->last = &revoked->first;
}

static void drop_first(struct revoked *revoked)
{
    struct revoked_id *oldest = revoked->first;
    revoked->first = oldest->next;
    if (!revoked->first)
        revoked->last = &revoked->first;
    table_remove(&revoked->table, &oldest->node);
    free(oldest);
}

void revoked_fini(struct revoked *revoked)
{
    while (revoked->first)
        drop_first(revoked);
    table_fini(&revoked->table);
}

static struct revoked_id *find(const struct revoked *revoked, umbel_str id)
{
    return (struct revoked_id *)table_find(&revoked->table, id);
}

static struct revoked_id *id_new(const struct backend_revocation *what)
{
    struct revoked_id *made = malloc(sizeof *made + what->id.size);
    if (!made)
        return NULL;
    memcpy(made->text, what->id.data, what->id.size);
    *made = (struct revoked_id){.node.key = {made->text, what->id.size}, .until = what->until};
    return made;
}

bool revoked_add(struct revoked *revoked, const struct backend_revocation *what)
{
    struct revoked_id *known = find(revoked, what->id);
    if (known && what->until > known->until)
        known->until = what->until;
    if (known || what->id.size == 0 || what->id.size > REVOKED_ID_MAX)
        return false;
    if (revoked->table.count >= revoked->most)
        drop_first(revoked);
    struct revoked_id *made = id_new(what);
    if (!made || table_add(&revoked->table, &made->node) != UMBEL_OK) {
        free(made);
        return false;
    }
    *revoked->last = made;
    revoked->last = &made->next;
    return true;
}

bool revoked_holds(const struct revoked *revoked, umbel_str id, double now)
{
    const struct revoked_id *known = revoked->table.count ? find(revoked, id) : NULL;
    return known && known->until > now;
}

void revoked_tidy(struct revoked *revoked, double now)
{
    struct revoked_id **at = &revoked->first;
    while (*at) {
        struct revoked_id *id = *at;
        if (id->until > now) {
            at = &id->next;
            continue;
        }
        *at = id->next;
        table_remove(&revoked->table, &id->node);
        free(id);
    }
    revoked->last = at;
}

void revoked_each(const struct revoked *revoked,
                  void (*each)(void *self, const struct backend_revocation *what), void *self)
{
    for (const struct revoked_id *id = revoked->first; id; id = id->next)
        each(self, &(struct backend_revocation){id->node.key, id->until});
}
