/* transport.c: which implementation carries task messages, by the scheme of its URL. */
#include "broker/transport.h"

#include "broker/transport_amqp.h"
#include "broker/transport_memory.h"
#include "broker/transport_parent.h"
#include "broker/transport_sqlite.h"
#include "common/str.h"

enum { URLS_MAX = 16, ARENA_MAX = 64 * 1024 };

static const struct row {
    const char *scheme;
    const struct transport_ops *ops;
} rows[] = {
    {"amqp", &transport_amqp},
    {"amqps", &transport_amqp},
    {"memory", &transport_memory},
    {"sqlite", &transport_sqlite},
    {"parent", &transport_parent}, /* last, and no choice of anybody's: a task's own */
};

static const struct transport_ops *ops_of(umbel_str scheme)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_equal(str_of(rows[i].scheme), scheme))
            return rows[i].ops;
    return NULL;
}

static void explain(struct buffer *why, umbel_str scheme)
{
    buffer_format(why, "%.*s: cannot carry tasks; use", (int)scheme.size, scheme.data);
    for (size_t i = 0; rows[i].ops != &transport_parent; i++)
        buffer_format(why, "%s %s", i ? "," : "", rows[i].scheme);
}

static int open_parsed(struct transport **out, struct loop *loop, const struct url *urls, size_t count,
                       const struct transport_options *options, const struct transport_events *events,
                       void *self, struct buffer *why)
{
    const struct transport_ops *ops = ops_of(urls[0].scheme);
    const char *text = "";
    for (size_t i = 0; i < count; i++)
        if (!ops || ops_of(urls[i].scheme) != ops) {
            explain(why, urls[i].scheme);
            return UMBEL_BAD_URL;
        }
    int code = ops->open(out, loop, urls, count, options, events, self, &text);
    if (code) {
        *out = NULL; /* whatever was made frees itself */
        buffer_format(why, "the URL of the broker: %s", text);
    }
    return code;
}

int transport_open(struct transport **out, struct loop *loop, const char *urls,
                   const struct transport_options *options, const struct transport_events *events, void *self,
                   struct buffer *why)
{
    struct arena arena;
    struct url parsed[URLS_MAX];
    const char *text = "there is none";
    *out = NULL;
    arena_init(&arena, ARENA_MAX);
    int count = url_parse_list(&arena, urls, parsed, URLS_MAX, &text);
    int code = count > 0 ? UMBEL_OK : count < 0 ? -count : UMBEL_BAD_URL;
    if (code)
        buffer_format(why, "the URL of the broker: %s", text);
    else
        code = open_parsed(out, loop, parsed, (size_t)count, options, events, self, why);
    if (code && count > 0) { /* what cannot be parsed might be a password gone astray */
        buffer_text(why, " (");
        url_safe(why, urls);
        buffer_text(why, ")");
    }
    arena_fini(&arena);
    return code;
}
