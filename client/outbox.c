/* outbox.c: see outbox.h. The caller's half is in outbox_put.c.
 *
 * A record is freed only when the transport owes nothing for it: its token is its address. */
#include "client/outbox.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "client/future.h"
#include "client/sentence.h"
#include "client/waiter.h"
#include "common/clock.h"
#include "common/log.h"

enum { QUEUE_SHOWN = 300 };

static void list_add(struct record_list *list, struct record *record)
{
    record->next = NULL;
    *list->last = record;
    list->last = &record->next;
}

static void list_empty(struct record_list *list)
{
    list->first = NULL;
    list->last = &list->first;
}

static struct record *list_take(struct record_list *list)
{
    struct record *record = list->first;
    list->first = record->next;
    if (!list->first)
        list->last = &list->first;
    record->next = NULL;
    return record;
}

void outbox_init(struct outbox *outbox, struct loop *loop, struct turn_hook *turn, struct inbox *inbox,
                 size_t limit)
{
    *outbox = (struct outbox){
        .loop = loop, .turn = turn, .inbox = inbox, .limit = limit, .earliest_ms = UINT64_MAX};
    arena_init(&outbox->scratch, 0);
    pthread_mutex_init(&outbox->lock, NULL);
    waiter_cond_init(&outbox->room);
    waiter_cond_init(&outbox->settled);
    list_empty(&outbox->submitted);
    list_empty(&outbox->to_send);
    list_empty(&outbox->done);
    outbox->next_sequence = outbox->settled_below = 1;
}

void outbox_fini(struct outbox *outbox)
{
    assert(!outbox->oldest && !outbox->submitted.first && "the outbox is closed before it ends");
    while (outbox->spare) {
        struct record *record = outbox->spare;
        outbox->spare = record->next;
        record_free(record);
    }
    arena_fini(&outbox->scratch);
    pthread_cond_destroy(&outbox->room);
    pthread_cond_destroy(&outbox->settled);
    pthread_mutex_destroy(&outbox->lock);
}

void outbox_attach(struct outbox *outbox, struct transport *transport)
{
    outbox->transport = transport;
}

/* ---- among the unsettled ---- */

static void join(struct outbox *outbox, struct record *record)
{
    record->older = outbox->newest;
    record->newer = NULL;
    *(outbox->newest ? &outbox->newest->newer : &outbox->oldest) = record;
    outbox->newest = record;
    if (record->deadline_ms < outbox->earliest_ms)
        outbox->earliest_ms = record->deadline_ms;
}

static void leave(struct outbox *outbox, struct record *record)
{
    *(record->older ? &record->older->newer : &outbox->oldest) = record->newer;
    *(record->newer ? &record->newer->older : &outbox->newest) = record->older;
    record->older = record->newer = NULL;
}

static void recycle(struct outbox *outbox, struct record *record)
{
    future_unref(record->future);
    record->future = NULL;
    outbox->done_bytes += record->charge;
    list_add(&outbox->done, record);
    loop_mark(outbox->loop, outbox->turn);
}

static void note_failure(struct outbox *outbox, int code, const char *why)
{
    pthread_mutex_lock(&outbox->lock);
    if (outbox->failed == UMBEL_OK) {
        outbox->failed = code;
        snprintf(outbox->failed_why, sizeof outbox->failed_why, "%s", why);
    }
    pthread_mutex_unlock(&outbox->lock);
}

static void show_queue(struct outbox *outbox, const struct record *record, char out[QUEUE_SHOWN])
{
    struct message msg;
    record_message(record, &outbox->scratch, &msg);
    snprintf(out, QUEUE_SHOWN, "%.*s", (int)msg.queue.size, msg.queue.data);
    arena_reset(&outbox->scratch);
}

static void tell_failure(struct outbox *outbox, struct record *record, int code, const char *why)
{
    char title[160], queue[QUEUE_SHOWN], sentence[OUTBOX_WHY];
    future_title(record->future, title, sizeof title);
    show_queue(outbox, record, queue);
    sentence_unsent(sentence, sizeof sentence, title, queue, code, why);
    log_line(outbox->inbox->log, UMBEL_WARNING, "client", "%s", sentence);
    note_failure(outbox, code, sentence);
    if (future_unsent(record->future, code, sentence))
        inbox_announce(outbox->inbox, record->future);
    inbox_drop(outbox->inbox, record->future);
}

static void tell(struct outbox *outbox, struct record *record, int code, const char *why)
{
    if (code != UMBEL_OK)
        tell_failure(outbox, record, code, why);
    else if (record_ignored(record) ? future_ignored(record->future) : future_accepted(record->future))
        inbox_announce(outbox->inbox, record->future);
}

static void settle(struct outbox *outbox, struct record *record, int code, const char *why)
{
    leave(outbox, record);
    tell(outbox, record, code, why);
    recycle(outbox, record);
}

/* As settle, for a record that may still be with the transport. */
static void give_up(struct outbox *outbox, struct record *record, int code, const char *why)
{
    leave(outbox, record);
    tell(outbox, record, code, why);
    record->given_up = true;
    loop_mark(outbox->loop, outbox->turn);
}

/* ---- sending ---- */

void outbox_take(struct outbox *outbox)
{
    struct record_list taken;
    pthread_mutex_lock(&outbox->lock);
    taken = outbox->submitted;
    list_empty(&outbox->submitted);
    pthread_mutex_unlock(&outbox->lock);
    while (taken.first) {
        struct record *record = taken.first;
        taken.first = record->next;
        join(outbox, record);
        list_add(&outbox->to_send, record);
    }
    loop_mark(outbox->loop, outbox->turn);
}

static bool wants_result(const struct outbox *outbox, const struct record *record)
{
    return !record_ignored(record) && outbox->inbox->backend && !atomic_load(&record->future->abandoned);
}

static double delay_of(const struct record *record)
{
    double left = record->due > 0 ? record->due - clock_mono() : 0;
    return left > 0 ? left : 0;
}

static int give(struct outbox *outbox, struct record *record, struct message *msg)
{
    bool wants = wants_result(outbox, record);
    if (wants && !inbox_ready(outbox->inbox))
        return UMBEL_BUSY;
    if (outbox->serve)
        outbox->serve(outbox->serve_self, msg->queue);
    msg->reply_to = wants ? str_of(outbox->inbox->channel) : STR_NONE;
    int code = outbox->transport->ops->publish(outbox->transport, msg, delay_of(record), record->flags,
                                               (uint64_t)(uintptr_t)record);
    record->sent = code == UMBEL_OK;
    outbox->in_flight += record->sent;
    record->future->sent |= record->sent;
    if (record->sent && wants)
        inbox_expect(outbox->inbox, record->future, msg->queue);
    return code;
}

static int publish(struct outbox *outbox, struct record *record)
{
    struct message msg;
    int code = record_message(record, &outbox->scratch, &msg);
    if (code == UMBEL_OK)
        code = give(outbox, record, &msg);
    arena_reset(&outbox->scratch);
    return code;
}

static bool comes_back(int code)
{
    return code == UMBEL_BUSY || code == UMBEL_BROKER_AWAY || code == UMBEL_BROKER_BLOCKED;
}

static bool window_open(struct outbox *outbox)
{
    outbox->window_full = outbox->in_flight >= (outbox->window_full ? OUTBOX_WINDOW / 2 : OUTBOX_WINDOW);
    return !outbox->window_full;
}

void outbox_resume(struct outbox *outbox)
{
    if (outbox->window_full)
        outbox_send(outbox);
}

static bool was_cancelled(const struct record *record)
{
    return atomic_load(&record->future->code) == UMBEL_CANCELLED;
}

/* A record that was given up while it waited here has nobody behind it. */
void outbox_send(struct outbox *outbox)
{
    while (outbox->to_send.first && window_open(outbox)) {
        struct record *record = outbox->to_send.first;
        bool unwanted = !record->given_up && was_cancelled(record);
        int code = record->given_up || unwanted ? UMBEL_OK : publish(outbox, record);
        if (comes_back(code))
            return;
        list_take(&outbox->to_send);
        if (record->given_up)
            recycle(outbox, record);
        else if (unwanted)
            settle(outbox, record, UMBEL_OK, NULL);
        else if (code != UMBEL_OK)
            settle(outbox, record, code, NULL);
    }
}

bool outbox_empty(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    bool empty = !outbox->oldest && !outbox->submitted.first;
    pthread_mutex_unlock(&outbox->lock);
    return empty;
}

void outbox_cancel_unsent(struct outbox *outbox)
{
    for (struct record *record = outbox->to_send.first; record; record = record->next)
        if (!record->given_up && future_cancelled(record->future, false) == UMBEL_OK)
            inbox_announce(outbox->inbox, record->future);
    outbox_send(outbox);
}

void outbox_published(struct outbox *outbox, uint64_t token, int code, const char *why)
{
    struct record *record = (struct record *)(uintptr_t)token;
    record->sent = false;
    outbox->in_flight--;
    if (record->given_up) {
        recycle(outbox, record);
    } else if (code != UMBEL_BROKER_AWAY || (record->flags & PUBLISH_UNCONFIRMED)) {
        settle(outbox, record, code, why);
    } else if (future_finished(record->future)) {
        settle(outbox, record, UMBEL_OK, NULL); /* its answer came, so it had arrived */
    } else if (outbox->closing) {
        settle(outbox, record, UMBEL_CLOSED, why);
    } else {
        record->republished = true;
        list_add(&outbox->to_send, record);
    }
}

/* ---- while the broker does not take it ---- */

static void give_up_unsent(struct outbox *outbox, int code, const char *why)
{
    while (outbox->to_send.first) {
        struct record *record = list_take(&outbox->to_send);
        if (record->given_up)
            recycle(outbox, record);
        else
            settle(outbox, record, code, why);
    }
}

void outbox_state(struct outbox *outbox, enum transport_state state, int code, const char *why)
{
    outbox->state = state;
    outbox->state_code = code;
    snprintf(outbox->state_why, sizeof outbox->state_why, "%s", why ? why : "");
    if (state == TRANSPORT_UP || state == TRANSPORT_BLOCKED)
        outbox->was_up = true;
    /* A broker that knew us before is given until the deadlines: it may be starting. */
    if (state == TRANSPORT_FAILED && !outbox->was_up)
        give_up_unsent(outbox, code, why);
    else
        outbox_send(outbox);
}

static int reason(const struct outbox *outbox, const struct record *record, const char **why)
{
    *why = outbox->state_why;
    switch (outbox->state) {
    case TRANSPORT_BLOCKED:
        return UMBEL_BROKER_BLOCKED;
    case TRANSPORT_FAILED:
        return outbox->state_code != UMBEL_OK ? outbox->state_code : UMBEL_BROKER_AWAY;
    case TRANSPORT_UP:
        *why = record->sent ? "it is connected but does not confirm" : "it is connected but takes no more";
        return UMBEL_BROKER_AWAY;
    case TRANSPORT_CONNECTING:
        break;
    }
    return UMBEL_BROKER_AWAY;
}

static void give_up_late(struct outbox *outbox, struct record *record)
{
    const char *why = NULL;
    int code = reason(outbox, record, &why);
    give_up(outbox, record, code, why);
}

static void scan_deadlines(struct outbox *outbox, uint64_t now_ms)
{
    outbox->earliest_ms = UINT64_MAX;
    struct record *record = outbox->oldest;
    while (record) {
        struct record *newer = record->newer;
        if (record->deadline_ms <= now_ms)
            give_up_late(outbox, record);
        else if (record->deadline_ms < outbox->earliest_ms)
            outbox->earliest_ms = record->deadline_ms;
        record = newer;
    }
}

void outbox_tick(struct outbox *outbox, uint64_t now_ms)
{
    if (now_ms >= outbox->earliest_ms)
        scan_deadlines(outbox, now_ms);
    outbox_send(outbox);
}

uint64_t outbox_due(const struct outbox *outbox)
{
    uint64_t due = outbox->oldest ? outbox->earliest_ms : UINT64_MAX;
    const struct inbox *inbox = outbox->inbox;
    if (outbox->to_send.first && !inbox_ready(inbox) && inbox->channel_deadline_ms < due)
        due = inbox->channel_deadline_ms;
    return due;
}

void outbox_close(struct outbox *outbox)
{
    outbox->closing = true;
    outbox_take(outbox);
    give_up_unsent(outbox, UMBEL_CLOSED, NULL);
}
