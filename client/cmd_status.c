/* cmd_status.c: `umbel status`: which workers answer; with --node, the health check of one. */
#include <getopt.h>
#include <stdio.h>
#include "client/console.h"
#include "client/remote.h"

static int parse_line(struct remote_line *line, int argc, char **argv)
{
    static const struct option longs[] = {
        {"node", required_argument, NULL, 'n'}, REMOTE_LONG_OPTIONS, {NULL, 0, NULL, 0}};
    int letter, exit_code = EXIT_DONE;
    while (exit_code == EXIT_DONE &&
           (letter = getopt_long(argc, argv, ":n:" REMOTE_OPTIONS, longs, NULL)) != -1)
        exit_code = remote_option(line, "status", letter == 'n' ? 'd' : letter, optarg, argv[optind - 1]);
    if (exit_code == EXIT_DONE && optind < argc)
        return console_usage("status", "'%s' is too much", argv[optind]);
    return exit_code;
}

static int show(const struct remote *remote)
{
    size_t count = umbel_value_count(remote->replies);
    if (remote->line->json)
        return remote_print(remote);
    for (size_t i = 0; i < count; i++)
        printf("%s: OK\n", umbel_value_key(remote->replies, i).data);
    if (count && !remote->line->node_count)
        printf("\n%zu worker%s online.\n", count, count == 1 ? "" : "s");
    return EXIT_DONE;
}

static int run(const struct command_globals *globals, int argc, char **argv)
{
    struct remote_line line = {.timeout = 1};
    struct remote remote;
    int exit_code = parse_line(&line, argc, argv);
    if (exit_code != EXIT_DONE)
        return exit_code;
    exit_code = remote_ask(&remote, "status", globals, &line, "ping", NULL, true);
    if (exit_code == EXIT_DONE) {
        int shown = show(&remote);
        exit_code = line.json ? shown : remote_silence(&remote);
    }
    remote_end(&remote);
    return exit_code;
}

const struct command cmd_status = {
    .name = "status",
    .summary = "which workers answer; a health check with --node",
    .usage =
        "usage: umbel status [--node NAME] [-t SECONDS] [-j]\n"
        "\n"
        "Asks the workers of the cluster, Umbel's and Python's, whether they are there.\n"
        "\n"
        "  umbel status                              all that answer within a second\n"
        "  umbel status --node umbel@$(hostname)     the health check of one worker\n"
        "\n"
        "  -n, --node NAME         the worker to ask, as it is called in its banner; may be repeated\n"
        "  -t, --timeout SECONDS   how long answers are waited for (1); with --node no longer than needed\n"
        "  -j, --json              print one JSON map: worker to answer\n"
        "\n"
        "Needs a broker of amqp://. Ends with 0 when every worker that was named, or any at all, has "
        "answered, 1 when\n"
        "not, 2 for a wrong line, 4 when the broker cannot be reached.\n",
    .run = run,
};
