/* outbox_put.c: the caller's half of the outbox: what waits, waits here, on a condition and with a deadline.
 */
#include "client/outbox.h"

#include <stdio.h>
#include "client/waiter.h"
#include "common/clock.h"

enum { SPARE_MAX = 4096 };

struct record *outbox_record(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    struct record *record = outbox->spare;
    if (record) {
        outbox->spare = record->next;
        outbox->spare_count--;
    }
    pthread_mutex_unlock(&outbox->lock);
    if (!record)
        return record_new();
    record_clear(record);
    return record;
}

/* The lock is held. True: kept. */
static bool keep_spare(struct outbox *outbox, struct record *record)
{
    if (outbox->spare_count >= SPARE_MAX)
        return false;
    record->next = outbox->spare;
    outbox->spare = record;
    outbox->spare_count++;
    return true;
}

void outbox_spare(struct outbox *outbox, struct record *record)
{
    pthread_mutex_lock(&outbox->lock);
    bool kept = keep_spare(outbox, record);
    pthread_mutex_unlock(&outbox->lock);
    if (!kept)
        record_free(record);
}

/* The lock is held. */
static bool fits(const struct outbox *outbox, size_t charge)
{
    return charge <= outbox->limit - outbox->used;
}

static int wait_for_room(struct outbox *outbox, const struct record *record, bool patient)
{
    double deadline = (double)record->deadline_ms * 1e-3;
    bool time_left = patient;
    outbox->room_waiters++;
    while (!outbox->closed && !fits(outbox, record->charge) && time_left)
        time_left = waiter_cond_wait(&outbox->room, &outbox->lock, deadline);
    outbox->room_waiters--;
    return outbox->closed ? UMBEL_CLOSED : fits(outbox, record->charge) ? UMBEL_OK : UMBEL_BUSY;
}

/* The lock is held. True: it is the first, so the loop must be woken. */
static bool append(struct outbox *outbox, struct record *record)
{
    bool first = !outbox->submitted.first;
    record->sequence = outbox->next_sequence++;
    outbox->used += record->charge;
    record->next = NULL;
    *outbox->submitted.last = record;
    outbox->submitted.last = &record->next;
    return first;
}

int outbox_put(struct outbox *outbox, struct record *record, bool patient)
{
    if (record->charge > outbox->limit)
        return UMBEL_TOO_LARGE;
    struct waker *waker = outbox->inbox->waker;
    pthread_mutex_lock(&outbox->lock);
    int code = outbox->closed ? UMBEL_CLOSED : UMBEL_OK;
    if (code == UMBEL_OK && !fits(outbox, record->charge))
        code = wait_for_room(outbox, record, patient);
    bool wake = code == UMBEL_OK && append(outbox, record);
    if (wake)
        waker_promise(waker);
    pthread_mutex_unlock(&outbox->lock);
    if (wake)
        waker_wake(waker);
    return code;
}

static int take_failure(struct outbox *outbox, char why[OUTBOX_WHY])
{
    int code = outbox->failed;
    if (code != UMBEL_OK)
        snprintf(why, OUTBOX_WHY, "%s", outbox->failed_why);
    outbox->failed = UMBEL_OK;
    return code;
}

int outbox_flush(struct outbox *outbox, double seconds, char why[OUTBOX_WHY])
{
    double deadline = clock_mono() + seconds;
    bool time_left = true;
    pthread_mutex_lock(&outbox->lock);
    uint64_t all = outbox->next_sequence;
    outbox->flushers++;
    while (outbox->settled_below < all && time_left)
        time_left = waiter_cond_wait(&outbox->settled, &outbox->lock, deadline);
    outbox->flushers--;
    int code = UMBEL_TIMEOUT;
    if (outbox->settled_below >= all)
        code = take_failure(outbox, why);
    else
        snprintf(why, OUTBOX_WHY, "messages were still unconfirmed after %g s", seconds);
    pthread_mutex_unlock(&outbox->lock);
    return code;
}

uint64_t outbox_mark(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    uint64_t mark = outbox->next_sequence;
    pthread_mutex_unlock(&outbox->lock);
    return mark;
}

bool outbox_settle(struct outbox *outbox, uint64_t mark, double seconds)
{
    double deadline = clock_mono() + seconds;
    bool time_left = true;
    pthread_mutex_lock(&outbox->lock);
    outbox->flushers++;
    while (outbox->settled_below < mark && time_left)
        time_left = waiter_cond_wait(&outbox->settled, &outbox->lock, deadline);
    outbox->flushers--;
    bool settled = outbox->settled_below >= mark;
    pthread_mutex_unlock(&outbox->lock);
    return settled;
}

void outbox_shut(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->closed = true;
    pthread_cond_broadcast(&outbox->room);
    pthread_mutex_unlock(&outbox->lock);
}

/* The lock is held. What is submitted but not taken yet is unsettled too. */
static void say_settled(struct outbox *outbox)
{
    const struct record *oldest = outbox->oldest ? outbox->oldest : outbox->submitted.first;
    outbox->settled_below = oldest ? oldest->sequence : outbox->next_sequence;
    if (outbox->flushers)
        pthread_cond_broadcast(&outbox->settled);
}

void outbox_turn(struct outbox *outbox)
{
    struct record *excess = NULL;
    pthread_mutex_lock(&outbox->lock);
    outbox->used -= outbox->done_bytes;
    while (outbox->done.first) {
        struct record *record = outbox->done.first;
        outbox->done.first = record->next;
        if (!keep_spare(outbox, record)) {
            record->next = excess;
            excess = record;
        }
    }
    outbox->done.last = &outbox->done.first;
    if (outbox->done_bytes && outbox->room_waiters)
        pthread_cond_broadcast(&outbox->room);
    outbox->done_bytes = 0;
    say_settled(outbox);
    pthread_mutex_unlock(&outbox->lock);
    while (excess) {
        struct record *record = excess;
        excess = record->next;
        record_free(record);
    }
}
