/* child_page.h: the memory that parent and one child share.
 *
 * Claim word. Run frames are numbered. Before it runs frame n the child claims it by compare-and-swap; the
 * parent takes back everything that has not started by moving the fence past it in the same word. So taking
 * back is exact without the child's help, also of one that is stopped, and at a death the parent knows which
 * job was running.
 *
 * Ring. Frames from child to parent, one writer and one reader, no system call. The child rings a bell (one
 * frame on its socket) when there is something to see; `bell` says that one is on its way, so that they do
 * not pile up.
 *
 * Output lock. Both ends read the pipes behind a task's stdout and stderr: the child at the end of each task,
 * the parent while a task runs. Whoever holds the lock knows whose bytes they are. The parent only ever
 * tries.
 *
 * A child runs other people's code and may scribble anywhere: the parent believes nothing here that could
 * harm it. */
#ifndef WORKER_CHILD_PAGE_H
#define WORKER_CHILD_PAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "worker/frame.h"

#define CHILD_RING_SIZE (64u << 10)
/* Larger frames go over the socket. */
#define CHILD_RING_FRAME_MAX (CHILD_RING_SIZE / 4)
#define CHILD_CRASH_DEPTH 48

struct child_crash {
    _Atomic int depth; /* addresses below; 0 = no crash was noted */
    int signal;
    void *fault;
    size_t overflow; /* the stack of this size was full; 0 = it was something else */
    void *address[CHILD_CRASH_DEPTH];
};

/* What kind of child it is to be; written by the parent before the birth. */
struct child_plan {
    int crew;              /* enum crew_kind; 0: one job at a time */
    uint32_t slots;        /* jobs at once */
    uint32_t most_waiting; /* jobs at most that wait for tasks they called; 0 = no limit */
    size_t stack_size;     /* of a coroutine; 0 = as the runtime thinks right */
};

struct child_page {
    _Alignas(64) _Atomic uint64_t claim;     /* started << 32 | fence */
    _Atomic uint64_t started_at;             /* monotonic ns at which `started` began */
    _Alignas(64) _Atomic uint32_t ring_tail; /* bytes ever written; the child's */
    _Atomic uint32_t bell;                   /* 1: a bell is on its way */
    _Atomic uint32_t output_lock;            /* 1: held */
    _Alignas(64) _Atomic uint32_t ring_head; /* bytes ever read; the parent's */
    _Atomic uint32_t cancelled;              /* number of the job that was asked to stop */
    _Atomic uint64_t parts_taken;            /* bytes of partial results that are stored; the parent's */
    struct child_crash crash;
    struct child_plan plan;
    _Alignas(64) uint8_t ring[CHILD_RING_SIZE];
};

/* Before a birth; nobody else looks. */
void page_reset(struct child_page *page);

/* ---- claim word ---- */
/* Child: may job `number` start? False: it was taken back. */
bool page_claim(struct child_page *page, uint32_t number, uint64_t now_ns);
/* Parent: nothing below `next` starts from now on. Answers the last number that has started (0: none). */
uint32_t page_take_back(struct child_page *page, uint32_t next);
/* Last number that has started; `since` (may be NULL) gets when. */
uint32_t page_started(const struct child_page *page, uint64_t *since);
/* Order of numbers, which wrap. */
static inline bool page_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* ---- ring ---- */
/* Child: room for a frame of `size` <= CHILD_RING_FRAME_MAX bytes, to be followed by ring_commit; NULL: full.
 */
void *ring_reserve(struct child_page *page, size_t size);
void ring_commit(struct child_page *page, size_t size);
/* Parent: the oldest frame. UMBEL_OK, UMBEL_BUSY (empty), UMBEL_PROTOCOL (scribbled over). Valid until
 * ring_release. */
int ring_peek(struct child_page *page, struct frame *frame);
void ring_release(struct child_page *page, const struct frame *frame);
/* Parent: bytes that are there now, pads included. */
uint32_t ring_filled(const struct child_page *page);
bool ring_empty(const struct child_page *page);

/* ---- output lock ---- */
bool page_try_output(struct child_page *page);
void page_lock_output(struct child_page *page);
void page_unlock_output(struct child_page *page);

#endif
