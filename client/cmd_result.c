/* cmd_result.c: `umbel result`: what is stored under an id, now or once it is there. Needs no broker. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client/console.h"
#include "client/desk.h"
#include "client/follow.h"
#include "client/sentence.h"
#include "common/result.h"
#include "common/str.h"

static const double TIMEOUT_DEFAULT = 10, WAIT_DEFAULT = 60;

struct asking {
    struct desk desk; /* first: the events' self */
    const char *id;
    bool wait, forget, following;
    struct follow follow;
    double wait_seconds, timeout; /* < 0: not given */
    bool answered;                /* the first look-up has been answered */
    bool final;                   /* a terminal state is in `view` */
    struct arena arena;
    struct result_view view;
    int unreadable;
};

/* ---- what comes from the backend ---- */

static void take(struct asking *asking, umbel_str payload)
{
    if (asking->final || payload.size == 0)
        return;
    arena_reset(&asking->arena);
    asking->unreadable = result_read(&asking->arena, payload, &asking->view);
    asking->final = asking->unreadable != UMBEL_OK || result_terminal(asking->view.state);
    if (asking->final && asking->following)
        follow_end(&asking->follow, &asking->view);
}

static void on_found(void *self, uint64_t token, int code, umbel_str id, umbel_str payload)
{
    struct asking *asking = self;
    (void)token, (void)id;
    if (code != UMBEL_OK)
        return;
    asking->answered = true;
    take(asking, payload);
}

/* Nothing else is listened to. */
static void on_notice(void *self, umbel_str payload, bool listened)
{
    (void)listened;
    enum result_state state;
    umbel_str id;
    struct asking *asking = self;
    if (result_peek(payload, &state, &id) != UMBEL_OK || !str_equal(id, str_of(asking->id)))
        return;
    if (state != RESULT_PART)
        take(asking, payload);
    else if (asking->following)
        follow_take(&asking->follow, payload);
}

static void on_parts(void *self, uint64_t token, int code, umbel_str id, const umbel_str *payloads,
                     size_t count)
{
    struct asking *asking = self;
    (void)token, (void)id;
    if (asking->following)
        follow_answered(&asking->follow, code, payloads, count);
}

static void look_up(struct asking *asking)
{
    umbel_str id = str_of(asking->id);
    if (asking->following)
        asking->follow.queue->behind = true;
    asking->desk.backend->ops->lookup(asking->desk.backend, &id, 1, 0);
}

static void on_subscribed(void *self, uint64_t token)
{
    (void)token;
    look_up(self);
}

static void on_resubscribed(void *self)
{
    look_up(self);
}

/* Commands and subscriptions may be two connections: what was asked before both were up got no answer. */
static void on_state(void *self, enum backend_state state, int code, const char *why)
{
    desk_backend_state(self, state, code, why);
    if (state == BACKEND_UP)
        look_up(self);
}

static const struct backend_events events = {
    .state = on_state,
    .found = on_found,
    .parts = on_parts,
    .notice = on_notice,
    .subscribed = on_subscribed,
    .resubscribed = on_resubscribed,
};

/* ---- what is said ---- */

static bool is_final(struct desk *desk)
{
    return ((struct asking *)desk)->final;
}

static bool is_followed(struct desk *desk)
{
    struct asking *asking = (struct asking *)desk;
    return follow_step(&asking->follow, desk->backend) && asking->final;
}

static bool is_answered(struct desk *desk)
{
    return ((struct asking *)desk)->answered;
}

static int print_value(const struct asking *asking)
{
    char *json = umbel_value_json(asking->view.value);
    if (!json)
        return console_exit(UMBEL_NO_MEMORY);
    puts(json);
    free(json);
    return EXIT_DONE;
}

static int print_failure(const struct asking *asking)
{
    char sentence[1024], title[300];
    const struct result_view *view = &asking->view;
    snprintf(title, sizeof title, "[%s]", asking->id);
    if (view->state == RESULT_REVOKED)
        sentence_revoked(sentence, sizeof sentence, title, view->error_message.data);
    else
        sentence_failed(sentence, sizeof sentence, title, view->error_type.data, view->error_message.data);
    console_complain("result", "%s", sentence);
    if (view->traceback.size)
        fprintf(stderr, "%.*s\n", (int)view->traceback.size, view->traceback.data);
    return EXIT_TASK_FAILED;
}

static const char *state_of(const struct asking *asking)
{
    const struct result_view *view = &asking->view;
    if (view->state == RESULT_CUSTOM && view->custom.data)
        return view->custom.data;
    return result_state_name(view->state);
}

static int print_unfinished(const struct asking *asking)
{
    if (asking->view.state == RESULT_PENDING)
        console_complain("result",
                         "nothing is stored under id %s: the task has not run yet, or its result has expired",
                         asking->id);
    else
        console_complain("result", "task [%s] is not done: %s", asking->id, state_of(asking));
    return EXIT_TIMED_OUT;
}

static int print_answer(const struct asking *asking)
{
    if (!asking->final)
        return print_unfinished(asking);
    if (asking->unreadable != UMBEL_OK) {
        console_complain("result", "what is stored under id %s is no result: %s", asking->id,
                         umbel_strerror(asking->unreadable));
        return EXIT_AWAY;
    }
    return asking->view.state == RESULT_SUCCESS ? print_value(asking) : print_failure(asking);
}

/* ---- the steps ---- */

static int wait_until_final(struct asking *asking)
{
    double seconds = asking->wait_seconds >= 0 ? asking->wait_seconds
                     : asking->timeout >= 0    ? asking->timeout
                                               : WAIT_DEFAULT;
    bool (*done)(struct desk * desk) = asking->following ? is_followed : is_final;
    char line[160];
    snprintf(line, sizeof line, "waiting for %.60s ...", asking->id);
    double first = seconds < 1.5 ? seconds : 1.5;
    int code = desk_wait(&asking->desk, done, first);
    if (code == UMBEL_TIMEOUT && seconds > first) {
        console_progress(line);
        code = desk_wait(&asking->desk, done, seconds - first);
        console_progress(NULL);
    }
    return asking->answered && code == UMBEL_TIMEOUT ? UMBEL_OK : code;
}

static int ask(struct asking *asking)
{
    umbel_str id = str_of(asking->id);
    struct backend *backend = asking->desk.backend;
    backend->ops->watch(backend, &id, 1, 1);
    int code = asking->wait ? wait_until_final(asking)
                            : desk_wait(&asking->desk, is_answered,
                                        asking->timeout >= 0 ? asking->timeout : TIMEOUT_DEFAULT);
    if (code != UMBEL_OK)
        return desk_complain(&asking->desk, code);
    int exit_code = print_answer(asking);
    if (asking->forget && asking->final)
        backend->ops->forget(backend, id);
    return exit_code;
}

static int parse_line(struct asking *asking, int argc, char **argv)
{
    static const struct option longs[] = {
        {"wait", optional_argument, NULL, 'w'},
        {"timeout", required_argument, NULL, 't'},
        {"forget", no_argument, NULL, 'f'},
        {"follow", no_argument, NULL, 'F'},
        {NULL, 0, NULL, 0},
    };
    int letter;
    while ((letter = getopt_long(argc, argv, ":w::", longs, NULL)) != -1) {
        const char *word = argv[optind - 1];
        bool good = true;
        if (letter == 'w') {
            asking->wait = true;
            good = console_maybe_seconds(optarg, argc, argv, &optind, &asking->wait_seconds);
        } else if (letter == 't') {
            good = console_seconds(optarg, &asking->timeout);
        } else if (letter == 'f') {
            asking->forget = true;
        } else if (letter == 'F') {
            asking->wait = asking->following = true;
        } else {
            return console_usage(
                "result", letter == ':' ? "a value is missing after '%s'" : "there is no option '%s'", word);
        }
        if (!good)
            return console_usage("result", "'%s' is no number of seconds", optarg);
    }
    if (argc - optind != 1)
        return console_usage("result", "give one id");
    asking->id = argv[optind];
    return EXIT_DONE;
}

static int run(const struct command_globals *globals, int argc, char **argv)
{
    struct asking asking = {.wait_seconds = -1, .timeout = -1};
    int exit_code = parse_line(&asking, argc, argv);
    if (exit_code != EXIT_DONE)
        return exit_code;
    exit_code = desk_open_backend(&asking.desk, "result", globals, &events);
    if (exit_code != EXIT_DONE)
        return exit_code;
    arena_init(&asking.arena, 0);
    if (asking.following && follow_open(&asking.follow, "result", asking.id) != UMBEL_OK)
        exit_code = console_exit(UMBEL_NO_MEMORY);
    else
        exit_code = ask(&asking);
    desk_close(&asking.desk);
    follow_close(&asking.follow);
    arena_fini(&asking.arena);
    return exit_code;
}

const struct command cmd_result = {
    .name = "result",
    .summary = "print the result of a task by its id",
    .usage = "usage: umbel result ID [OPTIONS]\n"
             "\n"
             "Prints the result stored under ID, as JSON; a failure goes to stderr, with its\n"
             "traceback.\n"
             "\n"
             "  -w, --wait [SECONDS]   wait until it is done, so long (--timeout, else 60)\n"
             "      --follow           print the parts of the result as they come, one a line,\n"
             "                         and then the result; implies --wait\n"
             "      --timeout SECONDS  how long the result backend may take to answer (10)\n"
             "      --forget           delete the stored result after printing it\n"
             "\n"
             "Ends with 0 when the task succeeded, 1 when it failed or was revoked, 3 when it\n"
             "is not done (yet, or nothing is known of it), 4 when the result backend cannot\n"
             "be reached.\n",
    .run = run,
};
