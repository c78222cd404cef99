/* base64.h: bytes as text, RFC 4648 with padding. */
#ifndef COMMON_BASE64_H
#define COMMON_BASE64_H

#include "common/buffer.h"

void base64_write(struct buffer *out, umbel_str bytes);
/* Decodes into `to` (which may be where the text stands); false, with *size untouched, when it is not base64.
 */
bool base64_read(umbel_str text, char *to, size_t *size);

#endif
