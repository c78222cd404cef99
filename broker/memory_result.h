/* memory_result.h: the results of a hub: a map from id to what is stored under it, its start marks and its
 * parts. All under the hub's lock. */
#ifndef BROKER_MEMORY_RESULT_H
#define BROKER_MEMORY_RESULT_H

#include "broker/backend.h"
#include "broker/memory_hub.h"
#include "broker/part_list.h"

struct memory_result {
    struct table_node node;
    char *payload; /* NULL: only start marks or parts are known */
    size_t size;
    bool terminal;
    uint32_t starts;
    struct part_list parts;
    double expires_at;                   /* monotonic */
    struct memory_result *older, *newer; /* of a terminal one */
};

/* NULL when it is not there, or has expired. */
struct memory_result *memory_result_find(struct memory_hub *hub, umbel_str id);
/* Found or made, empty; NULL when memory is out. */
struct memory_result *memory_result_make(struct memory_hub *hub, umbel_str id);
void memory_result_drop(struct memory_hub *hub, struct memory_result *result);
/* Keeps what is to be stored; of terminal ones the hub then keeps `most`, the newest (0: all). UMBEL_OK,
 * UMBEL_ALREADY_DONE, or UMBEL_BACKEND_REFUSED when memory is out. */
int memory_result_put(struct memory_hub *hub, const struct backend_store *store, double expires_at,
                      size_t most);
/* Adds a part; codes as part_list_add, and as above. */
int memory_result_put_part(struct memory_hub *hub, const struct backend_part *part, double expires_at);

/* Drops what has expired in the next few buckets. */
void memory_results_sweep(struct memory_hub *hub);
/* Frees all of them; nobody has the hub any more. */
void memory_results_free(struct memory_hub *hub);

#endif
