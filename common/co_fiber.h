/* co_fiber.h: what a sanitizer must be told of a switch of stacks. One file per sanitizer; the build picks
 * one, and without a sanitizer nothing is told. */
#ifndef COMMON_CO_FIBER_H
#define COMMON_CO_FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct co_fiber {
    void *handle; /* the sanitizer's */
    const void *bottom;
    size_t size;
};

/* A stack that is about to be used for the first time, or again. */
void co_fiber_init(struct co_fiber *fiber, const void *bottom, size_t size);
/* The stack that runs now and is not ours. */
void co_fiber_adopt(struct co_fiber *fiber);
/* Right before the switch, on the old stack; `for_good`: nobody will switch back. */
void co_fiber_leave(struct co_fiber *from, const struct co_fiber *to, bool for_good);
/* Right after it, on the new one. `from` is the stack that was left. */
void co_fiber_arrive(struct co_fiber *self, struct co_fiber *from);
/* From another stack, after leaving for good. */
void co_fiber_fini(struct co_fiber *fiber);

#endif
