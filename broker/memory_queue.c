/* memory_queue.c: see memory_queue.h. */
#include "broker/memory_queue.h"

#include <math.h>
#include <stdlib.h>
#include <umbel/error.h>

enum { PRIORITY_MAX = 255 };

static void insert_before(struct memory_list *list, struct memory_message *msg, struct memory_message *next)
{
    msg->next = next;
    msg->prev = next ? next->prev : list->last;
    *(msg->prev ? &msg->prev->next : &list->first) = msg;
    *(next ? &next->prev : &list->last) = msg;
}

void memory_list_append(struct memory_list *list, struct memory_message *msg)
{
    insert_before(list, msg, NULL);
}

void memory_list_remove(struct memory_list *list, struct memory_message *msg)
{
    *(msg->prev ? &msg->prev->next : &list->first) = msg->next;
    *(msg->next ? &msg->next->prev : &list->last) = msg->prev;
    msg->prev = msg->next = NULL;
}

struct memory_queue *memory_queue_new(umbel_str name, int max_priority)
{
    if (max_priority < 0 || max_priority > PRIORITY_MAX)
        max_priority = max_priority < 0 ? 0 : PRIORITY_MAX;
    struct memory_queue *queue = calloc(1, sizeof *queue + name.size + 1);
    if (!queue)
        return NULL;
    queue->levels = calloc((size_t)max_priority + 1, sizeof *queue->levels);
    if (!queue->levels) {
        free(queue);
        return NULL;
    }
    memcpy(queue + 1, name.data, name.size);
    queue->node.key = (umbel_str){(const char *)(queue + 1), name.size};
    queue->max_priority = max_priority;
    return queue;
}

static void free_list(struct memory_list *list)
{
    for (struct memory_message *msg = list->first, *next; msg; msg = next) {
        next = msg->next;
        free(msg);
    }
    *list = (struct memory_list){0};
}

void memory_queue_free(struct memory_queue *queue)
{
    memory_queue_purge(queue);
    free_list(&queue->delayed);
    free(queue->levels);
    free(queue);
}

static void make_ready(struct memory_queue *queue, struct memory_message *msg, struct memory_message *next)
{
    msg->holder = NULL;
    insert_before(&queue->levels[msg->level], msg, next);
    queue->ready++;
}

static uint8_t level_of(const struct memory_queue *queue, uint8_t priority)
{
    return priority < queue->max_priority ? priority : (uint8_t)queue->max_priority;
}

void memory_queue_put(struct memory_queue *queue, struct memory_message *msg, uint8_t priority)
{
    msg->queue = queue;
    msg->level = level_of(queue, priority);
    make_ready(queue, msg, NULL);
}

void memory_queue_delay(struct memory_queue *queue, struct memory_message *msg, uint8_t priority)
{
    msg->queue = queue;
    msg->level = level_of(queue, priority);
    struct memory_message *before = queue->delayed.last;
    while (before && before->due > msg->due)
        before = before->prev;
    insert_before(&queue->delayed, msg, before ? before->next : queue->delayed.first);
}

/* From the front: what comes back is usually older than all that waits. */
void memory_queue_return(struct memory_queue *queue, struct memory_message *msg)
{
    struct memory_message *next = queue->levels[msg->level].first;
    while (next && next->number < msg->number)
        next = next->next;
    make_ready(queue, msg, next);
}

double memory_queue_mature(struct memory_queue *queue, double now)
{
    struct memory_message *msg;
    while ((msg = queue->delayed.first) && msg->due <= now) {
        memory_list_remove(&queue->delayed, msg);
        make_ready(queue, msg, NULL);
    }
    return msg ? msg->due : INFINITY;
}

size_t memory_queue_purge(struct memory_queue *queue)
{
    size_t count = queue->ready;
    for (int level = 0; level <= queue->max_priority; level++)
        free_list(&queue->levels[level]);
    queue->ready = 0;
    return count;
}

/* ---- consumers
 * --------------------------------------------------------------------------------------------------- */

bool memory_queue_attach(struct memory_queue *queue, struct memory_consumer *consumer)
{
    if (queue->consumers && (consumer->exclusive || queue->consumers->exclusive))
        return false;
    consumer->queue = queue;
    consumer->next_here = queue->consumers;
    queue->consumers = consumer;
    return true;
}

void memory_queue_detach(struct memory_consumer *consumer)
{
    struct memory_queue *queue = consumer->queue;
    struct memory_consumer **at = &queue->consumers;
    while (*at != consumer)
        at = &(*at)->next_here;
    *at = consumer->next_here;
    if (queue->last_served == consumer)
        queue->last_served = NULL;
    consumer->next_here = NULL;
    consumer->queue = NULL;
}

static bool has_room(const struct memory_consumer *consumer)
{
    const struct memory_inbox *inbox = consumer->inbox;
    return consumer->held < consumer->prefetch && !inbox->paused && inbox->bytes < inbox->budget;
}

static struct memory_consumer *next_in_turn(const struct memory_queue *queue)
{
    struct memory_consumer *best = NULL, *at = queue->last_served;
    for (size_t seen_end = 0; seen_end < 2;) {
        at = at ? at->next_here : queue->consumers;
        if (!at)
            seen_end++;
        else if (has_room(at) && (!best || at->priority > best->priority))
            best = at;
        if (at && at == queue->last_served)
            break;
    }
    return best;
}

static struct memory_message *take(struct memory_queue *queue)
{
    int level = queue->max_priority;
    while (level > 0 && !queue->levels[level].first)
        level--;
    struct memory_message *msg = queue->levels[level].first;
    memory_list_remove(&queue->levels[level], msg);
    queue->ready--;
    return msg;
}

static void give(struct memory_consumer *consumer, struct memory_message *msg)
{
    msg->holder = consumer;
    consumer->held++;
    consumer->inbox->bytes += msg->size;
    memory_list_append(&consumer->inbox->list, msg);
    uv_async_send(consumer->inbox->wake);
}

void memory_queue_dispatch(struct memory_queue *queue)
{
    struct memory_consumer *consumer;
    while (queue->ready && (consumer = next_in_turn(queue))) {
        queue->last_served = consumer;
        give(consumer, take(queue));
    }
}
