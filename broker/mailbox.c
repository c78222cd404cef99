/* mailbox.c: which implementation carries control messages and events, by the scheme of the broker's URL. */
#include "broker/mailbox.h"

#include "broker/mailbox_amqp.h"
#include "common/str.h"

enum { URLS_MAX = 16, ARENA_MAX = 64 * 1024 };

static const struct row {
    const char *scheme;
    const struct mailbox_ops *ops;
} rows[] = {
    {"amqp", &mailbox_amqp},
    {"amqps", &mailbox_amqp},
};

static const struct mailbox_ops *ops_of(umbel_str scheme)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (str_equal(str_of(rows[i].scheme), scheme))
            return rows[i].ops;
    return NULL;
}

static int open_parsed(struct mailbox **out, struct loop *loop, const struct url *urls, size_t count,
                       const struct mailbox_options *options, const struct mailbox_events *events, void *self,
                       struct buffer *why)
{
    const struct mailbox_ops *ops = ops_of(urls[0].scheme);
    const char *text = "";
    if (!ops) {
        buffer_format(why,
                      "remote control and events need a broker of amqp://; %.*s: has none in this version",
                      (int)urls[0].scheme.size, urls[0].scheme.data);
        return UMBEL_NOT_SUPPORTED;
    }
    int code = ops->open(out, loop, urls, count, options, events, self, &text);
    if (code)
        buffer_format(why, "the URL of the broker: %s", text);
    return code;
}

int mailbox_open(struct mailbox **out, struct loop *loop, const char *urls,
                 const struct mailbox_options *options, const struct mailbox_events *events, void *self,
                 struct buffer *why)
{
    struct arena arena;
    struct url parsed[URLS_MAX];
    const char *text = "there is none";
    arena_init(&arena, ARENA_MAX);
    int count = url_parse_list(&arena, urls, parsed, URLS_MAX, &text);
    int code = count > 0 ? UMBEL_OK : count < 0 ? -count : UMBEL_BAD_URL;
    if (code)
        buffer_format(why, "the URL of the broker: %s", text);
    else
        code = open_parsed(out, loop, parsed, (size_t)count, options, events, self, why);
    arena_fini(&arena);
    return code;
}
