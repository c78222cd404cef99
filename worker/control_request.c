/* control_request.c: see control_request.h. */
#include "worker/control_request.h"

#include <regex.h>
#include <stdio.h>
#include "common/codec.h"
#include "common/str.h"

#define REGEX_MAX 200
#define REGEX_DOUBLINGS 6
#define CLOCK_MAX ((int64_t)1 << 53) /* more than any cluster sends in its life */

/* ---- reading
 * ---------------------------------------------------------------------------------------------------- */

static const umbel_value *of_kind(const umbel_value *map, const char *key, umbel_kind kind)
{
    const umbel_value *value = umbel_value_find(map, key);
    return umbel_value_kind(value) == kind ? value : NULL;
}

static uint64_t read_clock(const struct message *msg)
{
    int64_t clock = 0;
    const umbel_value *value = message_extra(msg, "clock");
    return value && umbel_value_int(value, &clock) == UMBEL_OK && clock > 0 && clock < CLOCK_MAX
               ? (uint64_t)clock
               : 0;
}

static void read_reply_to(const umbel_value *body, struct control_request *request)
{
    const umbel_value *reply_to = of_kind(body, "reply_to", UMBEL_MAP);
    request->reply_exchange = value_text(reply_to, "exchange");
    request->reply_key = value_text(reply_to, "routing_key");
    if (request->reply_exchange.size > 255 || request->reply_key.size > 255)
        request->reply_key = STR_NONE;
}

int control_request_read(struct arena *arena, const struct message *msg, struct control_request *request,
                         const char **why)
{
    const struct codec_row *row =
        msg->content_type.size ? codec_by_content_type(msg->content_type) : codec_row(CODEC_JSON);
    umbel_value *body;
    *request = (struct control_request){.clock = read_clock(msg)};
    *why = "its content type is neither JSON nor msgpack";
    if (!row)
        return UMBEL_BAD_MESSAGE;
    *why = "it is too large";
    if (msg->body.size > CONTROL_BODY_MAX)
        return UMBEL_BAD_MESSAGE;
    if (row->decode(arena, msg->body, &body, why) != UMBEL_OK)
        return UMBEL_BAD_MESSAGE;
    request->method = value_text(body, "method");
    *why = "it names no method";
    if (!request->method.size)
        return UMBEL_BAD_MESSAGE;
    request->arguments = of_kind(body, "arguments", UMBEL_MAP);
    request->destination = of_kind(body, "destination", UMBEL_LIST);
    request->pattern = value_text(body, "pattern");
    request->matcher = value_text(body, "matcher");
    request->ticket = value_text(body, "ticket");
    read_reply_to(body, request);
    return UMBEL_OK;
}

/* ---- patterns
 * --------------------------------------------------------------------------------------------------- */

/* Is `c` in the set that begins behind '['? *end gets what follows the ']'; false with *end NULL: there is no
 * ']'. */
static bool in_set(umbel_str pattern, size_t at, char c, size_t *end)
{
    bool inverted = at < pattern.size && pattern.data[at] == '!', found = false;
    at += inverted;
    size_t first = at;
    for (; at < pattern.size && (pattern.data[at] != ']' || at == first); at++) {
        char low = pattern.data[at], high = low;
        if (at + 2 < pattern.size && pattern.data[at + 1] == '-' && pattern.data[at + 2] != ']') {
            high = pattern.data[at + 2];
            at += 2;
        }
        found |= c >= low && c <= high;
    }
    *end = at < pattern.size ? at + 1 : 0;
    return found != inverted;
}

/* One character of the pattern against one of the name; *next gets where the pattern goes on. */
static bool one_matches(umbel_str pattern, size_t at, char c, size_t *next)
{
    *next = at + 1;
    if (pattern.data[at] == '?')
        return true;
    if (pattern.data[at] == '[') {
        size_t end;
        bool is_in = in_set(pattern, at + 1, c, &end);
        if (end) {
            *next = end;
            return is_in;
        }
    }
    return pattern.data[at] == c;
}

/* Only the last star is ever gone back to, which is enough and cannot take long. */
bool control_glob(umbel_str pattern, umbel_str name)
{
    size_t at = 0, in = 0, star = SIZE_MAX, mark = 0, next;
    while (in < name.size) {
        if (at < pattern.size && pattern.data[at] == '*') {
            star = ++at;
            mark = in;
        } else if (at < pattern.size && one_matches(pattern, at, name.data[in], &next)) {
            at = next;
            in++;
        } else if (star != SIZE_MAX) {
            at = star;
            in = ++mark;
        } else {
            return false;
        }
    }
    while (at < pattern.size && pattern.data[at] == '*')
        at++;
    return at == pattern.size;
}

static bool is_tame(umbel_str pattern)
{
    size_t doublings = 0; /* regcomp copies what stands before each '+', also what has been copied before */
    for (size_t i = 0; i < pattern.size; i++) {
        char c = pattern.data[i];
        doublings += c == '+';
        if (doublings > REGEX_DOUBLINGS || c == '{' || c == '\0' ||
            (c == '\\' && i + 1 < pattern.size && pattern.data[i + 1] >= '0' && pattern.data[i + 1] <= '9'))
            return false;
    }
    return pattern.size <= REGEX_MAX;
}

bool control_regex(umbel_str pattern, const char *name)
{
    char text[REGEX_MAX + 8];
    regex_t regex;
    if (!is_tame(pattern))
        return false;
    snprintf(text, sizeof text, "^(%.*s)", (int)pattern.size, pattern.data);
    if (regcomp(&regex, text, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool matches = regexec(&regex, name, 0, NULL, 0) == 0;
    regfree(&regex);
    return matches;
}

/* ---- whom it concerns
 * ------------------------------------------------------------------------------------------- */

static bool is_named(const umbel_value *destination, umbel_str node)
{
    for (size_t i = 0; i < umbel_value_count(destination); i++) {
        umbel_str name;
        if (umbel_value_str(umbel_value_at(destination, i), &name) == UMBEL_OK && str_equal(name, node))
            return true;
    }
    return false;
}

bool control_request_concerns(const struct control_request *request, const char *node)
{
    bool addressed = umbel_value_count(request->destination) > 0;
    bool patterned = request->pattern.size > 0 && request->matcher.size > 0;
    if (addressed && is_named(request->destination, str_of(node)))
        return true;
    if (!patterned)
        return !addressed;
    if (str_equal(request->matcher, STR("pcre")))
        return control_regex(request->pattern, node);
    return str_equal(request->matcher, STR("glob")) && control_glob(request->pattern, str_of(node));
}
