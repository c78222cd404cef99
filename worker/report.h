/* report.h: the result map of a request, as the back end keeps it. */
#ifndef WORKER_REPORT_H
#define WORKER_REPORT_H

#include "worker/request_set.h"

/* Writes what `verdict` says into req->payload; `value` is the encoded result of a SUCCESS. UMBEL_OK, or
 * UMBEL_NO_MEMORY: it is too large. */
int report_write(struct request *req, const struct verdict *verdict, umbel_str value, double now);
/* A STARTED map with who runs it, as Celery writes it, appended to `out`. */
int report_write_started(struct buffer *out, const struct request *req, const char *worker_name);
/* A PROGRESS map, appended to `out`. */
int report_write_progress(struct buffer *out, const struct request *req, umbel_str meta);

/* The map of a part of a run's result, appended to `out`. */
int report_write_part(struct buffer *out, const struct request *req, umbel_str run, uint32_t number,
                      umbel_str value);

#endif
