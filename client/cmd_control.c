/* cmd_control.c: `umbel control`: tells workers to change something. */
#include "client/remote_words.h"

static const struct remote_method rows[] = {
    {"revoke", {{"task_id", WORD_TEXTS, false}}, false},
    {"terminate", {{"signal", WORD_TEXT, false}, {"task_id", WORD_TEXTS, false}}, false},
    {"time_limit",
     {{"task_name", WORD_TEXT, false}, {"hard", WORD_NUMBER, false}, {"soft", WORD_NUMBER, true}},
     false},
    {"add_consumer", {{"queue", WORD_TEXT, false}}, false},
    {"cancel_consumer", {{"queue", WORD_TEXT, false}}, false},
    {"pool_grow", {{"n", WORD_NUMBER, true}}, false},
    {"pool_shrink", {{"n", WORD_NUMBER, true}}, false},
    {"autoscale", {{"max", WORD_NUMBER, false}, {"min", WORD_NUMBER, true}}, false},
    {"enable_events", {{0}}, false},
    {"disable_events", {{0}}, false},
    {"heartbeat", {{0}}, false},
    {"shutdown", {{0}}, true},
    {NULL, {{0}}, false},
};

static int run(const struct command_globals *globals, int argc, char **argv)
{
    return remote_run("control", globals, rows, argc, argv);
}

const struct command cmd_control = {
    .name = "control",
    .summary = "tell workers to change something; revoke tasks",
    .usage = "usage: umbel control METHOD [ARGUMENTS] [-d WORKERS] [-t SECONDS] [-j]\n"
             "\n"
             "Tells the workers of the cluster, Umbel's and Python's, to do something, and prints what each "
             "answers.\n"
             "\n"
             "  revoke ID...            do not run these tasks\n"
             "  terminate SIGNAL ID...  likewise, and end those that run: TERM asks first, KILL does not\n"
             "  time_limit TASK HARD [SOFT]\n"
             "                          limits in seconds for runs to come\n"
             "  add_consumer QUEUE, cancel_consumer QUEUE\n"
             "                          consume one queue more, or less\n"
             "  pool_grow [N], pool_shrink [N]\n"
             "                          so many children more, or fewer (1)\n"
             "  autoscale MAX [MIN]     from now on as many children as there are tasks, between these\n"
             "  enable_events, disable_events\n"
             "                          send task events, or not (see umbel events)\n"
             "  heartbeat               tell monitors at once that you live\n"
             "  shutdown                stop warmly; nobody answers. Without -d it means every worker\n"
             "\n"
             "Arguments may also be one JSON map, and so any method of a Python worker can be called:\n"
             "umbel control rate_limit '{\"task_name\": \"t\", \"rate_limit\": \"10/s\"}'.\n"
             "\n"
             "  -d, --destination LIST  the workers meant, separated by commas (all of them)\n"
             "  -t, --timeout SECONDS   how long answers are waited for (1); with -d no longer than needed\n"
             "  -j, --json              print one JSON map: worker to answer\n"
             "\n"
             "Needs a broker of amqp://. Ends with 0 when the workers have answered, 1 when one has not, or "
             "with an error,\n"
             "2 for a wrong line, 4 when the broker cannot be reached.\n",
    .run = run,
};
