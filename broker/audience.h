/* audience.h: the notices one backend of ours waits for: those on its channels, and those of the tasks it
 * watches. Not locked. */
#ifndef BROKER_AUDIENCE_H
#define BROKER_AUDIENCE_H

#include <stdbool.h>
#include "broker/table.h"

enum audience_kind { AUDIENCE_NOBODY = 0, AUDIENCE_CHANNEL = 'c', AUDIENCE_TASK = 't' };

struct audience {
    struct table names;
    size_t tasks, channels; /* how many of each */
};

void audience_init(struct audience *audience);
void audience_fini(struct audience *audience);
/* True when it is in, now or since before; false when memory is out. */
bool audience_add(struct audience *audience, enum audience_kind kind, umbel_str name);
void audience_drop(struct audience *audience, enum audience_kind kind, umbel_str name);
/* How the notice of this task, told on this channel (or none), is waited for: the channel comes first. */
enum audience_kind audience_wants(const struct audience *audience, umbel_str task, umbel_str channel);

#endif
