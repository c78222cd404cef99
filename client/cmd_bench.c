/* cmd_bench.c: `umbel bench`: how fast the user's own broker and workers are.
 *
 * First one call alone, so that a bench without a worker leaves one message behind and not thousands; then
 * calls one at a time, for how long each takes; then many at once, for how many a second. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client/bars.h"
#include "client/bench_run.h"
#include "client/console.h"
#include "common/codec.h"
#include "common/str.h"

enum { COUNT_MAX = 10000000, SIZE_MAX_BYTES = 16 << 20, ARGUMENTS_MAX = 64, WARM = 50 };
static const double ALONE_SECONDS = 2;

struct bench_line {
    const char *task, *list;
    uint64_t count, at_once, chunk, size;
    double timeout;
    bool json;
    umbel_submit_options options;
    umbel_serializer serializer;
};

enum phase { PHASE_PROBE, PHASE_WARM, PHASE_ALONE, PHASE_MANY, PHASES };

struct session {
    const struct bench_line *line;
    umbel_client *client;
    umbel_arguments arguments;
    struct bench_plan plans[PHASES];
    struct bench_result results[PHASES];
};

/* ---- the line ---- */

static bool take_number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    *out = value;
    return *text >= '0' && *text <= '9' && !*end && value >= least && value <= most;
}

/* NULL, or what the option takes. */
static const char *take_option(struct bench_line *line, int letter, const char *value)
{
    switch (letter) {
    case 'n':
        return take_number(value, 1, COUNT_MAX, &line->count) ? NULL : "1 to 10000000";
    case 'c':
        return take_number(value, 1, 100000, &line->at_once) ? NULL : "1 to 100000";
    case 'k':
        return take_number(value, 1, 100000, &line->chunk) ? NULL : "1 to 100000";
    case 's':
        return take_number(value, 0, SIZE_MAX_BYTES, &line->size) ? NULL : "0 to 16777216 bytes";
    case 't':
        return console_seconds(value, &line->timeout) && line->timeout > 0 ? NULL : "seconds, above 0";
    case 'm':
        line->serializer = strcmp(value, "msgpack") == 0 ? UMBEL_MSGPACK : UMBEL_JSON;
        return line->serializer == UMBEL_MSGPACK || strcmp(value, "json") == 0 ? NULL : "json or msgpack";
    case 'Q':
        line->options.queue = value;
        return *value ? NULL : "a name";
    case 'T':
        line->options.transient = line->options.unconfirmed = true;
        return NULL;
    default:
        line->json = true;
        return NULL;
    }
}

static int take_words(struct bench_line *line, int argc, char **argv)
{
    if (argc - optind > 2)
        return console_usage("bench", "'%s' is too much: give NAME and a list", argv[optind + 2]);
    if (optind < argc)
        line->task = argv[optind];
    if (optind + 1 < argc)
        line->list = argv[optind + 1];
    if (line->task && line->size)
        return console_usage("bench", "--size is for umbel.ping; give the arguments of %s as a list",
                             line->task);
    return EXIT_DONE;
}

static int parse_line(struct bench_line *line, int argc, char **argv)
{
    static const struct option longs[] = {
        {"count", required_argument, NULL, 'n'},   {"concurrency", required_argument, NULL, 'c'},
        {"chunk", required_argument, NULL, 'k'},   {"size", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'}, {"serializer", required_argument, NULL, 'm'},
        {"queue", required_argument, NULL, 'Q'},   {"transient", no_argument, NULL, 'T'},
        {"json", no_argument, NULL, 'j'},          {NULL, 0, NULL, 0},
    };
    *line = (struct bench_line){.count = 10000, .at_once = 1000, .chunk = 1, .timeout = 10};
    int letter;
    while ((letter = getopt_long(argc, argv, ":n:c:s:t:Q:j", longs, NULL)) != -1) {
        const char *word = argv[optind - 1];
        if (letter == ':')
            return console_usage("bench", "a value is missing after '%s'", word);
        if (letter == '?')
            return console_usage("bench", "there is no option '%s'", word);
        const char *wanted = take_option(line, letter, optarg);
        if (wanted)
            return console_usage("bench", "%s takes %s", word == optarg ? argv[optind - 2] : word, wanted);
    }
    return take_words(line, argc, argv);
}

/* ---- measuring ---- */

static const char *task_of(const struct bench_line *line)
{
    return line->task ? line->task : "umbel.ping";
}

static struct bench_plan plan_of(const struct session *session, enum phase phase)
{
    const struct bench_line *line = session->line;
    struct bench_plan plan = {.client = session->client,
                              .task = task_of(line),
                              .arguments = session->arguments,
                              .options = line->options,
                              .chunk = 1,
                              .messages = 1,
                              .at_once = 1,
                              .patience = line->timeout};
    plan.options.serializer = line->serializer;
    if (phase == PHASE_PROBE)
        plan.options.expires = line->timeout;
    if (phase == PHASE_WARM)
        plan.messages = plan.at_once = WARM;
    if (phase == PHASE_ALONE) {
        plan.messages = line->count < 20 ? 1 : line->count / 10;
        plan.seconds = ALONE_SECONDS;
    }
    if (phase == PHASE_MANY) {
        plan.messages = (line->count + line->chunk - 1) / line->chunk;
        plan.at_once = line->at_once;
        plan.chunk = (uint32_t)line->chunk;
    }
    return plan;
}

static int complain(struct session *session, enum phase phase, int code)
{
    umbel_future *failed = session->results[phase].failed;
    int reach = code == UMBEL_TIMEOUT ? umbel_client_wait(session->client, 0) : UMBEL_OK;
    if (reach != UMBEL_OK)
        console_complain("bench", "%s", umbel_client_error(session->client));
    else if (code == UMBEL_TIMEOUT)
        console_complain("bench", "no answer from %s within %g s; is a worker consuming the queue '%s'?",
                         task_of(session->line), session->line->timeout,
                         session->line->options.queue ? session->line->options.queue : "celery");
    else
        console_complain("bench", "%s",
                         failed && *umbel_error(failed) ? umbel_error(failed) : umbel_strerror(code));
    return console_exit(reach != UMBEL_OK ? reach : code);
}

static int measure(struct session *session)
{
    static const char *const words[] = {"asking", "warming up", "one at a time", "many at once"};
    for (enum phase phase = PHASE_PROBE; phase < PHASES; phase++) {
        console_progress(words[phase]);
        session->plans[phase] = plan_of(session, phase);
        int code = bench_run(&session->plans[phase], &session->results[phase]);
        if (code != UMBEL_OK)
            return complain(session, phase, code);
    }
    console_progress(NULL);
    return EXIT_DONE;
}

/* ---- telling ---- */

static double rate_of(const struct session *session, enum phase phase)
{
    const struct bench_result *result = &session->results[phase];
    double calls = (double)result->messages * session->plans[phase].chunk;
    return result->seconds > 0 ? calls / result->seconds : 0;
}

static void print_phase(const struct session *session, enum phase phase)
{
    const struct bench_result *result = &session->results[phase];
    const struct bench_plan *plan = &session->plans[phase];
    unsigned long long calls = result->messages * plan->chunk;
    if (phase == PHASE_ALONE)
        printf("one at a time: %llu calls in %.2f s\n", calls, result->seconds);
    else
        printf("\n%llu at once: %llu calls in %.2f s, %.0f/s\n", (unsigned long long)plan->at_once, calls,
               result->seconds, rate_of(session, phase));
    if (plan->chunk > 1)
        printf("  messages of %u calls; the times are those of messages\n", plan->chunk);
    bars_print(&result->latency);
}

static void add_phase(umbel_value *map, const char *name, const struct session *session, enum phase phase)
{
    umbel_value *part = umbel_add_map(map, name);
    const struct bench_plan *plan = &session->plans[phase];
    umbel_add_int(part, "calls", (int64_t)(session->results[phase].messages * plan->chunk));
    umbel_add_int(part, "at_once", (int64_t)plan->at_once);
    umbel_add_int(part, "chunk", plan->chunk);
    umbel_add_double(part, "seconds", session->results[phase].seconds);
    umbel_add_double(part, "calls_per_s", rate_of(session, phase));
    bars_json(part, &session->results[phase].latency);
}

static int print_json(const struct session *session)
{
    umbel_value *map = umbel_map_new();
    umbel_add_str(map, "task", task_of(session->line));
    add_phase(map, "one", session, PHASE_ALONE);
    add_phase(map, "many", session, PHASE_MANY);
    char *json = umbel_value_json(map);
    if (json)
        puts(json);
    free(json);
    umbel_value_free(map);
    return json ? EXIT_DONE : EXIT_SOFTWARE;
}

static int tell(const struct session *session)
{
    if (session->line->json)
        return print_json(session);
    print_phase(session, PHASE_ALONE);
    print_phase(session, PHASE_MANY);
    return EXIT_DONE;
}

/* ---- arguments, and the whole ---- */

static int bench_with(const struct command_globals *globals, const struct bench_line *line,
                      umbel_arguments arguments)
{
    int exit_code = EXIT_DONE;
    struct session session = {.line = line, .arguments = arguments};
    session.client = console_connect("bench", globals, line->timeout, &exit_code);
    if (!session.client)
        return exit_code;
    exit_code = measure(&session);
    if (exit_code == EXIT_DONE)
        exit_code = tell(&session);
    umbel_close(session.client, 1);
    for (enum phase phase = PHASE_PROBE; phase < PHASES; phase++)
        bench_result_fini(&session.results[phase]);
    return exit_code;
}

static int bench_task(const struct command_globals *globals, const struct bench_line *line)
{
    umbel_give gives[ARGUMENTS_MAX];
    umbel_value *list = NULL;
    const char *why = NULL;
    struct arena arena;
    int exit_code = EXIT_DONE;
    arena_init(&arena, 0);
    if (line->list && codec_row(CODEC_JSON)->decode(&arena, str_of(line->list), &list, &why) != UMBEL_OK)
        exit_code =
            console_usage("bench", "the arguments cannot be read: %s\n    %s", why ? why : "", line->list);
    else if (line->list && (umbel_value_kind(list) != UMBEL_LIST || umbel_value_count(list) > ARGUMENTS_MAX))
        exit_code = console_usage("bench", "the arguments must be a JSON list of at most 64, as in '[2, 3]'");
    for (size_t i = 0; exit_code == EXIT_DONE && i < umbel_value_count(list); i++)
        gives[i] = umbel_give_value(umbel_value_at(list, i));
    if (exit_code == EXIT_DONE)
        exit_code = bench_with(globals, line, (umbel_arguments){gives, umbel_value_count(list)});
    arena_fini(&arena);
    return exit_code;
}

static int bench_ping(const struct command_globals *globals, const struct bench_line *line)
{
    if (!line->size)
        return bench_with(globals, line, UMBEL_ARGS());
    char *payload = malloc(line->size + 1);
    if (!payload)
        return EXIT_SOFTWARE;
    memset(payload, 'x', line->size);
    payload[line->size] = '\0';
    int exit_code = bench_with(globals, line, UMBEL_ARGS(payload));
    free(payload);
    return exit_code;
}

static int run(const struct command_globals *globals, int argc, char **argv)
{
    struct bench_line line;
    int exit_code = parse_line(&line, argc, argv);
    if (exit_code != EXIT_DONE)
        return exit_code;
    return line.task ? bench_task(globals, &line) : bench_ping(globals, &line);
}

extern const struct command cmd_seeds;

const struct command cmd_bench = {
    .name = "bench",
    .summary = "measure the rate and latency of your broker and workers",
    .usage = "usage: umbel bench [NAME [LIST]] [OPTIONS]\n"
             "       umbel bench seeds [--chart FILE] [--quick]\n"
             "\n"
             "Calls a task over and over, first one at a time, then many at once, and prints\n"
             "how many a second were answered and how long they took. Without NAME it calls\n"
             "umbel.ping, which every Umbel worker serves; NAME is any other task, LIST its\n"
             "arguments as JSON. The results are deleted afterwards.\n"
             "\n"
             "  umbel bench                               what a call costs here\n"
             "  umbel bench math.add '[2, 3]' -n 50000    a task of your own\n"
             "  umbel bench -n 1000000 --chunk 1000       a thousand calls in a message\n"
             "  umbel bench seeds                         threads, processes, queues, coroutines\n"
             "\n"
             "  -n, --count N            calls at once (10000); a tenth of them one at a time,\n"
             "                           for two seconds at most\n"
             "      --chunk N            calls in one message (1)\n"
             "  -c, --concurrency N      messages outstanding at once (1000)\n"
             "  -s, --size BYTES         give umbel.ping so much to carry both ways (0)\n"
             "  -Q, --queue QUEUE        where to send them (celery)\n"
             "      --serializer NAME    json or msgpack (json)\n"
             "      --transient          not kept on the broker's disk and not confirmed\n"
             "  -t, --timeout SECONDS    how long to go without any answer (10)\n"
             "  -j, --json               print one JSON map, times in milliseconds\n"
             "\n"
             "Ends with 0 when all calls were answered, 1 when one failed, 2 for a wrong line,\n"
             "3 when no answer came in time, 4 when the broker or the result backend cannot be\n"
             "reached or refused.\n",
    .run = run,
    .inner = &cmd_seeds,
};
