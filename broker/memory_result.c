/* memory_result.c: see memory_result.h. Nothing here fails but memory.
 *
 * Those that are terminal are in one list too, oldest first, so that a hub that keeps only so many knows
 * which to drop. Expired ones are not found any more, and swept away a few buckets at a time. */
#include "broker/memory_result.h"

#include <math.h>
#include <stdlib.h>
#include "common/clock.h"

enum { SWEEP_BUCKETS = 4 };

static void free_result(struct memory_result *result)
{
    free(result->payload);
    part_list_fini(&result->parts);
    free(result);
}

static void keep_in_order(struct memory_hub *hub, struct memory_result *result)
{
    result->older = hub->newest;
    *(hub->newest ? &hub->newest->newer : &hub->oldest) = result;
    hub->newest = result;
    hub->ended++;
}

static void leave_order(struct memory_hub *hub, struct memory_result *result)
{
    *(result->older ? &result->older->newer : &hub->oldest) = result->newer;
    *(result->newer ? &result->newer->older : &hub->newest) = result->older;
    hub->ended--;
}

void memory_result_drop(struct memory_hub *hub, struct memory_result *result)
{
    if (result->terminal)
        leave_order(hub, result);
    table_remove(&hub->results, &result->node);
    free_result(result);
}

void memory_results_free(struct memory_hub *hub)
{
    for (struct table_node *node = table_next(&hub->results, NULL), *next; node; node = next) {
        next = table_next(&hub->results, node);
        free_result((struct memory_result *)node);
    }
}

void memory_results_sweep(struct memory_hub *hub)
{
    double now = clock_mono();
    for (int i = 0; i < SWEEP_BUCKETS && hub->results.size; i++) {
        hub->sweep = (hub->sweep + 1) & (hub->results.size - 1);
        for (struct table_node *node = hub->results.buckets[hub->sweep], *next; node; node = next) {
            struct memory_result *result = (struct memory_result *)node;
            next = node->next;
            if (result->expires_at <= now)
                memory_result_drop(hub, result);
        }
    }
}

struct memory_result *memory_result_find(struct memory_hub *hub, umbel_str id)
{
    struct memory_result *result = (struct memory_result *)table_find(&hub->results, id);
    if (result && result->expires_at <= clock_mono()) {
        memory_result_drop(hub, result);
        return NULL;
    }
    return result;
}

struct memory_result *memory_result_make(struct memory_hub *hub, umbel_str id)
{
    struct memory_result *result = memory_result_find(hub, id);
    if (result)
        return result;
    result = calloc(1, sizeof *result + id.size);
    if (!result)
        return NULL;
    if (id.size)
        memcpy(result + 1, id.data, id.size);
    result->node.key = (umbel_str){(const char *)(result + 1), id.size};
    if (table_add(&hub->results, &result->node) == UMBEL_OK)
        return result;
    free(result);
    return NULL;
}

int memory_result_put(struct memory_hub *hub, const struct backend_store *store, double expires_at,
                      size_t most)
{
    struct memory_result *result = memory_result_make(hub, store->id);
    if (!result)
        return UMBEL_BACKEND_REFUSED;
    if (result->terminal && !store->overwrite_terminal)
        return UMBEL_ALREADY_DONE;
    char *payload = malloc(store->payload.size + 1);
    if (!payload)
        return UMBEL_BACKEND_REFUSED;
    if (store->payload.size)
        memcpy(payload, store->payload.data, store->payload.size);
    free(result->payload);
    result->payload = payload;
    result->size = store->payload.size;
    result->expires_at = expires_at;
    if (result->terminal && !store->terminal)
        leave_order(hub, result);
    else if (!result->terminal && store->terminal)
        keep_in_order(hub, result);
    if (!store->terminal)
        result->older = result->newer = NULL;
    result->terminal = store->terminal;
    while (most && hub->ended > most)
        memory_result_drop(hub, hub->oldest);
    return UMBEL_OK;
}

int memory_result_put_part(struct memory_hub *hub, const struct backend_part *part, double expires_at)
{
    struct memory_result *result = memory_result_make(hub, part->id);
    if (!result)
        return UMBEL_BACKEND_REFUSED;
    result->expires_at = fmax(result->expires_at, expires_at);
    if (result->terminal && !part->overwrite_terminal)
        return UMBEL_ALREADY_DONE;
    return part_list_add(&result->parts, part);
}
