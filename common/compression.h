/* compression.h: opening bodies that a client has compressed (Celery's task_compression, the header
 * `compression`). */
#ifndef COMMON_COMPRESSION_H
#define COMMON_COMPRESSION_H

#include "common/buffer.h"

/* Appends what `packed` holds to `out`, whose maximum is the limit: a small body may claim to be a very large
 * one. `kind` is the header's content type, or one of kombu's short names for it. UMBEL_OK;
 * UMBEL_NOT_SUPPORTED: a kind that is not known; UMBEL_TOO_LARGE: over the limit; UMBEL_BAD_MESSAGE: damaged
 * or cut off; UMBEL_NO_MEMORY. `why` gets a static text for each. */
int compression_open(umbel_str kind, umbel_str packed, struct buffer *out, const char **why);

#endif
