/* nest_guest.c: one line to somebody who runs tasks: reads what is asked, writes what is answered. A line
 * that speaks no frames, or does not read what it asked for, is closed; its client then says that the worker
 * cannot be reached. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "worker/nest_inside.h"

#define UNREAD_MAX ((size_t)256 << 20) /* answers a line may leave lying */
#define IDS_MAX 4096                   /* of one frame */

/* ---- telling ---- */

static void give_up(struct nest_guest *guest, const char *why)
{
    log_line(guest->nest->options.log, UMBEL_ERROR, "worker", "a line for calls of tasks is closed: %s", why);
    guest->down = true;
    stream_close(guest->stream);
}

static bool is_heard(struct nest_guest *guest)
{
    if (!guest->down && stream_pending(guest->stream) > UNREAD_MAX)
        give_up(guest, "its answers are not read");
    return !guest->down;
}

void guest_tell(struct nest_guest *guest, const struct parent_frame *frame)
{
    if (!is_heard(guest))
        return;
    parent_frame_add(stream_output(guest->stream), frame);
    stream_wrote(guest->stream);
}

void guest_tell_reach(struct nest_guest *guest, enum parent_kind kind, const struct nest_reach *reach)
{
    if (guest->greeted)
        guest_tell(guest, &(struct parent_frame){.kind = kind,
                                                 .flags = reach->state,
                                                 .code = reach->code,
                                                 .payload = str_of(reach->why)});
}

void guest_pace(struct nest_guest *guest)
{
    size_t part = guest->paused ? 2 : 1;
    bool pause = guest->kept > NEST_KEPT_MAX / part || guest->kept_bytes > NEST_KEPT_BYTES / part;
    if (pause == guest->paused || guest->down)
        return;
    guest->paused = pause;
    stream_pause(guest->stream, pause);
}

/* ---- questions to the backend ---- */

static struct nest_question **list_of(const struct nest_question *question)
{
    return question->guest ? &question->guest->questions : &question->nest->orphans;
}

static void link_question(struct nest_question *question)
{
    struct nest_question **list = list_of(question);
    question->prev = NULL;
    question->next = *list;
    if (*list)
        (*list)->prev = question;
    *list = question;
}

static void unlink_question(struct nest_question *question)
{
    *(question->prev ? &question->prev->next : list_of(question)) = question->next;
    if (question->next)
        question->next->prev = question->prev;
}

static struct nest_question *question_new(struct nest_guest *guest, uint64_t token, size_t answers)
{
    struct nest_question *question = calloc(1, sizeof *question);
    if (!question)
        return NULL;
    *question =
        (struct nest_question){.nest = guest->nest, .guest = guest, .token = token, .answers = answers};
    link_question(question);
    return question;
}

/* The answer may still come. */
static void leave_guest(struct nest_question *question)
{
    unlink_question(question);
    question->guest = NULL;
    link_question(question);
}

static void answered(struct nest_question *question)
{
    if (--question->answers > 0)
        return;
    unlink_question(question);
    free(question);
}

void guest_forget_questions(struct nest *nest)
{
    while (nest->orphans) {
        struct nest_question *question = nest->orphans;
        unlink_question(question);
        free(question);
    }
}

void guest_tell_found(struct nest_question *question, int code, umbel_str id, umbel_str payload)
{
    struct nest_guest *guest = question->guest;
    if (guest && is_heard(guest)) {
        struct buffer *out = stream_output(guest->stream);
        struct parent_frame frame = {.kind = PARENT_FOUND, .code = code, .token = question->token};
        size_t opened = parent_frame_open(out, &frame);
        parent_put_text(out, id);
        buffer_str(out, payload);
        parent_frame_close(out, opened);
        stream_wrote(guest->stream);
    }
    answered(question);
}

void guest_tell_parts(struct nest_question *question, int code, umbel_str id, const umbel_str *payloads,
                      size_t count)
{
    struct nest_guest *guest = question->guest;
    if (guest && is_heard(guest)) {
        struct buffer *out = stream_output(guest->stream);
        struct parent_frame frame = {.kind = PARENT_PARTS, .code = code, .token = question->token};
        size_t opened = parent_frame_open(out, &frame);
        parent_put_text(out, id);
        for (size_t i = 0; i < count; i++)
            parent_put_text(out, payloads[i]);
        parent_frame_close(out, opened);
        stream_wrote(guest->stream);
    }
    answered(question);
}

void guest_tell_subscribed(struct nest_question *question)
{
    if (question->guest)
        guest_tell(question->guest,
                   &(struct parent_frame){.kind = PARENT_SUBSCRIBED, .token = question->token});
    answered(question);
}

/* ---- what is asked ---- */

static size_t read_ids(umbel_str payload, umbel_str ids[IDS_MAX])
{
    size_t count = 0;
    while (count < IDS_MAX && parent_take_text(&payload, &ids[count]))
        count += ids[count].size > 0;
    return count;
}

static void on_listen(struct nest_guest *guest, const struct parent_frame *frame)
{
    if (guest->nest->hears) {
        guest_tell(guest, &(struct parent_frame){.kind = PARENT_SUBSCRIBED, .token = frame->token});
        return;
    }
    guest->listens = true;
    guest->listen_token = frame->token;
}

static void on_watch(struct nest_guest *guest, const umbel_str *ids, size_t count, uint64_t token)
{
    struct nest *nest = guest->nest;
    struct nest_question *question = question_new(guest, token, 1);
    if (!question)
        return;
    for (size_t i = 0; i < count; i++)
        nest_roster_add(&nest->roster, &guest->tickets, ids[i], true);
    nest->backend->ops->watch(nest->backend, ids, count, (uint64_t)(uintptr_t)question);
}

static void on_unwatch(struct nest_guest *guest, umbel_str *ids, size_t count)
{
    struct nest *nest = guest->nest;
    size_t free_ids = 0;
    for (size_t i = 0; i < count; i++) {
        struct nest_ticket *ticket = nest_roster_find(&nest->roster, ids[i]);
        while (ticket && ticket->of != &guest->tickets)
            ticket = ticket->same;
        if (!nest_roster_watched(&nest->roster, ids[i], &guest->tickets))
            ids[free_ids++] = ids[i];
        if (ticket)
            nest_roster_drop(&nest->roster, ticket);
    }
    if (free_ids)
        nest->backend->ops->unwatch(nest->backend, ids, free_ids);
}

static void on_lookup(struct nest_guest *guest, const umbel_str *ids, size_t count, uint64_t token)
{
    struct nest *nest = guest->nest;
    struct nest_question *question = count ? question_new(guest, token, count) : NULL;
    if (question)
        nest->backend->ops->lookup(nest->backend, ids, count, (uint64_t)(uintptr_t)question);
}

static void on_revoke(const struct nest_guest *guest, umbel_str payload)
{
    struct backend_revocation one;
    while (parent_take_double(&payload, &one.until) && parent_take_text(&payload, &one.id))
        guest->nest->backend->ops->revoke(guest->nest->backend, &one, 1);
}

static void on_read_parts(struct nest_guest *guest, umbel_str id, const struct parent_frame *frame)
{
    struct backend *backend = guest->nest->backend;
    struct nest_question *question = question_new(guest, frame->token, 1);
    if (question)
        backend->ops->read_parts(backend, id, (uint32_t)frame->code, (uint64_t)(uintptr_t)question);
}

static void on_question(struct nest_guest *guest, const struct parent_frame *frame)
{
    umbel_str ids[IDS_MAX];
    size_t count = frame->kind == PARENT_REVOKE ? 0 : read_ids(frame->payload, ids);
    struct backend *backend = guest->nest->backend;
    if (!backend)
        return; /* it was told that results are not kept */
    if (frame->kind == PARENT_LISTEN)
        on_listen(guest, frame);
    else if (frame->kind == PARENT_WATCH)
        on_watch(guest, ids, count, frame->token);
    else if (frame->kind == PARENT_UNWATCH)
        on_unwatch(guest, ids, count);
    else if (frame->kind == PARENT_LOOKUP)
        on_lookup(guest, ids, count, frame->token);
    else if (frame->kind == PARENT_FORGET && count == 1)
        backend->ops->forget(backend, ids[0]);
    else if (frame->kind == PARENT_READ_PARTS && count == 1)
        on_read_parts(guest, ids[0], frame);
    else if (frame->kind == PARENT_REVOKE)
        on_revoke(guest, frame->payload);
}

static bool on_frame(struct nest_guest *guest, const struct parent_frame *frame)
{
    if (frame->kind > PARENT_READ_PARTS)
        return false;
    if (frame->kind == PARENT_PUBLISH)
        return nest_call(guest, frame);
    on_question(guest, frame);
    return true;
}

/* ---- the line ---- */

static void greet(struct nest_guest *guest)
{
    guest->greeted = true;
    nest_open(guest->nest);
    guest_tell_reach(guest, PARENT_BROKER, &guest->nest->broker);
    guest_tell_reach(guest, PARENT_BACKEND, &guest->nest->results);
}

/* A line that is not read any more keeps what has come. */
static size_t on_data(void *self, const uint8_t *data, size_t size)
{
    struct nest_guest *guest = self;
    struct parent_frame frame;
    size_t taken = 0, used = 0;
    int code = UMBEL_BUSY;
    if (!guest->greeted)
        greet(guest);
    while (!guest->down &&
           (code = parent_frame_read(data + taken, size - taken, &frame, &used)) == UMBEL_OK) {
        taken += used;
        if (!on_frame(guest, &frame)) {
            code = UMBEL_PROTOCOL;
            break;
        }
    }
    if (code == UMBEL_PROTOCOL)
        give_up(guest, "what came was no frame");
    return taken;
}

static void on_down(void *self, int code, const char *why)
{
    struct nest_guest *guest = self;
    (void)code, (void)why;
    guest->down = true;
}

static const struct stream_events stream_calls = {NULL, on_data, on_down, NULL};

struct nest_guest *nest_enter(struct nest *nest, int fd)
{
    struct nest_guest *guest = calloc(1, sizeof *guest);
    if (guest)
        guest->stream = stream_new(nest->loop, &stream_calls, guest);
    if (!guest || !guest->stream || stream_adopt(guest->stream, fd) != UMBEL_OK) {
        if (guest && guest->stream)
            stream_free(guest->stream);
        free(guest);
        close(fd);
        return NULL;
    }
    guest->nest = nest;
    guest->next = nest->guests;
    if (guest->next)
        guest->next->prev = guest;
    nest->guests = guest;
    return guest;
}

/* Subscriptions that only it had end with it. */
static void forget_tickets(struct nest_guest *guest)
{
    struct nest *nest = guest->nest;
    while (guest->tickets.newest) {
        struct nest_ticket *ticket = guest->tickets.newest;
        umbel_str id = ticket->node.key;
        if (ticket->watched && nest->backend && !nest_roster_watched(&nest->roster, id, &guest->tickets))
            nest->backend->ops->unwatch(nest->backend, &id, 1);
        nest_roster_drop(&nest->roster, ticket);
    }
}

void nest_leave(struct nest_guest *guest)
{
    struct nest *nest = guest->nest;
    nest_call_forget(guest);
    while (guest->questions)
        leave_guest(guest->questions);
    forget_tickets(guest);
    *(guest->prev ? &guest->prev->next : &nest->guests) = guest->next;
    if (guest->next)
        guest->next->prev = guest->prev;
    stream_free(guest->stream);
    free(guest);
}
