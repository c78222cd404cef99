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

enum verb { VERB_LIST, VERB_SHOW, VERB_REPLAY, VERB_DROP };

struct line {
    enum verb verb;
    const char *queue;
    bool all;
    long limit;
    char **ids;
    int id_count;
};

/* ---- printing ---- */

static int text_width(umbel_str text, int width)
{
    return text.size < (size_t)width ? (int)text.size : width;
}

static umbel_str header_or(const struct message *msg, const char *name, const char *other)
{
    umbel_str text = dead_letter_header(msg, name);
    return text.size ? text : (umbel_str){other, strlen(other)};
}

static void print_row(const struct message *msg)
{
    umbel_str id = msg->id.size ? msg->id : STR("(no id)");
    umbel_str task = msg->task.size ? msg->task : STR("(no task)");
    umbel_str at = header_or(msg, "umbel-dead-at", "-"), reason = header_or(msg, "umbel-reason", "-");
    umbel_str error = header_or(msg, "umbel-error", "");
    printf("%-36.*s  %-24.*s  %-19.*s  %.*s%s%.*s\n", text_width(id, 255), id.data, text_width(task, 255),
           task.data, text_width(at, 19), at.data, text_width(reason, 80), reason.data,
           error.size ? ": " : "", text_width(error, 120), error.data);
}

static void print_text(const char *name, umbel_str text)
{
    if (text.size)
        printf("%-16s %.*s\n", name, (int)text.size, text.data);
}

static void print_body(const struct message *msg)
{
    struct arena arena;
    arena_init(&arena, 0);
    umbel_value *body = NULL;
    const struct codec_row *row = codec_by_content_type(msg->content_type);
    char *json = NULL;
    if (row && row->decode(&arena, msg->body, &body, NULL) == UMBEL_OK)
        json = umbel_value_json(body);
    if (json)
        printf("%-16s %s\n", "body", json);
    else
        printf("%-16s %zu bytes of %.*s that cannot be decoded\n", "body", msg->body.size,
               text_width(msg->content_type, 80), msg->content_type.data ? msg->content_type.data : "");
    free(json);
    arena_fini(&arena);
}

static void print_extras(const struct message *msg)
{
    for (size_t i = 0; i < msg->extra_count; i++) {
        char *json = umbel_value_json(&msg->extra[i].value);
        printf("%-16.*s %s\n", (int)msg->extra[i].name.size, msg->extra[i].name.data, json ? json : "");
        free(json);
    }
}

static void print_whole(const struct message *msg)
{
    print_text("id", msg->id);
    print_text("task", msg->task);
    print_text("parent_id", msg->parent_id);
    print_text("root_id", msg->root_id);
    print_text("eta", msg->eta);
    print_text("expires", msg->expires);
    if (msg->retries)
        printf("%-16s %" PRId64 "\n", "retries", msg->retries);
    if (msg->deaths)
        printf("%-16s %d\n", "deaths", msg->deaths);
    print_extras(msg);
    print_body(msg);
}

/* ---- the verbs ---- */

static bool is_named(const struct line *line, const struct message *msg)
{
    for (int i = 0; i < line->id_count; i++)
        if (str_equal(msg->id, str_of(line->ids[i])))
            return true;
    return line->all;
}

static int act(struct dead_letters *dead, const struct line *line, struct dead_letter *letter)
{
    switch (line->verb) {
    case VERB_LIST:
        print_row(&letter->msg);
        return UMBEL_OK;
    case VERB_SHOW:
        print_whole(&letter->msg);
        return UMBEL_OK;
    case VERB_REPLAY:
        return dead_letters_replay(dead, letter);
    case VERB_DROP:
        dead_letters_drop(dead, letter);
        return UMBEL_OK;
    }
    return UMBEL_OK;
}

static int report(const struct line *line, size_t done, size_t seen)
{
    static const char *const words[] = {"listed", "shown", "replayed", "dropped"};
    bool quiet = line->verb == VERB_LIST || line->verb == VERB_SHOW;
    if (line->verb == VERB_LIST && seen == 0)
        printf("no dead letters in '%s.dead'\n", line->queue);
    if (!quiet)
        printf("%zu of %zu dead letters %s\n", done, seen, words[line->verb]);
    if (!line->all && done < (size_t)line->id_count) {
        console_complain("dead", "%zu of the ids named are not in '%s.dead'", (size_t)line->id_count - done,
                         line->queue);
        return EXIT_TASK_FAILED;
    }
    return EXIT_DONE;
}

static int carry_out(struct dead_letters *dead, const struct line *line)
{
    int code = dead_letters_fetch(dead, line->queue, (uint64_t)line->limit);
    if (code == UMBEL_NOT_FOUND)
        return report(line, 0, 0);
    if (code != UMBEL_OK)
        return desk_complain(&dead->desk, code);
    size_t done = 0;
    for (struct dead_letter *letter = dead->first; letter; letter = letter->next) {
        if (!is_named(line, &letter->msg))
            continue;
        code = act(dead, line, letter);
        if (code != UMBEL_OK) {
            console_complain("dead", "task %s could not be replayed: %s: %s", letter->msg.id.data,
                             umbel_strerror(code), dead->desk.why);
            return console_exit(code);
        }
        done++;
    }
    return report(line, done, dead->count);
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
    if (line->verb == VERB_LIST)
        line->all = true;
    if (!line->all && line->id_count == 0)
        return console_usage("dead", "name the ids, or say --all");
    return EXIT_DONE;
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
        else if ((line->limit = strtol(optarg, NULL, 10)) < 1 || line->limit > DEAD_LETTERS_MAX)
            return console_usage("dead", "-n takes 1 to %d", DEAD_LETTERS_MAX);
    }
    return take_words(line, argc, argv);
}

static int run(const struct command_globals *globals, int argc, char **argv)
{
    struct line line = {.queue = "celery", .limit = 1000};
    int exit_code = parse_line(&line, argc, argv);
    if (exit_code != EXIT_DONE)
        return exit_code;
    struct dead_letters dead;
    exit_code = dead_letters_open(&dead, globals);
    if (exit_code != EXIT_DONE)
        return exit_code;
    exit_code = carry_out(&dead, &line);
    dead_letters_close(&dead);
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
             "registered. `replay` sends it to its queue again, where it begins a new life;\n"
             "`drop` removes it for good.\n"
             "\n"
             "  -Q, --queue QUEUE   the queue it was sent to, without .dead (celery)\n"
             "  -a, --all           all of them, instead of the ids named\n"
             "  -n, --limit N       look at so many at most, the oldest first (1000)\n",
    .run = run,
};
