/* local_options.h: what the URL of an executor says. */
#ifndef WORKER_LOCAL_OPTIONS_H
#define WORKER_LOCAL_OPTIONS_H

#include "common/buffer.h"
#include "common/url.h"

struct local_plan {
    const char *pool; /* as the table of pools knows it */
    bool in_process;  /* it forks nothing */
    int concurrency;
    uint64_t max_tasks_per_child;
    size_t max_memory_per_child; /* bytes */
};

/* Pure. UMBEL_OK, or UMBEL_BAD_URL with one sentence. `processors` is what concurrency is when it is not
 * said. */
int local_plan_read(struct local_plan *plan, const struct url *url, int processors, struct buffer *why);

#endif
