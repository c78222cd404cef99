/* tls_option.h: the options of a URL that say how to verify the other side, alike for every scheme over TLS.
 *
 * ca, cert, key (files), server_name, verify=none|peer; Celery's names for them are understood too. */
#ifndef BROKER_TLS_OPTION_H
#define BROKER_TLS_OPTION_H

#include "common/stream.h"
#include "common/url.h"

/* Does the option belong here? */
bool tls_option_is(umbel_str name);
/* Reads one that does; its text is copied into the arena. `optional`: Celery's CERT_OPTIONAL, which its Redis
 * knows, is understood (as peer). UMBEL_OK, UMBEL_NO_MEMORY, or UMBEL_BAD_URL with `why` (static). */
int tls_option_read(struct arena *arena, struct stream_tls *tls, const struct url_option *option,
                    bool optional, const char **why);

#endif
