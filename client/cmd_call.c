/* cmd_call.c: `umbel call`: sends one task, and waits for its result if asked to. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client/console.h"
#include "client/follow.h"
#include "common/clock.h"
#include "common/codec.h"
#include "common/str.h"

enum { ARGUMENTS_MAX = 256 };
static const double TIMEOUT_DEFAULT = 10, WAIT_DEFAULT = 60;

/* What the line asks for. */
struct call {
    const char *name, *args, *kwargs;
    umbel_submit_options options;
    bool wait, follow;
    double wait_seconds, timeout; /* < 0: not given */
};

/* ---- the line ---- */

static bool take_whole(const char *text, int *out)
{
    char *end;
    long value = strtol(text, &end, 10);
    *out = (int)value;
    return end != text && !*end && value >= 0 && value <= 255;
}

static bool take_serializer(const char *text, umbel_serializer *out)
{
    *out = strcmp(text, "msgpack") == 0 ? UMBEL_MSGPACK : UMBEL_JSON;
    return *out == UMBEL_MSGPACK || strcmp(text, "json") == 0;
}

/* False: the value cannot be used. */
static bool take_option(struct call *call, int letter, char *value, int argc, char **argv)
{
    umbel_submit_options *options = &call->options;
    switch (letter) {
    case 'a':
        call->args = value;
        return true;
    case 'k':
        call->kwargs = value;
        return true;
    case 'Q':
        options->queue = value;
        return *value != '\0';
    case 'i':
        options->id = value;
        return *value != '\0';
    case 'e':
        return console_seconds(value, &options->expires);
    case 'd':
        return console_seconds(value, &options->countdown);
    case 'T':
        return console_seconds(value, &options->time_limit);
    case 'S':
        return console_seconds(value, &options->soft_time_limit);
    case 'p':
        return take_whole(value, &options->priority);
    case 's':
        return take_serializer(value, &options->serializer);
    case 't':
        return console_seconds(value, &call->timeout);
    case 'c':
        options->create_queue = true;
        return true;
    case 'I':
        options->ignore_result = UMBEL_ON;
        return true;
    case 'F':
        return call->wait = call->follow = true;
    default:
        call->wait = true;
        return console_maybe_seconds(value, argc, argv, &optind, &call->wait_seconds);
    }
}

static const char *long_name(const struct option *longs, int letter)
{
    while (longs->val != letter)
        longs++;
    return longs->name;
}

static const char *taken_by(int letter)
{
    switch (letter) {
    case 'Q':
    case 'i':
        return "a text";
    case 'p':
        return "a whole number from 0 to 255";
    case 's':
        return "json or msgpack";
    default:
        return "seconds, 0 or more";
    }
}

static int take_words(struct call *call, int argc, char **argv)
{
    int words = argc - optind;
    if (words < 1)
        return console_usage("call", "the task's name is missing");
    if (words > 3)
        return console_usage("call", "'%s' is too much: give NAME, a list and a map", argv[optind + 3]);
    call->name = argv[optind];
    if (words > 1)
        call->args = argv[optind + 1];
    if (words > 2)
        call->kwargs = argv[optind + 2];
    return EXIT_DONE;
}

static int parse_line(struct call *call, int argc, char **argv)
{
    static const struct option longs[] = {
        {"args", required_argument, NULL, 'a'},
        {"kwargs", required_argument, NULL, 'k'},
        {"queue", required_argument, NULL, 'Q'},
        {"id", required_argument, NULL, 'i'},
        {"expires", required_argument, NULL, 'e'},
        {"countdown", required_argument, NULL, 'd'},
        {"priority", required_argument, NULL, 'p'},
        {"time-limit", required_argument, NULL, 'T'},
        {"soft-time-limit", required_argument, NULL, 'S'},
        {"serializer", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'},
        {"create-queue", no_argument, NULL, 'c'},
        {"ignore-result", no_argument, NULL, 'I'},
        {"wait", optional_argument, NULL, 'w'},
        {"follow", no_argument, NULL, 'F'},
        {NULL, 0, NULL, 0},
    };
    *call = (struct call){.wait_seconds = -1, .timeout = -1};
    int letter;
    while ((letter = getopt_long(argc, argv, ":a:k:Q:w::", longs, NULL)) != -1) {
        const char *word = argv[optind - 1];
        if (letter == ':')
            return console_usage("call", "a value is missing after '%s'", word);
        if (letter == '?')
            return console_usage("call", "there is no option '%s'", word);
        if (!take_option(call, letter, optarg, argc, argv))
            return console_usage("call", "--%s takes %s, not '%s'", long_name(longs, letter),
                                 taken_by(letter), optarg);
    }
    return take_words(call, argc, argv);
}

/* ---- arguments ---- */

static int parse_json(struct arena *arena, const char *text, umbel_kind wanted, const char *what,
                      umbel_value **out)
{
    const char *why = "";
    if (codec_row(CODEC_JSON)->decode(arena, str_of(text), out, &why) != UMBEL_OK)
        return console_usage("call", "the %s cannot be read: %s\n    %s", what, why ? why : "", text);
    if (umbel_value_kind(*out) != wanted)
        return console_usage("call", "the %s must be a JSON %s, as in %s", what,
                             wanted == UMBEL_LIST ? "list" : "map",
                             wanted == UMBEL_LIST ? "'[2, 3]'" : "'{\"scale\": 2}'");
    return EXIT_DONE;
}

/* Positional ones, then named ones. */
static umbel_arguments arguments_of(umbel_give gives[ARGUMENTS_MAX], const umbel_value *list,
                                    const umbel_value *map)
{
    size_t count = 0;
    for (size_t i = 0; i < umbel_value_count(list) && count < ARGUMENTS_MAX; i++)
        gives[count++] = umbel_give_value(umbel_value_at(list, i));
    for (size_t i = 0; i < umbel_value_count(map) && count < ARGUMENTS_MAX; i++)
        gives[count++] =
            umbel_give_named(umbel_value_key(map, i).data, umbel_give_value(umbel_value_at(map, i)));
    return (umbel_arguments){gives, count};
}

/* ---- waiting, and what came of it ---- */

static const char *state_word(umbel_state state)
{
    switch (state) {
    case UMBEL_STATE_SENDING:
        return "being sent";
    case UMBEL_STATE_STARTED:
        return "running";
    case UMBEL_STATE_RETRYING:
        return "to be run again";
    default:
        return "no worker has answered yet";
    }
}

static void show_progress(umbel_future *future, const char *name, double since)
{
    char line[200];
    double waited = clock_mono() - since;
    if (waited < 1.5)
        return;
    snprintf(line, sizeof line, "%.60s: %s, %.0f s ...", name, state_word(umbel_future_state(future)),
             waited);
    console_progress(line);
}

/* One slice of waiting. Every part that comes is printed; UMBEL_OK when the task has succeeded. */
static int wait_slice(umbel_future *future, bool follow, double seconds)
{
    const umbel_value *part;
    if (!follow)
        return umbel_get_take(future, seconds, umbel_take_none(NULL));
    int code = umbel_next(future, seconds, &part);
    if (code == UMBEL_OK || code == UMBEL_RESTARTED)
        console_progress(NULL);
    if (code == UMBEL_OK)
        follow_print(part);
    else if (code == UMBEL_RESTARTED)
        follow_say_restarted("call");
    return code == UMBEL_EXHAUSTED                       ? UMBEL_OK
           : code == UMBEL_OK || code == UMBEL_RESTARTED ? UMBEL_TIMEOUT
                                                         : code;
}

/* In slices, so that a person at a terminal sees that it goes on. */
static int wait_for(umbel_future *future, const struct call *call, double seconds)
{
    double since = clock_mono(), left = seconds;
    int code = UMBEL_TIMEOUT;
    while (code == UMBEL_TIMEOUT && left > 0) {
        code = wait_slice(future, call->follow, left < 1 ? left : 1);
        left = since + seconds - clock_mono();
        if (code == UMBEL_TIMEOUT)
            show_progress(future, call->name, since);
    }
    console_progress(NULL);
    return code;
}

static int print_result(umbel_future *future)
{
    char *json = umbel_value_json(umbel_result(future));
    if (!json) {
        console_complain("call", "%s", umbel_strerror(UMBEL_NO_MEMORY));
        return EXIT_SOFTWARE;
    }
    puts(json);
    free(json);
    return EXIT_DONE;
}

/* Answers what the exit code is to say: a server that refuses or is away is told apart from a task that takes
 * long. */
static int complain_late(umbel_client *client, umbel_future *future, const struct call *call, double seconds)
{
    int reach = umbel_client_wait(client, 0);
    console_complain("call", "task %s[%s]: no result within %g s: %s", call->name, umbel_future_id(future),
                     seconds,
                     reach != UMBEL_OK ? umbel_client_error(client) : state_word(umbel_future_state(future)));
    return reach != UMBEL_OK ? reach : UMBEL_TIMEOUT;
}

static int report(umbel_client *client, umbel_future *future, const struct call *call, double seconds,
                  int code)
{
    if (code == UMBEL_OK)
        return print_result(future);
    if (code == UMBEL_TIMEOUT)
        code = complain_late(client, future, call, seconds);
    else
        console_complain("call", "%s", umbel_error(future));
    if (umbel_traceback(future))
        fprintf(stderr, "%s\n", umbel_traceback(future));
    return console_exit(code);
}

static double wait_of(const struct call *call)
{
    if (call->wait_seconds >= 0)
        return call->wait_seconds;
    return call->timeout >= 0 ? call->timeout : WAIT_DEFAULT;
}

static int send_only(umbel_client *client, const struct call *call, umbel_arguments arguments)
{
    umbel_submit_options options = call->options;
    options.confirm = true;
    umbel_future *future = umbel_submit_with(client, call->name, arguments, &options);
    int code = future ? umbel_future_code(future) : UMBEL_NO_MEMORY;
    umbel_state state = future ? umbel_future_state(future) : UMBEL_STATE_UNSENT;
    if (state == UMBEL_STATE_SUCCEEDED || state == UMBEL_STATE_FAILED || state == UMBEL_STATE_REVOKED)
        code = UMBEL_OK; /* it was quick; its end is not asked for here */
    else if (code == UMBEL_OK && state == UMBEL_STATE_SENDING)
        code = UMBEL_TIMEOUT;
    if (code == UMBEL_OK)
        puts(umbel_future_id(future));
    else
        console_complain("call", "%s",
                         future && *umbel_error(future) ? umbel_error(future) : umbel_strerror(code));
    umbel_future_free(future);
    return console_exit(code);
}

static int send_and_wait(umbel_client *client, const struct call *call, umbel_arguments arguments)
{
    umbel_future *future = umbel_submit_with(client, call->name, arguments, &call->options);
    if (!future)
        return EXIT_SOFTWARE;
    double seconds = wait_of(call);
    int exit_code = report(client, future, call, seconds, wait_for(future, call, seconds));
    umbel_future_free(future);
    return exit_code;
}

static int call_with(const struct command_globals *globals, const struct call *call,
                     umbel_arguments arguments)
{
    int exit_code = EXIT_DONE;
    double timeout = call->timeout > 0 ? call->timeout : call->wait ? wait_of(call) : TIMEOUT_DEFAULT;
    umbel_client *client = console_connect("call", globals, timeout, &exit_code);
    if (!client)
        return exit_code;
    exit_code = call->wait ? send_and_wait(client, call, arguments) : send_only(client, call, arguments);
    umbel_close(client, 0.2);
    return exit_code;
}

static int run(const struct command_globals *globals, int argc, char **argv)
{
    struct call call;
    int exit_code = parse_line(&call, argc, argv);
    if (exit_code != EXIT_DONE)
        return exit_code;
    struct arena arena;
    arena_init(&arena, 0);
    umbel_value *list = NULL, *map = NULL;
    umbel_give gives[ARGUMENTS_MAX];
    if (call.args)
        exit_code = parse_json(&arena, call.args, UMBEL_LIST, "arguments", &list);
    if (exit_code == EXIT_DONE && call.kwargs)
        exit_code = parse_json(&arena, call.kwargs, UMBEL_MAP, "named arguments", &map);
    if (exit_code == EXIT_DONE && umbel_value_count(list) + umbel_value_count(map) > ARGUMENTS_MAX)
        exit_code = console_usage("call", "more than %d arguments", ARGUMENTS_MAX);
    if (exit_code == EXIT_DONE)
        exit_code = call_with(globals, &call, arguments_of(gives, list, map));
    arena_fini(&arena);
    return exit_code;
}

const struct command cmd_call = {
    .name = "call",
    .summary = "send a task, and wait for its result with --wait",
    .usage = "usage: umbel call NAME [LIST [MAP]] [OPTIONS]\n"
             "\n"
             "Sends the task NAME and prints its id once the broker has confirmed it. With\n"
             "--wait it prints the result instead, as JSON. LIST holds the arguments, MAP\n"
             "those given by name, both as JSON:\n"
             "\n"
             "  umbel call math.add '[2, 3]' --wait\n"
             "  umbel call report.make '[]' '{\"year\": 2026}' -Q reports --expires 3600\n"
             "\n"
             "  -a, --args LIST, -k, --kwargs MAP\n"
             "                       the same two, as options\n"
             "  -Q, --queue QUEUE    where to send it (celery)\n"
             "  -w, --wait [SECONDS] wait for the result, at most so long (--timeout, else 60)\n"
             "      --follow         print the parts of the result as they come, one a line, and\n"
             "                       then the result; implies --wait\n"
             "      --timeout SECONDS\n"
             "                       how long the broker may take to accept it (10)\n"
             "      --id ID          its id (a fresh UUID)\n"
             "      --expires SECONDS\n"
             "                       do not run it when it would start later than that\n"
             "      --countdown SECONDS\n"
             "                       do not run it before\n"
             "      --priority N     0 to 255, higher first, where the queue has priorities\n"
             "      --time-limit SECONDS, --soft-time-limit SECONDS\n"
             "                       instead of the task's own\n"
             "      --create-queue   declare the queue when it is missing\n"
             "      --ignore-result  the worker stores no result\n"
             "      --serializer NAME\n"
             "                       json or msgpack (json)\n"
             "\n"
             "Ends with 0 when done, 1 when the task failed or was revoked, 2 for a wrong\n"
             "line, 3 when there was no answer in time, 4 when the broker or the result\n"
             "backend cannot be reached or refused.\n",
    .run = run,
};
