/* pool_slot.c: one child after another in one slot: what it is given, how what has not started is taken back,
 * how it is sent away. What it says is in pool_frames.c, how it ends in pool_end.c. */
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "worker/pool_prefork.h"

#define LARGE_MAX (FRAME_SIZE_MAX + (64u << 10))

struct slot *slot_at(struct prefork *pool, int index)
{
    struct slot *slot = &pool->slots[index];
    if (!slot->pool) {
        slot->pool = pool;
        slot->index = index;
        slot->handle = -1;
        slot->page = fork_server_page(pool->options.fork_server, index);
    }
    return slot;
}

/* ---- giving and taking back ---- */

static struct frame_run run_make(const struct prefork *pool, const struct job *job)
{
    return (struct frame_run){
        .time_limit = job->time_limit,
        .soft_time_limit = job->soft_time_limit,
        .task = job->reader ? FRAME_NO_TASK : (uint32_t)registry_index(pool->registry, job->def),
        .deaths = job->deaths,
        .result_codec = (uint8_t)job->result_codec,
    };
}

static void pack_job(struct buffer *out, const struct job *job)
{
    if (job->kept.data)
        message_pack_kept(out, job->msg, job->kept);
    else
        message_pack(out, job->msg);
}

void slot_give(struct slot *slot, struct note *note)
{
    struct frame_run run = run_make(slot->pool, note->job);
    struct buffer *out = stream_output(slot->stream);
    note->slot = slot;
    note->number = slot->next_number++;
    if (note->number == 0) /* they wrap, and 0 is none */
        note->number = slot->next_number++;
    if (slot->jobs.count == 0)
        slot->deaf_since = loop_now(slot->pool->loop);
    note_push(&slot->jobs, note);
    slot->pool->occupied += slot->jobs.count <= slot->pool->width;
    if (slot->pool->crew)
        crew_slot_note(slot, note);
    slot->queued_ns += note->cost;
    slot->pool->outstanding++;
    slot->given++;
    slot->touched = true;
    size_t opened = frame_open(out, FRAME_RUN, note->number);
    buffer_add(out, &run, sizeof run);
    pack_job(out, note->job);
    frame_close(out, opened);
    stream_wrote(slot->stream);
    watch_slot(slot);
}

void slot_set_overdue(struct slot *slot, bool overdue)
{
    if (slot->overdue != overdue)
        slot->pool->overdue += overdue ? 1 : -1;
    slot->overdue = overdue;
}

void slot_forget(struct slot *slot, struct note *note)
{
    slot->pool->occupied -= slot->jobs.count <= slot->pool->width;
    note_remove(&slot->jobs, note);
    if (slot->pool->crew)
        crew_slot_forget(slot, note);
    slot->queued_ns -= note->cost;
    slot->pool->outstanding--;
    note->slot = NULL;
    if (slot->pool->crew)
        lend_end(slot, note);
    else if (slot->jobs.count == 0)
        lanes_leave(&slot->pool->lanes, &slot->seat);
}

/* Numbers in the order they were given; the newest goes first, so that the oldest ends at the backlog's
 * front. */
static void return_after(struct slot *slot, uint32_t started)
{
    struct note *note;
    while ((note = slot->jobs.last) != NULL && page_before(started, note->number)) {
        slot_forget(slot, note);
        slot->given--;
        place_wait(slot->pool, note, true);
    }
}

struct note *slot_take_back(struct slot *slot)
{
    return_after(slot, page_take_back(slot->page, slot->next_number));
    if (slot->retiring)
        slot_retire(slot);
    return slot->jobs.last;
}

struct note *slot_running(struct slot *slot, uint64_t *since)
{
    uint32_t started = page_started(slot->page, since);
    for (struct note *note = slot->jobs.first; note; note = note->next)
        if (note->number == started)
            return note;
    return NULL;
}

void slot_tell_started(struct slot *slot, struct note *note)
{
    struct prefork *pool = slot->pool;
    if (note->told_started)
        return;
    note->told_started = true;
    pool->events->started(pool->self, note->job, slot->pid);
}

/* ---- killing and retiring ---- */

void slot_signal(const struct slot *slot, int signal_number)
{
    if (slot->handle >= 0)
        syscall(SYS_pidfd_send_signal, slot->handle, signal_number, NULL, 0);
    else if (slot->pid > 0)
        kill(slot->pid, signal_number);
}

void slot_kill(struct slot *slot, const char *why)
{
    if (slot->state == SLOT_EMPTY || slot->state == SLOT_ASKED || slot->state == SLOT_KILLED)
        return;
    slot->state = SLOT_KILLED;
    slot->kill_why = why;
    slot_signal(slot, SIGKILL);
}

/* First nothing else can start there; then, if it is still that job, the child is killed. So the blow never
 * hits another job, and a job that ended in time keeps its outcome. */
bool slot_kill_for(struct slot *slot, struct note *note, enum outcome_kind kind, const char *why)
{
    slot_take_back(slot);
    if (page_started(slot->page, NULL) != note->number)
        return false;
    slot->kill_kind = kind;
    slot->kill_number = note->number;
    slot_kill(slot, why);
    return true;
}

static void say_bye(struct slot *slot)
{
    struct frame_pieces bye = {.kind = FRAME_BYE};
    slot->state = SLOT_LEAVING;
    frame_add(stream_output(slot->stream), &bye);
    stream_wrote(slot->stream);
}

void slot_retire(struct slot *slot)
{
    slot->retiring = true;
    if (slot->state == SLOT_READY && slot->jobs.count == 0)
        say_bye(slot);
}

/* ---- birth ---- */

static void on_born(void *self, int index, int pid, const struct child_ends *ends)
{
    struct prefork *pool = self;
    struct slot *slot = slot_at(pool, index);
    slot->pid = pid;
    slot->handle = ends->handle;
    slot->state = SLOT_BORN;
    slot->next_number = 1;
    buffer_init(&slot->large, LARGE_MAX);
    bool good = slot_open_stream(slot, ends->socket);
    good = (!pool->crew || crew_slot_open(slot)) && good;
    good = output_open(slot, 0, ends->out) && good;
    good = output_open(slot, 1, ends->err) && good;
    slot->guest = pool->options.nest ? nest_enter(pool->options.nest, ends->nest) : NULL;
    if (!pool->options.nest)
        close(ends->nest);
    if (!good)
        slot_kill(slot, "out of descriptors or memory");
}

const struct fork_server_events slot_events = {on_born, slot_on_ended, slot_on_lost};
