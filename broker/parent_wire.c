/* parent_wire.c: frames of parent_wire.h. A frame that lies about its size is refused before anything in it
 * is looked at. */
#include "broker/parent_wire.h"

#include <string.h>
#include <umbel/error.h>

struct head {
    uint32_t size; /* of the whole frame */
    uint8_t kind;
    uint8_t flags;
    uint16_t zero;
    int32_t code;
    uint32_t zero2;
    uint64_t token;
};

int parent_frame_read(const uint8_t *data, size_t size, struct parent_frame *frame, size_t *used)
{
    struct head head;
    if (size < sizeof head)
        return UMBEL_BUSY;
    memcpy(&head, data, sizeof head);
    if (head.size < sizeof head || head.size > PARENT_FRAME_MAX || head.kind < PARENT_PUBLISH ||
        head.kind > PARENT_LAST)
        return UMBEL_PROTOCOL;
    if (size < head.size)
        return UMBEL_BUSY;
    *frame = (struct parent_frame){.kind = (enum parent_kind)head.kind,
                                   .flags = head.flags,
                                   .code = head.code,
                                   .token = head.token,
                                   .payload = {(const char *)data + sizeof head, head.size - sizeof head}};
    *used = head.size;
    return UMBEL_OK;
}

size_t parent_frame_open(struct buffer *out, const struct parent_frame *frame)
{
    size_t opened = buffer_length(out);
    struct head head = {
        .kind = (uint8_t)frame->kind, .flags = frame->flags, .code = frame->code, .token = frame->token};
    buffer_add(out, &head, sizeof head);
    return opened;
}

void parent_frame_close(struct buffer *out, size_t opened)
{
    uint32_t size = (uint32_t)(buffer_length(out) - opened);
    buffer_patch(out, opened + offsetof(struct head, size), &size, sizeof size);
}

void parent_frame_add(struct buffer *out, const struct parent_frame *frame)
{
    size_t opened = parent_frame_open(out, frame);
    buffer_str(out, frame->payload);
    parent_frame_close(out, opened);
}

void parent_put_text(struct buffer *out, umbel_str text)
{
    uint32_t size = (uint32_t)text.size;
    buffer_add(out, &size, sizeof size);
    buffer_str(out, text);
}

bool parent_take_text(umbel_str *payload, umbel_str *text)
{
    uint32_t size;
    return str_take_bytes(payload, &size, sizeof size) && str_take(payload, size, text);
}

bool parent_take_double(umbel_str *payload, double *number)
{
    return str_take_bytes(payload, number, sizeof *number);
}
