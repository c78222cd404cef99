/* memory_hub.c: the registry of hubs.
 *
 * `hubs` is a mutable global, and justified: two transports opened by strangers in one process must meet by
 * nothing but a name. It is guarded by its own lock, which is never taken while a hub's is held. */
#include "broker/memory_hub.h"

#include <stdlib.h>
#include <umbel/error.h>
#include "broker/memory_result.h"
#include "broker/memory_revoked.h"

static pthread_mutex_t hubs_lock = PTHREAD_MUTEX_INITIALIZER;
static struct memory_hub *hubs;

static struct memory_hub *hub_new(umbel_str name)
{
    struct memory_hub *hub = calloc(1, sizeof *hub + name.size + 1);
    if (!hub)
        return NULL;
    memcpy(hub->name, name.data, name.size);
    pthread_mutex_init(&hub->lock, NULL);
    table_init(&hub->queues);
    table_init(&hub->results);
    table_init(&hub->revoked);
    return hub;
}

static void hub_free(struct memory_hub *hub)
{
    for (struct table_node *node = table_next(&hub->queues, NULL), *next; node; node = next) {
        next = table_next(&hub->queues, node);
        memory_queue_free((struct memory_queue *)node);
    }
    table_fini(&hub->queues);
    memory_results_free(hub);
    table_fini(&hub->results);
    memory_revoked_free(hub);
    table_fini(&hub->revoked);
    pthread_mutex_destroy(&hub->lock);
    free(hub);
}

struct memory_hub *memory_hub_open(const struct url *url)
{
    umbel_str name = url->host.size ? url->host : STR("default");
    pthread_mutex_lock(&hubs_lock);
    struct memory_hub *hub = hubs;
    while (hub && !str_equal(str_of(hub->name), name))
        hub = hub->next;
    if (!hub && (hub = hub_new(name))) {
        hub->next = hubs;
        hubs = hub;
    }
    if (hub)
        hub->users++;
    pthread_mutex_unlock(&hubs_lock);
    return hub;
}

void memory_hub_close(struct memory_hub *hub)
{
    pthread_mutex_lock(&hubs_lock);
    bool last = --hub->users == 0;
    if (last) {
        struct memory_hub **at = &hubs;
        while (*at != hub)
            at = &(*at)->next;
        *at = hub->next;
    }
    pthread_mutex_unlock(&hubs_lock);
    if (last)
        hub_free(hub);
}

struct memory_queue *memory_hub_queue(struct memory_hub *hub, umbel_str name)
{
    return (struct memory_queue *)table_find(&hub->queues, name);
}

struct memory_queue *memory_hub_make_queue(struct memory_hub *hub, umbel_str name, int max_priority)
{
    struct memory_queue *queue = memory_hub_queue(hub, name);
    if (queue)
        return queue;
    queue = memory_queue_new(name, max_priority);
    if (!queue)
        return NULL;
    if (table_add(&hub->queues, &queue->node) != UMBEL_OK) {
        memory_queue_free(queue);
        return NULL;
    }
    memory_hub_wake(hub);
    return queue;
}

void memory_hub_wake(struct memory_hub *hub)
{
    for (struct memory_member *member = hub->transports; member; member = member->next)
        uv_async_send(member->wake);
}
