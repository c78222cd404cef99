/* request_set.c: see request_set.h. The table is linear probing with backward shift, so it has no tombstones
 * and a look-up that fails is short. */
#include "worker/request_set.h"

#include <stdlib.h>
#include <string.h>
#include "common/hash.h"
#include "common/str.h"

#define PAYLOAD_MAX ((size_t)512 << 20)
#define PAYLOAD_KEPT 16384u /* a larger one is freed with its request */

/* ---- lists
 * ------------------------------------------------------------------------------------------------------ */

void request_list_init(struct request_list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

void request_list_add(struct request_list *list, struct request *req)
{
    req->next = NULL;
    *list->last = req;
    list->last = &req->next;
}

void request_list_add_first(struct request_list *list, struct request *req)
{
    req->next = list->first;
    if (!list->first)
        list->last = &req->next;
    list->first = req;
}

struct request *request_list_take(struct request_list *list)
{
    struct request *req = list->first;
    if (!req)
        return NULL;
    list->first = req->next;
    if (!list->first)
        list->last = &list->first;
    req->next = NULL;
    return req;
}

/* ---- birth and reuse
 * -------------------------------------------------------------------------------------------- */

void request_set_init(struct request_set *set)
{
    *set = (struct request_set){0};
}

static void request_free(struct request *req)
{
    arena_fini(&req->arena);
    buffer_fini(&req->payload);
    free(req);
}

void request_set_fini(struct request_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        request_free(set->all[i]);
    free(set->all);
    free(set->table);
    request_set_init(set);
}

static bool grow_all(struct request_set *set)
{
    size_t capacity = set->capacity ? set->capacity * 2 : 64;
    struct request **all = realloc(set->all, capacity * sizeof *all);
    if (!all)
        return false;
    set->all = all;
    set->capacity = capacity;
    return true;
}

static void table_put(struct request **table, size_t size, struct request *req)
{
    size_t at = req->hash & (size - 1);
    while (table[at])
        at = (at + 1) & (size - 1);
    table[at] = req;
}

/* At most half full: room for one more entry per request there is. */
static bool grow_table(struct request_set *set)
{
    if ((set->count + 1) * 2 <= set->table_size)
        return true;
    size_t size = set->table_size ? set->table_size * 2 : 128;
    struct request **table = calloc(size, sizeof *table);
    if (!table)
        return false;
    for (size_t i = 0; i < set->table_size; i++)
        if (set->table[i])
            table_put(table, size, set->table[i]);
    free(set->table);
    set->table = table;
    set->table_size = size;
    return true;
}

static struct request *request_new(struct request_set *set)
{
    if ((set->count == set->capacity && !grow_all(set)) || !grow_table(set))
        return NULL;
    struct request *req = calloc(1, sizeof *req);
    if (!req)
        return NULL;
    arena_init(&req->arena, 0);
    buffer_init(&req->payload, PAYLOAD_MAX);
    set->all[set->count++] = req;
    return req;
}

struct request *request_set_take(struct request_set *set)
{
    struct request *req = set->free;
    if (req)
        set->free = req->next;
    else if (!(req = request_new(set)))
        return NULL;
    req->next = NULL;
    req->state = REQUEST_NEW;
    set->in_hand++;
    return req;
}

static void request_clear(struct request *req)
{
    const size_t kept = offsetof(struct request, job);
    arena_reset(&req->arena);
    if (req->payload.size > PAYLOAD_KEPT)
        buffer_fini(&req->payload);
    else
        buffer_clear(&req->payload);
    memset((char *)req + kept, 0, sizeof *req - kept);
}

void request_set_give(struct request_set *set, struct request *req)
{
    set->nested -= req->nested;
    set->undelivered -= req->undelivered;
    req->nested = false;
    request_set_leave(set, req);
    request_clear(req);
    req->next = set->free;
    set->free = req;
    set->in_hand--;
}

/* ---- by id
 * ------------------------------------------------------------------------------------------------------
 * Ids are random or short, and a caller who chooses colliding ones only slows a table that is never longer
 * than the prefetch: no seed. */

static struct request *find(const struct request_set *set, umbel_str id, uint64_t hash)
{
    if (!set->table_size)
        return NULL;
    size_t mask = set->table_size - 1;
    for (size_t at = hash & mask; set->table[at]; at = (at + 1) & mask)
        if (set->table[at]->hash == hash && str_equal(set->table[at]->msg.id, id))
            return set->table[at];
    return NULL;
}

struct request *request_set_find(const struct request_set *set, umbel_str id)
{
    return id.size ? find(set, id, hash_name(id, 0)) : NULL;
}

void request_set_enter(struct request_set *set, struct request *req)
{
    if (req->in_table || !req->msg.id.size)
        return;
    req->hash = hash_name(req->msg.id, 0);
    if (find(set, req->msg.id, req->hash))
        return;
    table_put(set->table, set->table_size, req);
    req->in_table = true;
    set->table_used++;
}

void request_set_leave(struct request_set *set, struct request *req)
{
    if (!req->in_table)
        return;
    size_t mask = set->table_size - 1, hole = req->hash & mask;
    while (set->table[hole] != req)
        hole = (hole + 1) & mask;
    for (size_t at = (hole + 1) & mask; set->table[at]; at = (at + 1) & mask) {
        size_t home = set->table[at]->hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            set->table[hole] = set->table[at];
            hole = at;
        }
    }
    set->table[hole] = NULL;
    req->in_table = false;
    set->table_used--;
}
