/* sending.h: the message that is sent in place of a delivery: parked, retried, delayed or handed back. */
#ifndef WORKER_SENDING_H
#define WORKER_SENDING_H

#include "worker/request_set.h"

struct sending_context {
    const char *worker_name;
    double now;  /* since the epoch */
    double mono; /* the same moment, monotonic */
};

/* Fills req->parcel from req->msg and the verdict (send, delay, reason, error); memory comes from req->arena.
 * UMBEL_OK or UMBEL_NO_MEMORY. */
int sending_write(struct request *req, const struct verdict *verdict, const struct sending_context *context);

#endif
