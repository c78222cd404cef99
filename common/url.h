/* url.h: broker and backend URLs. A password is read once and never printed: url_safe writes "***" instead. */
#ifndef COMMON_URL_H
#define COMMON_URL_H

#include <stdbool.h>
#include "common/arena.h"
#include "common/buffer.h"

struct url_option {
    umbel_str name, value;
};

struct url {
    umbel_str scheme;           /* "amqp" */
    umbel_str user, password;   /* percent-decoded; empty when absent */
    umbel_str host;             /* without brackets; empty when absent */
    int port;                   /* 0 when absent */
    umbel_str path;             /* decoded, without the first slash; for sqlite: the file's path */
    bool has_path;              /* "amqp://h/" has an empty path, "amqp://h" has none */
    struct url_option *options; /* ?a=b&c=d, decoded */
    size_t option_count;
};

/* UMBEL_OK or UMBEL_BAD_URL with `why`. Accepts scheme://[user[:password]@][host][:port][/path][?options], and
 * sqlite:PATH. Everything is copied into the arena. */
int url_parse(struct arena *arena, const char *text, struct url *url, const char **why);
umbel_str url_option(const struct url *url, const char *name);
/* Calls url_parse for each of a list separated by ';'. Answers how many were read into urls[max], or -code. */
int url_parse_list(struct arena *arena, const char *text, struct url *urls, size_t max, const char **why);
/* The URL with its password replaced, for logs and errors. */
void url_safe(struct buffer *out, const char *text);

#endif
