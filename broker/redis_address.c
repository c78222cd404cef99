/* redis_address.c: reads a Redis URL. An option that is not known is refused: a misspelt `verify` or `ca`
 * must not quietly mean something else. */
#include "broker/redis_address.h"

#include <stdio.h>

#include "broker/tls_option.h"
#include "common/str.h"

#define DATABASE_MAX 65535

struct reading {
    struct redis_address *address;
    const struct url *url;
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

/* ---- options ---- */

static int set_database(struct reading *r, umbel_str text)
{
    int number = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || number > DATABASE_MAX)
            return bad(r, "the database of a Redis URL is a number, as in redis://host/0");
        number = number * 10 + (text.data[i] - '0');
    }
    r->address->database = number;
    return UMBEL_OK;
}

static const struct {
    const char *name;
    int (*set)(struct reading *r, umbel_str text);
} options[] = {
    {"db", set_database}, {"virtual_host", set_database}, /* Celery's, of redis+socket:// */
};

static int read_option(struct reading *r, const struct url_option *option, bool tls)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (str_equal(str_of(options[i].name), option->name))
            return options[i].set(r, option->value);
    if (tls_option_is(option->name) && !tls)
        return bad(r, "an option for TLS stands in a URL without it; use rediss://");
    if (tls_option_is(option->name))
        return tls_option_read(&r->address->arena, &r->address->tls, option, true, &r->why);
    return bad(
        r, "an option of the Redis URL is not known; there are db, ca, cert, key, server_name and verify");
}

static int read_options(struct reading *r, bool tls)
{
    for (size_t i = 0; i < r->url->option_count; i++) {
        int code = read_option(r, &r->url->options[i], tls);
        if (code)
            return code;
    }
    return UMBEL_OK;
}

/* ---- place ---- */

static int read_socket(struct reading *r)
{
    struct buffer path;
    buffer_init(&path, 4096);
    if (r->url->host.size || !r->url->path.size)
        return bad(r, "a Redis socket is written redis+socket:///path/to/socket");
    buffer_byte(&path, '/');
    buffer_str(&path, r->url->path);
    if (!path.failed)
        r->address->stream.path = copy(r, (umbel_str){(char *)buffer_head(&path), buffer_length(&path)});
    buffer_fini(&path);
    return r->address->stream.path ? UMBEL_OK : UMBEL_NO_MEMORY;
}

static int read_host(struct reading *r, bool tls)
{
    struct redis_address *address = r->address;
    address->stream.host = copy(r, r->url->host.size ? r->url->host : STR("localhost"));
    address->stream.port = r->url->port ? r->url->port : 6379;
    if (tls)
        address->stream.tls = &address->tls;
    return set_database(r, r->url->path);
}

static int read_login(struct reading *r)
{
    struct redis_address *address = r->address;
    address->user = arena_str(&address->arena, r->url->user);
    if (r->url->password.size || r->url->user.size)
        address->password = arena_str(&address->arena, r->url->password);
    return UMBEL_OK;
}

static int name_it(struct redis_address *address)
{
    char text[512];
    if (address->stream.path)
        snprintf(text, sizeof text, "%s/%d", address->stream.path, address->database);
    else
        snprintf(text, sizeof text, "%s:%d/%d", address->stream.host, address->stream.port,
                 address->database);
    address->name = arena_copy(&address->arena, text, strlen(text));
    return address->name ? UMBEL_OK : UMBEL_NO_MEMORY;
}

static int read_url(struct reading *r)
{
    umbel_str scheme = r->url->scheme;
    bool tls = str_equal(scheme, STR("rediss"));
    bool local = str_equal(scheme, STR("redis+socket")) || str_equal(scheme, STR("unix"));
    int code = local ? read_socket(r) : read_host(r, tls);
    code = code ? code : read_options(r, tls);
    code = code ? code : read_login(r);
    return code ? code : name_it(r->address);
}

int redis_address_init(struct redis_address *address, const struct url *url, const char **why)
{
    struct reading reading = {.address = address, .url = url, .why = "out of memory"};
    *address = (struct redis_address){.tls = {.verify = true}};
    arena_init(&address->arena, 64 * 1024);
    int code = read_url(&reading);
    if (code)
        *why = reading.why;
    return code;
}

void redis_address_fini(struct redis_address *address)
{
    if (address->password.size)
        explicit_bzero((char *)address->password.data, address->password.size);
    arena_fini(&address->arena);
}
