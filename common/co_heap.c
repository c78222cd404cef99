/* co_heap.c: see co_heap.h. A binary heap; each coroutine knows its place, counted from 1. */
#include "common/co_heap.h"

#include <stdlib.h>
#include "common/co_inside.h"

bool co_heap_reserve(struct co_heap *heap, size_t room)
{
    size_t wider = heap->room ? heap->room * 2 : 16;
    if (room <= heap->room)
        return true;
    struct co **items = realloc(heap->items, wider * sizeof(struct co *));
    if (!items)
        return false;
    heap->items = items;
    heap->room = wider;
    return true;
}

void co_heap_fini(struct co_heap *heap)
{
    free(heap->items);
}

static void put(struct co_heap *heap, size_t at, struct co *co)
{
    heap->items[at] = co;
    co->heap_place = at + 1;
}

static void rise(struct co_heap *heap, size_t at, struct co *co)
{
    while (at > 0 && co->deadline < heap->items[(at - 1) / 2]->deadline) {
        put(heap, at, heap->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(heap, at, co);
}

static void sink(struct co_heap *heap, size_t at, struct co *co)
{
    for (size_t child; (child = 2 * at + 1) < heap->count; at = child) {
        if (child + 1 < heap->count && heap->items[child + 1]->deadline < heap->items[child]->deadline)
            child++;
        if (co->deadline <= heap->items[child]->deadline)
            break;
        put(heap, at, heap->items[child]);
    }
    put(heap, at, co);
}

void co_heap_add(struct co_heap *heap, struct co *co)
{
    rise(heap, heap->count++, co);
}

void co_heap_remove(struct co_heap *heap, struct co *co)
{
    if (!co->heap_place)
        return;
    size_t at = co->heap_place - 1;
    struct co *last = heap->items[--heap->count];
    co->heap_place = 0;
    if (last == co)
        return;
    if (last->deadline < co->deadline)
        rise(heap, at, last);
    else
        sink(heap, at, last);
}
