/* cmd_dead.c: `umbel dead`: what became of tasks that could not be run: list, show, replay, drop.
 *
 * A worker parks such a message in <queue>.dead, as it came, with the reason in headers. To look at them they
 * are taken out and, unless replayed or dropped, given back: so each run of this command sees all of them,
 * and marks them redelivered. A replay publishes the message to its queue again, awaits the confirm, and only
 * then removes the dead one: a crash in between leaves it in both, never in neither. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client/console.h"
#include "client/dead_letters.h"
#include "client/dead_page.h"

enum verb { VERB_LIST, VERB_SHOW, VERB_REPLAY, VERB_DROP };

struct line {
    enum verb verb;
    const char *queue;
    bool all;
    long limit;
    char **ids;
    int id_count;
    bool *found; /* by the ids' order */
};

/* ---- the verbs ---- */

/* Several letters may bear one id. One that has none goes by the name that the list shows for it. */
static bool is_named(const struct line *line, const struct message *msg)
{
    umbel_str id = msg->id.size ? msg->id : str_of(DEAD_PAGE_NOTHING);
    bool named = line->all;
    for (int i = 0; i < line->id_count; i++) {
        if (str_equal(id, str_of(line->ids[i])))
            named = line->found[i] = true;
    }
    return named;
}

static int act(struct dead_letters *dead, const struct line *line, struct dead_letter *letter)
{
    switch (line->verb) {
    case VERB_LIST:
        break;
    case VERB_SHOW:
        dead_page_show(&letter->msg);
        break;
    case VERB_REPLAY:
        return dead_letters_replay(dead, letter);
    case VERB_DROP:
        dead_letters_drop(dead, letter);
        break;
    }
    return UMBEL_OK;
}

/* Answers how many of the ids were not there. */
static int name_missing(const struct dead_letters *dead, const struct line *line)
{
    int missing = 0;
    for (int i = 0; i < line->id_count; i++) {
        if (line->found[i])
            continue;
        console_complain("dead", "'%s' is not in '%s.dead'", line->ids[i], line->queue);
        missing++;
    }
    if ((missing || line->verb == VERB_LIST) && dead->count < dead->waiting)
        console_complain(
            "dead", "these were the oldest %zu of %" PRIu64 "; -n %" PRIu64 " looks at all of them",
            dead->count, dead->waiting, dead->waiting < DEAD_LETTERS_MAX ? dead->waiting : DEAD_LETTERS_MAX);
    return missing;
}

static int report(const struct dead_letters *dead, const struct line *line, size_t done)
{
    uint64_t of = dead->waiting > dead->count ? dead->waiting : dead->count;
    if (of == 0 && (line->all || line->verb == VERB_LIST))
        printf("no dead letters in '%s.dead'\n", line->queue);
    else if (line->verb == VERB_REPLAY)
        printf("%zu of %" PRIu64 " dead letters replayed%s\n", done, of,
               done ? "; what they end with now replaces the result that is stored" : "");
    else if (line->verb == VERB_DROP)
        printf("%zu of %" PRIu64 " dead letters dropped\n", done, of);
    return name_missing(dead, line) ? EXIT_TASK_FAILED : EXIT_DONE;
}

static int carry_out(struct dead_letters *dead, const struct line *line)
{
    int code = dead_letters_fetch(dead, line->queue, (uint64_t)line->limit);
    if (code != UMBEL_OK && code != UMBEL_NOT_FOUND)
        return desk_complain(&dead->desk, code);
    if (line->verb == VERB_LIST)
        dead_page_list(dead->first);
    size_t done = 0;
    for (struct dead_letter *letter = dead->first; letter; letter = letter->next) {
        if (!is_named(line, &letter->msg))
            continue;
        code = act(dead, line, letter);
        if (code != UMBEL_OK) {
            console_complain("dead", "%zu replayed; '%.*s' could not be, and stays where it is: %s%s%s", done,
                             (int)letter->msg.id.size, letter->msg.id.size ? letter->msg.id.data : "",
                             umbel_strerror(code), *dead->desk.why ? ": " : "", dead->desk.why);
            return console_exit(code);
        }
        done++;
    }
    return report(dead, line, done);
}

/* ---- the line ---- */

static int take_verb(struct line *line, const char *word)
{
    static const char *const verbs[] = {"list", "show", "replay", "drop"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(word, verbs[i]) == 0) {
            line->verb = (enum verb)i;
            return EXIT_DONE;
        }
    }
    return console_usage("dead", "'%s' is none of list, show, replay, drop", word);
}

static int take_words(struct line *line, int argc, char **argv)
{
    if (optind >= argc)
        return console_usage("dead", "say what to do: list, show, replay or drop");
    int exit_code = take_verb(line, argv[optind]);
    if (exit_code != EXIT_DONE)
        return exit_code;
    line->ids = argv + optind + 1;
    line->id_count = argc - optind - 1;
    if (line->id_count && (line->all || line->verb == VERB_LIST))
        return console_usage("dead", "'%s' is too much: %s", line->ids[0],
                             line->all ? "--all means every one" : "the list names all there are");
    if (line->verb == VERB_LIST)
        line->all = true;
    if (!line->all && line->id_count == 0)
        return console_usage("dead", "name the ids, or say --all");
    return EXIT_DONE;
}

static bool take_limit(struct line *line, const char *text)
{
    char *end;
    line->limit = strtol(text, &end, 10);
    return end > text && !*end && line->limit >= 1 && line->limit <= DEAD_LETTERS_MAX;
}

static int parse_line(struct line *line, int argc, char **argv)
{
    static const struct option longs[] = {
        {"queue", required_argument, NULL, 'Q'},
        {"all", no_argument, NULL, 'a'},
        {"limit", required_argument, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    int letter;
    while ((letter = getopt_long(argc, argv, ":Q:an:", longs, NULL)) != -1) {
        if (letter == 'Q')
            line->queue = optarg;
        else if (letter == 'a')
            line->all = true;
        else if (letter != 'n')
            return console_usage("dead",
                                 letter == ':' ? "a value is missing after '%s'" : "there is no option '%s'",
                                 argv[optind - 1]);
        else if (!take_limit(line, optarg))
            return console_usage("dead", "-n takes 1 to %d, not '%s'", DEAD_LETTERS_MAX, optarg);
    }
    return take_words(line, argc, argv);
}

static int run(const struct command_globals *globals, int argc, char **argv)
{
    struct line line = {.queue = "celery", .limit = 1000};
    int exit_code = parse_line(&line, argc, argv);
    if (exit_code != EXIT_DONE)
        return exit_code;
    line.found = calloc((size_t)line.id_count + 1, sizeof *line.found);
    if (!line.found)
        return EXIT_SOFTWARE;
    struct dead_letters dead;
    exit_code = dead_letters_open(&dead, globals);
    if (exit_code == EXIT_DONE) {
        exit_code = carry_out(&dead, &line);
        dead_letters_close(&dead);
    }
    free(line.found);
    return exit_code;
}

const struct command cmd_dead = {
    .name = "dead",
    .summary = "list, show, replay or drop tasks that could not be run",
    .usage = "usage: umbel dead list            [-Q QUEUE] [-n N]\n"
             "       umbel dead show   ID...|--all [-Q QUEUE]\n"
             "       umbel dead replay ID...|--all [-Q QUEUE]\n"
             "       umbel dead drop   ID...|--all [-Q QUEUE]\n"
             "\n"
             "A worker parks what it cannot run in QUEUE.dead, with the reason: a task that\n"
             "killed its child three times, a message that cannot be decoded, a name nobody\n"
             "registered.\n"
             "\n"
             "  list     one line each, the oldest first: id, task, when, why\n"
             "  show     all that is known of them: headers and body\n"
             "  replay   send them to their queue again, where they begin a new life: deaths are\n"
             "           forgotten, and what they end with replaces the result that is stored\n"
             "  drop     remove them for good\n"
             "\n"
             "  -Q, --queue QUEUE   the queue they were sent to, without .dead (celery)\n"
             "  -a, --all           all of them, instead of the ids named\n"
             "  -n, --limit N       look at so many at most, the oldest first (1000)\n"
             "\n"
             "A message that came without an id is listed as '-', and '-' names every such one.\n"
             "The exit code is 1 when an id is not there.\n",
    .run = run,
};
