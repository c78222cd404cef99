#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include "common/co_stack.h"

Test(co_stack, the_last_one_given_back_is_taken_first)
{
    struct co_stacks stacks = {0};
    struct co_stack one, other, again;
    cr_assert(co_stacks_take(&stacks, 64 << 10, &one) && co_stacks_take(&stacks, 64 << 10, &other));
    co_stacks_give(&stacks, one);
    co_stacks_give(&stacks, other);
    cr_assert(co_stacks_take(&stacks, 64 << 10, &again));
    cr_assert_eq(again.guard, other.guard);
    co_stacks_give(&stacks, again);
    co_stacks_fini(&stacks);
}

Test(co_stack, sizes_are_not_mixed)
{
    struct co_stacks stacks = {0};
    struct co_stack small, big;
    cr_assert(co_stacks_take(&stacks, 1, &small));
    cr_assert_geq(small.size, 1);
    co_stacks_give(&stacks, small);
    cr_assert(co_stacks_take(&stacks, 1 << 20, &big));
    cr_assert_eq(big.size, 1 << 20);
    memset(co_stack_bottom(&big), 1, big.size);
    co_stacks_give(&stacks, big);
    co_stacks_fini(&stacks);
}

Test(co_stack, a_guard_is_known_by_its_address)
{
    struct co_stacks stacks = {0};
    struct co_stack stack;
    cr_assert(co_stacks_take(&stacks, 1, &stack));
    cr_assert(co_stack_guards(&stack, co_stack_bottom(&stack) - 1) && co_stack_guards(&stack, stack.guard));
    cr_assert_not(co_stack_guards(&stack, co_stack_bottom(&stack)) ||
                  co_stack_guards(&stack, stack.guard - 1));
    co_stacks_give(&stacks, stack);
    co_stacks_fini(&stacks);
}

/* Pages of `stack` that take memory. */
static size_t resident(const struct co_stack *stack)
{
    unsigned char pages[64];
    size_t count = 0;
    cr_assert_eq(mincore(co_stack_bottom(stack), stack->size, pages), 0);
    for (size_t i = 0; i < stack->size / 4096; i++)
        count += pages[i] & 1;
    return count;
}

Test(co_stack, many_are_kept_but_the_memory_of_few)
{
    static struct co_stack all[CO_STACKS_WARM * 3];
    struct co_stacks stacks = {0};
    size_t taken = 0;
    for (size_t i = 0; i < CO_STACKS_WARM * 3; i++) {
        cr_assert(co_stacks_take(&stacks, 64 << 10, &all[i]));
        memset(co_stack_bottom(&all[i]), 1, all[i].size);
    }
    for (size_t i = 0; i < CO_STACKS_WARM * 3; i++)
        co_stacks_give(&stacks, all[i]);
    for (size_t i = 0; i < CO_STACKS_WARM * 3; i++)
        taken += resident(&all[i]);
    cr_assert_eq(taken, CO_STACKS_WARM * 16);
    co_stacks_fini(&stacks);
}
