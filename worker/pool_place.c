/* pool_place.c: which job goes to which child: a very short one behind others of its kind, any other to an
 * idle child first, else behind jobs that will soon be over. */
#include "worker/lookahead.h"
#include "worker/pool_prefork.h"
#include "worker/registry.h"

/* A job of role reader decodes one body. */
#define READER_NS 50000

/* ---- lists ---- */

void note_push(struct note_list *list, struct note *note)
{
    note->next = NULL;
    note->prev = list->last;
    *(list->last ? &list->last->next : &list->first) = note;
    list->last = note;
    list->count++;
}

void note_push_front(struct note_list *list, struct note *note)
{
    note->prev = NULL;
    note->next = list->first;
    *(list->first ? &list->first->prev : &list->last) = note;
    list->first = note;
    list->count++;
}

void note_remove(struct note_list *list, struct note *note)
{
    *(note->prev ? &note->prev->next : &list->first) = note->next;
    *(note->next ? &note->next->prev : &list->last) = note->prev;
    note->next = note->prev = NULL;
    list->count--;
}

/* ---- choosing ---- */

static uint64_t cost_of(const struct prefork *pool, const struct job *job)
{
    if (job->reader)
        return READER_NS;
    if (job->alone)
        return LOOKAHEAD_NS; /* nothing goes behind it */
    return lookahead_cost(pool->task_mean[registry_index(pool->registry, job->def)]);
}

/* Behind a job that runs too long nothing is put, or it would be taken back with the next tick. */
static bool takes_more(const struct slot *slot)
{
    if (!slot_ready(slot) || (slot->overdue && slot->jobs.count))
        return false;
    return lookahead_allows(slot->pool->options.look_ahead, slot->jobs.count, slot->queued_ns);
}

/* The child that is to get the next job: one that is busy for a moment only, if the job is as short; an idle
 * one; or the one that will be through first. */
static struct slot *choose(struct prefork *pool, uint64_t cost)
{
    struct slot *best = NULL, *idle = NULL;
    for (int i = 0; i < pool->used; i++) {
        struct slot *slot = &pool->slots[i];
        if (!takes_more(slot))
            continue;
        if (lookahead_packs(pool->options.look_ahead, slot->jobs.count, slot->queued_ns, cost))
            return slot;
        if (slot->jobs.count == 0 && !idle)
            idle = slot;
        if (!best || slot->queued_ns < best->queued_ns)
            best = slot;
    }
    return idle ? idle : best;
}

void place_backlog(struct prefork *pool)
{
    struct note *note;
    while ((note = pool->backlog.first) != NULL) {
        uint64_t cost = cost_of(pool, note->job);
        struct slot *slot = pool->crew ? crew_choose(pool) : choose(pool, cost);
        if (!slot)
            break;
        note_remove(&pool->backlog, note);
        note->cost = cost;
        slot_give(slot, note);
    }
    if (pool->crew)
        crew_place_suspects(pool);
}

void place_learn(struct prefork *pool, const struct note *note, double runtime)
{
    uint64_t ns = runtime > 0 ? (uint64_t)(runtime * 1e9) : 0;
    pool->mean = lookahead_learn(pool->mean, ns);
    if (note->job->reader)
        return;
    uint64_t *mean = &pool->task_mean[registry_index(pool->registry, note->job->def)];
    *mean = lookahead_learn(*mean, ns);
}
