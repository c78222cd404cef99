/* co_fiber_none.c: see co_fiber.h. Nobody listens. */
#include "common/co_fiber.h"

void co_fiber_init(struct co_fiber *fiber, const void *bottom, size_t size)
{
    *fiber = (struct co_fiber){NULL, bottom, size};
}

void co_fiber_adopt(struct co_fiber *fiber)
{
    *fiber = (struct co_fiber){0};
}

void co_fiber_leave(struct co_fiber *from, const struct co_fiber *to, bool for_good)
{
    (void)from, (void)to, (void)for_good;
}

void co_fiber_arrive(struct co_fiber *self, struct co_fiber *from)
{
    (void)self, (void)from;
}

void co_fiber_fini(struct co_fiber *fiber)
{
    (void)fiber;
}
