/* banner.h: what a worker says of itself when it starts. Pure. */
#ifndef WORKER_BANNER_H
#define WORKER_BANNER_H

#include "common/buffer.h"
#include "worker/registry.h"
#include "worker/settings.h"

struct banner {
    const char *name;
    const char *broker,
        *backend; /* with their passwords, which are not shown; backend NULL: results are not kept */
    const struct settings *settings;
    int concurrency, pid;
    const char *const *queues;
    size_t queue_count;
    const struct registry *registry;
};

void banner_write(struct buffer *out, const struct banner *banner);

#endif
