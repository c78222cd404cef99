/* table.c: chained buckets that double when there are as many things as buckets. */
#include "broker/table.h"

#include <stdlib.h>
#include <sys/random.h>
#include <umbel/error.h>
#include "common/hash.h"

enum { SIZE_FIRST = 16 };

void table_init(struct table *table)
{
    *table = (struct table){0};
    if (getrandom(&table->seed, sizeof table->seed, GRND_NONBLOCK) < 0)
        table->seed = (uintptr_t)table;
}

void table_fini(struct table *table)
{
    free(table->buckets);
    table->buckets = NULL;
    table->size = table->count = 0;
}

static struct table_node **bucket_of(const struct table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->size - 1)];
}

struct table_node *table_find(const struct table *table, umbel_str key)
{
    if (!table->size)
        return NULL;
    uint64_t hash = hash_name(key, table->seed);
    struct table_node *node = *bucket_of(table, hash);
    while (node && !(node->hash == hash && str_equal(node->key, key)))
        node = node->next;
    return node;
}

static void link_node(struct table *table, struct table_node *node)
{
    struct table_node **bucket = bucket_of(table, node->hash);
    node->next = *bucket;
    *bucket = node;
}

static int grow(struct table *table)
{
    struct table larger = *table;
    larger.size = table->size ? table->size * 2 : SIZE_FIRST;
    larger.buckets = calloc(larger.size, sizeof(struct table_node *));
    if (!larger.buckets)
        return UMBEL_NO_MEMORY;
    for (size_t i = 0; i < table->size; i++)
        for (struct table_node *node = table->buckets[i], *next; node; node = next) {
            next = node->next;
            link_node(&larger, node);
        }
    free(table->buckets);
    *table = larger;
    return UMBEL_OK;
}

int table_add(struct table *table, struct table_node *node)
{
    if (table->count >= table->size && grow(table) != UMBEL_OK && !table->size)
        return UMBEL_NO_MEMORY;
    node->hash = hash_name(node->key, table->seed);
    link_node(table, node);
    table->count++;
    return UMBEL_OK;
}

void table_remove(struct table *table, struct table_node *node)
{
    struct table_node **at = bucket_of(table, node->hash);
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    table->count--;
}

struct table_node *table_next(const struct table *table, const struct table_node *node)
{
    if (node && node->next)
        return node->next;
    size_t i = node ? (node->hash & (table->size - 1)) + 1 : 0;
    for (; i < table->size; i++)
        if (table->buckets[i])
            return table->buckets[i];
    return NULL;
}
