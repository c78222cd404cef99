/* cmd_events.c: `umbel events`: prints what workers tell of themselves and their tasks, as it comes. */
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client/console.h"
#include "client/desk.h"
#include "client/outline.h"
#include "common/clock.h"
#include "common/codec.h"
#include "common/str.h"
#include "common/uuid.h"

static const double CONNECT_SECONDS = 5, STEP_SECONDS = 3600;

struct watching {
    struct desk desk; /* first: the events' self */
    bool json, interrupted;
    double seconds; /* 0: until interrupted */
    uv_signal_t interrupt;
};

/* ---- one event
 * -------------------------------------------------------------------------------------------------- */

static bool is_named_before(umbel_str key)
{
    static const char *const names[] = {"type", "hostname", "timestamp", "utcoffset", "pid", "clock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_equal(key, str_of(names[i])))
            return true;
    return false;
}

static void print_line(const umbel_value *event)
{
    char when[CLOCK_ISO_SIZE];
    double timestamp = 0;
    if (umbel_value_double(umbel_value_find(event, "timestamp"), &timestamp) != UMBEL_OK ||
        !isfinite(timestamp) || fabs(timestamp) > 4e9)
        timestamp = 0;
    clock_iso(when, timestamp, false);
    printf("%s ", when);
    outline_scalar(umbel_value_find(event, "hostname"));
    putchar(' ');
    outline_scalar(umbel_value_find(event, "type"));
    for (size_t i = 0; i < umbel_value_count(event); i++) {
        umbel_str key = umbel_value_key(event, i);
        const umbel_value *value = umbel_value_at(event, i);
        if (is_named_before(key) || umbel_value_kind(value) == UMBEL_NULL)
            continue;
        printf(" %s=", key.data);
        outline_scalar(value);
    }
    putchar('\n');
}

static void print_json(const umbel_value *event)
{
    char *json = umbel_value_json(event);
    if (json)
        puts(json);
    free(json);
}

static void show(const struct watching *watching, const umbel_value *event)
{
    if (umbel_value_kind(event) != UMBEL_MAP)
        return;
    if (watching->json)
        print_json(event);
    else
        print_line(event);
}

/* One event, or a list of them. */
static void on_letter(void *self, const struct message *msg)
{
    const struct watching *watching = self;
    const struct codec_row *row = codec_by_content_type(msg->content_type);
    struct arena arena;
    umbel_value *body;
    if (!row)
        return;
    arena_init(&arena, (size_t)64 << 20);
    if (row->decode(&arena, msg->body, &body, NULL) == UMBEL_OK) {
        bool list = umbel_value_kind(body) == UMBEL_LIST;
        for (size_t i = 0; i < (list ? umbel_value_count(body) : 1); i++)
            show(watching, list ? umbel_value_at(body, i) : body);
        fflush(stdout);
    }
    arena_fini(&arena);
}

/* ---- the command
 * ------------------------------------------------------------------------------------------------ */

static int parse_line(struct watching *watching, int argc, char **argv)
{
    static const struct option longs[] = {
        {"seconds", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    int letter;
    while ((letter = getopt_long(argc, argv, ":s:j", longs, NULL)) != -1) {
        if (letter == 'j')
            watching->json = true;
        else if (letter != 's')
            return console_usage("events",
                                 letter == ':' ? "a value is missing after '%s'" : "there is no option '%s'",
                                 argv[optind - 1]);
        else if (!console_seconds(optarg, &watching->seconds))
            return console_usage("events", "'%s' is no number of seconds", optarg);
    }
    return optind == argc ? EXIT_DONE : console_usage("events", "'%s' is too much", argv[optind]);
}

static void on_interrupt(uv_signal_t *handle, int number)
{
    struct watching *watching = handle->data;
    (void)number;
    watching->interrupted = true;
}

static bool is_over(struct desk *desk)
{
    return ((const struct watching *)desk)->interrupted || ferror(stdout);
}

/* A broker that goes away while we watch comes back by itself; only its refusal is an end. */
static int watch(struct watching *watching)
{
    struct desk *desk = &watching->desk;
    double end = watching->seconds > 0 ? clock_mono() + watching->seconds : INFINITY;
    int code = UMBEL_TIMEOUT;
    while (code == UMBEL_TIMEOUT && clock_mono() < end)
        code = desk_wait(desk, is_over, fmin(STEP_SECONDS, end - clock_mono()));
    return code == UMBEL_OK || code == UMBEL_TIMEOUT ? EXIT_DONE : desk_complain(desk, code);
}

static int run(const struct command_globals *globals, int argc, char **argv)
{
    static const struct mailbox_events events = {desk_mailbox_up, desk_mailbox_down, on_letter};
    struct watching watching = {.seconds = 0};
    char name[UUID_SIZE];
    int exit_code = parse_line(&watching, argc, argv);
    if (exit_code != EXIT_DONE)
        return exit_code;
    uuid_make(name);
    exit_code = desk_open_mailbox(&watching.desk, "events", globals, MAILBOX_WATCHER, name, &events);
    if (exit_code != EXIT_DONE)
        return exit_code;
    uv_signal_init(&watching.desk.loop.uv, &watching.interrupt);
    watching.interrupt.data = &watching;
    uv_signal_start(&watching.interrupt, on_interrupt, SIGINT);
    int code = desk_wait(&watching.desk, desk_is_up, CONNECT_SECONDS);
    exit_code = code == UMBEL_OK ? watch(&watching) : desk_complain(&watching.desk, code);
    uv_close((uv_handle_t *)&watching.interrupt, NULL);
    desk_close(&watching.desk);
    return exit_code;
}

const struct command cmd_events = {
    .name = "events",
    .summary = "print what workers tell of themselves and their tasks",
    .usage = "usage: umbel events [--seconds N] [-j]\n"
             "\n"
             "Prints the events of the cluster's workers, Umbel's and Python's, a line each, until Ctrl-C. "
             "Workers always\n"
             "tell that they live; of tasks they tell when started with -E, or after `umbel control "
             "enable_events`.\n"
             "\n"
             "      --seconds N   end after so many seconds\n"
             "  -j, --json        each event as a JSON map\n"
             "\n"
             "Needs a broker of amqp://. Ends with 0, with 2 for a wrong line, with 4 when the broker cannot "
             "be reached.\n",
    .run = run,
};
