/* co_stack.c: see co_stack.h. The last one given back is the first to be taken, for its pages are in the
 * cache. */
#include "common/co_stack.h"

#include <stdlib.h>
#include <sys/mman.h>

static size_t round_up(size_t size)
{
    return (size + CO_GUARD_SIZE - 1) & ~(size_t)(CO_GUARD_SIZE - 1);
}

static bool stack_map(struct co_stack *stack, size_t size)
{
    stack->guard = mmap(NULL, CO_GUARD_SIZE + size, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    stack->size = size;
    if (stack->guard == MAP_FAILED)
        return false;
    if (mprotect(co_stack_bottom(stack), size, PROT_READ | PROT_WRITE) == 0)
        return true;
    munmap(stack->guard, CO_GUARD_SIZE + size);
    return false;
}

static void stack_unmap(struct co_stack stack)
{
    munmap(stack.guard, CO_GUARD_SIZE + stack.size);
}

static bool pile_take(struct co_stack_pile *pile, size_t size, struct co_stack *out)
{
    for (size_t i = pile->count; i-- > 0;) {
        if (pile->kept[i].size != size)
            continue;
        *out = pile->kept[i];
        pile->kept[i] = pile->kept[--pile->count];
        return true;
    }
    return false;
}

/* False: it is full, or there is no memory. */
static bool pile_put(struct co_stack_pile *pile, size_t most, struct co_stack stack)
{
    if (pile->count == pile->room) {
        size_t wider = pile->room ? pile->room * 2 : CO_STACKS_WARM;
        struct co_stack *kept = wider <= most ? realloc(pile->kept, wider * sizeof *kept) : NULL;
        if (!kept)
            return false;
        pile->kept = kept;
        pile->room = wider;
    }
    pile->kept[pile->count++] = stack;
    return true;
}

static void pile_fini(struct co_stack_pile *pile)
{
    while (pile->count)
        stack_unmap(pile->kept[--pile->count]);
    free(pile->kept);
    *pile = (struct co_stack_pile){0};
}

bool co_stacks_take(struct co_stacks *stacks, size_t size, struct co_stack *out)
{
    size = round_up(size);
    return pile_take(&stacks->warm, size, out) || pile_take(&stacks->cold, size, out) || stack_map(out, size);
}

void co_stacks_give(struct co_stacks *stacks, struct co_stack stack)
{
    if (pile_put(&stacks->warm, CO_STACKS_WARM, stack))
        return;
    if (pile_put(&stacks->cold, CO_STACKS_COLD, stack))
        madvise(co_stack_bottom(&stack), stack.size, MADV_DONTNEED);
    else
        stack_unmap(stack);
}

void co_stacks_fini(struct co_stacks *stacks)
{
    pile_fini(&stacks->warm);
    pile_fini(&stacks->cold);
}
