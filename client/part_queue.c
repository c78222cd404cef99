/* part_queue.c: what is known of a future's parts, and what to do next; nothing here waits. */
#include "client/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_COUNT_MAX = 1024 };
#define QUEUE_BYTES_MAX ((size_t)4 << 20)

struct part_queue *part_queue_new(umbel_future *future)
{
    struct part_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return NULL;
    queue->last = &queue->first;
    queue->behind = true;
    queue->future = future;
    link_init(&queue->link);
    arena_init(&queue->arena, 0);
    return queue;
}

static void empty(struct part_queue *queue)
{
    while (queue->first) {
        struct part_item *item = queue->first;
        queue->first = item->next;
        free(item);
    }
    queue->last = &queue->first;
    queue->count = queue->bytes = 0;
}

void part_queue_free(struct part_queue *queue)
{
    if (!queue)
        return;
    empty(queue);
    arena_fini(&queue->arena);
    free(queue);
}

static bool has_room(const struct part_queue *queue)
{
    return queue->count < QUEUE_COUNT_MAX && queue->bytes < QUEUE_BYTES_MAX;
}

/* Another run has taken over. What was not given of the one before never will be. */
static void begin_run(struct part_queue *queue, umbel_str run)
{
    empty(queue);
    snprintf(queue->run, sizeof queue->run, "%.*s", (int)run.size, run.data);
    queue->next = 0;
    queue->restarted = queue->restarted || queue->handed;
    queue->handed = false;
    queue->missing = false;
}

static int append(struct part_queue *queue, umbel_str payload)
{
    struct part_item *item = malloc(sizeof *item + payload.size);
    if (!item)
        return UMBEL_NO_MEMORY;
    *item = (struct part_item){.payload = {(char *)(item + 1), payload.size}};
    memcpy(item + 1, payload.data, payload.size);
    *queue->last = item;
    queue->last = &item->next;
    queue->count++;
    queue->bytes += payload.size;
    queue->next++;
    return UMBEL_OK;
}

int part_queue_take(struct part_queue *queue, umbel_str run, uint32_t number, umbel_str payload)
{
    int code = UMBEL_OK;
    bool other = !str_equal(run, str_of(queue->run));
    if (run.size == 0 || run.size > BACKEND_RUN_MAX || (other && queue->done))
        return UMBEL_OK;
    queue->news = true;
    if (other) {
        begin_run(queue, run);
        queue->behind = number > 0; /* its beginning is read */
    }
    if (number == queue->next && has_room(queue))
        code = append(queue, payload);
    if (number >= queue->next)
        queue->behind = true;
    return code;
}

/* After a failure nothing is news: the reader tries again when it next looks. */
void part_queue_answered(struct part_queue *queue, int code, size_t count)
{
    bool same = strcmp(queue->run, queue->asked_run) == 0;
    queue->asked = false;
    queue->behind = code == UMBEL_OK && (count > 0 || !same);
    if (code != UMBEL_OK)
        return;
    queue->news = true;
    queue->missing = queue->last_look && same && queue->next == queue->asked_next;
}

void part_queue_end(struct part_queue *queue, umbel_str run, uint32_t total)
{
    queue->done = true;
    queue->total = total;
    if (run.size > BACKEND_RUN_MAX || !str_equal(run, str_of(queue->run)))
        begin_run(queue, run);
}

enum part_step part_queue_step(const struct part_queue *queue)
{
    if (queue->restarted)
        return PART_STEP_RESTARTED;
    if (queue->first)
        return PART_STEP_GIVE;
    if (queue->done && queue->next >= queue->total)
        return PART_STEP_END;
    if (queue->asked)
        return PART_STEP_WAIT;
    if (queue->done && queue->missing)
        return PART_STEP_LOST;
    return queue->done || queue->behind ? PART_STEP_ASK : PART_STEP_WAIT;
}

struct part_item *part_queue_pop(struct part_queue *queue)
{
    struct part_item *item = queue->first;
    queue->first = item->next;
    if (!queue->first)
        queue->last = &queue->first;
    queue->count--;
    queue->bytes -= item->payload.size;
    queue->handed = true;
    return item;
}

void part_queue_asking(struct part_queue *queue)
{
    queue->asked = true;
    queue->last_look = queue->done;
    queue->asked_next = queue->next;
    memcpy(queue->asked_run, queue->run, sizeof queue->asked_run);
}

bool part_queue_ready(umbel_future *future)
{
    const struct part_queue *queue = future->parts;
    return !queue || queue->news || (future_finished(future) && !queue->done);
}
