/* follow.c: see follow.h. One JSON value a line on stdout, at once, for who reads it through a pipe; what is
 * to be said about them goes to stderr. */
#include "client/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include "client/console.h"

int follow_open(struct follow *follow, const char *command, const char *id)
{
    *follow = (struct follow){.command = command, .id = str_of(id), .queue = part_queue_new(NULL)};
    return follow->queue ? UMBEL_OK : UMBEL_NO_MEMORY;
}

void follow_close(struct follow *follow)
{
    part_queue_free(follow->queue);
}

void follow_print(const umbel_value *value)
{
    char *json = umbel_value_json(value);
    if (json)
        puts(json);
    fflush(stdout);
    free(json);
}

void follow_say_restarted(const char *command)
{
    console_complain(command, "the task began again: the parts above are superseded");
}

void follow_take(struct follow *follow, umbel_str payload)
{
    struct result_view view;
    umbel_str run;
    uint32_t number;
    arena_reset(&follow->queue->arena);
    if (result_read(&follow->queue->arena, payload, &view) == UMBEL_OK && view.state == RESULT_PART &&
        result_read_part(&view, &run, &number))
        part_queue_take(follow->queue, run, number, payload);
}

void follow_answered(struct follow *follow, int code, const umbel_str *payloads, size_t count)
{
    for (size_t i = 0; i < count; i++)
        follow_take(follow, payloads[i]);
    part_queue_answered(follow->queue, code, count);
}

void follow_end(struct follow *follow, const struct result_view *view)
{
    umbel_str run = STR_NONE;
    uint32_t total = 0;
    result_read_part(view, &run, &total);
    part_queue_end(follow->queue, run, total);
}

static void print_first(struct follow *follow)
{
    struct part_item *item = part_queue_pop(follow->queue);
    struct result_view view;
    arena_reset(&follow->queue->arena);
    if (result_read(&follow->queue->arena, item->payload, &view) == UMBEL_OK)
        follow_print(view.value);
    free(item);
}

static void ask(struct follow *follow, struct backend *backend)
{
    part_queue_asking(follow->queue);
    backend->ops->read_parts(backend, follow->id, follow->queue->asked_next, 0);
}

bool follow_step(struct follow *follow, struct backend *backend)
{
    for (;;) {
        switch (part_queue_step(follow->queue)) {
        case PART_STEP_GIVE:
            print_first(follow);
            break;
        case PART_STEP_RESTARTED:
            follow->queue->restarted = false;
            follow_say_restarted(follow->command);
            break;
        case PART_STEP_ASK:
            ask(follow, backend);
            return false;
        case PART_STEP_WAIT:
            return false;
        case PART_STEP_LOST:
            console_complain(follow->command,
                             "the rest of its parts is gone: they expired, or another run's are in "
                             "their place");
            return true;
        case PART_STEP_END:
            return true;
        }
    }
}
