/* amqp_address.c: reads an AMQP URL. An option that is not known is refused: a misspelt `verify` or `ca` must
 * not quietly mean something else. */
#include "broker/amqp_address.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/tls_option.h"
#include "common/str.h"

struct reading {
    struct amqp_address *address;
    const char *why;
};

static const char *copy(struct reading *r, umbel_str text)
{
    return arena_copy(&r->address->arena, text.data, text.size);
}

static int bad(struct reading *r, const char *why)
{
    r->why = why;
    return UMBEL_BAD_URL;
}

static int set_heartbeat(struct reading *r, umbel_str text)
{
    const char *number = copy(r, text);
    char *end = NULL;
    r->address->heartbeat = number ? strtod(number, &end) : 0;
    if (!end || *end || !(r->address->heartbeat >= 1 && r->address->heartbeat <= 3600))
        return bad(r, "heartbeat is a number of seconds from 1 to 3600");
    return UMBEL_OK;
}

static const struct {
    const char *name;
    int (*set)(struct reading *r, umbel_str text);
} options[] = {
    {"heartbeat", set_heartbeat},
};

static int read_option(struct reading *r, const struct url_option *option, bool tls)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (str_equal(str_of(options[i].name), option->name))
            return options[i].set(r, option->value);
    if (tls_option_is(option->name) && !tls)
        return bad(r, "an option for TLS stands in a URL without it; use amqps://");
    if (tls_option_is(option->name))
        return tls_option_read(&r->address->arena, &r->address->tls, option, false, &r->why);
    return bad(
        r,
        "an option of the AMQP URL is not known; there are heartbeat, ca, cert, key, server_name and verify");
}

static umbel_str or_else(struct reading *r, umbel_str text, umbel_str otherwise)
{
    return arena_str(&r->address->arena, text.size ? text : otherwise);
}

static int read_place(struct reading *r, const struct url *url, bool tls)
{
    struct amqp_address *address = r->address;
    umbel_str host = or_else(r, url->host, STR("localhost"));
    address->stream = (struct stream_address){.host = host.data,
                                              .port = url->port ? url->port
                                                      : tls     ? 5671
                                                                : 5672};
    if (tls)
        address->stream.tls = &address->tls;
    address->user = or_else(r, url->user, STR("guest"));
    address->password =
        url->user.size ? arena_str(&address->arena, url->password) : or_else(r, STR_NONE, STR("guest"));
    address->vhost = or_else(r, url->path, STR("/"));
    if (!host.data || !address->user.data || !address->vhost.data)
        return UMBEL_NO_MEMORY;
    char name[300];
    int size = snprintf(name, sizeof name, strchr(host.data, ':') ? "[%s]:%d" : "%s:%d", host.data,
                        address->stream.port);
    address->name =
        arena_copy(&address->arena, name, size < (int)sizeof name ? (size_t)size : sizeof name - 1);
    return address->name ? UMBEL_OK : UMBEL_NO_MEMORY;
}

int amqp_address_init(struct amqp_address *address, const struct url *url, const char **why)
{
    *address = (struct amqp_address){.tls.verify = true};
    arena_init(&address->arena, 64 * 1024);
    struct reading r = {.address = address, .why = "out of memory"};
    bool tls = str_equal(url->scheme, STR("amqps"));
    int code = UMBEL_OK;
    if (!tls && !str_equal(url->scheme, STR("amqp")))
        code = bad(&r, "every broker of a list must be amqp:// or amqps://");
    if (!code)
        code = read_place(&r, url, tls);
    if (!code && (address->vhost.size > 255 || address->user.size + address->password.size > 2048))
        code = bad(&r, "the virtual host, user or password of the AMQP URL is too long");
    for (size_t i = 0; !code && i < url->option_count; i++)
        code = read_option(&r, &url->options[i], tls);
    *why = code ? r.why : NULL;
    return code;
}

void amqp_address_fini(struct amqp_address *address)
{
    arena_fini(&address->arena);
}
