/* outbox.c: see outbox.h. A token is the address of its parcel: a parcel stays where it is until its publish has ended. */
#include "worker/outbox.h"

#include <math.h>
#include "common/clock.h"

#define PAUSE_FIRST 0.5
#define PAUSE_MAX 30.0

enum outbox_next outbox_decide(int code)
{
    switch (code) {
    case UMBEL_OK:
        return OUTBOX_SENT;
    case UMBEL_BROKER_AWAY:
    case UMBEL_BROKER_BLOCKED:
        return OUTBOX_WAIT_UP;
    case UMBEL_BUSY:
        return OUTBOX_WAIT_ROOM;
    default: /* refused, no such queue, other arguments: somebody has to act, we keep asking */
        return OUTBOX_PAUSE;
    }
}

double outbox_pause(int attempts)
{
    return attempts > 6 ? PAUSE_MAX : fmin(PAUSE_MAX, PAUSE_FIRST * (double)(1 << (attempts > 0 ? attempts - 1 : 0)));
}

/* ---- trying ----------------------------------------------------------------------------------------------------- */

static void arm(struct outbox *outbox);

static void keep(struct outbox *outbox, struct parcel *parcel)
{
    parcel->on_the_way = false;
    parcel->next = outbox->waiting;
    outbox->waiting = parcel;
}

static void note_trouble(struct outbox *outbox, struct parcel *parcel, int code, const char *why)
{
    parcel->attempts++;
    double pause = outbox_pause(parcel->attempts);
    parcel->next_try = clock_mono() + pause;
    log_line(outbox->log, UMBEL_WARNING, "worker",
             "Task %.*s[%.*s]: its copy for queue '%.*s' was not taken (%s); the next try is in %g s, the original stays "
             "unacknowledged",
             (int)parcel->msg.task.size, parcel->msg.task.data, (int)parcel->msg.id.size, parcel->msg.id.data,
             (int)parcel->msg.queue.size, parcel->msg.queue.data, why && *why ? why : umbel_strerror(code), pause);
}

static void publish(struct outbox *outbox, struct parcel *parcel)
{
    double delay = parcel->due > 0 ? fmax(0, parcel->due - clock_mono()) : 0;
    int code = outbox->transport->ops->publish(outbox->transport, &parcel->msg, delay, parcel->flags,
                                               (uint64_t)(uintptr_t)parcel);
    if (code == UMBEL_OK) {
        parcel->on_the_way = true;
        return;
    }
    if (outbox_decide(code) == OUTBOX_PAUSE)
        note_trouble(outbox, parcel, code, NULL);
    keep(outbox, parcel);
}

/* Tries all that wait and may be tried now. */
static void try_waiting(struct outbox *outbox)
{
    if (!outbox->up)
        return;
    double now = clock_mono();
    struct parcel *parcel = outbox->waiting;
    outbox->waiting = NULL;
    while (parcel) {
        struct parcel *next = parcel->next;
        if (parcel->next_try <= now)
            publish(outbox, parcel);
        else
            keep(outbox, parcel);
        parcel = next;
    }
    arm(outbox);
}

static void on_timer(uv_timer_t *timer)
{
    try_waiting(timer->data);
}

/* The earliest pause ends it; those that wait for the connection or for room are woken by their events as well. */
static void arm(struct outbox *outbox)
{
    double first = INFINITY, now = clock_mono();
    for (const struct parcel *parcel = outbox->waiting; parcel; parcel = parcel->next)
        first = fmin(first, fmax(parcel->next_try, now + 0.1));
    if (isfinite(first) && outbox->up)
        uv_timer_start(&outbox->timer, on_timer, (uint64_t)ceil((first - now) * 1000), 0);
    else
        uv_timer_stop(&outbox->timer);
}

/* ---- verbs ------------------------------------------------------------------------------------------------------ */

void outbox_init(struct outbox *outbox, struct loop *loop, const struct log *log,
                 void (*sent)(void *self, struct parcel *parcel), void *self)
{
    *outbox = (struct outbox){.loop = loop, .log = log, .sent = sent, .self = self};
    uv_timer_init(&loop->uv, &outbox->timer);
    outbox->timer.data = outbox;
}

void outbox_fini(struct outbox *outbox)
{
    uv_close((uv_handle_t *)&outbox->timer, NULL);
}

void outbox_use(struct outbox *outbox, struct transport *transport)
{
    outbox->transport = transport;
}

void outbox_post(struct outbox *outbox, struct parcel *parcel)
{
    parcel->attempts = 0;
    parcel->next_try = 0;
    outbox->count++;
    if (outbox->up)
        publish(outbox, parcel);
    else
        keep(outbox, parcel);
    if (outbox->waiting)
        arm(outbox);
}

void outbox_state(struct outbox *outbox, enum transport_state state)
{
    outbox->up = state == TRANSPORT_UP;
    try_waiting(outbox);
}

void outbox_room(struct outbox *outbox)
{
    try_waiting(outbox);
}

void outbox_published(struct outbox *outbox, uint64_t token, int code, const char *why)
{
    struct parcel *parcel = (struct parcel *)(uintptr_t)token;
    if (!parcel)
        return;
    if (outbox_decide(code) == OUTBOX_SENT) {
        parcel->on_the_way = false;
        outbox->count--;
        outbox->sent(outbox->self, parcel);
        return;
    }
    if (code == UMBEL_BROKER_AWAY)
        parcel->msg.republished = true; /* it may have arrived */
    else
        note_trouble(outbox, parcel, code, why);
    if (code == UMBEL_UNROUTABLE)
        parcel->flags |= PUBLISH_CREATE_QUEUE; /* its queue was deleted meanwhile */
    keep(outbox, parcel);
    arm(outbox);
}
