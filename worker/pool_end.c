/* pool_end.c: how a child ends, and what that means for its jobs.
 *
 * Everything it managed to say is read first. Then a job whose outcome was already written is done, the one
 * that had started and was not done is the one that died, and those behind it start elsewhere. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/child_crash.h"
#include "worker/pool_prefork.h"

#define DEATH_WAIT_MS 1000

static const char *died_of(const struct slot *slot, int wait_status, char out[300])
{
    if (slot->kill_why)
        snprintf(out, 300, "%s", slot->kill_why);
    else if (slot->hook_why[0])
        snprintf(out, 300, "its start hook failed: %s", slot->hook_why);
    else if (WIFSIGNALED(wait_status))
        snprintf(out, 300, "signal %d (%s)", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
    else if (slot->state == SLOT_LEAVING && WEXITSTATUS(wait_status) == 0)
        snprintf(out, 300, "%s", "retired");
    else
        snprintf(out, 300, "exit code %d", WEXITSTATUS(wait_status));
    return out;
}

static struct outcome death_make(const struct slot *slot, const struct note *note, int wait_status,
                                 double cpu)
{
    bool ours = slot->kill_number == note->number;
    return (struct outcome){.kind = ours ? slot->kill_kind : OUTCOME_DIED,
                            .pid = slot->pid,
                            .signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0,
                            .exit_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0,
                            .memory_peak = slot->memory_peak,
                            .innocent = !ours && slot->crew.innocent,
                            .cpu_seconds = cpu};
}

/* Every job that had started and has no outcome; that is one, unless the child scribbled over its page. */
static void bury_jobs(struct slot *slot, int wait_status, double cpu, umbel_str why)
{
    struct buffer trace;
    struct note *note;
    uint64_t since;
    page_started(slot->page, &since);
    slot_take_back(slot);
    buffer_init(&trace, 64 << 10);
    crash_describe(slot->page, &trace);
    while ((note = slot->jobs.first) != NULL) {
        struct outcome outcome = death_make(slot, note, wait_status, cpu);
        outcome.error_message = why;
        outcome.traceback = (umbel_str){(const char *)buffer_head(&trace), buffer_length(&trace)};
        outcome.runtime = (double)(clock_mono_ns() - (note->since ? note->since : since)) * 1e-9;
        slot_tell_started(slot, note);
        slot_forget(slot, note);
        prefork_finish(slot->pool, note, &outcome);
    }
    buffer_fini(&trace);
}

static void clear(struct slot *slot)
{
    struct slot fresh = {.pool = slot->pool, .index = slot->index, .page = slot->page, .handle = -1};
    if (slot->stream)
        stream_free(slot->stream);
    if (slot->handle >= 0)
        close(slot->handle);
    buffer_fini(&slot->large);
    free(slot->crew.index);
    if (slot->guest)
        nest_leave(slot->guest);
    board_leave(slot->pool->board, slot->index);
    *slot = fresh;
}

static void end(struct slot *slot, int wait_status, size_t memory_peak, double cpu_seconds)
{
    struct prefork *pool = slot->pool;
    char why[300];
    if (memory_peak > slot->memory_peak)
        slot->memory_peak = memory_peak;
    slot_read_rest(slot);
    output_close(slot, pool->crew ? NULL : slot->jobs.first);
    died_of(slot, wait_status, why);
    slot->state = SLOT_KILLED; /* whatever it was before, nothing is sent to it any more */
    bury_jobs(slot, wait_status, cpu_seconds, str_of(why));
    if (slot->pid)
        pool->events->child_ended(pool->self, slot->pid, WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0,
                                  WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0, why);
    pool->children--;
    pool->in_birth -= slot->unborn;
    if (slot->unborn && !pool->stopping)
        births_early_death(pool);
    slot_set_overdue(slot, false);
    clear(slot);
    births_check(pool);
    place_backlog(pool);
    prefork_settle_soon(pool);
}

void slot_on_ended(void *self, int index, int pid, int wait_status, size_t memory_peak, double cpu_seconds)
{
    struct prefork *pool = self;
    struct slot *slot = slot_at(pool, index);
    if (slot->state == SLOT_EMPTY)
        return;
    if (pid == 0)
        log_line(pool->options.log, UMBEL_ERROR, "pool", "a child could not be made: %s",
                 strerror(wait_status));
    end(slot, pid ? wait_status : 0, memory_peak, cpu_seconds);
}

/* A dying child still runs for a moment; what it may yet claim must not be started elsewhere before. */
static void await_death(const struct slot *slot)
{
    struct pollfd gone = {slot->handle, POLLIN, 0};
    if (slot->handle >= 0)
        poll(&gone, 1, DEATH_WAIT_MS);
}

/* With the server die its children, by the kernel's hand; nobody is left to say how much they used. */
void slot_on_lost(void *self, const char *why)
{
    struct prefork *pool = self;
    pool->lost = true;
    log_line(pool->options.log, UMBEL_ERROR, "pool", "%s: no child can be made any more", why);
    for (int i = 0; i < pool->used; i++)
        slot_signal(&pool->slots[i], SIGKILL);
    for (int i = 0; i < pool->used; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->state == SLOT_EMPTY)
            continue;
        await_death(slot);
        end(slot, SIGKILL, 0, 0);
    }
    if (pool->events->lost)
        pool->events->lost(pool->self, why);
}
