/* co_fiber_address.c: see co_fiber.h. AddressSanitizer keeps the bounds of the running stack, and a fake
 * stack for each where it looks for uses after return. */
#include "common/co_fiber.h"

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

void co_fiber_init(struct co_fiber *fiber, const void *bottom, size_t size)
{
    *fiber = (struct co_fiber){NULL, bottom, size};
    __asan_unpoison_memory_region(bottom, size); /* the last user's frames never returned */
}

void co_fiber_adopt(struct co_fiber *fiber)
{
    *fiber = (struct co_fiber){0}; /* its bounds are told at the first arrival elsewhere */
}

void co_fiber_leave(struct co_fiber *from, const struct co_fiber *to, bool for_good)
{
    __sanitizer_start_switch_fiber(for_good ? NULL : &from->handle, to->bottom, to->size);
}

void co_fiber_arrive(struct co_fiber *self, struct co_fiber *from)
{
    __sanitizer_finish_switch_fiber(self->handle, &from->bottom, &from->size);
}

void co_fiber_fini(struct co_fiber *fiber)
{
    __asan_unpoison_memory_region(fiber->bottom, fiber->size);
}
