/* remote_words.c: see remote_words.h. */
#include "client/remote_words.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "client/console.h"
#include "common/number.h"
#include "common/str.h"

static const struct remote_method *find(const struct remote_method *rows, const char *name)
{
    for (; rows->name; rows++)
        if (strcmp(rows->name, name) == 0)
            return rows;
    return NULL;
}

static int read_json(const char *command, const char *text, umbel_value **arguments)
{
    if (umbel_value_parse(text, strlen(text), arguments) == UMBEL_OK &&
        umbel_value_kind(*arguments) == UMBEL_MAP)
        return EXIT_DONE;
    umbel_value_free(*arguments);
    *arguments = NULL;
    return console_usage(command, "the arguments are no JSON map, as in '{\"n\": 2}'");
}

static bool add_number(umbel_value *map, const char *name, const char *text)
{
    char *end;
    long whole = strtol(text, &end, 10);
    if (end != text && !*end) {
        umbel_add_int(map, name, whole);
        return true;
    }
    double real;
    if (!console_seconds(text, &real))
        return false;
    umbel_add_double(map, name, real);
    return true;
}

/* How many words it took, or -1. */
static int add_word(umbel_value *map, const struct remote_word *word, int count, char **words)
{
    if (word->kind == WORD_TEXT) {
        umbel_add_str(map, word->name, words[0]);
        return 1;
    }
    if (word->kind == WORD_NUMBER)
        return add_number(map, word->name, words[0]) ? 1 : -1;
    umbel_value *list = umbel_add_list(map, word->name);
    for (int i = 0; i < count; i++)
        umbel_add_str(list, NULL, words[i]);
    return count;
}

static int read_words(const char *command, const struct remote_method *row, int count, char **words,
                      umbel_value *map)
{
    for (const struct remote_word *word = row->words; word->kind != WORD_END; word++) {
        if (count == 0 && word->optional)
            return EXIT_DONE;
        if (count == 0)
            return console_usage(command, "%s needs %s", row->name, word->name);
        int taken = add_word(map, word, count, words);
        if (taken < 0)
            return console_usage(command, "%s of %s is a number, not '%s'", word->name, row->name, words[0]);
        count -= taken;
        words += taken;
    }
    return count == 0 ? EXIT_DONE : console_usage(command, "'%s' is too much for %s", words[0], row->name);
}

int remote_words(const char *command, const struct remote_method *rows, int count, char **words,
                 umbel_value **arguments, bool *silent)
{
    const struct remote_method *row = find(rows, words[0]);
    bool json = count == 2 && words[1][0] == '{';
    *silent = row && row->silent;
    *arguments = NULL;
    if (json)
        return read_json(command, words[1], arguments);
    if (!row)
        return console_usage(
            command,
            "there is no method '%s'; one that only other workers know takes its arguments as a "
            "JSON map",
            words[0]);
    *arguments = umbel_map_new();
    return *arguments ? read_words(command, row, count - 1, words + 1, *arguments) : EXIT_SOFTWARE;
}

static int parse_line(struct remote_line *line, const char *command, int argc, char **argv)
{
    static const struct option longs[] = {REMOTE_LONG_OPTIONS, {NULL, 0, NULL, 0}};
    int letter, exit_code = EXIT_DONE;
    while (exit_code == EXIT_DONE &&
           (letter = getopt_long(argc, argv, ":" REMOTE_OPTIONS, longs, NULL)) != -1)
        exit_code = remote_option(line, command, letter, optarg, argv[optind - 1]);
    if (exit_code == EXIT_DONE && optind == argc)
        return console_usage(command, "say what: %s METHOD", command);
    return exit_code;
}

int remote_run(const char *command, const struct command_globals *globals, const struct remote_method *rows,
               int argc, char **argv)
{
    struct remote_line line = {.timeout = 1};
    struct remote remote;
    umbel_value *arguments = NULL;
    bool silent = false;
    int exit_code = parse_line(&line, command, argc, argv);
    if (exit_code == EXIT_DONE)
        exit_code = remote_words(command, rows, argc - optind, argv + optind, &arguments, &silent);
    if (exit_code == EXIT_DONE) {
        exit_code = remote_ask(&remote, command, globals, &line, argv[optind], arguments, !silent);
        if (exit_code == EXIT_DONE && !silent)
            exit_code = remote_print(&remote);
        remote_end(&remote);
    }
    umbel_value_free(arguments);
    return exit_code;
}
