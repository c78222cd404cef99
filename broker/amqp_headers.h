/* amqp_headers.h: the properties and the header table of a content. Inside of amqp_codec. */
#ifndef BROKER_AMQP_HEADERS_H
#define BROKER_AMQP_HEADERS_H

#include "common/message.h"

/* Whether a table (length word first; more bytes may follow it) is complete, of known kinds and not nested
 * too deep. */
bool amqp_headers_table_good(const uint8_t *data, size_t size);
int amqp_headers_read(struct arena *arena, const uint8_t *data, size_t size, struct message *msg,
                      const char **why);
/* Appends flags and values. UMBEL_OK, UMBEL_TOO_LARGE, UMBEL_BAD_VALUE; memory is seen at the buffer. */
int amqp_headers_write(struct buffer *out, const struct message *msg);

#endif
