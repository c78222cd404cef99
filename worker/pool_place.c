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

/* Before `at`; NULL: at the end. */
static void note_insert(struct note_list *list, struct note *note, struct note *at)
{
    if (!at) {
        note_push(list, note);
        return;
    }
    note->next = at;
    note->prev = at->prev;
    *(at->prev ? &at->prev->next : &list->first) = note;
    at->prev = note;
    list->count++;
}

void note_remove(struct note_list *list, struct note *note)
{
    *(note->prev ? &note->prev->next : &list->first) = note->next;
    *(note->next ? &note->next->prev : &list->last) = note->prev;
    note->next = note->prev = NULL;
    list->count--;
}

/* A plain job goes to an end; the others are few. */
void place_wait(struct prefork *pool, struct note *note, bool again)
{
    struct note_list *list = prefork_list(pool, note);
    int depth = note->job->depth;
    struct note *at = list->first;
    if (!again && (!list->last || list->last->job->depth >= depth)) {
        note_push(list, note);
        return;
    }
    while (at && (at->job->depth > depth || (!again && at->job->depth == depth)))
        at = at->next;
    note_insert(list, note, at);
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

/* Where a job could go, and on top of which child it would stand there. */
struct place {
    struct slot *slot;
    struct lane_seat *below;
    bool wants_child; /* it may begin, but no child is idle */
};

/* Behind a job that runs too long, or waits for others, nothing is put: it would be taken back with the next
 * tick. */
static bool takes_more(const struct slot *slot, int depth)
{
    if (!slot_ready(slot))
        return false;
    if (slot->jobs.count && (slot->overdue || !lanes_may_follow(&slot->seat, depth)))
        return false;
    return lookahead_allows(slot->pool->options.look_ahead, slot->jobs.count, slot->queued_ns);
}

/* The child that is to get the next job: one that is busy for a moment only, if the job is as short; an idle
 * one; or the one that will be through first. */
static struct place choose(struct prefork *pool, uint64_t cost, int depth)
{
    struct slot *best = NULL, *idle = NULL;
    struct place place = {0};
    for (int i = 0; i < pool->used; i++) {
        struct slot *slot = &pool->slots[i];
        if (!takes_more(slot, depth))
            continue;
        if (lookahead_packs(pool->options.look_ahead, slot->jobs.count, slot->queued_ns, cost))
            return (struct place){.slot = slot};
        if (slot->jobs.count == 0)
            idle = idle ? idle : slot;
        else if (!best || slot->queued_ns < best->queued_ns)
            best = slot;
    }
    bool begins = lanes_may_begin(&pool->lanes, depth, &place.below);
    place.slot = begins && idle ? idle : best;
    place.wants_child = begins && !idle;
    return place;
}

/* Those that wait may have gone on without a word. */
static void look_at_waiting(struct prefork *pool)
{
    if (pool->crew)
        return; /* they tell */
    for (int i = 0; pool->lanes.waiting > 0 && i < pool->used; i++)
        if (pool->slots[i].seat.waits && !lend_waits(&pool->slots[i]))
            lanes_wait(&pool->lanes, &pool->slots[i].seat, pool->slots[i].seat.depth, false);
}

/* What is nested deepest comes first: when that may not begin, nothing may. */
void place_backlog(struct prefork *pool)
{
    struct note *note;
    if (pool->lanes.waiting > 0)
        look_at_waiting(pool);
    while ((note = pool->backlog.first) != NULL) {
        uint64_t cost = cost_of(pool, note->job);
        struct place place = {0};
        if (pool->crew)
            place.slot = crew_choose(pool, note->job->depth, &place.below);
        else
            place = choose(pool, cost, note->job->depth);
        if (place.wants_child)
            lend_child(pool);
        if (!place.slot)
            break;
        note_remove(&pool->backlog, note);
        note->cost = cost;
        if (pool->crew)
            lanes_take(&pool->lanes, &note->seat, note->job->depth, place.below);
        else if (place.slot->jobs.count == 0)
            lanes_take(&pool->lanes, &place.slot->seat, note->job->depth, place.below);
        slot_give(place.slot, note);
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
