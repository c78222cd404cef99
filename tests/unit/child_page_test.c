/* child_page_test.c: the claim word and the ring, alone and with another thread at the other end. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include "worker/child_page.h"

static struct child_page *page_make(void)
{
    struct child_page *page = aligned_alloc(64, (sizeof *page + 63) / 64 * 64);
    page_reset(page);
    return page;
}

/* ---- claim word ---- */

Test(child_page, what_was_taken_back_cannot_be_claimed)
{
    struct child_page *page = page_make();
    uint64_t since;
    cr_assert_eq(page_started(page, NULL), 0);
    cr_assert(page_claim(page, 1, 100));
    cr_assert_eq(page_started(page, &since), 1);
    cr_assert_eq(since, 100);
    cr_assert_eq(page_take_back(page, 4), 1);
    cr_assert(!page_claim(page, 2, 200));
    cr_assert(!page_claim(page, 3, 200));
    cr_assert(page_claim(page, 4, 300));
    cr_assert_eq(page_take_back(page, 9), 4);
    free(page);
}

Test(child_page, numbers_may_wrap)
{
    struct child_page *page = page_make();
    uint32_t number = 1;
    for (int i = 0; i < 6; i++, number += 0x30000000)
        cr_assert(page_claim(page, number, 1));
    number = UINT32_MAX - 1;
    cr_assert(page_claim(page, number, 1));
    cr_assert_eq(page_take_back(page, 5), number);
    cr_assert(!page_claim(page, UINT32_MAX, 1));
    cr_assert(!page_claim(page, 4, 1));
    cr_assert(page_claim(page, 5, 1));
    free(page);
}

enum { CLAIMS = 200000 };

struct claims {
    struct child_page *page;
    bool ran[CLAIMS + 1];
    _Atomic uint32_t next; /* numbers below it may be claimed */
};

static void *claim_all(void *arg)
{
    struct claims *claims = arg;
    for (uint32_t number = 1; number <= CLAIMS; number++) {
        while (number >= atomic_load(&claims->next))
            sched_yield();
        claims->ran[number] = page_claim(claims->page, number, number);
    }
    return NULL;
}

/* The giver hands out eight, then takes back: each number must have run or have been taken back, never both.
 */
Test(child_page, a_job_runs_or_is_taken_back_but_never_both)
{
    static struct claims claims;
    static bool taken[CLAIMS + 1];
    pthread_t thread;
    claims.page = page_make();
    atomic_store(&claims.next, 1);
    pthread_create(&thread, NULL, claim_all, &claims);
    for (uint32_t next = 1; next <= CLAIMS;) {
        next = next + 8 > CLAIMS + 1 ? CLAIMS + 1 : next + 8;
        atomic_store(&claims.next, next);
        uint32_t until = next - (uint32_t)(rand() % 9); /* all, some or none of the eight */
        while (rand() % 2 && page_before(page_started(claims.page, NULL), until - 1))
            sched_yield();
        for (uint32_t number = page_take_back(claims.page, next) + 1; number < next; number++)
            taken[number] = true;
    }
    pthread_join(thread, NULL);
    int both = 0, none = 0, back = 0;
    for (int i = 1; i <= CLAIMS; i++) {
        both += claims.ran[i] && taken[i];
        none += !claims.ran[i] && !taken[i];
        back += taken[i];
    }
    cr_assert_eq(both, 0, "%d did both", both);
    cr_assert_eq(none, 0, "%d got lost", none);
    cr_assert(back > 0 && back < CLAIMS, "%d", back);
    free(claims.page);
}

/* ---- ring ---- */

static bool ring_put(struct child_page *page, uint32_t number, size_t size)
{
    static const char text[CHILD_RING_FRAME_MAX];
    struct frame_pieces pieces = {.kind = FRAME_LOG, .number = number, .piece = {{text, size}}};
    void *room = ring_reserve(page, frame_size(&pieces));
    if (!room)
        return false;
    frame_put(room, &pieces);
    ring_commit(page, frame_size(&pieces));
    return true;
}

Test(child_page, a_full_ring_says_so_and_empties_in_order)
{
    struct child_page *page = page_make();
    struct frame frame;
    for (uint32_t round = 0; round < 50; round++) {
        uint32_t in = 0, out = 0;
        while (ring_put(page, in, 100 + 37 * (in % 11)))
            in++;
        cr_assert(in > 100);
        while (ring_peek(page, &frame) == UMBEL_OK) {
            cr_assert_eq(frame.number, out);
            cr_assert_eq(frame.payload.size, 100 + 37 * (out % 11));
            ring_release(page, &frame);
            out++;
        }
        cr_assert_eq(in, out);
        cr_assert(ring_empty(page));
    }
    free(page);
}

Test(child_page, a_scribbled_ring_is_a_broken_protocol)
{
    struct child_page *page = page_make();
    struct frame frame;
    struct frame_head lie = {.size = 5000, .version = FRAME_VERSION, .kind = FRAME_LOG};
    cr_assert(ring_put(page, 1, 100));
    memcpy(page->ring, &lie, sizeof lie);
    cr_assert_eq(ring_peek(page, &frame), UMBEL_PROTOCOL, "longer than what is there");
    lie.size = 0;
    memcpy(page->ring, &lie, sizeof lie);
    cr_assert_eq(ring_peek(page, &frame), UMBEL_PROTOCOL, "a pad where none can be");
    atomic_store(&page->ring_tail, CHILD_RING_SIZE + 16);
    cr_assert_eq(ring_peek(page, &frame), UMBEL_PROTOCOL, "more than fits");
    atomic_store(&page->ring_tail, 24);
    cr_assert_eq(ring_peek(page, &frame), UMBEL_PROTOCOL, "a crooked length");
    const struct frame_head bell = {.size = sizeof bell, .version = FRAME_VERSION, .kind = FRAME_BELL};
    memcpy(page->ring + 8, &bell, sizeof bell);
    atomic_store(&page->ring_head, 8);
    cr_assert_eq(ring_peek(page, &frame), UMBEL_PROTOCOL, "a crooked beginning");
    atomic_store(&page->ring_head, 0);
    lie.size = 0;
    memcpy(page->ring, &lie, sizeof lie);
    atomic_store(&page->ring_tail, CHILD_RING_SIZE);
    cr_assert_eq(ring_peek(page, &frame), UMBEL_PROTOCOL, "nothing but a pad");
    free(page);
}

enum { FRAMES = 200000 };

static void *write_frames(void *arg)
{
    for (uint32_t i = 0; i < FRAMES; i++)
        while (!ring_put(arg, i, i % 3 ? i % 200 : i % 16000))
            sched_yield();
    return NULL;
}

Test(child_page, one_writer_and_one_reader_agree)
{
    struct child_page *page = page_make();
    struct frame frame;
    pthread_t thread;
    pthread_create(&thread, NULL, write_frames, page);
    for (uint32_t i = 0; i < FRAMES;) {
        int code = ring_peek(page, &frame);
        if (code == UMBEL_BUSY) {
            sched_yield();
            continue;
        }
        cr_assert_eq(code, UMBEL_OK);
        cr_assert_eq(frame.number, i);
        cr_assert_eq(frame.payload.size, i % 3 ? i % 200 : i % 16000);
        ring_release(page, &frame);
        i++;
    }
    pthread_join(thread, NULL);
    free(page);
}
