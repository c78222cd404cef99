/* settings.c: the rows of settings.h at work. */
#include "worker/settings.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "worker/autoscale.h"

enum setting_type { TEXT, COUNT, SECONDS, SWITCH, LEVEL };

struct setting {
    size_t offset;
    enum setting_type type;
    const char *shown; /* "-P, " or "" */
    const char *flag, *environment, *standard;
    double least, most;
};

static const struct setting rows[] = {
#define ROW(member, type, shown, flag, environment, standard, least, most, parameter, help)                  \
    {offsetof(struct settings, member), type, shown, flag, environment, standard, least, most},
    SETTINGS(ROW)
#undef ROW
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

const char settings_usage[] =
    "usage: umbel [-A FILE]... [-b URL] [--result-backend URL] worker [OPTIONS]\n"
    "\n"
    "Consumes queues and runs the tasks of the modules. SIGTERM or SIGINT (Ctrl-C)\n"
    "stops it warmly: what runs may end, what has not started goes back to its queue.\n"
    "A second one, or SIGQUIT, stops it within 2 seconds: what runs is killed and\n"
    "goes back too.\n"
    "\n"
    "options, each with its environment variable and default:\n"
#define ROW(member, type, shown, flag, environment, standard, least, most, parameter, help)                  \
    "  " shown "--" flag " " parameter "  [" environment "=" standard "]\n      " help "\n"
    SETTINGS(ROW)
#undef ROW
        "  -h, --help\n      print this and end\n";

/* ---- one value
 * -------------------------------------------------------------------------------------------------- */

static const char *const level_names[] = {"debug", "info", "warning", "error"};

static int read_level(const char *text, umbel_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcasecmp(text, level_names[i]) == 0) {
            *level = (umbel_level)i;
            return UMBEL_OK;
        }
    }
    if (strcasecmp(text, "critical") != 0 && strcasecmp(text, "fatal") != 0)
        return UMBEL_BAD_VALUE;
    *level = UMBEL_ERROR;
    return UMBEL_OK;
}

static int read_number(const struct setting *row, const char *text, double *number)
{
    char *end;
    errno = 0;
    *number = strtod(text, &end);
    if (end == text || *end || errno || !isfinite(*number) || *number < row->least || *number > row->most)
        return UMBEL_BAD_VALUE;
    return row->type == COUNT && *number != floor(*number) ? UMBEL_BAD_VALUE : UMBEL_OK;
}

/* A switch in the environment: anything but "", 0, no, false, off is on. */
static bool read_switch(const char *text)
{
    static const char *const off[] = {"", "0", "no", "false", "off"};
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++)
        if (strcasecmp(text, off[i]) == 0)
            return false;
    return true;
}

static int set_value(struct settings *settings, const struct setting *row, const char *text)
{
    void *member = (char *)settings + row->offset;
    double number = 0;
    int code = UMBEL_OK;
    switch (row->type) {
    case TEXT:
        *(const char **)member = text;
        break;
    case COUNT:
        if ((code = read_number(row, text, &number)) == UMBEL_OK)
            *(uint64_t *)member = (uint64_t)number;
        break;
    case SECONDS:
        if ((code = read_number(row, text, &number)) == UMBEL_OK)
            *(double *)member = number;
        break;
    case SWITCH:
        *(bool *)member = read_switch(text);
        break;
    case LEVEL:
        code = read_level(text, member);
        break;
    }
    return code;
}

static void say_allowed(const struct setting *row, const char *from, const char *text, struct buffer *why)
{
    if (row->type == LEVEL)
        buffer_format(why, "%s is debug, info, warning or error, not '%s'", from, text);
    else
        buffer_format(why, "%s is a %snumber from %.15g to %.15g, not '%s'", from,
                      row->type == COUNT ? "whole " : "", row->least, row->most, text);
}

static int set_from(struct settings *settings, const struct setting *row, const char *from, const char *text,
                    struct buffer *why)
{
    if (set_value(settings, row, text) == UMBEL_OK)
        return UMBEL_OK;
    say_allowed(row, from, text, why);
    return UMBEL_BAD_ARGUMENT;
}

/* ---- defaults and environment
 * ----------------------------------------------------------------------------------- */

static int read_environment(struct settings *settings, char *(*environment)(const char *), struct buffer *why)
{
    int code = UMBEL_OK;
    for (size_t i = 0; i < ROW_COUNT && code == UMBEL_OK; i++) {
        set_value(settings, &rows[i], rows[i].standard);
        const char *text = environment(rows[i].environment);
        if (text && *text)
            code = set_from(settings, &rows[i], rows[i].environment, text, why);
    }
    return code;
}

/* ---- command line
 * ----------------------------------------------------------------------------------------------- */

/* The row of "--flag", "--flag=value", "-x" or "-xvalue"; *value gets what is glued on, or NULL. */
static const struct setting *find_row(const char *word, const char **value)
{
    bool longer = word[0] == '-' && word[1] == '-';
    *value = NULL;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct setting *row = &rows[i];
        size_t size = strlen(row->flag);
        if (longer && strncmp(word + 2, row->flag, size) == 0 &&
            (word[2 + size] == '\0' || word[2 + size] == '=')) {
            *value = word[2 + size] ? word + 3 + size : NULL;
            return row;
        }
        if (!longer && row->shown[0] && word[1] == row->shown[1] && (row->type != SWITCH || !word[2])) {
            *value = word[2] ? word + 2 + (word[2] == '=') : NULL;
            return row;
        }
    }
    return NULL;
}

static void say_unknown(const char *word, struct buffer *why)
{
    if (word[0] != '-')
        buffer_format(why, "'%s' is not an option; `umbel worker --help` lists them", word);
    else if (strcmp(word, "-A") == 0 || strcmp(word, "-b") == 0 || strcmp(word, "--result-backend") == 0)
        buffer_format(why, "%s stands before the command: umbel %s ... worker ...", word, word);
    else
        buffer_format(why, "there is no option %s; `umbel worker --help` lists them", word);
}

/* Reads the option at argv[*at] and moves *at to its last word. */
static int read_option(struct settings *settings, int argc, char **argv, int *at, struct buffer *why)
{
    const char *word = argv[*at], *value;
    const struct setting *row = word[0] == '-' && word[1] ? find_row(word, &value) : NULL;
    if (!row) {
        say_unknown(word, why);
        return UMBEL_BAD_ARGUMENT;
    }
    if (row->type == SWITCH)
        value = value ? value : "1";
    else if (!value && *at + 1 < argc)
        value = argv[++*at];
    if (!value) {
        buffer_format(why, "--%s needs a value", row->flag);
        return UMBEL_BAD_ARGUMENT;
    }
    char from[64];
    snprintf(from, sizeof from, "--%s", row->flag);
    return set_from(settings, row, from, value, why);
}

static int check_choice(const char *flag, const char *value, const char *one, const char *other,
                        struct buffer *why)
{
    if (strcmp(value, one) == 0 || strcmp(value, other) == 0)
        return UMBEL_OK;
    buffer_format(why, "--%s is %s or %s, not '%s'", flag, one, other, value);
    return UMBEL_BAD_ARGUMENT;
}

static int check_autoscale(const struct settings *settings, struct buffer *why)
{
    int most, least;
    if (!settings->autoscale[0])
        return UMBEL_OK;
    if (strcmp(settings->pool, "solo") == 0) {
        buffer_text(why, "--autoscale needs a pool with several slots; solo has one");
        return UMBEL_BAD_ARGUMENT;
    }
    if (autoscale_read(settings->autoscale, SETTINGS_SLOTS_MAX, &most, &least))
        return UMBEL_OK;
    buffer_format(why, "--autoscale is MAX,MIN with 1 <= MIN <= MAX <= %d, not '%s'", SETTINGS_SLOTS_MAX,
                  settings->autoscale);
    return UMBEL_BAD_ARGUMENT;
}

/* A child process for each is a child too many, sooner than a coroutine is. */
static int check_concurrency(const struct settings *settings, struct buffer *why)
{
    if (strcmp(settings->pool, "coroutines") == 0 || settings->concurrency <= SETTINGS_SLOTS_MAX)
        return UMBEL_OK;
    buffer_format(why, "--concurrency is %d at most with the pool %s; coroutines can be 100000",
                  SETTINGS_SLOTS_MAX, settings->pool);
    return UMBEL_BAD_ARGUMENT;
}

static int check_together(const struct settings *settings, struct buffer *why)
{
    int code = check_choice("log-format", settings->log_format, "text", "json", why);
    if (code == UMBEL_OK)
        code = check_choice("result-serializer", settings->result_serializer, "json", "msgpack", why);
    if (code == UMBEL_OK && settings->time_limit > 0 && settings->soft_time_limit > settings->time_limit) {
        buffer_text(why, "--soft-time-limit must not be over --time-limit");
        code = UMBEL_BAD_ARGUMENT;
    }
    if (code == UMBEL_OK)
        code = check_concurrency(settings, why);
    return code == UMBEL_OK ? check_autoscale(settings, why) : code;
}

int settings_read(struct settings *settings, int argc, char **argv, char *(*environment)(const char *),
                  struct buffer *why)
{
    memset(settings, 0, sizeof *settings);
    int code = read_environment(settings, environment, why);
    for (int i = 1; i < argc && code == UMBEL_OK; i++) {
        if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
            settings->help = true;
            return UMBEL_OK;
        }
        code = read_option(settings, argc, argv, &i, why);
    }
    return code == UMBEL_OK ? check_together(settings, why) : code;
}
