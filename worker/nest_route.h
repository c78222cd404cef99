/* nest_route.h: where a call goes that a task makes. Pure.
 *
 * What this worker could run itself, a task it has on a queue it consumes, goes to `<queue>.nested`, the
 * deepest first; anything else, a Python task for instance, to the queue that was named, as it is. */
#ifndef WORKER_NEST_ROUTE_H
#define WORKER_NEST_ROUTE_H

#include "common/message.h"

/* x-max-priority of a nested queue; deeper calls share the highest. */
#define NEST_PRIORITY_MAX 32
#define NEST_DEPTH_MAX 1000000

/* How deep a message is nested; 0 for what no task called, or a header that makes no sense. */
int nest_depth(const struct message *msg);
/* The queue's name without ".nested". */
umbel_str nest_base(umbel_str queue);
bool nest_is_nested(umbel_str queue);
/* "<base>.nested" into `arena`; empty when memory is out. */
umbel_str nest_queue(struct arena *arena, umbel_str base);
uint8_t nest_priority(int depth);

#endif
