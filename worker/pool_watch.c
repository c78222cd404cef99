/* pool_watch.c: the tick: what must be noticed although no event tells of it.
 *
 * Time limits, memory, kills that are due, jobs that others wait behind. It reads shared pages, so a child
 * that hangs is watched as well as one that works. The tick runs only while there is something to see. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/clock.h"
#include "worker/lookahead.h"
#include "worker/pool_prefork.h"

/* ---- memory ---- */

/* Resident bytes; 0 when the process is gone. */
static size_t memory_of(int pid)
{
    char path[32], text[128];
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0)
        return 0;
    text[size] = '\0';
    char *resident;
    strtoul(text, &resident, 10);
    return strtoul(resident, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* Over the cap: the job that runs has done it, unless it has only just begun; then the child goes after it.
 */
static void judge_memory(struct slot *slot, struct note *note, uint64_t ran)
{
    if (note && ran >= WATCH_SHORT_NS) {
        slot_kill_for(slot, note, OUTCOME_MEMORY, "it was over its memory limit");
        return;
    }
    slot_take_back(slot);
    slot_retire(slot);
    slot->sampled_at = 0; /* look again with the next tick */
}

size_t watch_memory_over(struct slot *slot)
{
    uint64_t now = loop_now(slot->pool->loop);
    size_t cap = slot->pool->options.max_memory_per_child;
    if (cap == 0 || !slot->touched || now - slot->sampled_at < WATCH_MEMORY_MS)
        return 0;
    slot->sampled_at = now;
    slot->touched = slot->jobs.count > 0;
    size_t memory = memory_of(slot->pid);
    if (memory > slot->memory_peak)
        slot->memory_peak = memory;
    return memory > cap ? memory - cap : 0;
}

/* ---- time ---- */

static void watch_time(struct slot *slot, struct note *note, uint64_t ran)
{
    struct job *job = note->job;
    if (watch_passed(job->time_limit, ran)) {
        slot_kill_for(slot, note, OUTCOME_TIMED_OUT, "its task ran over the time limit");
        return;
    }
    if (note->kill_at > 0 && clock_mono() >= note->kill_at) {
        slot_kill_for(slot, note, OUTCOME_CANCELLED, "its task was cancelled");
        return;
    }
    if (watch_passed(job->soft_time_limit, ran) && !note->told_soft) {
        note->told_soft = true;
        slot_signal(slot, SIGUSR1); /* ends a wait; the task asks the clock itself */
    }
    if (ran > LOOKAHEAD_OVERDUE_NS) {
        slot_set_overdue(slot, true);
        if (slot->jobs.count > 1 && !slot->pool->stopping) /* then nobody else would take them */
            slot_take_back(slot);
    }
}

/* Stopped while it was idle (a debugger, a frozen group), it would keep for ever what it was given next. */
bool watch_deaf(struct slot *slot, bool runs)
{
    uint64_t now = loop_now(slot->pool->loop);
    uint32_t started = page_started(slot->page, NULL);
    if (runs || slot->jobs.count == 0 || slot->deaf_number != started || slot->state != SLOT_READY) {
        slot->deaf_number = started;
        slot->deaf_since = now;
        return false;
    }
    if (now - slot->deaf_since < WATCH_DEAF_MS || slot_take_back(slot))
        return false;
    slot_kill(slot, "it did not begin what it was given");
    return true;
}

static void watch_one(struct slot *slot)
{
    uint64_t since = 0, ran = 0;
    if (slot->state != SLOT_READY && slot->state != SLOT_LEAVING)
        return;
    slot_drain(slot);
    struct note *note = slot_running(slot, &since);
    if (note) {
        uint64_t now = clock_mono_ns();
        ran = now > since ? now - since : 0;
        slot_tell_started(slot, note);
        watch_time(slot, note, ran);
    }
    if (!watch_deaf(slot, note != NULL) && slot->state == SLOT_READY && watch_memory_over(slot))
        judge_memory(slot, note, ran);
}

static void watch_stop(struct prefork *pool)
{
    struct note *note;
    if (!pool->stopping || clock_mono() < pool->stop_at)
        return;
    for (int i = 0; i < pool->used; i++)
        slot_kill(&pool->slots[i], "the pool was stopped");
    while ((note = pool->backlog.first ? pool->backlog.first : pool->suspects.first) != NULL) {
        note_remove(prefork_list(pool, note), note);
        prefork_refuse(pool, note, OUTCOME_DIED);
    }
}

/* ---- the tick ---- */

static uint64_t period_of(const struct slot *slot)
{
    const struct note *note = slot->jobs.first;
    if (slot->pool->crew)
        return slot->crew.period;
    size_t cap = slot->pool->options.max_memory_per_child;
    if (slot->jobs.count > 1)
        return WATCH_QUICK_MS;
    if (note && (!note->told_started || !slot->overdue || slot->retiring))
        return WATCH_CLOSE_MS;
    if (note && (note->job->time_limit > 0 || note->job->soft_time_limit > 0 || note->kill_at > 0))
        return WATCH_LIMIT_MS;
    return cap && slot->touched ? WATCH_MEMORY_MS / 2 : 0;
}

static uint64_t period_wanted(const struct prefork *pool)
{
    uint64_t least = pool->stopping && (pool->children || prefork_waiting(pool)) ? WATCH_LIMIT_MS : 0;
    for (int i = 0; i < pool->used; i++) {
        uint64_t period = pool->slots[i].state == SLOT_EMPTY ? 0 : period_of(&pool->slots[i]);
        if (period && (least == 0 || period < least))
            least = period;
    }
    return least;
}

static void set_period(struct prefork *pool, uint64_t ms)
{
    if (ms == pool->tick_period)
        return;
    pool->tick_period = ms;
    if (ms)
        uv_timer_start(&pool->tick, watch_on_tick, ms, ms);
    else
        uv_timer_stop(&pool->tick);
}

void watch_within(struct prefork *pool, uint64_t ms)
{
    if (pool->tick_period == 0 || ms < pool->tick_period)
        set_period(pool, ms);
}

void watch_slot(struct slot *slot)
{
    watch_within(slot->pool, slot->jobs.count > 1 && !slot->pool->crew ? WATCH_QUICK_MS : WATCH_CLOSE_MS);
}

void watch_on_tick(uv_timer_t *timer)
{
    struct prefork *pool = timer->data;
    if (prefork_end(pool))
        return;
    for (int i = 0; i < pool->used; i++)
        (pool->crew ? crew_watch : watch_one)(&pool->slots[i]);
    watch_stop(pool);
    place_backlog(pool);
    prefork_settle_soon(pool);
    set_period(pool, period_wanted(pool));
}
