/* json.h: the JSON half of codec.h. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include "common/value.h"

int json_decode(struct arena *arena, umbel_str input, umbel_value **out, const char **why);
int json_encode(struct buffer *out, const umbel_value *value);
void json_null(struct buffer *out);
void json_boolean(struct buffer *out, bool value);
void json_integer(struct buffer *out, int64_t value);
void json_real(struct buffer *out, double value);
int json_text(struct buffer *out, umbel_str text);
void json_bytes(struct buffer *out, umbel_str bytes);

/* The bytes of the value that begins `input` (after white space), without decoding it: only its structure is
 * looked at. {NULL, 0} when it does not end, or nests deeper than decoding would allow. */
umbel_str json_skip(umbel_str input);

#endif
