/* pool_slot.c: one child after another in one slot: what it says, what it is given, how it ends.
 *
 * A child is not believed. Frames are checked against what was given; a child that breaks the protocol is
 * killed like one that hangs. At its end everything it managed to say is read first, so that a job whose
 * outcome was already written is done, the one that had started and was not done is the one that died, and
 * those behind it start elsewhere. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/clock.h"
#include "common/str.h"
#include "worker/child_crash.h"
#include "worker/pool_prefork.h"

#define DEATH_WAIT_MS 1000
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

/* It has been given all that one child may run. */
static bool used_up(const struct slot *slot)
{
    uint64_t most = slot->pool->options.max_tasks_per_child;
    return most && slot->given >= most;
}

bool slot_ready(const struct slot *slot)
{
    return slot->state == SLOT_READY && !slot->retiring && !used_up(slot);
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

void slot_give(struct slot *slot, struct note *note)
{
    struct frame_run run = run_make(slot->pool, note->job);
    struct buffer *out = stream_output(slot->stream);
    note->slot = slot;
    note->number = slot->next_number++;
    if (note->number == 0) /* they wrap, and 0 is none */
        note->number = slot->next_number++;
    note_push(&slot->jobs, note);
    slot->queued_ns += note->cost;
    slot->pool->outstanding++;
    slot->given++;
    slot->touched = true;
    size_t opened = frame_open(out, FRAME_RUN, note->number);
    buffer_add(out, &run, sizeof run);
    message_pack(out, note->job->msg);
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

static void forget(struct slot *slot, struct note *note)
{
    note_remove(&slot->jobs, note);
    slot->queued_ns -= note->cost;
    slot->pool->outstanding--;
    note->slot = NULL;
}

/* Numbers in the order they were given; the newest goes first, so that the oldest ends at the backlog's
 * front. */
static void return_after(struct slot *slot, uint32_t started)
{
    struct note *note;
    while ((note = slot->jobs.last) != NULL && page_before(started, note->number)) {
        forget(slot, note);
        slot->given--;
        note_push_front(&slot->pool->backlog, note);
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

/* ---- frames from the child ---- */

static void break_off(struct slot *slot)
{
    slot->broken = true;
    log_line(slot->pool->options.log, UMBEL_ERROR, "pool", "child %d broke the protocol and is killed",
             slot->pid);
    slot_kill(slot, "it broke the protocol");
}

static bool read_done(const struct slot *slot, umbel_str payload, struct outcome *outcome)
{
    struct frame_done done;
    if (!frame_take(&payload, &done, sizeof done) || done.kind > OUTCOME_CANCELLED)
        return false;
    *outcome = (struct outcome){.kind = (enum outcome_kind)done.kind,
                                .has_links = done.has_links,
                                .retry_after = done.retry_after,
                                .runtime = done.runtime,
                                .pid = slot->pid};
    if (!frame_take_str(&payload, done.type_size, &outcome->error_type) ||
        !frame_take_str(&payload, done.message_size, &outcome->error_message) ||
        !frame_take_str(&payload, done.traceback_size, &outcome->traceback))
        return false;
    outcome->value = payload;
    return true;
}

void slot_tell_started(struct slot *slot, struct note *note)
{
    struct prefork *pool = slot->pool;
    if (note->told_started)
        return;
    note->told_started = true;
    pool->events->started(pool->self, note->job, slot->pid);
}

static void on_done(struct slot *slot, const struct frame *frame)
{
    struct prefork *pool = slot->pool;
    struct note *note = slot->jobs.first;
    struct outcome outcome;
    if (!note || note->number != frame->number || !read_done(slot, frame->payload, &outcome)) {
        break_off(slot);
        return;
    }
    output_end_job(slot, note);
    slot_set_overdue(slot, false);
    slot_tell_started(slot, note);
    forget(slot, note);
    place_learn(pool, note, outcome.runtime);
    prefork_finish(pool, note, &outcome);
    if (slot->retiring || (used_up(slot) && slot->jobs.count == 0))
        slot_retire(slot);
}

static void on_log(struct slot *slot, struct note *note, umbel_str line)
{
    struct prefork *pool = slot->pool;
    uint8_t level;
    if (!frame_take(&line, &level, 1) || level > UMBEL_ERROR)
        break_off(slot);
    else
        pool->events->said(pool->self, note ? note->job : NULL, slot->pid, (umbel_level)level, line);
}

static void on_output(struct slot *slot, struct note *note, umbel_str bytes)
{
    uint8_t stream;
    if (!frame_take(&bytes, &stream, 1) || stream < 1 || stream > 2)
        break_off(slot);
    else
        output_feed(slot, stream - 1, note, bytes);
}

static void on_ready(struct slot *slot, umbel_str why)
{
    struct prefork *pool = slot->pool;
    if (why.size) {
        snprintf(slot->hook_why, sizeof slot->hook_why, "%.*s", (int)why.size, why.data);
        return;
    }
    if (slot->state != SLOT_BORN)
        return;
    slot->state = SLOT_READY;
    slot->unborn = false;
    pool->in_birth--;
    pool->early_deaths = 0;
    if (slot->retiring)
        slot_retire(slot);
    births_check(pool);
    place_backlog(pool);
    pool->room_due = true;
    prefork_settle_soon(pool);
}

static void on_frame(struct slot *slot, const struct frame *frame)
{
    struct prefork *pool = slot->pool;
    struct note *note = slot->jobs.first;
    if (note && note->number != frame->number)
        note = NULL;
    switch (frame->kind) {
    case FRAME_DONE:
        on_done(slot, frame);
        break;
    case FRAME_LOG:
        on_log(slot, note, frame->payload);
        break;
    case FRAME_OUTPUT:
        on_output(slot, note, frame->payload);
        break;
    case FRAME_PROGRESS:
        if (note)
            pool->events->progress(pool->self, note->job, frame->payload);
        break;
    case FRAME_READY:
        on_ready(slot, frame->payload);
        break;
    case FRAME_ELSEWHERE:
        slot->large_due = true;
        break;
    default: /* not carried out by this version */
        break;
    }
}

static void drain_ring(struct slot *slot)
{
    struct frame frame;
    int code;
    while (!slot->broken && !slot->large_due && (code = ring_peek(slot->page, &frame)) != UMBEL_BUSY) {
        if (code) {
            break_off(slot);
            return;
        }
        on_frame(slot, &frame);
        ring_release(slot->page, &frame);
    }
}

void slot_drain(struct slot *slot)
{
    /* Lowered before we look: what is written after our look rings again. */
    atomic_store(&slot->page->bell, 0);
    drain_ring(slot);
}

/* ---- the socket ---- */

/* Bells, and the frames that were too large for the ring, each in its place among those of the ring. */
static void on_socket_frame(struct slot *slot, const struct frame *frame)
{
    slot_drain(slot);
    if (frame->kind == FRAME_BELL || slot->broken)
        return;
    if (!slot->large_due) {
        break_off(slot);
        return;
    }
    slot->large_due = false;
    on_frame(slot, frame);
    slot_drain(slot);
}

static void read_socket(struct slot *slot)
{
    struct frame frame;
    size_t used;
    int code = UMBEL_OK;
    while (!slot->broken && code == UMBEL_OK) {
        code = frame_read(buffer_head(&slot->large), buffer_length(&slot->large), &frame, &used);
        if (code != UMBEL_OK)
            break;
        on_socket_frame(slot, &frame);
        buffer_take(&slot->large, used);
    }
    if (code == UMBEL_PROTOCOL || slot->large.failed)
        break_off(slot);
}

static size_t on_data(void *self, const uint8_t *data, size_t size)
{
    struct slot *slot = self;
    buffer_add(&slot->large, data, size);
    read_socket(slot);
    if (buffer_length(&slot->large) == 0)
        buffer_clear(&slot->large);
    place_backlog(slot->pool);
    return size;
}

static void on_down(void *self, int code, const char *why)
{
    struct slot *slot = self;
    (void)code;
    (void)why;
    /* A task may have closed what it does not own; without its socket the child is of no use. Else it has
     * ended, and the fork server tells how: a blow to the dead changes nothing. */
    slot_signal(slot, SIGKILL);
}

static const struct stream_events stream_calls = {NULL, on_data, on_down, NULL};

/* ---- birth ---- */

static bool open_stream(struct slot *slot, int fd)
{
    slot->stream = stream_new(slot->pool->loop, &stream_calls, slot);
    if (slot->stream && stream_adopt(slot->stream, fd) == UMBEL_OK)
        return true;
    close(fd);
    return false;
}

static void on_born(void *self, int index, int pid, const struct child_ends *ends)
{
    struct prefork *pool = self;
    struct slot *slot = slot_at(pool, index);
    slot->pid = pid;
    slot->handle = ends->handle;
    slot->state = SLOT_BORN;
    slot->next_number = 1;
    buffer_init(&slot->large, LARGE_MAX);
    bool good = open_stream(slot, ends->socket);
    good = output_open(slot, 0, ends->out) && good;
    good = output_open(slot, 1, ends->err) && good;
    if (!good)
        slot_kill(slot, "out of descriptors or memory");
}

/* ---- end ---- */

/* What the socket still holds. Grandchildren may keep the other end open, so nobody waits for its end. */
static void read_rest(struct slot *slot)
{
    uint8_t bytes[16384];
    ssize_t size;
    int fd = slot->stream && stream_is_up(slot->stream) ? stream_fd(slot->stream) : -1;
    while (fd >= 0 && (size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        buffer_add(&slot->large, bytes, (size_t)size);
    read_socket(slot);
    slot_drain(slot);
}

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
                            .cpu_seconds = cpu};
}

/* Every job that had started and has no outcome; that is one, unless the child scribbled over its page. */
static void bury_jobs(struct slot *slot, int wait_status, double cpu, umbel_str why)
{
    struct buffer trace;
    struct note *note;
    uint64_t since;
    page_started(slot->page, &since);
    return_after(slot, page_take_back(slot->page, slot->next_number));
    buffer_init(&trace, 64 << 10);
    crash_describe(slot->page, &trace);
    while ((note = slot->jobs.first) != NULL) {
        struct outcome outcome = death_make(slot, note, wait_status, cpu);
        outcome.error_message = why;
        outcome.traceback = (umbel_str){(const char *)buffer_head(&trace), buffer_length(&trace)};
        outcome.runtime = (double)(clock_mono_ns() - since) * 1e-9;
        slot_tell_started(slot, note);
        forget(slot, note);
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
    *slot = fresh;
}

void slot_end(struct slot *slot, int wait_status, size_t memory_peak, double cpu_seconds)
{
    struct prefork *pool = slot->pool;
    char why[300];
    if (memory_peak > slot->memory_peak)
        slot->memory_peak = memory_peak;
    read_rest(slot);
    output_close(slot, slot->jobs.first);
    died_of(slot, wait_status, why);
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

static void on_ended(void *self, int index, int pid, int wait_status, size_t memory_peak, double cpu_seconds)
{
    struct prefork *pool = self;
    struct slot *slot = slot_at(pool, index);
    if (slot->state == SLOT_EMPTY)
        return;
    if (pid == 0)
        log_line(pool->options.log, UMBEL_ERROR, "pool", "a child could not be made: %s",
                 strerror(wait_status));
    slot_end(slot, pid ? wait_status : 0, memory_peak, cpu_seconds);
}

/* A dying child still runs for a moment; what it may yet claim must not be started elsewhere before. */
static void await_death(const struct slot *slot)
{
    struct pollfd gone = {slot->handle, POLLIN, 0};
    if (slot->handle >= 0)
        poll(&gone, 1, DEATH_WAIT_MS);
}

/* With the server die its children, by the kernel's hand; nobody is left to say how much they used. */
static void on_lost(void *self, const char *why)
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
        slot_end(slot, SIGKILL, 0, 0);
    }
    if (pool->events->lost)
        pool->events->lost(pool->self, why);
}

const struct fork_server_events slot_events = {on_born, on_ended, on_lost};
