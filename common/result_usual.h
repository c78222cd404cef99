/* result_usual.h: the result map as nearly all of them look: a success, in JSON, of a task with a UUID.
 *
 * It differs from its likes in the value, the time and the id alone, so it is written from a pattern and read
 * from both ends, for a tenth of what taking it apart costs. Whatever looks different in the least is left to
 * the general way (result.c, result_read.c), which says the same of those that do not. */
#ifndef COMMON_RESULT_USUAL_H
#define COMMON_RESULT_USUAL_H

#include "common/result.h"

/* Appends the map; false, and nothing is written, when it is none of these. */
bool result_usual_write(enum codec codec, struct buffer *out, const struct result_parts *parts);
/* The encoded value, stepped over as json_skip does, and the id, both borrowed from `stored`; false when it
 * is none of these. */
bool result_usual_read(umbel_str stored, umbel_str *value, umbel_str *id);

#endif
