/* child_page.c: the page that parent and child share, with a thread at each end, for the thread sanitizer.
 *
 * Exit code 0: every number ran or was taken back, never both, and every frame came through in order. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include "worker/child_page.h"

enum { NUMBERS = 100000 };

static struct child_page *page;
static bool ran[NUMBERS + 1];
static _Atomic uint32_t given = 1;

static bool put(uint32_t number)
{
    struct frame_pieces pieces = {.kind = FRAME_DONE, .number = number};
    void *room = ring_reserve(page, frame_size(&pieces));
    if (!room)
        return false;
    frame_put(room, &pieces);
    ring_commit(page, frame_size(&pieces));
    return true;
}

static void *child(void *unused)
{
    for (uint32_t number = 1; number <= NUMBERS; number++) {
        while (number >= atomic_load(&given))
            sched_yield();
        ran[number] = page_claim(page, number, number);
        page_lock_output(page);
        page_unlock_output(page);
        while (ran[number] && !put(number))
            sched_yield();
    }
    return unused;
}

int main(void)
{
    static bool taken[NUMBERS + 1], done[NUMBERS + 1];
    struct frame frame;
    pthread_t thread;
    int wrong = 0;
    page = aligned_alloc(64, (sizeof *page + 63) / 64 * 64);
    page_reset(page);
    pthread_create(&thread, NULL, child, NULL);
    for (uint32_t next = 1; next <= NUMBERS;) {
        next = next + 8 > NUMBERS + 1 ? NUMBERS + 1 : next + 8;
        atomic_store(&given, next);
        while (page_before(page_started(page, NULL), next - 5))
            sched_yield();
        if (page_try_output(page))
            page_unlock_output(page);
        for (uint32_t number = page_take_back(page, next) + 1; number < next; number++)
            taken[number] = true;
        for (; ring_peek(page, &frame) == UMBEL_OK; ring_release(page, &frame))
            done[frame.number] = true;
    }
    pthread_join(thread, NULL);
    for (; ring_peek(page, &frame) == UMBEL_OK; ring_release(page, &frame))
        done[frame.number] = true;
    for (int i = 1; i <= NUMBERS; i++)
        wrong += ran[i] == taken[i] || ran[i] != done[i];
    printf("%d numbers, %d wrong\n", NUMBERS, wrong);
    free(page);
    return wrong != 0;
}
