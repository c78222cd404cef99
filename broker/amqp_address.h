/* amqp_address.h: where a RabbitMQ is and how to log in, out of a URL.
 *
 *   amqp://[user[:password]@]host[:port][/vhost]     amqps:// the same over TLS
 * The user is guest and the virtual host / when they are absent. Options: heartbeat=SECONDS; of amqps: ca,
 * cert, key (files), server_name, verify=none. Celery's names for them are understood too. */
#ifndef BROKER_AMQP_ADDRESS_H
#define BROKER_AMQP_ADDRESS_H

#include "common/stream.h"
#include "common/url.h"

struct amqp_address {
    struct arena arena; /* of everything below */
    struct stream_address stream;
    struct stream_tls tls;
    umbel_str user, password, vhost;
    double heartbeat; /* 0: not said */
    const char *name; /* "127.0.0.1:5672", for logs and errors; never with the password */
};

/* UMBEL_OK, UMBEL_BAD_URL or UMBEL_NO_MEMORY with `why` (static). Copies all it needs; call amqp_address_fini
 * even so. */
int amqp_address_init(struct amqp_address *address, const struct url *url, const char **why);
void amqp_address_fini(struct amqp_address *address);

#endif
