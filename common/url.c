/* url.c: taking URLs apart, and printing them without their password.
 *
 * Parsing is strict, printing is not: url_safe must also hide the password of a URL that cannot be parsed, so
 * it would rather hide too much. Texts in `why` are static and never hold a piece of the URL. */
#include "common/url.h"

#include <ctype.h>
#include <string.h>

#include "common/str.h"

struct parse {
    struct arena *arena;
    struct url *url;
    const char *why; /* first thing that is wrong */
    int code;
};

static bool fail(struct parse *parse, int code, const char *why)
{
    parse->code = code;
    parse->why = why;
    return false;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes into the arena. */
static bool decode(struct parse *parse, const char *from, const char *end, umbel_str *out)
{
    char *to = arena_alloc(parse->arena, (size_t)(end - from) + 1);
    if (!to)
        return fail(parse, UMBEL_NO_MEMORY, "out of memory");
    out->data = to;
    for (; from < end; from++) {
        int high, low;
        char c = *from;
        if (c == '%') {
            if (end - from < 3 || (high = hex_digit(from[1])) < 0 || (low = hex_digit(from[2])) < 0)
                return fail(parse, UMBEL_BAD_URL, "a '%' is not followed by two hexadecimal digits");
            c = (char)(high * 16 + low);
            from += 2;
        }
        if (c == '\0')
            return fail(parse, UMBEL_BAD_URL, "it holds a NUL byte");
        *to++ = c;
    }
    *to = '\0';
    out->size = (size_t)(to - out->data);
    return true;
}

/* The scheme's end (its ':'), or NULL. */
static const char *scheme_end(const char *text)
{
    if (!isalpha((unsigned char)*text))
        return NULL;
    while (isalnum((unsigned char)*text) || (*text && strchr("+.-", *text)))
        text++;
    return *text == ':' ? text : NULL;
}

static bool read_scheme(struct parse *parse, const char **text)
{
    const char *end = scheme_end(*text);
    if (!end)
        return fail(parse, UMBEL_BAD_URL, "it does not begin with a scheme such as amqp://");
    char *copy = arena_copy(parse->arena, *text, (size_t)(end - *text));
    if (!copy)
        return fail(parse, UMBEL_NO_MEMORY, "out of memory");
    for (char *p = copy; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    parse->url->scheme = str_of(copy);
    *text = end + 1;
    return true;
}

static bool read_user(struct parse *parse, const char *text, const char *end)
{
    const char *colon = memchr(text, ':', (size_t)(end - text));
    if (!decode(parse, text, colon ? colon : end, &parse->url->user))
        return false;
    return !colon || decode(parse, colon + 1, end, &parse->url->password);
}

static bool read_port(struct parse *parse, const char *text, const char *end)
{
    int port = 0;
    for (; text < end; text++) {
        if (!isdigit((unsigned char)*text) || (port = port * 10 + (*text - '0')) > 65535)
            return fail(parse, UMBEL_BAD_URL, "the port is not a number from 1 to 65535");
    }
    if (port == 0)
        return fail(parse, UMBEL_BAD_URL, "the port is not a number from 1 to 65535");
    parse->url->port = port;
    return true;
}

static bool read_host(struct parse *parse, const char *text, const char *end)
{
    const char *after;
    if (text < end && *text == '[') {
        const char *close = memchr(text, ']', (size_t)(end - text));
        if (!close)
            return fail(parse, UMBEL_BAD_URL, "a '[' of an IPv6 address is not closed");
        if (!decode(parse, text + 1, close, &parse->url->host))
            return false;
        after = close + 1;
    } else {
        after = memchr(text, ':', (size_t)(end - text));
        after = after ? after : end;
        if (!decode(parse, text, after, &parse->url->host))
            return false;
    }
    if (after == end)
        return true;
    if (*after != ':')
        return fail(parse, UMBEL_BAD_URL, "the host is followed by something that is no port");
    return after + 1 == end || read_port(parse, after + 1, end);
}

static bool read_authority(struct parse *parse, const char *text, const char *end)
{
    const char *at = memrchr(text, '@', (size_t)(end - text));
    if (at && !read_user(parse, text, at))
        return false;
    return read_host(parse, at ? at + 1 : text, end);
}

static bool read_option(struct parse *parse, const char *text, const char *end, struct url_option *option)
{
    const char *equals = memchr(text, '=', (size_t)(end - text));
    option->value = STR("");
    if (!decode(parse, text, equals ? equals : end, &option->name))
        return false;
    return !equals || decode(parse, equals + 1, end, &option->value);
}

static bool read_options(struct parse *parse, const char *text)
{
    size_t most = 1;
    for (const char *p = text; *p; p++)
        most += *p == '&';
    struct url *url = parse->url;
    url->options = arena_alloc(parse->arena, most * sizeof *url->options);
    if (!url->options)
        return fail(parse, UMBEL_NO_MEMORY, "out of memory");
    while (*text) {
        const char *end = text + strcspn(text, "&");
        if (end > text && !read_option(parse, text, end, &url->options[url->option_count++]))
            return false;
        text = *end ? end + 1 : end;
    }
    return true;
}

static bool read_rest(struct parse *parse, const char *text)
{
    struct url *url = parse->url;
    if (strncmp(text, "//", 2) == 0 && !str_equal(url->scheme, STR("sqlite"))) {
        const char *end = text + 2 + strcspn(text + 2, "/?");
        if (!read_authority(parse, text + 2, end))
            return false;
        text = end;
        if (*text == '/') {
            url->has_path = true;
            text++;
        }
    } else if (str_equal(url->scheme, STR("sqlite"))) {
        url->has_path = true; /* all of it, slashes included, is the file's path */
    } else {
        return fail(parse, UMBEL_BAD_URL, "its scheme is not followed by //");
    }
    const char *end = text + strcspn(text, "?");
    if (!decode(parse, text, end, &url->path))
        return false;
    return *end != '?' || read_options(parse, end + 1);
}

int url_parse(struct arena *arena, const char *text, struct url *url, const char **why)
{
    struct parse parse = {.arena = arena, .url = url, .code = UMBEL_OK};
    umbel_str none = STR("");
    *url = (struct url){.scheme = none, .user = none, .password = none, .host = none, .path = none};
    if (!text)
        fail(&parse, UMBEL_BAD_URL, "no URL is given");
    else if (read_scheme(&parse, &text))
        read_rest(&parse, text);
    if (parse.code && why)
        *why = parse.why;
    return parse.code;
}

umbel_str url_option(const struct url *url, const char *name)
{
    for (size_t i = 0; i < url->option_count; i++) {
        if (str_equal(url->options[i].name, str_of(name)))
            return url->options[i].value;
    }
    return STR_NONE;
}

/* Where the URL at `text` ends in a list. A ';' that no URL follows is part of this one (of its password,
 * perhaps). */
static const char *url_end(const char *text)
{
    const char *end = text;
    while ((end = strchr(end, ';'))) {
        const char *next = end + 1 + strspn(end + 1, " ;");
        const char *colon = scheme_end(next);
        if (*next == '\0' ||
            (colon && (strncmp(colon, "://", 3) == 0 || strncasecmp(next, "sqlite:", 7) == 0)))
            return end;
        end++;
    }
    return text + strlen(text);
}

int url_parse_list(struct arena *arena, const char *text, struct url *urls, size_t max, const char **why)
{
    const char *ignored;
    size_t count = 0;
    why = why ? why : &ignored;
    for (text = text ? text + strspn(text, " ;") : ""; *text; text += strspn(text, " ;")) {
        const char *end = url_end(text);
        if (count == max) {
            *why = "there are too many URLs in the list";
            return -UMBEL_BAD_URL;
        }
        size_t size = (size_t)(end - text);
        while (size && text[size - 1] == ' ')
            size--;
        char *one = arena_copy(arena, text, size);
        int code = one ? url_parse(arena, one, &urls[count++], why) : UMBEL_NO_MEMORY;
        if (code)
            return -code;
        text = end;
    }
    if (count == 0) {
        *why = "no URL is given";
        return -UMBEL_BAD_URL;
    }
    return (int)count;
}

static bool is_secret(const char *name, size_t size)
{
    for (size_t i = 0; i + 4 <= size; i++) {
        if (strncasecmp(name + i, "pass", 4) == 0)
            return true;
    }
    return false;
}

/* Options whose name speaks of a password lose their value. */
static void safe_options(struct buffer *out, const char *text, const char *end)
{
    while (text < end) {
        const char *next = memchr(text, '&', (size_t)(end - text));
        next = next ? next + 1 : end;
        const char *equals = memchr(text, '=', (size_t)(next - text));
        if (equals && is_secret(text, (size_t)(equals - text))) {
            buffer_add(out, text, (size_t)(equals + 1 - text));
            buffer_text(out, next[-1] == '&' ? "***&" : "***");
        } else {
            buffer_add(out, text, (size_t)(next - text));
        }
        text = next;
    }
}

/* The password's place: behind the first ':' of the authority, up to the '@' that ends it. When the authority
 * has none but a later part has, the password may hold a '/' or '?' that should have been encoded: hide up to
 * there. */
static void safe_one(struct buffer *out, const char *text, const char *end)
{
    const char *authority = strstr(text, "://");
    const char *rest = text;
    if (authority && authority < end) {
        authority += 3;
        const char *limit = authority + strcspn(authority, "/?");
        limit = limit < end ? limit : end;
        const char *at = memrchr(authority, '@', (size_t)(limit - authority));
        at = at ? at : memrchr(authority, '@', (size_t)(end - authority));
        const char *colon = at ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
        if (colon) {
            buffer_add(out, text, (size_t)(colon + 1 - text));
            buffer_text(out, "***");
            rest = at;
        }
    }
    const char *question = memchr(rest, '?', (size_t)(end - rest));
    const char *options = question ? question + 1 : end;
    buffer_add(out, rest, (size_t)(options - rest));
    safe_options(out, options, end);
}

void url_safe(struct buffer *out, const char *text)
{
    while (text && *text) {
        const char *end = url_end(text);
        safe_one(out, text, end);
        size_t gap = strspn(end, " ;");
        buffer_add(out, end, gap);
        text = end + gap;
    }
}
