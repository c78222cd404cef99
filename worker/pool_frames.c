/* pool_frames.c: what a child says, through its ring and its socket.
 *
 * A child is not believed: frames are checked against what it was given, and one that breaks the protocol is
 * killed like one that hangs; from then on nothing it says is read. */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "worker/pool_prefork.h"

static void break_off(struct slot *slot)
{
    slot->broken = true;
    log_line(slot->pool->options.log, UMBEL_ERROR, "pool", "child %d broke the protocol and is killed",
             slot->pid);
    slot_kill(slot, "it broke the protocol");
}

/* Not NaN, not negative, not beyond what is counted in nanoseconds: means are made of it. */
static bool is_runtime(double seconds)
{
    return seconds >= 0 && seconds < 1e9;
}

/* A text of no bytes is none. */
static bool take_text(umbel_str *payload, size_t size, umbel_str *text)
{
    if (!str_take(payload, size, text))
        return false;
    if (size == 0)
        *text = STR_NONE;
    return true;
}

static bool read_done(const struct slot *slot, umbel_str payload, struct outcome *outcome)
{
    struct frame_done done;
    if (!str_take_bytes(&payload, &done, sizeof done) || done.kind > OUTCOME_CANCELLED ||
        !is_runtime(done.runtime))
        return false;
    *outcome = (struct outcome){.kind = (enum outcome_kind)done.kind,
                                .has_links = done.has_links,
                                .id_told = done.id_told,
                                .retry_after = done.retry_after,
                                .runtime = done.runtime,
                                .pid = slot->pid};
    if (!take_text(&payload, done.type_size, &outcome->error_type) ||
        !take_text(&payload, done.message_size, &outcome->error_message) ||
        !take_text(&payload, done.traceback_size, &outcome->traceback))
        return false;
    outcome->value = payload;
    return true;
}

/* The job that a frame is about. Where one runs at a time it is the oldest. */
static struct note *note_of(const struct slot *slot, uint32_t number)
{
    struct note *note = slot->jobs.first;
    if (note && note->number == number)
        return note;
    return slot->pool->crew ? crew_slot_find(slot, number) : NULL;
}

static void on_done(struct slot *slot, const struct frame *frame)
{
    struct prefork *pool = slot->pool;
    struct note *note = note_of(slot, frame->number);
    struct outcome outcome;
    if (!note && crew_absolve(slot))
        return;
    if (!note || !read_done(slot, frame->payload, &outcome)) {
        break_off(slot);
        return;
    }
    if (!pool->crew)
        output_end_job(slot, note);
    slot_set_overdue(slot, false);
    slot_tell_started(slot, note);
    slot_forget(slot, note);
    place_learn(pool, note, outcome.runtime);
    prefork_finish(pool, note, &outcome);
    if (slot->retiring || (slot_used_up(slot) && slot->jobs.count == 0))
        slot_retire(slot);
}

static void on_log(struct slot *slot, struct note *note, umbel_str line)
{
    struct prefork *pool = slot->pool;
    uint8_t level;
    if (!str_take_bytes(&line, &level, 1) || level > UMBEL_ERROR)
        break_off(slot);
    else
        pool->events->said(pool->self, note ? note->job : NULL, slot->pid, (umbel_level)level, line);
}

static void on_output(struct slot *slot, struct note *note, umbel_str bytes)
{
    uint8_t stream;
    if (!str_take_bytes(&bytes, &stream, 1) || stream < 1 || stream > 2)
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

/* Parts of a page's child: a slot's next child has another pid. */
static uint64_t source_of(const struct slot *slot)
{
    return (uint64_t)slot->index << 32 | (uint32_t)slot->pid;
}

static void on_part(struct slot *slot, struct note *note, umbel_str value)
{
    struct prefork *pool = slot->pool;
    if (note)
        pool->events->part(pool->self, note->job, value, source_of(slot));
    else
        atomic_fetch_add(&slot->page->parts_taken, value.size);
}

void slot_part_taken(struct prefork *pool, uint64_t source, size_t size)
{
    struct slot *slot = &pool->slots[source >> 32];
    if (slot->pid && source_of(slot) == source)
        atomic_fetch_add(&slot->page->parts_taken, size);
}

static void on_wait(struct slot *slot, struct note *note, umbel_str payload)
{
    uint8_t waits;
    if (!slot->pool->crew || !str_take_bytes(&payload, &waits, 1))
        break_off(slot);
    else if (note)
        lend_note(slot, note, waits != 0);
}

static void on_frame(struct slot *slot, const struct frame *frame)
{
    struct prefork *pool = slot->pool;
    struct note *note = note_of(slot, frame->number);
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
    case FRAME_WAIT:
        on_wait(slot, note, frame->payload);
        break;
    case FRAME_PART:
        on_part(slot, note, frame->payload);
        break;
    case FRAME_READY:
        on_ready(slot, frame->payload);
        break;
    case FRAME_ELSEWHERE:
        slot->large_due = true;
        break;
    default: /* nothing that a child says */
        break;
    }
}

/* What was there when the look began. What a child adds meanwhile has its own bell: one that never stops
 * talking does not keep the loop from everybody else, and not from its own time limit. */
static void drain_ring(struct slot *slot)
{
    struct frame frame;
    int code;
    size_t size, left = ring_filled(slot->page);
    while (left > 0 && !slot->broken && !slot->large_due &&
           (code = ring_peek(slot->page, &frame)) != UMBEL_BUSY) {
        if (code) {
            break_off(slot);
            return;
        }
        size = sizeof(struct frame_head) + frame.payload.size;
        left -= size < left ? size : left;
        on_frame(slot, &frame);
        ring_release(slot->page, &frame);
    }
}

void slot_drain(struct slot *slot)
{
    /* Lowered before we look: what is written after our look rings again. */
    atomic_store(&slot->page->bell, 0);
    drain_ring(slot);
    lend_look(slot);
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

bool slot_open_stream(struct slot *slot, int fd)
{
    slot->stream = stream_new(slot->pool->loop, &stream_calls, slot);
    if (slot->stream && stream_adopt(slot->stream, fd) == UMBEL_OK)
        return true;
    close(fd);
    return false;
}

/* Grandchildren may keep the other end open, so nobody waits for its end. */
void slot_read_rest(struct slot *slot)
{
    uint8_t bytes[16384];
    ssize_t size;
    int fd = slot->stream && stream_is_up(slot->stream) ? stream_fd(slot->stream) : -1;
    while (fd >= 0 && (size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        buffer_add(&slot->large, bytes, (size_t)size);
    read_socket(slot);
    slot_drain(slot);
}
