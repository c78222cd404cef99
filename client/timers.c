/* timers.c: see timers.h. A binary heap of place numbers; nothing here fails but memory. */
#include "client/timers.h"

#include <math.h>
#include <stdlib.h>
#include "client/waiter.h"
#include "common/clock.h"

enum { FIRST_SIZE = 16 };

void timers_init(struct timers *timers, struct waker *waker)
{
    *timers = (struct timers){.waker = waker};
    pthread_mutex_init(&timers->lock, NULL);
    waiter_cond_init(&timers->changed);
}

void timers_fini(struct timers *timers)
{
    free(timers->places);
    free(timers->heap);
    pthread_cond_destroy(&timers->changed);
    pthread_mutex_destroy(&timers->lock);
}

/* ---- the heap, under the lock ---- */

static bool is_before(const struct timers *timers, uint32_t a, uint32_t b)
{
    const struct timed *one = &timers->places[timers->heap[a]], *other = &timers->places[timers->heap[b]];
    if (one->when != other->when)
        return one->when < other->when;
    if (one->priority != other->priority)
        return one->priority < other->priority;
    return one->sequence < other->sequence;
}

static void put(struct timers *timers, uint32_t at, uint32_t place)
{
    timers->heap[at] = place;
    timers->places[place].heap = at;
}

static void swap(struct timers *timers, uint32_t a, uint32_t b)
{
    uint32_t place = timers->heap[a];
    put(timers, a, timers->heap[b]);
    put(timers, b, place);
}

static void rise(struct timers *timers, uint32_t at)
{
    while (at > 0 && is_before(timers, at, (at - 1) / 2)) {
        swap(timers, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sink(struct timers *timers, uint32_t at)
{
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < timers->count; child++)
            if (is_before(timers, child, least))
                least = child;
        if (least == at)
            return;
        swap(timers, at, least);
        at = least;
    }
}

/* Takes out what is at `at`; its place becomes the first of the free ones. */
static struct timed take_out(struct timers *timers, uint32_t at)
{
    uint32_t last = --timers->count;
    swap(timers, at, last);
    if (at < last) {
        rise(timers, at);
        sink(timers, at);
    }
    if (timers->count == 0)
        pthread_cond_broadcast(&timers->changed);
    return timers->places[timers->heap[last]];
}

static int grow(struct timers *timers)
{
    if (timers->size >= TIMERS_MAX)
        return UMBEL_BUSY;
    uint32_t size = timers->size ? timers->size * 2 : FIRST_SIZE;
    struct timed *places = realloc(timers->places, size * sizeof *places);
    if (!places)
        return UMBEL_NO_MEMORY;
    timers->places = places;
    uint32_t *heap = realloc(timers->heap, size * sizeof *heap);
    if (!heap)
        return UMBEL_NO_MEMORY;
    timers->heap = heap;
    for (uint32_t i = timers->size; i < size; i++) {
        places[i] = (struct timed){0};
        put(timers, i, i);
    }
    timers->size = size;
    return UMBEL_OK;
}

/* ---- any thread ---- */

static umbel_timer number_of(uint32_t place, uint32_t used)
{
    return (umbel_timer)used << 32 | place;
}

static umbel_timer enter(struct timers *timers, const struct timed *what)
{
    uint32_t place = timers->heap[timers->count];
    struct timed *timed = &timers->places[place];
    uint32_t used = timed->used + 1 ? timed->used + 1 : 1;
    *timed = *what;
    timed->used = used;
    timed->sequence = ++timers->sequence;
    timed->heap = timers->count;
    rise(timers, timers->count++);
    return number_of(place, used);
}

/* The lock is held. True: the waker must be woken. */
static bool tell_first(struct timers *timers)
{
    pthread_cond_broadcast(&timers->changed);
    if (timers->waker)
        waker_promise(timers->waker);
    return timers->waker != NULL;
}

umbel_timer timers_add(struct timers *timers, const struct timed *what, int *code)
{
    umbel_timer timer = 0;
    bool wake = false;
    pthread_mutex_lock(&timers->lock);
    *code = timers->closed ? UMBEL_CLOSED : UMBEL_OK;
    if (*code == UMBEL_OK && timers->count == timers->size)
        *code = grow(timers);
    if (*code == UMBEL_OK) {
        timer = enter(timers, what);
        wake = timers->heap[0] == (uint32_t)timer && tell_first(timers);
    }
    pthread_mutex_unlock(&timers->lock);
    if (wake)
        waker_wake(timers->waker);
    return timer;
}

bool timers_cancel(struct timers *timers, umbel_timer timer)
{
    uint32_t place = (uint32_t)timer;
    pthread_mutex_lock(&timers->lock);
    bool waits = place < timers->size && timers->places[place].used == (uint32_t)(timer >> 32) &&
                 timers->places[place].heap < timers->count;
    if (waits)
        take_out(timers, timers->places[place].heap);
    pthread_mutex_unlock(&timers->lock);
    return waits;
}

size_t timers_count(struct timers *timers)
{
    pthread_mutex_lock(&timers->lock);
    size_t count = timers->count;
    pthread_mutex_unlock(&timers->lock);
    return count;
}

double timers_due(struct timers *timers)
{
    pthread_mutex_lock(&timers->lock);
    double due = timers->count && !timers->closed ? timers->places[timers->heap[0]].when : INFINITY;
    pthread_mutex_unlock(&timers->lock);
    return due;
}

void timers_wake(struct timers *timers)
{
    pthread_mutex_lock(&timers->lock);
    bool wake = !timers->closed && timers->count && tell_first(timers);
    pthread_mutex_unlock(&timers->lock);
    if (wake)
        waker_wake(timers->waker);
}

/* ---- running ---- */

/* The lock is held. What a call enters is for the next time: a call that enters itself again must not stop
 * the rest. */
static bool take_due(struct timers *timers, double now, uint64_t newest, struct timed *due)
{
    if (timers->count == 0 || timers->closed)
        return false;
    *due = timers->places[timers->heap[0]];
    if (due->when > now || due->sequence > newest)
        return false;
    take_out(timers, 0);
    return true;
}

int timers_run(struct timers *timers, double now)
{
    struct timed due;
    int ran = 0;
    pthread_mutex_lock(&timers->lock);
    uint64_t newest = timers->sequence;
    timers->running++;
    while (take_due(timers, now, newest, &due)) {
        pthread_mutex_unlock(&timers->lock);
        due.call(due.arg);
        ran++;
        pthread_mutex_lock(&timers->lock);
    }
    timers->running--;
    if (ran && timers->count == 0)
        pthread_cond_broadcast(&timers->changed);
    pthread_mutex_unlock(&timers->lock);
    return ran;
}

bool timers_rest(struct timers *timers, bool first_due, double deadline)
{
    bool time_left = true;
    pthread_mutex_lock(&timers->lock);
    while (time_left && !timers->closed && (timers->count || timers->running)) {
        double until = first_due && timers->count ? timers->places[timers->heap[0]].when : deadline;
        if (until <= clock_mono() && first_due && until < deadline)
            break;
        waiter_cond_wait(&timers->changed, &timers->lock, until < deadline ? until : deadline);
        time_left = clock_mono() < deadline;
    }
    pthread_mutex_unlock(&timers->lock);
    return time_left;
}

void timers_close(struct timers *timers)
{
    pthread_mutex_lock(&timers->lock);
    timers->closed = true;
    pthread_cond_broadcast(&timers->changed);
    pthread_mutex_unlock(&timers->lock);
}
