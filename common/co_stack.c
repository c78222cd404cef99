/* co_stack.c: see co_stack.h. The last one given back is the first to be taken, for its pages are in the
 * cache. */
#include "common/co_stack.h"

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

bool co_stacks_take(struct co_stacks *stacks, size_t size, struct co_stack *out)
{
    size = round_up(size);
    for (size_t i = stacks->count; i-- > 0;) {
        if (stacks->kept[i].size != size)
            continue;
        *out = stacks->kept[i];
        stacks->kept[i] = stacks->kept[--stacks->count];
        return true;
    }
    return stack_map(out, size);
}

void co_stacks_give(struct co_stacks *stacks, struct co_stack stack)
{
    if (stacks->count < CO_STACKS_KEPT)
        stacks->kept[stacks->count++] = stack;
    else
        stack_unmap(stack);
}

void co_stacks_fini(struct co_stacks *stacks)
{
    while (stacks->count)
        stack_unmap(stacks->kept[--stacks->count]);
}
