/* message_fields.h: the text fields of a message as rows, so that copying, packing and reading headers are
 * loops. */
#ifndef COMMON_MESSAGE_FIELDS_H
#define COMMON_MESSAGE_FIELDS_H

#include "common/message.h"

struct message_field {
    size_t offset;    /* of the umbel_str in struct message */
    umbel_str header; /* its name on the wire; {NULL, 0}: no header of protocol 2 */
};

/* The order is the packed form's: new rows go to the end. */
enum { MESSAGE_FIELD_COUNT = 21 };
extern const struct message_field message_fields[MESSAGE_FIELD_COUNT];

static inline umbel_str *message_field(struct message *msg, size_t index)
{
    return (umbel_str *)(void *)((char *)msg + message_fields[index].offset);
}
static inline const umbel_str *message_field_of(const struct message *msg, size_t index)
{
    return (const umbel_str *)(const void *)((const char *)msg + message_fields[index].offset);
}

/* Places for headers that `count` of them need: message_set_extra adds in place up to there. */
static inline size_t message_extra_room(size_t count)
{
    size_t room = 4;
    while (room < count)
        room *= 2;
    return room;
}

#endif
