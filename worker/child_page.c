/* child_page.c: claim word and ring. See child_page.h for who may do what. */
#include <sched.h>
#include <string.h>
#include "worker/child_page.h"

#define MASK (CHILD_RING_SIZE - 1)

_Static_assert((CHILD_RING_SIZE & MASK) == 0, "positions wrap by masking");
_Static_assert(sizeof(struct frame_head) == 16, "a pad is at least one head");

void page_reset(struct child_page *page)
{
    memset(page, 0, offsetof(struct child_page, ring));
    atomic_store(&page->claim, 1); /* nothing started, numbers begin at 1 */
}

/* ---- claim word ---- */

static uint64_t word(uint32_t started, uint32_t fence)
{
    return (uint64_t)started << 32 | fence;
}

bool page_claim(struct child_page *page, uint32_t number, uint64_t now_ns)
{
    uint64_t seen = atomic_load_explicit(&page->claim, memory_order_relaxed);
    if (page_before(number, (uint32_t)seen))
        return false;
    /* Before the claim, so that whoever sees the claim sees its time; page_started re-reads the word. */
    atomic_store_explicit(&page->started_at, now_ns, memory_order_release);
    /* The fence follows, so that it never lags by half the numbers there are. */
    while (!atomic_compare_exchange_weak(&page->claim, &seen, word(number, number)))
        if (page_before(number, (uint32_t)seen))
            return false;
    return true;
}

uint32_t page_take_back(struct child_page *page, uint32_t next)
{
    uint64_t seen = atomic_load(&page->claim);
    while (!atomic_compare_exchange_weak(&page->claim, &seen, word((uint32_t)(seen >> 32), next)))
        ;
    return (uint32_t)(seen >> 32);
}

uint32_t page_started(const struct child_page *page, uint64_t *since)
{
    uint64_t seen = atomic_load(&page->claim), at, again = seen;
    do {
        seen = again;
        at = atomic_load_explicit(&page->started_at, memory_order_acquire);
        again = atomic_load(&page->claim);
    } while (seen >> 32 != again >> 32);
    if (since)
        *since = at;
    return (uint32_t)(seen >> 32);
}

/* ---- ring ---- */

static uint32_t rounded(size_t size)
{
    return (uint32_t)((size + 15) & ~(size_t)15);
}

/* A frame never wraps: when it does not fit before the end, a pad (size 0) covers the rest. */
void *ring_reserve(struct child_page *page, size_t size)
{
    uint32_t tail = atomic_load_explicit(&page->ring_tail, memory_order_relaxed);
    uint32_t head = atomic_load_explicit(&page->ring_head, memory_order_acquire);
    uint32_t to_end = CHILD_RING_SIZE - (tail & MASK), need = rounded(size);
    uint32_t pad = need > to_end ? to_end : 0;
    if (need + pad > CHILD_RING_SIZE - (tail - head))
        return NULL;
    if (pad) {
        memset(page->ring + (tail & MASK), 0, sizeof(struct frame_head));
        tail += pad;
        atomic_store_explicit(&page->ring_tail, tail, memory_order_release);
    }
    return page->ring + (tail & MASK);
}

void ring_commit(struct child_page *page, size_t size)
{
    uint32_t tail = atomic_load_explicit(&page->ring_tail, memory_order_relaxed);
    atomic_store_explicit(&page->ring_tail, tail + rounded(size), memory_order_release);
}

int ring_peek(struct child_page *page, struct frame *frame)
{
    uint32_t head = atomic_load_explicit(&page->ring_head, memory_order_relaxed);
    uint32_t filled = atomic_load_explicit(&page->ring_tail, memory_order_acquire) - head;
    uint32_t at = head & MASK, to_end = CHILD_RING_SIZE - at, size;
    size_t used;
    if (filled == 0)
        return UMBEL_BUSY;
    if (filled > CHILD_RING_SIZE || filled % 16 || head % 16)
        return UMBEL_PROTOCOL;
    memcpy(&size, page->ring + at, sizeof size);
    if (size == 0) { /* a pad; none begins at the front */
        if (filled < to_end || at == 0)
            return UMBEL_PROTOCOL;
        atomic_store_explicit(&page->ring_head, head + to_end, memory_order_release);
        return ring_peek(page, frame);
    }
    if (frame_read(page->ring + at, filled < to_end ? filled : to_end, frame, &used) != UMBEL_OK)
        return UMBEL_PROTOCOL; /* a whole frame was announced */
    return UMBEL_OK;
}

void ring_release(struct child_page *page, const struct frame *frame)
{
    uint32_t head = atomic_load_explicit(&page->ring_head, memory_order_relaxed);
    uint32_t size = rounded(frame->payload.size + sizeof(struct frame_head));
    atomic_store_explicit(&page->ring_head, head + size, memory_order_release);
}

uint32_t ring_filled(const struct child_page *page)
{
    uint32_t head = atomic_load_explicit(&page->ring_head, memory_order_relaxed);
    uint32_t filled = atomic_load(&page->ring_tail) - head;
    return filled < CHILD_RING_SIZE ? filled : CHILD_RING_SIZE;
}

bool ring_empty(const struct child_page *page)
{
    return atomic_load(&page->ring_head) == atomic_load(&page->ring_tail);
}

/* ---- output lock ---- */

bool page_try_output(struct child_page *page)
{
    return atomic_exchange_explicit(&page->output_lock, 1, memory_order_acquire) == 0;
}

void page_lock_output(struct child_page *page)
{
    while (!page_try_output(page))
        sched_yield(); /* the parent holds it for one read */
}

void page_unlock_output(struct child_page *page)
{
    atomic_store_explicit(&page->output_lock, 0, memory_order_release);
}
