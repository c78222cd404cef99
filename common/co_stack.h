/* co_stack.h: memory for stacks. Below each lies a guard that nobody may touch, so that an overflow is a
 * fault at a known address and never a scribble over a neighbour.
 *
 * Used ones are kept: a few warm, with the memory they took, many more cold, as addresses only. Mapping and
 * unmapping is what costs most about a coroutine. */
#ifndef COMMON_CO_STACK_H
#define COMMON_CO_STACK_H

#include <stdbool.h>
#include <stddef.h>

/* Wide, because a large frame may step over a single page. */
#define CO_GUARD_SIZE (64u << 10)
#define CO_STACKS_WARM 64
#define CO_STACKS_COLD 8192 /* each is two of the system's 65530 mappings */

struct co_stack {
    char *guard; /* CO_GUARD_SIZE bytes, then the stack */
    size_t size; /* of the stack */
};

struct co_stack_pile {
    struct co_stack *kept;
    size_t count, room;
};

struct co_stacks { /* all zero: nothing is kept */
    struct co_stack_pile warm, cold;
};

/* False: no memory, or the system's number of mappings is used up. The size is rounded up to pages. */
bool co_stacks_take(struct co_stacks *stacks, size_t size, struct co_stack *out);
void co_stacks_give(struct co_stacks *stacks, struct co_stack stack);
void co_stacks_fini(struct co_stacks *stacks);
static inline char *co_stack_bottom(const struct co_stack *stack)
{
    return stack->guard + CO_GUARD_SIZE;
}
static inline char *co_stack_top(const struct co_stack *stack)
{
    return co_stack_bottom(stack) + stack->size;
}
/* Does `address` lie in its guard? */
static inline bool co_stack_guards(const struct co_stack *stack, const void *address)
{
    const char *at = address;
    return at >= stack->guard && at < co_stack_bottom(stack);
}

#endif
