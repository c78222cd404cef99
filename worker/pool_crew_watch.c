/* pool_crew_watch.c: limits and memory of children that run several jobs at once.
 *
 * A job that must end and does not cannot be killed without the others. So its outcome is reported at once
 * and its waits are ended; the child is *condemned*: it gets nothing more, soon another one takes its place,
 * the others have a short grace, and then it is killed. Those that were not done by then are innocent and run
 * again. If the job ends by itself after all, as a coroutine does that was waiting, the child is absolved.
 *
 * A child over its memory cap is condemned too, unless one job alone runs there, which is then guilty. If it
 * goes on growing, or its jobs are not done within the grace, it is killed and all of them are suspects. */
#include "common/clock.h"
#include "common/str.h"
#include "worker/lookahead.h"
#include "worker/pool_prefork.h"

#define GRACE_MS 5000

void crew_tell(struct slot *slot, const struct note *note, bool cancelled)
{
    const char byte = cancelled;
    struct frame_pieces frame = {FRAME_CANCEL, note->number, {{&byte, 1}}};
    if (slot->state != SLOT_READY && slot->state != SLOT_LEAVING)
        return;
    frame_add(stream_output(slot->stream), &frame);
    stream_wrote(slot->stream);
}

/* ---- condemned ---- */

static void condemn(struct slot *slot)
{
    if (!slot->crew.condemned_at)
        slot->crew.condemned_at = loop_now(slot->pool->loop);
    slot_take_back(slot);
    prefork_settle_soon(slot->pool);
}

/* Its outcome is decided although it has not ended. */
static void give_up(struct slot *slot, struct note *note, enum outcome_kind kind, umbel_str why)
{
    struct outcome outcome = {.kind = kind,
                              .pid = slot->pid,
                              .error_message = why,
                              .memory_peak = slot->memory_peak,
                              .runtime = (double)(clock_mono_ns() - note->since) * 1e-9};
    slot->crew.zombies++;
    crew_tell(slot, note, true);
    condemn(slot);
    slot_forget(slot, note);
    prefork_finish(slot->pool, note, &outcome);
}

bool crew_absolve(struct slot *slot)
{
    if (slot->crew.zombies == 0)
        return false;
    if (--slot->crew.zombies == 0 && !slot->crew.fat) {
        slot->crew.condemned_at = 0;
        births_check(slot->pool); /* it may have been replaced already */
        if (slot->retiring)
            slot_retire(slot);
        slot->pool->room_due = true;
        prefork_settle_soon(slot->pool);
    }
    return true;
}

static void watch_condemned(struct slot *slot)
{
    struct crew_slot *crew = &slot->crew;
    uint64_t since = loop_now(slot->pool->loop) - crew->condemned_at;
    if (!crew->condemned_at)
        return;
    if (since >= CREW_REPLACE_MS)
        births_check(slot->pool);
    bool empty = slot->jobs.count == 0 && (since >= CREW_REPLACE_MS || slot->pool->stopping);
    if (!empty && since < GRACE_MS)
        return;
    crew->innocent = !crew->fat;
    slot_kill(slot, crew->fat ? "it was over its memory limit" : "one of its tasks did not end");
}

/* ---- time ---- */

/* True: the job was given up; the list has changed. */
static bool watch_job(struct slot *slot, struct note *note, uint64_t now)
{
    const struct job *job = note->job;
    uint64_t ran = now - note->since;
    if (watch_passed(job->time_limit, ran)) {
        give_up(slot, note, OUTCOME_TIMED_OUT, STR_NONE);
        return true;
    }
    if (note->kill_at > 0 && clock_mono() >= note->kill_at) {
        give_up(slot, note, OUTCOME_CANCELLED, STR("it was cancelled"));
        return true;
    }
    if (watch_passed(job->soft_time_limit, ran) && !note->told_soft) {
        note->told_soft = true;
        crew_tell(slot, note, false);
    }
    return false;
}

/* Seen to run for the first time: since then, or, if it is the newest, since it says. */
static void see(struct slot *slot, struct note *note, uint32_t started, uint64_t since, uint64_t now)
{
    if (note->since)
        return;
    note->since = note->number == started && since < now ? since : now;
    slot_tell_started(slot, note);
}

/* How many run; one whose time is over at a time, because its end may change the list. */
static bool watch_jobs(struct slot *slot, uint32_t *running)
{
    uint64_t since, now = clock_mono_ns();
    uint32_t started = page_started(slot->page, &since);
    *running = 0;
    for (struct note *note = slot->jobs.first; note && !page_before(started, note->number);
         note = note->next) {
        see(slot, note, started, since, now);
        (*running)++;
    }
    for (struct note *note = slot->jobs.first; note && note->since; note = note->next)
        if (watch_job(slot, note, now))
            return false;
    if (started != slot->crew.last_started) {
        slot->crew.last_started = started;
        slot->crew.progress_at = now;
    } else if (*running >= slot->pool->width && slot->jobs.count > *running &&
               now - slot->crew.progress_at > LOOKAHEAD_OVERDUE_NS) {
        /* They wait behind others. With a place free they are on their way, however busy the machine is. */
        slot_set_overdue(slot, true);
        if (!slot->pool->stopping) /* then nobody else would take them */
            slot_take_back(slot);
    }
    return true;
}

/* ---- memory ---- */

static void judge_memory(struct slot *slot, uint32_t running, size_t over)
{
    struct note *note = slot->jobs.first;
    if (running == 0) {
        slot_take_back(slot);
        slot_retire(slot);
        return;
    }
    uint64_t ran = clock_mono_ns() - note->since;
    if (running == 1 && ran < WATCH_SHORT_NS) {
        slot->sampled_at = 0; /* look again with the next tick */
        return;
    }
    if (running == 1 && slot->crew.zombies == 0) {
        slot_take_back(slot);
        slot->kill_kind = OUTCOME_MEMORY;
        slot->kill_number = note->number;
        slot_kill(slot, "it was over its memory limit");
        return;
    }
    slot->crew.fat = true;
    condemn(slot);
    if (over > slot->pool->options.max_memory_per_child / 8)
        slot_kill(slot, "it was over its memory limit");
}

/* ---- the tick ---- */

static uint64_t period_of(const struct slot *slot, uint32_t running)
{
    if (slot->jobs.count > running)
        return WATCH_QUICK_MS;
    if (slot->crew.condemned_at || (slot->retiring && slot->jobs.count))
        return WATCH_LIMIT_MS;
    for (const struct note *note = slot->jobs.first; note; note = note->next)
        if (note->job->time_limit > 0 || note->job->soft_time_limit > 0 || note->kill_at > 0)
            return WATCH_LIMIT_MS;
    if (slot->dropped)
        return WATCH_MEMORY_MS;
    return slot->pool->options.max_memory_per_child && slot->touched ? WATCH_MEMORY_MS / 2 : 0;
}

void crew_watch(struct slot *slot)
{
    uint32_t running = 0;
    slot->crew.period = 0;
    if (slot->state != SLOT_READY && slot->state != SLOT_LEAVING)
        return;
    slot_drain(slot);
    while (slot->state == SLOT_READY && !watch_jobs(slot, &running))
        ;
    if (watch_deaf(slot, running > 0))
        return;
    size_t over = slot->state == SLOT_READY ? watch_memory_over(slot) : 0;
    if (over)
        judge_memory(slot, running, over);
    watch_condemned(slot);
    output_watch(slot);
    slot->crew.period = period_of(slot, running);
}
