/* cmd_inspect.c: `umbel inspect`: asks workers what they are and do. */
#include "client/remote_words.h"

static const struct remote_method rows[] = {
    {"ping", {{0}}, false},       {"stats", {{0}}, false},
    {"active", {{0}}, false},     {"reserved", {{0}}, false},
    {"scheduled", {{0}}, false},  {"revoked", {{0}}, false},
    {"registered", {{0}}, false}, {"active_queues", {{0}}, false},
    {"conf", {{0}}, false},       {"report", {{0}}, false},
    {"clock", {{0}}, false},      {"query_task", {{"ids", WORD_TEXTS, false}}, false},
    {NULL, {{0}}, false},
};

static int run(const struct command_globals *globals, int argc, char **argv)
{
    return remote_run("inspect", globals, rows, argc, argv);
}

const struct command cmd_inspect = {
    .name = "inspect",
    .summary = "ask workers what they are and do",
    .usage =
        "usage: umbel inspect METHOD [ARGUMENTS] [-d WORKERS] [-t SECONDS] [-j]\n"
        "\n"
        "Asks the workers of the cluster, Umbel's and Python's, and prints what each answers.\n"
        "\n"
        "  ping            are you there?\n"
        "  stats           counts, children, broker, resources used\n"
        "  active          the tasks that run now\n"
        "  reserved        the tasks that are here and have not started\n"
        "  scheduled       the tasks that wait here until they are due\n"
        "  revoked         the ids that are not to be run\n"
        "  registered      the tasks a worker can run\n"
        "  active_queues   the queues it consumes\n"
        "  conf            its settings, without passwords\n"
        "  report          versions and platform\n"
        "  clock           its logical clock\n"
        "  query_task ID...\n"
        "                  what is known of these tasks\n"
        "\n"
        "Arguments may also be one JSON map: umbel inspect query_task '{\"ids\": [\"...\"]}'. So any method "
        "of a Python\n"
        "worker can be called.\n"
        "\n"
        "  -d, --destination LIST  the workers to ask, separated by commas (all of them)\n"
        "  -t, --timeout SECONDS   how long answers are waited for (1); with -d no longer than needed\n"
        "  -j, --json              print one JSON map: worker to answer\n"
        "\n"
        "Needs a broker of amqp://. Ends with 0 when the workers have answered, 1 when one has not, or "
        "with an error,\n"
        "2 for a wrong line, 4 when the broker cannot be reached.\n",
    .run = run,
};
