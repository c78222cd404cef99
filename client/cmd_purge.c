/* cmd_purge.c: `umbel purge`: empties queues. What a worker has already fetched is not touched. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "client/console.h"
#include "client/desk.h"

enum { QUEUES_MAX = 64 };
static const double STEP_SECONDS = 10;

struct purge {
    struct desk desk; /* first: the events' self */
    const char *queues[QUEUES_MAX];
    int queue_count;
    bool force;
    bool counted;
    int code;
    uint64_t messages;
};

static void on_counted(void *self, uint64_t token, int code, uint64_t messages, const char *why)
{
    struct purge *purge = self;
    (void)token;
    purge->counted = true;
    purge->code = code;
    purge->messages = messages;
    if (code != UMBEL_OK)
        snprintf(purge->desk.why, sizeof purge->desk.why, "%s", why ? why : "");
}

static const struct transport_events events = {.state = desk_broker_state, .counted = on_counted};

static bool is_counted(struct desk *desk)
{
    return ((struct purge *)desk)->counted;
}

/* One question about one queue, and its answer. EXIT_DONE with purge->code OK or NOT_FOUND. */
static int ask(struct purge *purge, const char *queue,
               void (*question)(struct transport *transport, const char *queue, uint64_t token))
{
    purge->counted = false;
    question(purge->desk.transport, queue, 1);
    int code = desk_wait(&purge->desk, is_counted, STEP_SECONDS);
    if (code != UMBEL_OK)
        return desk_complain(&purge->desk, code);
    if (purge->code == UMBEL_OK || purge->code == UMBEL_NOT_FOUND)
        return EXIT_DONE;
    console_complain("purge", "queue '%s': %s: %s", queue, umbel_strerror(purge->code), purge->desk.why);
    return console_exit(purge->code);
}

static bool confirmed(const char *queue, uint64_t messages)
{
    char line[16];
    fprintf(stderr, "Remove %" PRIu64 " message%s from queue '%s' for good? [y/N] ", messages,
            messages == 1 ? "" : "s", queue);
    return fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
}

static int purge_one(struct purge *purge, const char *queue)
{
    const struct transport_ops *ops = purge->desk.transport->ops;
    int exit_code = ask(purge, queue, ops->count);
    if (exit_code != EXIT_DONE)
        return exit_code;
    if (purge->code == UMBEL_NOT_FOUND) {
        printf("queue '%s' does not exist\n", queue);
        return EXIT_DONE;
    }
    if (!purge->force && purge->messages > 0 && !confirmed(queue, purge->messages))
        return EXIT_DONE;
    exit_code = ask(purge, queue, ops->purge);
    if (exit_code == EXIT_DONE)
        printf("queue '%s': %" PRIu64 " message%s removed\n", queue, purge->messages,
               purge->messages == 1 ? "" : "s");
    return exit_code;
}

static int purge_all(struct purge *purge)
{
    int code = desk_wait(&purge->desk, desk_is_up, STEP_SECONDS);
    if (code != UMBEL_OK)
        return desk_complain(&purge->desk, code);
    int exit_code = EXIT_DONE;
    for (int i = 0; i < purge->queue_count && exit_code == EXIT_DONE; i++)
        exit_code = purge_one(purge, purge->queues[i]);
    return exit_code;
}

/* The word is cut at its commas. */
static bool add_queues(struct purge *purge, char *list)
{
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        if (purge->queue_count == QUEUES_MAX)
            return false;
        purge->queues[purge->queue_count++] = name;
    }
    return true;
}

static int parse_line(struct purge *purge, int argc, char **argv)
{
    static const struct option longs[] = {
        {"queues", required_argument, NULL, 'Q'},
        {"queue", required_argument, NULL, 'Q'},
        {"force", no_argument, NULL, 'f'},
        {NULL, 0, NULL, 0},
    };
    int letter;
    while ((letter = getopt_long(argc, argv, ":Q:f", longs, NULL)) != -1) {
        if (letter == 'f')
            purge->force = true;
        else if (letter != 'Q')
            return console_usage("purge",
                                 letter == ':' ? "a value is missing after '%s'" : "there is no option '%s'",
                                 argv[optind - 1]);
        else if (!add_queues(purge, optarg))
            return console_usage("purge", "more than %d queues", QUEUES_MAX);
    }
    if (optind < argc)
        return console_usage("purge", "'%s' is too much: queues are named with -Q", argv[optind]);
    if (purge->queue_count == 0)
        return console_usage("purge", "say which queues to empty: -Q celery");
    if (!purge->force && !isatty(STDIN_FILENO))
        return console_usage("purge", "nobody can be asked here; say -f to remove without asking");
    return EXIT_DONE;
}

static int run(const struct command_globals *globals, int argc, char **argv)
{
    struct purge purge = {.queue_count = 0};
    int exit_code = parse_line(&purge, argc, argv);
    if (exit_code == EXIT_DONE)
        exit_code = desk_open_broker(&purge.desk, "purge", globals, &events);
    if (exit_code != EXIT_DONE)
        return exit_code;
    exit_code = purge_all(&purge);
    desk_close(&purge.desk);
    return exit_code;
}

const struct command cmd_purge = {
    .name = "purge",
    .summary = "remove all waiting messages from queues",
    .usage = "usage: umbel purge -Q QUEUE[,QUEUE...] [-f]\n"
             "\n"
             "Removes every message that waits in these queues, for good. Tasks that a worker\n"
             "has already fetched are not touched.\n"
             "\n"
             "  -Q, --queues LIST   the queues, separated by commas; may be repeated\n"
             "  -f, --force         do not ask\n",
    .run = run,
};
