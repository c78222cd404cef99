/* co_fiber_thread.c: see co_fiber.h. ThreadSanitizer keeps a history of calls for each stack. */
#include "common/co_fiber.h"

#include <sanitizer/tsan_interface.h>

void co_fiber_init(struct co_fiber *fiber, const void *bottom, size_t size)
{
    *fiber = (struct co_fiber){__tsan_create_fiber(0), bottom, size};
}

void co_fiber_adopt(struct co_fiber *fiber)
{
    *fiber = (struct co_fiber){.handle = __tsan_get_current_fiber()};
}

/* Not watched itself: it is entered on one stack and left on the other. */
__attribute__((no_sanitize("thread"))) void co_fiber_leave(struct co_fiber *from, const struct co_fiber *to,
                                                           bool for_good)
{
    (void)from, (void)for_good;
    __tsan_switch_to_fiber(to->handle, 0);
}

void co_fiber_arrive(struct co_fiber *self, struct co_fiber *from)
{
    (void)self, (void)from;
}

void co_fiber_fini(struct co_fiber *fiber)
{
    __tsan_destroy_fiber(fiber->handle);
}
