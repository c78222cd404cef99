/* parts.c: the background thread's side of parts.h: notices in, reads of the back end out. A read that is not
 * answered is ordered again by the reader, who looks every few seconds. */
#include "client/parts.h"

#include <stdio.h>
#include <string.h>
#include "client/inbox.h"

static struct part_queue *of_link(struct link *link)
{
    return (struct part_queue *)((char *)link - offsetof(struct part_queue, link));
}

/* Run and number, decoded with all the rest: parts are rare beside results. */
static void take(struct inbox *inbox, struct part_queue *queue, umbel_str payload)
{
    struct result_view view;
    umbel_str run;
    uint32_t number;
    if (result_read(&inbox->arena, payload, &view) == UMBEL_OK && view.state == RESULT_PART &&
        result_read_part(&view, &run, &number) && part_queue_take(queue, run, number, payload) != UMBEL_OK)
        log_line(inbox->log, UMBEL_ERROR, "client", "out of memory: a part of a result is read again later");
    arena_reset(&inbox->arena);
}

bool parts_noticed(struct inbox *inbox, umbel_future *future, umbel_str payload)
{
    pthread_mutex_lock(&future->lock);
    if (future->parts)
        take(inbox, future->parts, payload);
    if (!future_finished(future))
        atomic_store(&future->state, UMBEL_STATE_STARTED);
    bool waited = future->parts && future->waiters;
    pthread_mutex_unlock(&future->lock);
    return waited;
}

void parts_read(struct inbox *inbox, umbel_future *future)
{
    struct part_queue *queue = future->parts;
    pthread_mutex_lock(&future->lock);
    bool first = inbox->backend && link_alone(&queue->link);
    if (first) {
        part_queue_asking(queue); /* more may have come since it was ordered */
        future_ref(future);
        link_append(&inbox->reads, &queue->link);
        queue->token = ++inbox->read_sequence;
    }
    uint32_t from = queue->asked_next;
    pthread_mutex_unlock(&future->lock);
    if (first)
        inbox->backend->ops->read_parts(inbox->backend, str_of(future->id), from, queue->token);
}

/* Answers come in the order of the reads, but for those that could not be sent. */
static struct part_queue *find(struct inbox *inbox, uint64_t token)
{
    for (struct link *link = inbox->reads.next; link != &inbox->reads; link = link->next)
        if (of_link(link)->token == token)
            return of_link(link);
    return NULL;
}

void parts_answered(struct inbox *inbox, uint64_t token, int code, const umbel_str *payloads, size_t count)
{
    struct part_queue *queue = find(inbox, token);
    if (!queue)
        return;
    umbel_future *future = queue->future;
    pthread_mutex_lock(&future->lock);
    link_remove(&queue->link);
    bool ours = strcmp(queue->run, queue->asked_run) == 0;
    for (size_t i = 0; ours && i < count; i++)
        take(inbox, queue, payloads[i]);
    part_queue_answered(queue, code, count);
    bool waited = future->waiters != NULL;
    pthread_mutex_unlock(&future->lock);
    if (waited)
        inbox_announce(inbox, future);
    future_unref(future);
}

void parts_close(struct inbox *inbox)
{
    while (!link_alone(&inbox->reads)) {
        struct part_queue *queue = of_link(inbox->reads.next);
        umbel_future *future = queue->future;
        pthread_mutex_lock(&future->lock);
        link_remove(&queue->link);
        part_queue_answered(queue, UMBEL_CLOSED, 0);
        bool waited = future->waiters != NULL;
        pthread_mutex_unlock(&future->lock);
        if (waited)
            inbox_announce(inbox, future);
        future_unref(future);
    }
}
