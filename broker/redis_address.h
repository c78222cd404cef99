/* redis_address.h: where a Redis is and how to log in, out of a URL.
 *
 *   redis://[user][:password]@host[:port][/db]     rediss:// the same over TLS
 *   redis+socket:///path/to/socket?db=1            unix:// the same
 * Options of rediss: ca, cert, key (files), verify=none. Celery's names for them are understood too. */
#ifndef BROKER_REDIS_ADDRESS_H
#define BROKER_REDIS_ADDRESS_H

#include "common/stream.h"
#include "common/url.h"

struct redis_address {
    struct arena arena; /* of everything below */
    struct stream_address stream;
    struct stream_tls tls;
    umbel_str user, password; /* password.data NULL: do not log in */
    int database;
    const char *name; /* "127.0.0.1:6379/0", for logs and errors; never with the password */
};

/* UMBEL_OK, UMBEL_BAD_URL or UMBEL_NO_MEMORY with `why` (static). Copies all it needs; redis_address_fini
 * even so. */
int redis_address_init(struct redis_address *address, const struct url *url, const char **why);
void redis_address_fini(struct redis_address *address);

#endif
