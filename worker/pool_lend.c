/* pool_lend.c: children that wait for what their task has called. See lanes.h for who may run meanwhile.
 *
 * A child that waits keeps its memory and its job, so another child takes its place; how many may wait, and
 * so how many children there can be, is what --max-waiting says. The child counts itself on the board and
 * rings its bell; that it goes on needs no bell. Children beyond the wanted ones stay for a while, since the
 * next task that waits wants one again. */
#include "worker/pool_prefork.h"

#define THRIFT_MS 5000 /* spares that nobody needed for so long go */

bool lend_waits(struct slot *slot)
{
    return slot->jobs.count > 0 && board_waits(slot->pool->board, slot->index);
}

int lend_children(const struct prefork *pool)
{
    return pool->wanted + pool->spares < FORK_SERVER_SLOTS ? pool->wanted + pool->spares : FORK_SERVER_SLOTS;
}

/* Nothing behind it may wait for it; what its lane may carry is looked for at the end of the turn. */
static void begin(struct slot *slot)
{
    struct prefork *pool = slot->pool;
    lanes_wait(&pool->lanes, &slot->seat, slot->jobs.first->job->depth, true);
    if (slot->jobs.count > 1)
        slot_take_back(slot);
    if (pool->lanes.waiting > pool->peak_waiting)
        pool->peak_waiting = pool->lanes.waiting;
    pool->room_due = true;
    prefork_settle_soon(pool);
}

void lend_look(struct slot *slot)
{
    bool waits = !slot->pool->crew && lend_waits(slot);
    if (waits == slot->seat.waits)
        return;
    if (waits)
        begin(slot);
    else
        lanes_wait(&slot->pool->lanes, &slot->seat, slot->seat.depth, false);
}

void lend_child(struct prefork *pool)
{
    int most = (int)pool->options.max_waiting;
    int needed = pool->lanes.waiting < most ? pool->lanes.waiting : most;
    if (needed <= pool->spares || pool->stopping)
        return;
    pool->spares = needed;
    if (!uv_is_active((uv_handle_t *)&pool->thrift))
        uv_timer_start(&pool->thrift, lend_on_thrift, THRIFT_MS, THRIFT_MS);
    births_check(pool);
}

void lend_on_thrift(uv_timer_t *timer)
{
    struct prefork *pool = timer->data;
    if (pool->spares > pool->peak_waiting) {
        pool->spares = pool->peak_waiting;
        births_check(pool);
    }
    pool->peak_waiting = pool->lanes.waiting;
    if (pool->spares == 0)
        uv_timer_stop(timer);
}

/* ---- crews: one child, several jobs ---- */

static void end_wait(struct slot *slot)
{
    slot->crew.waiting--;
    if (slot->pool->lanes.waiting == 0)
        crew_lend_no_more(slot->pool);
}

void lend_end(struct slot *slot, struct note *note)
{
    bool waited = note->seat.waits;
    lanes_leave(&slot->pool->lanes, &note->seat);
    if (waited)
        end_wait(slot);
}

/* What the child has not started is taken back before it has a place more. */
void lend_note(struct slot *slot, struct note *note, bool waits)
{
    struct prefork *pool = slot->pool;
    if (note->seat.waits == waits || !note->seat.taken)
        return;
    lanes_wait(&pool->lanes, &note->seat, note->job->depth, waits);
    if (!waits) {
        end_wait(slot);
        return;
    }
    slot->crew.waiting++;
    slot_take_back(slot);
    crew_lend(slot);
    pool->room_due = true;
    prefork_settle_soon(pool);
}
