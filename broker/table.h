/* table.h: things found by name. The node lives inside the thing (first), the key in memory of the thing's;
 * so the table owns only its buckets. Not locked. */
#ifndef BROKER_TABLE_H
#define BROKER_TABLE_H

#include <stdint.h>
#include "common/str.h"

struct table_node {
    struct table_node *next; /* in its bucket */
    uint64_t hash;
    umbel_str key;
};

struct table {
    struct table_node **buckets;
    size_t size; /* a power of two, or 0 */
    size_t count;
    uint64_t seed; /* keys come from peers: their hashes must not be foreseeable */
};

void table_init(struct table *table);
/* Frees the buckets; what hung in them is the owner's. */
void table_fini(struct table *table);
struct table_node *table_find(const struct table *table, umbel_str key);
/* node->key must be set and not be in the table yet. UMBEL_OK or UMBEL_NO_MEMORY. */
int table_add(struct table *table, struct table_node *node);
void table_remove(struct table *table, struct table_node *node);
/* The next after `node` (NULL: the first), in no order; NULL at the end. Taking the next before `node` is
 * removed is allowed. */
struct table_node *table_next(const struct table *table, const struct table_node *node);

#endif
