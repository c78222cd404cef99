/* remote.c: see remote.h. */
#include "client/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "client/console.h"
#include "client/outline.h"
#include "common/clock.h"
#include "common/codec.h"
#include "common/str.h"

#define CONNECT_SECONDS 5.0
#define BODY_MAX ((size_t)4 << 20)

/* ---- the line
 * --------------------------------------------------------------------------------------------------- */

int remote_option(struct remote_line *line, const char *command, int letter, char *value, const char *word)
{
    if (letter == 'j') {
        line->json = true;
    } else if (letter == 't') {
        if (!console_seconds(value, &line->timeout) || !(line->timeout > 0))
            return console_usage(command, "'%s' is no number of seconds", value);
    } else if (letter == 'd') {
        for (char *name = strtok(value, ","); name; name = strtok(NULL, ",")) {
            if (line->node_count == REMOTE_NODES_MAX)
                return console_usage(command, "more than %d workers", REMOTE_NODES_MAX);
            line->nodes[line->node_count++] = name;
        }
    } else {
        return console_usage(
            command, letter == ':' ? "a value is missing after '%s'" : "there is no option '%s'", word);
    }
    return EXIT_DONE;
}

/* ---- asking
 * ----------------------------------------------------------------------------------------------------- */

/* As Python's clients write it. */
static umbel_value *write_request(const struct remote *remote, const char *method,
                                  const umbel_value *arguments)
{
    const struct remote_line *line = remote->line;
    umbel_value *body = umbel_map_new();
    umbel_add_str(body, "method", method);
    if (arguments)
        umbel_add_value(body, "arguments", arguments);
    else
        umbel_add_map(body, "arguments");
    umbel_value *nodes = line->node_count ? umbel_add_list(body, "destination") : NULL;
    for (int i = 0; i < line->node_count; i++)
        umbel_add_str(nodes, NULL, line->nodes[i]);
    if (!nodes)
        umbel_add_null(body, "destination");
    umbel_add_null(body, "pattern");
    umbel_add_null(body, "matcher");
    if (remote->expects) {
        umbel_add_str(body, "ticket", remote->ticket);
        umbel_value *reply_to = umbel_add_map(body, "reply_to");
        umbel_add_str(reply_to, "exchange", MAILBOX_REPLY_EXCHANGE);
        umbel_add_str(reply_to, "routing_key", remote->oid);
    }
    return body;
}

static int send_request(struct remote *remote, const umbel_value *body)
{
    umbel_value clock = {.kind = UMBEL_INT, .as.integer = 1};
    umbel_value expires = {.kind = UMBEL_DOUBLE, .as.real = clock_now() + remote->line->timeout};
    struct arena arena;
    struct buffer text;
    struct message msg;
    arena_init(&arena, 0);
    buffer_init(&text, BODY_MAX);
    message_init(&msg);
    int code = codec_row(CODEC_JSON)->encode(&text, body);
    msg.content_type = STR("application/json");
    msg.content_encoding = STR("utf-8");
    msg.body = (umbel_str){(const char *)buffer_head(&text), buffer_length(&text)};
    if (code == UMBEL_OK)
        code = message_set_extra(&arena, &msg, STR("clock"), &clock);
    if (code == UMBEL_OK)
        code = message_set_extra(&arena, &msg, STR("expires"), &expires);
    if (code == UMBEL_OK)
        code = remote->desk.mailbox->ops->send(remote->desk.mailbox, MAILBOX_REQUESTS, &msg);
    buffer_fini(&text);
    arena_fini(&arena);
    return code;
}

/* ---- answers
 * ---------------------------------------------------------------------------------------------------- */

static bool is_ours(const struct remote *remote, const struct message *msg)
{
    const umbel_value *ticket = message_extra(msg, "ticket");
    umbel_str text;
    return ticket && umbel_value_str(ticket, &text) == UMBEL_OK && str_equal(text, str_of(remote->ticket));
}

static void on_letter(void *self, const struct message *msg)
{
    struct remote *remote = self;
    const struct codec_row *row = codec_by_content_type(msg->content_type);
    struct arena arena;
    umbel_value *body;
    if (!row || !is_ours(remote, msg))
        return;
    arena_init(&arena, BODY_MAX * 8);
    if (row->decode(&arena, msg->body, &body, NULL) == UMBEL_OK && umbel_value_kind(body) == UMBEL_MAP)
        for (size_t i = 0; i < umbel_value_count(body); i++)
            umbel_add_value(remote->replies, umbel_value_key(body, i).data, umbel_value_at(body, i));
    arena_fini(&arena);
}

static bool all_answered(struct desk *desk)
{
    const struct remote *remote = (const struct remote *)desk;
    int count = remote->line->node_count;
    return count > 0 && umbel_value_count(remote->replies) >= (size_t)count;
}

static int gather(struct remote *remote)
{
    struct desk *desk = &remote->desk;
    int code = desk_wait(desk, all_answered, remote->line->timeout);
    return code == UMBEL_OK || code == UMBEL_TIMEOUT ? EXIT_DONE : desk_complain(desk, code);
}

int remote_ask(struct remote *remote, const char *command, const struct command_globals *globals,
               const struct remote_line *line, const char *method, const umbel_value *arguments, bool expects)
{
    static const struct mailbox_events events = {desk_mailbox_up, desk_mailbox_down, on_letter};
    *remote = (struct remote){.line = line, .expects = expects};
    uuid_make(remote->oid);
    uuid_make(remote->ticket);
    int exit_code = desk_open_mailbox(&remote->desk, command, globals, MAILBOX_CALLER, remote->oid, &events);
    if (exit_code != EXIT_DONE)
        return exit_code;
    remote->replies = umbel_map_new();
    int code = desk_wait(&remote->desk, desk_is_up, CONNECT_SECONDS);
    if (code != UMBEL_OK)
        return desk_complain(&remote->desk, code);
    umbel_value *body = write_request(remote, method, arguments);
    code = send_request(remote, body);
    umbel_value_free(body);
    if (code != UMBEL_OK) {
        console_complain(command, "the request cannot be sent: %s", umbel_strerror(code));
        return console_exit(code);
    }
    return expects ? gather(remote) : EXIT_DONE;
}

void remote_end(struct remote *remote)
{
    if (!remote->replies)
        return; /* it never opened */
    desk_close(&remote->desk);
    umbel_value_free(remote->replies);
    remote->replies = NULL;
}

/* ---- showing
 * ---------------------------------------------------------------------------------------------------- */

static bool is_error(const umbel_value *reply)
{
    return umbel_value_kind(reply) == UMBEL_MAP && umbel_value_count(reply) == 1 &&
           umbel_value_find(reply, "error");
}

int remote_silence(const struct remote *remote)
{
    const struct remote_line *line = remote->line;
    int exit_code = EXIT_DONE;
    for (int i = 0; i < line->node_count; i++) {
        if (umbel_value_find(remote->replies, line->nodes[i]))
            continue;
        console_complain(remote->desk.command, "%s has not answered within %g s", line->nodes[i],
                         line->timeout);
        exit_code = EXIT_TASK_FAILED;
    }
    if (!line->node_count && umbel_value_count(remote->replies) == 0) {
        console_complain(remote->desk.command, "no worker has answered within %g s", line->timeout);
        exit_code = EXIT_TASK_FAILED;
    }
    return exit_code;
}

int remote_print(const struct remote *remote)
{
    int exit_code = EXIT_DONE;
    char *json = remote->line->json ? umbel_value_json(remote->replies) : NULL;
    if (json)
        puts(json);
    free(json);
    for (size_t i = 0; i < umbel_value_count(remote->replies); i++) {
        const umbel_value *reply = umbel_value_at(remote->replies, i);
        if (is_error(reply))
            exit_code = EXIT_TASK_FAILED;
        if (!remote->line->json)
            outline_print(umbel_value_key(remote->replies, i), reply);
    }
    int silence = remote_silence(remote);
    return silence != EXIT_DONE ? silence : exit_code;
}
