/* inbox.c: see inbox.h. The backend may be away at any time: it restores its subscriptions and says so, then
 * everything is looked up, again when that had no answer. So nothing of the backend is waited for here. */
#include "client/inbox.h"

#include <assert.h>
#include "client/direct.h"
#include "client/notice.h"
#include "client/parts.h"
#include "client/waiter.h"
#include "common/buffer.h"
#include "common/cancel_note.h"
#include "common/clock.h"
#include "common/hash.h"

enum { BATCH = 256, TOKEN_CHANNEL = 0 };

int inbox_init(struct inbox *inbox, struct loop *loop, struct waker *waker, struct turn_hook *turn,
               struct callbacks *callbacks, const struct log *log)
{
    *inbox = (struct inbox){.loop = loop,
                            .waker = waker,
                            .turn = turn,
                            .callbacks = callbacks,
                            .log = log,
                            .keeps_revoked = true};
    pthread_mutex_init(&inbox->lock, NULL);
    inbox->orders_last = &inbox->orders;
    inbox->turn_last = &inbox->turn_first;
    link_init(&inbox->asked);
    link_init(&inbox->slow);
    link_init(&inbox->reads);
    arena_init(&inbox->arena, 0);
    for (size_t i = 0; i < INBOX_FLOWS; i++)
        link_init(&inbox->flows[i].waiting);
    reply_channel_make(inbox->channel);
    return roster_init(&inbox->roster);
}

void inbox_fini(struct inbox *inbox)
{
    assert(inbox->roster.count == 0 && !inbox->orders && !inbox->turn_first);
    roster_fini(&inbox->roster);
    arena_fini(&inbox->arena);
    pthread_mutex_destroy(&inbox->lock);
}

void inbox_attach(struct inbox *inbox, struct backend *backend)
{
    inbox->backend = backend;
    inbox->channel_deadline_ms = loop_now(inbox->loop) + INBOX_CHANNEL_MS;
    backend->ops->listen(backend, str_of(inbox->channel), TOKEN_CHANNEL);
}

bool inbox_ready(const struct inbox *inbox)
{
    return inbox->channel_ready || loop_now(inbox->loop) >= inbox->channel_deadline_ms;
}

/* ---- what happens at the turn's end ---- */

void inbox_announce(struct inbox *inbox, umbel_future *future)
{
    if (future->announced)
        return;
    future->announced = true;
    future_ref(future);
    future->turn_next = NULL;
    *inbox->turn_last = future;
    inbox->turn_last = &future->turn_next;
    loop_mark(inbox->loop, inbox->turn);
}

static void unwatch(struct inbox *inbox, umbel_future *const *futures, size_t count)
{
    umbel_str ids[BATCH];
    for (size_t i = 0; i < count; i++)
        ids[i] = str_of(futures[i]->id);
    inbox->backend->ops->unwatch(inbox->backend, ids, count);
}

/* The last waiter on an id takes the subscription with it. */
static bool is_to_be_unwatched(const struct inbox *inbox, const umbel_future *future)
{
    return future->unwatch && inbox->backend && !roster_find(&inbox->roster, str_of(future->id), NULL);
}

static void unwatch_all(struct inbox *inbox, umbel_future *first)
{
    umbel_future *batch[BATCH];
    size_t count = 0;
    for (umbel_future *future = first; future; future = future->turn_next) {
        if (is_to_be_unwatched(inbox, future))
            batch[count++] = future;
        future->unwatch = false;
        if (count == BATCH || (count && !future->turn_next)) {
            unwatch(inbox, batch, count);
            count = 0;
        }
    }
}

/* Callbacks may submit, free and look: what they cause is for the next round of the same turn. */
void inbox_turn(struct inbox *inbox)
{
    umbel_future *first = inbox->turn_first;
    inbox->turn_first = NULL;
    inbox->turn_last = &inbox->turn_first;
    unwatch_all(inbox, first);
    while (first) {
        umbel_future *future = first;
        first = future->turn_next;
        future->announced = false;
        callbacks_take(inbox->callbacks, future, future_announce(future));
        future_unref(future);
    }
}

/* ---- in and out ---- */

/* Flow 0 is for futures from a bare id, whose queue nobody knows. */
static uint8_t flow_of(umbel_str queue)
{
    return (uint8_t)(1 + hash_name(queue, 0) % (INBOX_FLOWS - 1));
}

static void enter(struct inbox *inbox, umbel_future *future, uint8_t flow, uint64_t due_ms)
{
    future_ref(future);
    future->watch = WATCH_CHANNEL;
    future->flow = flow;
    future->sequence = ++inbox->sequence;
    future->due_ms = due_ms;
    roster_add(&inbox->roster, future);
    link_append(&inbox->flows[flow].waiting, &future->link);
    loop_mark(inbox->loop, inbox->turn);
}

/* A message that was published before, over a connection that was lost, is here already. */
void inbox_expect(struct inbox *inbox, umbel_future *future, umbel_str queue)
{
    if (future->watch == WATCH_NONE && !future_finished(future))
        enter(inbox, future, flow_of(queue), loop_now(inbox->loop) + INBOX_LATE_MS);
}

/* Room is made for many at once, so that they are subscribed in one command. */
static void flow_left(struct flow *flow)
{
    if (--flow->watched <= INBOX_WINDOW / 2)
        flow->full = false;
}

void inbox_drop(struct inbox *inbox, umbel_future *future)
{
    if (future->watch == WATCH_NONE)
        return;
    if (future->watch != WATCH_CHANNEL) {
        future->unwatch = true;
        inbox_announce(inbox, future);
        flow_left(&inbox->flows[future->flow]);
    }
    future->watch = WATCH_NONE;
    link_remove(&future->link);
    roster_remove(&inbox->roster, future);
    if (inbox->roster.count == 0)
        loop_mark(inbox->loop, inbox->turn); /* for who drains */
    future_unref(future);
}

/* ---- answers ---- */

/* What was not heard on our channel may be of a worker that does not know it, and then says nothing of the
 * rest. */
static void note_flow(struct inbox *inbox, const umbel_future *future)
{
    struct flow *flow = &inbox->flows[future->flow];
    if (future->sequence > flow->answered)
        flow->answered = future->sequence;
    flow->answered_ms = loop_now(inbox->loop);
}

static umbel_future *of_link(const struct link *link)
{
    return (umbel_future *)((uintptr_t)link - offsetof(umbel_future, link));
}

/* The task goes on: it is not answered yet. */
static void part(struct inbox *inbox, umbel_future *future, umbel_str payload)
{
    if (parts_noticed(inbox, future, payload))
        inbox_announce(inbox, future);
}

static void answer(struct inbox *inbox, umbel_future *future, const struct notice *notice)
{
    if (notice->bare ? future_succeeded(future, CODEC_JSON, notice->payload)
                     : future_answered(future, notice->state, notice->payload))
        inbox_announce(inbox, future);
    if (result_terminal(notice->state))
        inbox_drop(inbox, future);
}

/* Results come in about the order of publishing, and what was published a hundred thousand calls ago is in no
 * cache: the next but one is fetched, and the next one's place in the roster. */
static void fetch_ahead(const struct inbox *inbox, const umbel_future *future)
{
    const struct link *end = &inbox->flows[future->flow].waiting, *next = future->link.next;
    if (future->watch != WATCH_CHANNEL || next == end)
        return;
    roster_fetch(&inbox->roster, of_link(next));
    if (next->next != end)
        future_fetch(of_link(next->next), 0);
}

void inbox_notice(struct inbox *inbox, umbel_str stored, bool listened)
{
    struct notice notice;
    if (notice_read(&notice, stored) != UMBEL_OK) {
        log_line(inbox->log, UMBEL_WARNING, "client", "a result of %zu bytes cannot be read", stored.size);
        return;
    }
    umbel_future *future = roster_find(&inbox->roster, notice.id, NULL);
    while (future) {
        umbel_future *next = roster_find(&inbox->roster, notice.id, future);
        fetch_ahead(inbox, future);
        if (listened)
            note_flow(inbox, future);
        if (notice.state == RESULT_PART)
            part(inbox, future, stored);
        else
            answer(inbox, future, &notice);
        future = next;
    }
}

/* ---- looking for what did not come by itself ---- */

static void move_to(struct link *list, umbel_future *future)
{
    link_remove(&future->link);
    link_append(list, &future->link);
}

/* Everything in `batch` has been moved to `asked`. */
static void watch(struct inbox *inbox, umbel_future *const *batch, size_t count)
{
    umbel_str ids[BATCH];
    inbox->batch++;
    for (size_t i = 0; i < count; i++) {
        ids[i] = str_of(batch[i]->id);
        batch[i]->batch = inbox->batch;
    }
    inbox->backend->ops->watch(inbox->backend, ids, count, inbox->batch);
}

static void lookup(struct inbox *inbox, umbel_future *const *batch, size_t count)
{
    umbel_str ids[BATCH];
    for (size_t i = 0; i < count; i++)
        ids[i] = str_of(batch[i]->id);
    inbox->backend->ops->lookup(inbox->backend, ids, count, 0);
}

/* Not late while the queue flows and it is not its turn: then it is asked again a little later. */
static bool is_late(const struct flow *flow, umbel_future *future, uint64_t now_ms)
{
    if (future->due_ms > now_ms)
        return false;
    bool flows = flow->answered && now_ms - flow->answered_ms < INBOX_LATE_MS;
    if (!flows || future->sequence < flow->answered)
        return true;
    future->due_ms = now_ms + INBOX_LATE_MS / 2;
    return false;
}

/* What was passed over is watched in any case, and so is a bare id, of whose queue nothing is known (flow 0).
 */
static bool is_behind_window(const struct inbox *inbox, const struct flow *flow, const umbel_future *future)
{
    return flow->full && flow != &inbox->flows[0] && future->sequence >= flow->answered;
}

static void enter_window(struct inbox *inbox, struct flow *flow, umbel_future *future, uint64_t now_ms)
{
    future->watch = WATCH_ASKED;
    move_to(&inbox->asked, future);
    if (++flow->watched < INBOX_WINDOW || flow->full)
        return;
    flow->full = true;
    flow->look_ms = now_ms + INBOX_SLOW_MS;
}

static void watch_late(struct inbox *inbox, struct flow *flow, uint64_t now_ms)
{
    umbel_future *batch[BATCH];
    size_t count = 0;
    while (!link_alone(&flow->waiting)) {
        umbel_future *future = of_link(flow->waiting.next);
        if (is_behind_window(inbox, flow, future) || !is_late(flow, future, now_ms))
            break;
        enter_window(inbox, flow, future, now_ms);
        batch[count++] = future;
        if (count == BATCH) {
            watch(inbox, batch, count);
            count = 0;
        }
    }
    if (count)
        watch(inbox, batch, count);
}

static void to_slow(struct inbox *inbox, umbel_future *future, uint64_t now_ms)
{
    future->watch = WATCH_SLOW;
    future->due_ms = now_ms + INBOX_SLOW_MS;
    move_to(&inbox->slow, future);
}

/* Takes up to BATCH from the head of a list that `ripe` accepts, moves them to `slow` and reads them. */
static bool look_at_head(struct inbox *inbox, struct link *list, bool (*ripe)(const umbel_future *, uint64_t),
                         uint64_t bound, uint64_t now_ms)
{
    umbel_future *batch[BATCH];
    size_t count = 0;
    while (count < BATCH && !link_alone(list) && ripe(of_link(list->next), bound)) {
        batch[count] = of_link(list->next);
        to_slow(inbox, batch[count++], now_ms);
    }
    if (count)
        lookup(inbox, batch, count);
    return count > 0;
}

static bool asked_before(const umbel_future *future, uint64_t batch)
{
    return future->batch <= batch;
}

static bool due_before(const umbel_future *future, uint64_t now_ms)
{
    return future->due_ms <= now_ms;
}

void inbox_subscribed(struct inbox *inbox, uint64_t token)
{
    if (token == TOKEN_CHANNEL)
        inbox->channel_ready = true;
    while (look_at_head(inbox, &inbox->asked, asked_before, token, loop_now(inbox->loop)))
        ;
}

/* Those that wait on our channel alone are looked up and stay where they are: they are watched when they are
 * late. */
static void look_up_flow(struct inbox *inbox, struct flow *flow)
{
    umbel_future *batch[BATCH];
    size_t count = 0;
    for (struct link *link = flow->waiting.next; link != &flow->waiting; link = link->next) {
        batch[count++] = of_link(link);
        if (count == BATCH || link->next == &flow->waiting) {
            lookup(inbox, batch, count);
            count = 0;
        }
    }
}

/* The line may be answered from behind, by workers that do not know our channel. */
static void look_behind_window(struct inbox *inbox, struct flow *flow, uint64_t now_ms)
{
    if (!flow->full || flow->look_ms > now_ms)
        return;
    look_up_flow(inbox, flow);
    flow->look_ms = now_ms + INBOX_SLOW_MS;
}

static void look_up_all(struct inbox *inbox)
{
    inbox->unread = false;
    for (size_t i = 0; i < INBOX_FLOWS; i++)
        look_up_flow(inbox, &inbox->flows[i]);
    struct link missed; /* so that each is looked at once, though look_at_head adds to `slow` */
    link_init(&missed);
    while (!link_alone(&inbox->slow))
        move_to(&missed, of_link(inbox->slow.next));
    while (look_at_head(inbox, &missed, asked_before, UINT64_MAX, loop_now(inbox->loop)))
        ;
}

void inbox_resubscribed(struct inbox *inbox)
{
    inbox->channel_ready = true;
    look_up_all(inbox);
}

/* The connection that listens may be back before the one that reads: then the look that `resubscribed` asks
 * for fails, and no notice will ever come for what was stored meanwhile. */
void inbox_unread(struct inbox *inbox)
{
    if (inbox->unread)
        return;
    inbox->unread = true;
    inbox->unread_ms = loop_now(inbox->loop) + INBOX_AGAIN_MS;
    loop_mark(inbox->loop, inbox->turn);
}

void inbox_reach(struct inbox *inbox, bool reachable)
{
    inbox->reachable = reachable;
    if (reachable && inbox->unread)
        look_up_all(inbox);
}

static bool is_to_be_read_again(const struct inbox *inbox)
{
    return inbox->unread && inbox->reachable;
}

void inbox_tick(struct inbox *inbox, uint64_t now_ms)
{
    if (!inbox->backend)
        return;
    for (size_t i = 0; i < INBOX_FLOWS; i++) {
        watch_late(inbox, &inbox->flows[i], now_ms);
        look_behind_window(inbox, &inbox->flows[i], now_ms);
    }
    while (look_at_head(inbox, &inbox->slow, due_before, now_ms, now_ms))
        ;
    if (is_to_be_read_again(inbox) && inbox->unread_ms <= now_ms)
        look_up_all(inbox);
}

static uint64_t earlier(uint64_t due, const struct link *list)
{
    if (link_alone(list))
        return due;
    const umbel_future *future = of_link(list->next);
    return future->due_ms < due ? future->due_ms : due;
}

static uint64_t flow_due(const struct inbox *inbox, const struct flow *flow)
{
    if (link_alone(&flow->waiting))
        return UINT64_MAX;
    const umbel_future *head = of_link(flow->waiting.next);
    return is_behind_window(inbox, flow, head) ? flow->look_ms : head->due_ms;
}

uint64_t inbox_due(const struct inbox *inbox)
{
    if (!inbox->backend)
        return UINT64_MAX;
    uint64_t due = earlier(is_to_be_read_again(inbox) ? inbox->unread_ms : UINT64_MAX, &inbox->slow);
    for (size_t i = 0; i < INBOX_FLOWS; i++) {
        uint64_t flow = flow_due(inbox, &inbox->flows[i]);
        due = flow < due ? flow : due;
    }
    return due;
}

/* ---- orders of other threads ---- */

/* The lock is held. True: it is the first, so the loop must be woken. */
static bool add_order(struct inbox *inbox, umbel_future *future, int order)
{
    bool first = !inbox->orders;
    if (!future->orders) {
        future_ref(future);
        future->order_next = NULL;
        *inbox->orders_last = future;
        inbox->orders_last = &future->order_next;
    }
    future->orders |= (uint8_t)order;
    return first;
}

/* Who cancelled it has made it done, who adopted it waits for it: both were too late for the background
 * thread.
 */
static void end_late(struct inbox *inbox, umbel_future *future, int order)
{
    if (order & ORDER_ADOPT)
        future_closed(future);
    if (order & (ORDER_ADOPT | ORDER_CANCEL))
        callbacks_take(inbox->callbacks, future, future_announce(future));
}

void inbox_order(struct inbox *inbox, umbel_future *future, int order)
{
    pthread_mutex_lock(&inbox->lock);
    bool closed = inbox->closed, wake = !closed && add_order(inbox, future, order);
    if (wake)
        waker_promise(inbox->waker);
    pthread_mutex_unlock(&inbox->lock);
    if (wake)
        waker_wake(inbox->waker);
    if (closed)
        end_late(inbox, future, order);
}

/* The end of a cancelled task is stored before it could have another, and told to all workers
 * (cancel_note.h). */
void inbox_tell_workers(struct inbox *inbox, const umbel_future *future, bool terminate)
{
    double now = clock_now();
    struct backend_revocation revocation = {str_of(future->id), now + CANCEL_SECONDS};
    struct buffer note;
    buffer_init(&note, CANCEL_NOTE_MAX);
    if (cancel_note_write(&note, revocation.id, terminate, now) == UMBEL_OK) {
        struct backend_store store = {.id = revocation.id,
                                      .payload = {(const char *)buffer_head(&note), buffer_length(&note)},
                                      .terminal = true,
                                      .reply_channel = STR(CANCEL_CHANNEL)};
        if (inbox->keeps_revoked)
            inbox->backend->ops->revoke(inbox->backend, &revocation, 1);
        inbox->backend->ops->store(inbox->backend, &store, 0);
    }
    buffer_fini(&note);
}

void inbox_cancel(struct inbox *inbox, umbel_future *future, bool terminate)
{
    if ((future->watch != WATCH_NONE || future->sent) && inbox->backend)
        inbox_tell_workers(inbox, future, terminate);
    inbox_announce(inbox, future);
    inbox_drop(inbox, future);
}

void inbox_cancel_all(struct inbox *inbox, bool terminate)
{
    struct link *lists[INBOX_FLOWS + 2];
    for (size_t i = 0; i < INBOX_FLOWS; i++)
        lists[i] = &inbox->flows[i].waiting;
    lists[INBOX_FLOWS] = &inbox->asked;
    lists[INBOX_FLOWS + 1] = &inbox->slow;
    for (size_t i = 0; i < INBOX_FLOWS + 2; i++)
        for (struct link *link = lists[i]->next, *next; link != lists[i]; link = next) {
            next = link->next;
            if (future_cancelled(of_link(link), !terminate) == UMBEL_OK)
                inbox_cancel(inbox, of_link(link), terminate);
        }
}

void inbox_started(struct inbox *inbox, umbel_str id)
{
    for (umbel_future *future = roster_find(&inbox->roster, id, NULL); future;
         future = roster_find(&inbox->roster, id, future))
        future_started(future);
}

static void carry_out(struct inbox *inbox, umbel_future *future, int orders)
{
    if ((orders & ORDER_ADOPT) && !(orders & ORDER_RELEASE) && inbox->backend)
        enter(inbox, future, 0, 0); /* late at once: only its own channel can tell */
    else if ((orders & ORDER_ADOPT) && inbox->closing && future_closed(future))
        inbox_announce(inbox, future);
    if (orders & ORDER_TELL)
        direct_told(inbox->direct, future);
    if (orders & ORDER_CANCEL)
        inbox_cancel(inbox, future, (orders & ORDER_TERMINATE) != 0);
    if (orders & (ORDER_RELEASE | ORDER_FORGET))
        inbox_drop(inbox, future);
    if ((orders & ORDER_PARTS) && !(orders & ORDER_RELEASE))
        parts_read(inbox, future);
    if ((orders & ORDER_FORGET) && inbox->backend)
        inbox->backend->ops->forget(inbox->backend, str_of(future->id));
}

void inbox_take_orders(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    umbel_future *first = inbox->orders;
    inbox->orders = NULL;
    inbox->orders_last = &inbox->orders;
    pthread_mutex_unlock(&inbox->lock);
    while (first) {
        umbel_future *future = first;
        pthread_mutex_lock(&inbox->lock);
        int orders = future->orders;
        future->orders = 0;
        first = future->order_next;
        pthread_mutex_unlock(&inbox->lock);
        carry_out(inbox, future, orders);
        future_unref(future);
    }
}

void inbox_close(struct inbox *inbox)
{
    pthread_mutex_lock(&inbox->lock);
    inbox->closed = true;
    pthread_mutex_unlock(&inbox->lock);
    inbox_take_orders(inbox);
    parts_close(inbox);
    size_t from = 0;
    umbel_future *future;
    while ((future = roster_any(&inbox->roster, &from))) {
        if (future_closed(future))
            inbox_announce(inbox, future);
        inbox_drop(inbox, future);
    }
}
