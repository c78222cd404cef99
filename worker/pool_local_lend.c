/* pool_local_lend.c: jobs of this process that wait for tasks they have called. While some wait, what begins
 * is chosen here, the deepest first (lanes.h); else jobs go to the crew as they come. */
#include "worker/pool_local_inside.h"

static int lend(void *self, struct umbel_task *task)
{
    struct local *pool = self;
    if (atomic_fetch_add(&pool->waiting, 1) >= pool->lanes.most && pool->lanes.most) {
        atomic_fetch_sub(&pool->waiting, 1);
        return UMBEL_BUSY;
    }
    local_post(crew_job_of(task), POST_WAITS);
    return UMBEL_OK;
}

static void take_lane_back(void *self, struct umbel_task *task)
{
    struct local *pool = self;
    atomic_fetch_sub(&pool->waiting, 1);
    local_post(crew_job_of(task), POST_GOES_ON);
}

/* ---- who may begin ---- */

void local_set_limit(struct local *pool)
{
    crew_limit(pool->crew, (uint32_t)pool->options.concurrency + pool->left_behind + pool->lent);
}

static void give(struct local *pool, struct note *note, struct lane_seat *below)
{
    note->kept = false;
    lanes_take(&pool->lanes, &note->seat, note->job->depth, below);
    if (crew_give(pool->crew, &note->run))
        local_refuse(note, OUTCOME_DIED);
}

static struct note *deepest_kept(struct local *pool)
{
    struct note *best = NULL;
    for (struct note *note = pool->first; note; note = note->next)
        if (note->kept && !note->refused && (!best || note->job->depth > best->job->depth))
            best = note;
    return best;
}

/* While some wait, what begins is chosen, the deepest first; else all go to the crew as they come. */
void local_place(struct local *pool)
{
    struct lane_seat *below = NULL;
    struct note *note;
    while (pool->any_kept && (note = deepest_kept(pool)) != NULL) {
        if (pool->lanes.waiting > 0 && !lanes_may_begin(&pool->lanes, note->job->depth, &below))
            return;
        give(pool, note, below);
    }
    pool->any_kept = false;
}

/* What has not started is chosen anew, once some wait. */
static void withdraw_all(struct local *pool)
{
    for (struct note *note = pool->first; note; note = note->next) {
        if (note->kept || note->refused || !crew_withdraw(pool->crew, &note->run))
            continue;
        lanes_leave(&pool->lanes, &note->seat);
        note->kept = pool->any_kept = true;
    }
}

void local_heard_wait(struct local *pool, struct note *note, bool waits)
{
    if (!note->job || !note->seat.taken || note->seat.waits == waits)
        return;
    lanes_wait(&pool->lanes, &note->seat, note->job->depth, waits);
    if (waits) {
        withdraw_all(pool);
        if ((uint32_t)pool->lanes.waiting > pool->lent) {
            pool->lent = (uint32_t)pool->lanes.waiting;
            local_set_limit(pool);
        }
        pool->room_due = true;
        loop_mark(pool->loop, &pool->turn);
    } else if (pool->lanes.waiting == 0) {
        pool->lent = 0;
        local_set_limit(pool);
    }
    local_place(pool);
}

/* It runs no more, or nobody listens. */
void local_leave_lane(struct local *pool, struct note *note)
{
    lanes_leave(&pool->lanes, &note->seat);
    if (pool->lent && pool->lanes.waiting == 0) {
        pool->lent = 0;
        local_set_limit(pool);
    }
}

void local_begin(struct note *note)
{
    struct local *pool = note->pool;
    if (pool->lanes.waiting == 0 && !pool->any_kept) {
        give(pool, note, NULL);
        return;
    }
    note->kept = pool->any_kept = true;
    local_place(pool);
}

void local_lend_open(struct local *pool, enum crew_kind kind)
{
    uint32_t most = pool->options.max_waiting ? pool->options.max_waiting : POOL_WAITING_DEFAULT;
    pool->lanes =
        (struct lanes){.width = pool->options.concurrency, .most = kind == CREW_THREADS ? (int)most : 0};
    pool->lender = (struct task_lender){lend, take_lane_back, pool};
    if (pool->options.client)
        task_client_borrow(&pool->client, pool->options.client, &pool->lender);
    else
        task_client_init(&pool->client, -1, &pool->lender);
}
