/* dead_page.c: see dead_page.h. */
#include "client/dead_page.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "client/outline.h"
#include "common/compression.h"

enum {
    ID_MOST = 255,
    TASK_MOST = 40,
    TIME_MOST = 19,
    REASON_MOST = 80,
    ERROR_MOST = 160,
    NAME_WIDTH = 16,
    BODY_MAX = 64 << 20
};

/* ---- the list ---- */

static umbel_str text_of(const struct message *msg, const char *header)
{
    umbel_str text = STR_NONE;
    umbel_value_str(message_extra(msg, header), &text);
    return text;
}

static umbel_str or_nothing(umbel_str text)
{
    return text.size ? text : STR(DEAD_PAGE_NOTHING);
}

static int wider(int width, umbel_str text, int most)
{
    int size = text.size < (size_t)most ? (int)text.size : most;
    return size > width ? size : width;
}

static void print_cell(umbel_str text, int width, int most)
{
    int shown = (int)outline_text(or_nothing(text), (size_t)most);
    printf("%*s  ", shown < width ? width - shown : 0, "");
}

static void print_row(const struct message *msg, int id_width, int task_width)
{
    umbel_str error = text_of(msg, "umbel-error");
    print_cell(msg->id, id_width, ID_MOST);
    print_cell(msg->task, task_width, TASK_MOST);
    print_cell(text_of(msg, "umbel-dead-at"), TIME_MOST, TIME_MOST);
    outline_text(or_nothing(text_of(msg, "umbel-reason")), REASON_MOST);
    if (error.size) {
        fputs(": ", stdout);
        outline_text(error, ERROR_MOST);
    }
    putchar('\n');
}

void dead_page_list(const struct dead_letter *first)
{
    int id_width = 2, task_width = 4;
    for (const struct dead_letter *at = first; at; at = at->next) {
        id_width = wider(id_width, at->msg.id, NAME_WIDTH * 4);
        task_width = wider(task_width, at->msg.task, TASK_MOST);
    }
    if (first)
        printf("%-*s  %-*s  %-*s  %s\n", id_width, "ID", task_width, "TASK", TIME_MOST, "PARKED (UTC)",
               "WHY");
    for (const struct dead_letter *at = first; at; at = at->next)
        print_row(&at->msg, id_width, task_width);
}

/* ---- one of them ---- */

static void print_name(umbel_str name)
{
    size_t shown = outline_text(name, ID_MOST);
    printf("%*s ", shown < NAME_WIDTH ? (int)(NAME_WIDTH - shown) : 0, "");
}

static int print_header(void *to, umbel_str name, const umbel_value *value)
{
    (void)to;
    print_name(name);
    outline_scalar(value);
    putchar('\n');
    return UMBEL_OK;
}

static void print_property(const char *name, umbel_str text)
{
    if (!text.size)
        return;
    print_name(str_of(name));
    outline_text(text, SIZE_MAX);
    putchar('\n');
}

/* NULL when it cannot be read. */
static umbel_value *read_body(const struct message *msg, struct arena *arena)
{
    const struct codec_row *row = codec_by_content_type(msg->content_type);
    umbel_str bytes = msg->body;
    umbel_value *body = NULL;
    const char *why = NULL;
    struct buffer unpacked;
    buffer_init(&unpacked, BODY_MAX);
    int code =
        msg->compression.size ? compression_open(msg->compression, msg->body, &unpacked, &why) : UMBEL_OK;
    if (msg->compression.size)
        bytes = (umbel_str){(const char *)buffer_head(&unpacked), buffer_length(&unpacked)};
    if (!row || code != UMBEL_OK || row->decode(arena, bytes, &body, NULL) != UMBEL_OK)
        body = NULL;
    buffer_fini(&unpacked);
    return body;
}

static void print_body(const struct message *msg)
{
    struct arena arena;
    arena_init(&arena, 0);
    const umbel_value *body = read_body(msg, &arena);
    print_name(STR("body"));
    if (body) {
        outline_scalar(body);
    } else {
        printf("%zu bytes that cannot be read: ", msg->body.size);
        outline_text(msg->body, REASON_MOST);
    }
    putchar('\n');
    arena_fini(&arena);
}

void dead_page_show(const struct message *msg)
{
    print_property("content type", msg->content_type);
    print_property("content encoding", msg->content_encoding);
    print_property("correlation id", msg->correlation_id);
    print_property("reply to", msg->reply_to);
    if (msg->priority)
        printf("%-*s %d\n", NAME_WIDTH, "priority", msg->priority);
    message_each_header(msg, print_header, NULL);
    print_body(msg);
    putchar('\n');
}
