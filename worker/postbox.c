/* postbox.c: see postbox.h. A token is the address of its parcel: a parcel stays where it is until its
 * publish has ended. */
#include "worker/postbox.h"

#include <math.h>
#include "common/clock.h"

#define PAUSE_FIRST 0.5
#define PAUSE_MAX 30.0

enum postbox_next postbox_decide(int code)
{
    switch (code) {
    case UMBEL_OK:
        return POSTBOX_SENT;
    case UMBEL_BROKER_AWAY:
    case UMBEL_BROKER_BLOCKED:
        return POSTBOX_WAIT_UP;
    case UMBEL_BUSY:
        return POSTBOX_WAIT_ROOM;
    case UMBEL_TOO_LARGE:
        return POSTBOX_NEVER;
    default: /* refused, no such queue, other arguments: somebody has to act, we keep asking */
        return POSTBOX_PAUSE;
    }
}

double postbox_pause(int attempts)
{
    return attempts > 6 ? PAUSE_MAX
                        : fmin(PAUSE_MAX, PAUSE_FIRST * (double)(1 << (attempts > 0 ? attempts - 1 : 0)));
}

/* ---- trying
 * ----------------------------------------------------------------------------------------------------- */

static void arm(struct postbox *postbox);

static void keep(struct postbox *postbox, struct parcel *parcel)
{
    parcel->on_the_way = false;
    parcel->next = postbox->waiting;
    postbox->waiting = parcel;
}

static void note_trouble(struct postbox *postbox, struct parcel *parcel, int code, const char *why)
{
    parcel->attempts++;
    double pause = postbox_pause(parcel->attempts);
    parcel->next_try = clock_mono() + pause;
    log_line(postbox->log, UMBEL_WARNING, "worker",
             "Task %.*s[%.*s]: its copy for queue '%.*s' was not taken (%s); the next try is in %g s, the "
             "original stays "
             "unacknowledged",
             (int)parcel->msg.task.size, parcel->msg.task.data, (int)parcel->msg.id.size, parcel->msg.id.data,
             (int)parcel->msg.queue.size, parcel->msg.queue.data, why && *why ? why : umbel_strerror(code),
             pause);
}

static void publish(struct postbox *postbox, struct parcel *parcel)
{
    double delay = parcel->due > 0 ? fmax(0, parcel->due - clock_mono()) : 0;
    int code = postbox->transport->ops->publish(postbox->transport, &parcel->msg, delay, parcel->flags,
                                                (uint64_t)(uintptr_t)parcel);
    if (code == UMBEL_OK) {
        parcel->on_the_way = true;
        return;
    }
    enum postbox_next next = postbox_decide(code);
    if (next == POSTBOX_NEVER && !parcel->bare) {
        postbox->count--;
        postbox->unsendable(postbox->self, parcel);
        return;
    }
    if (next == POSTBOX_PAUSE || next == POSTBOX_NEVER)
        note_trouble(postbox, parcel, code, NULL);
    keep(postbox, parcel);
}

/* Tries all that wait and may be tried now. */
static void try_waiting(struct postbox *postbox)
{
    if (!postbox->up)
        return;
    double now = clock_mono();
    struct parcel *parcel = postbox->waiting;
    postbox->waiting = NULL;
    while (parcel) {
        struct parcel *next = parcel->next;
        if (parcel->next_try <= now)
            publish(postbox, parcel);
        else
            keep(postbox, parcel);
        parcel = next;
    }
    arm(postbox);
}

static void on_timer(uv_timer_t *timer)
{
    try_waiting(timer->data);
}

/* The earliest pause ends it; those that wait for the connection or for room are woken by their events as
 * well. */
static void arm(struct postbox *postbox)
{
    double first = INFINITY, now = clock_mono();
    for (const struct parcel *parcel = postbox->waiting; parcel; parcel = parcel->next)
        first = fmin(first, fmax(parcel->next_try, now + 0.1));
    if (isfinite(first) && postbox->up)
        uv_timer_start(&postbox->timer, on_timer, (uint64_t)ceil((first - now) * 1000), 0);
    else
        uv_timer_stop(&postbox->timer);
}

/* ---- verbs
 * ------------------------------------------------------------------------------------------------------ */

void postbox_init(struct postbox *postbox, struct loop *loop, const struct log *log,
                  void (*sent)(void *self, struct parcel *parcel),
                  void (*unsendable)(void *self, struct parcel *parcel), void *self)
{
    *postbox =
        (struct postbox){.loop = loop, .log = log, .sent = sent, .unsendable = unsendable, .self = self};
    uv_timer_init(&loop->uv, &postbox->timer);
    postbox->timer.data = postbox;
}

void postbox_fini(struct postbox *postbox)
{
    uv_close((uv_handle_t *)&postbox->timer, NULL);
}

void postbox_use(struct postbox *postbox, struct transport *transport)
{
    postbox->transport = transport;
}

void postbox_post(struct postbox *postbox, struct parcel *parcel)
{
    parcel->attempts = 0;
    parcel->next_try = 0;
    postbox->count++;
    if (postbox->up)
        publish(postbox, parcel);
    else
        keep(postbox, parcel);
    if (postbox->waiting)
        arm(postbox);
}

void postbox_state(struct postbox *postbox, enum transport_state state)
{
    postbox->up = state == TRANSPORT_UP;
    try_waiting(postbox);
}

void postbox_room(struct postbox *postbox)
{
    try_waiting(postbox);
}

void postbox_published(struct postbox *postbox, uint64_t token, int code, const char *why)
{
    struct parcel *parcel = (struct parcel *)(uintptr_t)token;
    if (!parcel)
        return;
    if (postbox_decide(code) == POSTBOX_SENT) {
        parcel->on_the_way = false;
        postbox->count--;
        postbox->sent(postbox->self, parcel);
        return;
    }
    if (code == UMBEL_BROKER_AWAY)
        parcel->msg.republished = true; /* it may have arrived */
    else
        note_trouble(postbox, parcel, code, why);
    if (code == UMBEL_UNROUTABLE)
        parcel->flags |= PUBLISH_CREATE_QUEUE; /* its queue was deleted meanwhile */
    keep(postbox, parcel);
    arm(postbox);
}
