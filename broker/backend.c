/* backend.c: which implementation keeps results, by the scheme of its URL. */
#include <string.h>

#include "broker/backend_memory.h"
#include "broker/backend_parent.h"
#include "broker/backend_redis.h"
#include "broker/backend_sqlite.h"
#include "common/str.h"

static const struct row {
    const char *scheme;
    const struct backend_ops *ops;
} rows[] = {
    {"memory", &backend_memory}, {"sqlite", &backend_sqlite},      {"redis", &backend_redis},
    {"rediss", &backend_redis},  {"redis+socket", &backend_redis}, {"unix", &backend_redis},
    {"parent", &backend_parent}, /* last, and no choice of anybody's: a task's own */
};

static const struct backend_ops *ops_of(umbel_str scheme)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (str_equal(str_of(rows[i].scheme), scheme))
            return rows[i].ops;
    }
    return NULL;
}

static void explain(struct buffer *why, umbel_str scheme)
{
    buffer_format(why, "%.*s:// cannot keep results; use", (int)scheme.size, scheme.data);
    for (size_t i = 0; rows[i].ops != &backend_parent; i++)
        buffer_format(why, "%s %s", i ? "," : "", rows[i].scheme);
}

static int open_parsed(struct backend **out, struct loop *loop, const struct url *url,
                       const struct backend_options *options, const struct backend_events *events, void *self,
                       struct buffer *why)
{
    const struct backend_ops *ops = ops_of(url->scheme);
    const char *text = "";
    if (!ops) {
        explain(why, url->scheme);
        return UMBEL_BAD_URL;
    }
    int code = ops->open(out, loop, url, options, events, self, &text);
    if (code) {
        *out = NULL; /* whatever was made frees itself */
        buffer_format(why, "the URL of the result backend: %s", text);
    }
    return code;
}

int backend_open(struct backend **out, struct loop *loop, const char *url,
                 const struct backend_options *options, const struct backend_events *events, void *self,
                 struct buffer *why)
{
    struct arena arena;
    struct url parsed[2];
    const char *text = "";
    *out = NULL;
    arena_init(&arena, 64 * 1024);
    int count = url_parse_list(&arena, url, parsed, 2, &text);
    int code = count > 0 ? UMBEL_OK : -count;
    bool understood = code == UMBEL_OK;
    if (count > 1) {
        code = UMBEL_BAD_URL;
        buffer_text(why,
                    "the result backend is one URL, not a list; for a failover name a host that leads to "
                    "the present master");
    } else if (understood)
        code = open_parsed(out, loop, &parsed[0], options, events, self, why);
    else
        buffer_format(why, "the URL of the result backend: %s", text);
    if (code && understood) { /* what cannot be parsed might be a password gone astray */
        buffer_text(why, " (");
        url_safe(why, url);
        buffer_text(why, ")");
    }
    arena_fini(&arena);
    return code;
}
