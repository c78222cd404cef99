/* message_fields.h: what the files of a message share: the names of its texts on the wire, and the room for
 * headers that it has no field for. */
#ifndef COMMON_MESSAGE_FIELDS_H
#define COMMON_MESSAGE_FIELDS_H

#include <stddef.h>

#include "common/message.h"

/* Where a text of that name is in msg->texts. */
#define MESSAGE_TEXT_NUMBER(field) (offsetof(struct message, field) / sizeof(umbel_str))

/* The header each of msg->texts travels as; {NULL, 0}: it is no header of protocol 2. */
extern const umbel_str message_names[MESSAGE_TEXTS];

/* A copy of the extras in the arena; false: memory is out. */
bool message_copy_extra(struct arena *arena, struct message *to, const struct message *from);

/* Places for headers that `count` of them need: message_set_extra adds in place up to there. */
static inline size_t message_extra_room(size_t count)
{
    size_t room = 4;
    while (room < count)
        room *= 2;
    return room;
}

#endif
