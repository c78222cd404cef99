/* nest_route.c: see nest_route.h. */
#include "worker/nest_route.h"

#include <string.h>
#include "client/nested.h"
#include "common/str.h"

int nest_depth(const struct message *msg)
{
    int64_t depth;
    const umbel_value *header = msg->extra_count ? message_extra(msg, NESTED_DEPTH_HEADER) : NULL;
    if (!header || umbel_value_int(header, &depth) != UMBEL_OK || depth < 0)
        return 0;
    return depth < NEST_DEPTH_MAX ? (int)depth : NEST_DEPTH_MAX;
}

bool nest_is_nested(umbel_str queue)
{
    const umbel_str suffix = STR(NESTED_QUEUE_SUFFIX);
    return queue.size > suffix.size &&
           memcmp(queue.data + queue.size - suffix.size, suffix.data, suffix.size) == 0;
}

umbel_str nest_base(umbel_str queue)
{
    if (nest_is_nested(queue))
        queue.size -= sizeof NESTED_QUEUE_SUFFIX - 1;
    return queue;
}

umbel_str nest_queue(struct arena *arena, umbel_str base)
{
    size_t suffix = sizeof NESTED_QUEUE_SUFFIX - 1;
    char *name = arena_alloc(arena, base.size + suffix + 1);
    if (!name)
        return STR_NONE;
    memcpy(name, base.data, base.size);
    memcpy(name + base.size, NESTED_QUEUE_SUFFIX, suffix + 1);
    return (umbel_str){name, base.size + suffix};
}

uint8_t nest_priority(int depth)
{
    return (uint8_t)(depth < NEST_PRIORITY_MAX ? depth : NEST_PRIORITY_MAX);
}
