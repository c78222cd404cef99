/* message.c: a message's memory: beginning, copying, and the headers it has no field for. */
#include "common/message.h"

#include <string.h>

#include "common/message_fields.h"
#include "common/str.h"

/* clang-format off */
#define HEADER(name) [MESSAGE_TEXT_NUMBER(name)] = {#name, sizeof #name - 1}
/* clang-format on */

const umbel_str message_names[MESSAGE_TEXTS] = {
    HEADER(lang),       HEADER(task),   HEADER(id),          HEADER(root_id), HEADER(parent_id),
    HEADER(group),      HEADER(eta),    HEADER(expires),     HEADER(shadow),  HEADER(argsrepr),
    HEADER(kwargsrepr), HEADER(origin), HEADER(compression),
};

_Static_assert(MESSAGE_TEXT_NUMBER(body) == MESSAGE_TEXTS - 1, "the body is the last text");

void message_init(struct message *msg)
{
    *msg = (struct message){.expiration_ms = -1, .group_index = -1, .ignore_result = -1};
}

static size_t texts_size(const struct message *msg)
{
    size_t size = MESSAGE_TEXTS;
    for (size_t i = 0; i < MESSAGE_TEXTS; i++)
        size += msg->texts[i].size;
    return size;
}

/* All into one piece of memory, each with a NUL behind it. */
static bool copy_texts(struct arena *arena, struct message *to, const struct message *from)
{
    char *room = arena_alloc(arena, texts_size(from));
    for (size_t i = 0; room && i < MESSAGE_TEXTS; i++) {
        umbel_str text = from->texts[i];
        if (!text.data)
            continue;
        memcpy(room, text.data, text.size);
        room[text.size] = '\0';
        to->texts[i].data = room;
        room += text.size + 1;
    }
    return room != NULL;
}

static bool copy_header(struct arena *arena, struct message_header *to, umbel_str name,
                        const umbel_value *value)
{
    umbel_value *copy = value_copy(arena, value);
    to->name = arena_str(arena, name);
    if (!copy || !to->name.data)
        return false;
    to->value = *copy;
    return true;
}

bool message_copy_extra(struct arena *arena, struct message *to, const struct message *from)
{
    struct message_header *extra = NULL;
    if (from->extra_count) {
        extra = arena_alloc(arena, message_extra_room(from->extra_count) * sizeof *extra);
        if (!extra)
            return false;
    }
    for (size_t i = 0; i < from->extra_count; i++) {
        if (!copy_header(arena, &extra[i], from->extra[i].name, &from->extra[i].value))
            return false;
    }
    to->extra = extra;
    return true;
}

int message_copy(struct arena *arena, struct message *to, const struct message *from)
{
    struct message copy = *from;
    if (!copy_texts(arena, &copy, from) || !message_copy_extra(arena, &copy, from))
        return UMBEL_NO_MEMORY;
    *to = copy;
    return UMBEL_OK;
}

static size_t find_extra(const struct message *msg, umbel_str name)
{
    size_t index = 0;
    while (index < msg->extra_count && !str_equal(msg->extra[index].name, name))
        index++;
    return index;
}

const umbel_value *message_extra(const struct message *msg, const char *name)
{
    size_t index = find_extra(msg, str_of(name));
    return index < msg->extra_count ? &msg->extra[index].value : NULL;
}

/* The list is const to readers; whoever set headers here or copied the message made it in an arena, with
 * room. */
int message_set_extra(struct arena *arena, struct message *msg, umbel_str name, const umbel_value *value)
{
    struct message_header *extra = (struct message_header *)(uintptr_t)msg->extra;
    size_t index = find_extra(msg, name), count = msg->extra_count;
    if (index == count && (count == 0 || count == message_extra_room(count))) {
        extra = arena_alloc(arena, message_extra_room(count + 1) * sizeof *extra);
        if (!extra)
            return UMBEL_NO_MEMORY;
        if (count)
            memcpy(extra, msg->extra, count * sizeof *extra);
        msg->extra = extra;
    }
    if (!copy_header(arena, &extra[index], name, value))
        return UMBEL_NO_MEMORY;
    msg->extra_count += index == count;
    return UMBEL_OK;
}
