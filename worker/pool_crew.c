/* pool_crew.c: what differs when a child runs several jobs at once (threads, coroutines).
 *
 * Its jobs start in the order of their numbers and end in any. When it dies, all that had started are
 * suspects: the consumer gives each of them again, to be alone, and then it runs in a child made for suspects
 * only, one at a time, so that the guilty one takes nobody else along. That child is one more than
 * `processes`.
 *
 * A child that is given nothing any more but still has jobs (retiring, used up, condemned) is replaced at
 * once: one long job must not hold up the places beside it. */
#include <stdlib.h>
#include "common/clock.h"
#include "worker/lookahead.h"
#include "worker/pool_prefork.h"

#define EXTRA_MAX 64 /* children that are waited for, beyond those that serve */

/* ---- the index ---- */

static struct note **row_of(const struct slot *slot, uint32_t number)
{
    return &slot->crew.index[number & (slot->pool->index_size - 1)];
}

bool crew_slot_open(struct slot *slot)
{
    slot->crew.index = calloc(slot->pool->index_size, sizeof(struct note *));
    return slot->crew.index != NULL;
}

void crew_slot_note(struct slot *slot, struct note *note)
{
    struct note **row = row_of(slot, note->number);
    note->since = 0;
    note->chain = *row;
    *row = note;
}

void crew_slot_forget(struct slot *slot, const struct note *note)
{
    struct note **at = row_of(slot, note->number);
    while (*at != note)
        at = &(*at)->chain;
    *at = note->chain;
}

struct note *crew_slot_find(const struct slot *slot, uint32_t number)
{
    struct note *note = *row_of(slot, number);
    while (note && note->number != number)
        note = note->chain;
    return note;
}

/* ---- how many at once ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void tell_width(struct slot *slot)
{
    uint32_t places = slot->pool->width + slot->crew.lent;
    struct frame_pieces frame = {FRAME_SLOTS, 0, {{(const char *)&places, sizeof places}}};
    slot->page->plan.slots = places; /* of one that has not looked yet */
    if (slot->state != SLOT_BORN && slot->state != SLOT_READY)
        return;
    frame_add(stream_output(slot->stream), &frame);
    stream_wrote(slot->stream);
}

void crew_set_width(struct prefork *pool)
{
    int each = (pool->options.concurrency + pool->wanted - 1) / pool->wanted;
    pool->width = (uint32_t)each;
    pool->occupied = 0;
    for (int i = 0; i < pool->used; i++) {
        struct slot *slot = &pool->slots[i];
        pool->occupied += least(slot->jobs.count, pool->width);
        if (slot->state != SLOT_EMPTY && !slot->crew.solitary)
            tell_width(slot);
    }
    if (pool->index_size == 0) /* it stays: indexes of that size are in use */
        for (pool->index_size = 64; pool->index_size < pool->width && pool->index_size < 65536;)
            pool->index_size *= 2;
}

/* ---- jobs that wait for others ---- */

/* The child gets a place more for each; it keeps them until nobody waits any more. */
void crew_lend(struct slot *slot)
{
    if (slot->crew.waiting <= slot->crew.lent)
        return;
    slot->crew.lent = slot->crew.waiting;
    tell_width(slot);
}

void crew_lend_no_more(struct prefork *pool)
{
    for (int i = 0; i < pool->used; i++) {
        if (pool->slots[i].crew.lent == 0)
            continue;
        pool->slots[i].crew.lent = 0;
        tell_width(&pool->slots[i]);
    }
}

/* ---- births ---- */

/* Does it count as one of the children wanted, or is it only waited for? */
static bool serves(const struct slot *slot)
{
    bool lives = slot->state == SLOT_ASKED || slot->state == SLOT_BORN || slot->state == SLOT_READY;
    bool given_up =
        slot->crew.condemned_at && loop_now(slot->pool->loop) >= slot->crew.condemned_at + CREW_REPLACE_MS;
    return lives && !slot->crew.solitary && !slot->retiring && !slot_used_up(slot) && !given_up;
}

static struct slot *find_solitary(struct prefork *pool)
{
    for (int i = 0; i < pool->used; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->crew.solitary && !slot->retiring && !slot->crew.condemned_at && slot->state != SLOT_EMPTY &&
            slot->state != SLOT_KILLED)
            return slot;
    }
    return NULL;
}

static bool spawn_one(struct prefork *pool, bool solitary)
{
    if (pool->in_birth >= 32 || pool->children >= pool->wanted + 1 + EXTRA_MAX || births_braked(pool))
        return false;
    for (int i = 0; i < FORK_SERVER_SLOTS; i++) {
        struct slot *slot = slot_at(pool, i);
        if (slot->state != SLOT_EMPTY)
            continue;
        slot->crew.solitary = solitary;
        births_spawn(pool, slot);
        return slot->state != SLOT_EMPTY;
    }
    return false;
}

/* It keeps what has started, nothing else. */
static void retire(struct slot *slot)
{
    slot->retiring = true;
    if (slot->state == SLOT_READY)
        slot_take_back(slot); /* retires it */
    slot_retire(slot);
}

void crew_births(struct prefork *pool)
{
    int serving = 0;
    for (int i = 0; i < pool->used; i++)
        if (serves(&pool->slots[i]) && ++serving > pool->wanted)
            retire(&pool->slots[i]);
    if (pool->lost || (pool->stopping && prefork_waiting(pool) == 0))
        return;
    while (serving < pool->wanted && spawn_one(pool, false))
        serving++;
    if (pool->suspects.count && !find_solitary(pool))
        spawn_one(pool, true);
}

/* ---- places ---- */

static bool is_free(const struct slot *slot)
{
    return slot_ready(slot) && !slot->crew.solitary &&
           slot->jobs.count < slot->pool->width + slot->crew.waiting;
}

/* Behind jobs that will soon be over, in a child all of whose places are taken. */
static bool takes_more(const struct slot *slot)
{
    const struct prefork *pool = slot->pool;
    uint64_t share = slot->queued_ns / pool->width;
    return slot_ready(slot) && !slot->crew.solitary && !slot->overdue && slot->jobs.count >= pool->width &&
           slot->jobs.count - pool->width < pool->options.look_ahead && share < LOOKAHEAD_NS;
}

/* While jobs wait for others, none is given ahead: it could stand behind what waits for it. */
struct slot *crew_choose(struct prefork *pool, int depth, struct lane_seat **below)
{
    struct slot *best = NULL;
    bool room = pool->occupied < (uint32_t)pool->options.concurrency;
    *below = NULL;
    if (pool->lanes.waiting > 0) {
        room = true;
        if (!lanes_may_begin(&pool->lanes, depth, below))
            return NULL;
    }
    for (int i = 0; i < pool->used; i++) {
        struct slot *slot = &pool->slots[i];
        if ((room ? is_free(slot) : takes_more(slot)) && (!best || slot->jobs.count < best->jobs.count))
            best = slot;
    }
    return best;
}

void crew_place_suspects(struct prefork *pool)
{
    struct slot *slot = find_solitary(pool);
    struct note *note = pool->suspects.first;
    if (!slot) {
        if (note)
            births_check(pool);
    } else if (!note) {
        slot_retire(slot);
    } else if (slot_ready(slot) && slot->jobs.count == 0) {
        note_remove(&pool->suspects, note);
        note->cost = LOOKAHEAD_NS;
        slot_give(slot, note);
    }
}
