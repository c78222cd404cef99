/* frame.c: writing and reading frames. A frame that lies about its size is refused before anything is looked
 * at. */
#include "worker/frame.h"

#define PIECES (sizeof(((struct frame_pieces *)0)->piece) / sizeof(umbel_str))

int frame_read(const uint8_t *data, size_t size, struct frame *frame, size_t *used)
{
    struct frame_head head;
    if (size < sizeof head)
        return UMBEL_BUSY;
    memcpy(&head, data, sizeof head);
    if (head.version != FRAME_VERSION || head.size < sizeof head || head.size > FRAME_SIZE_MAX)
        return UMBEL_PROTOCOL;
    if (head.kind < FRAME_RUN || head.kind > FRAME_SLOTS)
        return UMBEL_PROTOCOL;
    if (size < head.size)
        return UMBEL_BUSY;
    frame->kind = (enum frame_kind)head.kind;
    frame->number = head.number;
    frame->payload = (umbel_str){(const char *)data + sizeof head, head.size - sizeof head};
    *used = head.size;
    return UMBEL_OK;
}

static struct frame_head head_make(enum frame_kind kind, uint32_t number, size_t size)
{
    return (struct frame_head){
        .size = (uint32_t)size, .version = FRAME_VERSION, .kind = (uint8_t)kind, .number = number};
}

size_t frame_size(const struct frame_pieces *pieces)
{
    size_t size = sizeof(struct frame_head);
    for (size_t i = 0; i < PIECES; i++)
        size += pieces->piece[i].size;
    return size;
}

void frame_put(void *to, const struct frame_pieces *pieces)
{
    uint8_t *start = to, *at = start + sizeof(struct frame_head);
    for (size_t i = 0; i < PIECES; i++) {
        if (pieces->piece[i].size == 0)
            continue;
        memcpy(at, pieces->piece[i].data, pieces->piece[i].size);
        at += pieces->piece[i].size;
    }
    struct frame_head head = head_make(pieces->kind, pieces->number, (size_t)(at - start));
    memcpy(start, &head, sizeof head);
}

void frame_add(struct buffer *out, const struct frame_pieces *pieces)
{
    size_t size = frame_size(pieces);
    uint8_t *to = buffer_room(out, size);
    if (!to)
        return;
    frame_put(to, pieces);
    buffer_grew(out, size);
}

size_t frame_open(struct buffer *out, enum frame_kind kind, uint32_t number)
{
    size_t opened = buffer_length(out);
    struct frame_head head = head_make(kind, number, 0);
    buffer_add(out, &head, sizeof head);
    return opened;
}

void frame_close(struct buffer *out, size_t opened)
{
    uint32_t size = (uint32_t)(buffer_length(out) - opened);
    buffer_patch(out, opened + offsetof(struct frame_head, size), &size, sizeof size);
}
