/* fuzz/frame.c: any bytes in a child's ring and on its socket: what a child that scribbles may leave. */
#include <stdlib.h>
#include "worker/child_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_ring(const uint8_t *data, size_t size)
{
    static struct child_page page;
    uint32_t head, tail;
    struct frame frame;
    size_t seen = 0;
    if (size < 8)
        return;
    memcpy(&head, data, 4);
    memcpy(&tail, data + 4, 4);
    page_reset(&page);
    memset(page.ring, 0, sizeof page.ring);
    memcpy(page.ring, data + 8, size - 8 < sizeof page.ring ? size - 8 : sizeof page.ring);
    atomic_store(&page.ring_head, head & ~15u); /* the parent's own, always whole */
    atomic_store(&page.ring_tail, tail);
    while (ring_peek(&page, &frame) == UMBEL_OK) {
        const char *end = frame.payload.data + frame.payload.size;
        if (frame.payload.data < (char *)page.ring || end > (char *)page.ring + sizeof page.ring)
            abort();
        if ((seen += frame.payload.size + sizeof(struct frame_head)) > sizeof page.ring)
            abort(); /* more than there was */
        ring_release(&page, &frame);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame;
    size_t at = 0, used;
    while (frame_read(data + at, size - at, &frame, &used) == UMBEL_OK) {
        struct frame_done done;
        umbel_str text;
        if (used == 0 || used > size - at)
            abort();
        if (str_take_bytes(&frame.payload, &done, sizeof done))
            str_take(&frame.payload, done.message_size, &text);
        at += used;
    }
    read_ring(data, size);
    return 0;
}
