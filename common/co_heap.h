/* co_heap.h: parked coroutines by deadline, the earliest on top. Room is made when a coroutine starts, so
 * that adding never fails. */
#ifndef COMMON_CO_HEAP_H
#define COMMON_CO_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct co;

struct co_heap {
    struct co **items;
    size_t count, room;
};

/* False: no memory. */
bool co_heap_reserve(struct co_heap *heap, size_t room);
void co_heap_fini(struct co_heap *heap);
/* By co->deadline. */
void co_heap_add(struct co_heap *heap, struct co *co);
/* Does nothing when it is not in there. */
void co_heap_remove(struct co_heap *heap, struct co *co);
static inline struct co *co_heap_first(const struct co_heap *heap)
{
    return heap->count ? heap->items[0] : NULL;
}

#endif
