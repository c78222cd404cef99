/* desk.c: see desk.h. */
#include "client/desk.h"

#include <stdio.h>
#include "client/console.h"

static void on_timer(uv_timer_t *timer)
{
    struct desk *desk = timer->data;
    desk->timed_out = true;
}

static int open_loop(struct desk *desk, const char *command)
{
    *desk = (struct desk){.command = command};
    if (loop_init(&desk->loop) != UMBEL_OK) {
        console_complain(command, "%s", umbel_strerror(UMBEL_SYSTEM));
        return EXIT_SOFTWARE;
    }
    uv_timer_init(&desk->loop.uv, &desk->timer);
    desk->timer.data = desk;
    return EXIT_DONE;
}

static int give_up(struct desk *desk, int code, struct buffer *why)
{
    console_complain(desk->command, "%.*s", (int)buffer_length(why),
                     why->data ? (const char *)buffer_head(why) : "");
    buffer_fini(why);
    desk_close(desk);
    return console_exit(code);
}

int desk_open_broker(struct desk *desk, const char *command, const struct command_globals *globals,
                     const struct transport_events *events)
{
    if (!globals->broker)
        return console_usage(command, "no broker is named: give -b URL or set UMBEL_BROKER_URL");
    int exit_code = open_loop(desk, command);
    if (exit_code != EXIT_DONE)
        return exit_code;
    struct transport_options options = {.client_name = "umbel command"};
    struct buffer why;
    buffer_init(&why, DESK_WHY);
    int code = transport_open(&desk->transport, &desk->loop, globals->broker, &options, events, desk, &why);
    if (code != UMBEL_OK)
        return give_up(desk, code, &why);
    buffer_fini(&why);
    return EXIT_DONE;
}

int desk_open_backend(struct desk *desk, const char *command, const struct command_globals *globals,
                      const struct backend_events *events)
{
    const char *url = globals->backend ? globals->backend : globals->broker;
    if (!url)
        return console_usage(
            command, "no result backend is named: give --result-backend URL or set UMBEL_RESULT_BACKEND");
    int exit_code = open_loop(desk, command);
    if (exit_code != EXIT_DONE)
        return exit_code;
    struct backend_options options = {.connect_timeout = 0};
    struct buffer why;
    buffer_init(&why, DESK_WHY);
    int code = backend_open(&desk->backend, &desk->loop, url, &options, events, desk, &why);
    if (code != UMBEL_OK)
        return give_up(desk, code, &why);
    buffer_fini(&why);
    return EXIT_DONE;
}

int desk_open_mailbox(struct desk *desk, const char *command, const struct command_globals *globals,
                      enum mailbox_kind kind, const char *name, const struct mailbox_events *events)
{
    if (!globals->broker)
        return console_usage(command, "no broker is named: give -b URL or set UMBEL_BROKER_URL");
    int exit_code = open_loop(desk, command);
    if (exit_code != EXIT_DONE)
        return exit_code;
    struct mailbox_options options = {.kind = kind, .name = name, .client_name = "umbel command"};
    struct buffer why;
    buffer_init(&why, DESK_WHY);
    int code = mailbox_open(&desk->mailbox, &desk->loop, globals->broker, &options, events, desk, &why);
    if (code != UMBEL_OK)
        return give_up(desk, code, &why);
    buffer_fini(&why);
    return EXIT_DONE;
}

static void note_state(struct desk *desk, bool up, bool failed, int code, const char *why)
{
    desk->up = up;
    desk->failed = failed ? (code != UMBEL_OK ? code : UMBEL_BROKER_AWAY) : UMBEL_OK;
    if (!up)
        snprintf(desk->why, sizeof desk->why, "%s", why ? why : "");
}

void desk_broker_state(void *self, enum transport_state state, int code, const char *why)
{
    note_state(self, state == TRANSPORT_UP || state == TRANSPORT_BLOCKED, state == TRANSPORT_FAILED, code,
               why);
}

void desk_backend_state(void *self, enum backend_state state, int code, const char *why)
{
    note_state(self, state == BACKEND_UP, state == BACKEND_FAILED, code, why);
}

void desk_mailbox_up(void *self, const char *name)
{
    (void)name;
    note_state(self, true, false, UMBEL_OK, "");
}

void desk_mailbox_down(void *self, int code, const char *why)
{
    note_state(self, false, code == UMBEL_AUTH || code == UMBEL_TLS, code, why);
}

bool desk_is_up(struct desk *desk)
{
    return desk->up;
}

int desk_wait(struct desk *desk, bool (*done)(struct desk *desk), double seconds)
{
    desk->timed_out = false;
    uv_update_time(&desk->loop.uv);
    uv_timer_start(&desk->timer, on_timer, (uint64_t)(seconds * 1e3), 0);
    while (!done(desk) && !desk->timed_out && desk->failed == UMBEL_OK)
        uv_run(&desk->loop.uv, UV_RUN_ONCE);
    uv_timer_stop(&desk->timer);
    if (done(desk))
        return UMBEL_OK;
    return desk->failed != UMBEL_OK ? desk->failed : UMBEL_TIMEOUT;
}

int desk_complain(const struct desk *desk, int code)
{
    const char *what = desk->transport || desk->mailbox ? "the broker" : "the result backend";
    if (!desk->up)
        console_complain(desk->command, "%s cannot be reached: %s", what,
                         *desk->why ? desk->why : umbel_strerror(code));
    else
        console_complain(desk->command, "%s does not answer", what);
    return code == UMBEL_TIMEOUT && desk->up ? EXIT_TIMED_OUT : EXIT_AWAY;
}

static void end_closed(void *self)
{
    struct desk *desk = self;
    desk->open_ends--;
}

/* What is unsettled goes back to its queue. */
void desk_close(struct desk *desk)
{
    desk->open_ends = (desk->transport != NULL) + (desk->backend != NULL) + (desk->mailbox != NULL);
    if (desk->transport)
        desk->transport->ops->close(desk->transport, 1, end_closed, desk);
    if (desk->backend)
        desk->backend->ops->close(desk->backend, 1, end_closed, desk);
    if (desk->mailbox)
        desk->mailbox->ops->close(desk->mailbox, 1, end_closed, desk);
    while (desk->open_ends > 0)
        uv_run(&desk->loop.uv, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&desk->timer, NULL);
    loop_fini(&desk->loop);
}
