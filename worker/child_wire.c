/* child_wire.c: see child_wire.h. */
#include "worker/child_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "worker/fork_process.h"

static void write_all(const void *data, size_t size)
{
    const char *at = data;
    while (size) {
        ssize_t done = send(CHILD_SOCKET, at, size, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno == EAGAIN) { /* a socket that a loop reads never blocks by itself */
            struct pollfd ready = {CHILD_SOCKET, POLLOUT, 0};
            poll(&ready, 1, -1);
            continue;
        }
        if (done < 0) /* the parent is gone */
            _exit(0);
        at += done;
        size -= (size_t)done;
    }
}

/* At most one bell is on its way: the parent lowers the flag before it looks. */
void wire_bell(struct child_wire *wire)
{
    struct frame_pieces bell = {.kind = FRAME_BELL};
    char frame[sizeof(struct frame_head)];
    wire->unannounced = 0;
    if (atomic_exchange(&wire->page->bell, 1))
        return;
    frame_put(frame, &bell);
    write_all(frame, sizeof frame);
}

/* Room in the ring, waiting for the parent to make some. */
static void *reserve(struct child_wire *wire, size_t size)
{
    void *room = ring_reserve(wire->page, size);
    while (!room) {
        wire->late = true;
        wire_bell(wire);
        poll(NULL, 0, 1);
        room = ring_reserve(wire->page, size);
    }
    return room;
}

static void send_large(struct child_wire *wire, const struct frame_pieces *pieces, size_t size)
{
    struct frame_pieces marker = {.kind = FRAME_ELSEWHERE};
    struct buffer frame;
    wire->late = true;
    frame_put(reserve(wire, frame_size(&marker)), &marker);
    ring_commit(wire->page, frame_size(&marker));
    buffer_init(&frame, FRAME_SIZE_MAX);
    frame_add(&frame, pieces);
    if (frame.failed) /* out of memory: what the parent waits for cannot be said */
        _exit(EXIT_FAILURE);
    write_all(buffer_head(&frame), size);
    buffer_fini(&frame);
}

void wire_send(struct child_wire *wire, const struct frame_pieces *pieces)
{
    size_t size = frame_size(pieces);
    if (size > CHILD_RING_FRAME_MAX) {
        send_large(wire, pieces, size);
        return;
    }
    frame_put(reserve(wire, size), pieces);
    ring_commit(wire->page, size);
}

void wire_done(struct child_wire *wire, uint32_t number, const struct outcome *outcome, uint64_t now_ns)
{
    struct frame_done done = {
        .kind = (uint8_t)outcome->kind,
        .has_links = outcome->has_links,
        .id_told = outcome->id_told,
        .retry_after = outcome->retry_after,
        .runtime = outcome->runtime,
        .type_size = (uint32_t)outcome->error_type.size,
        .message_size = (uint32_t)outcome->error_message.size,
        .traceback_size = (uint32_t)outcome->traceback.size,
    };
    wire_send(wire, &(struct frame_pieces){FRAME_DONE,
                                           number,
                                           {{(const char *)&done, sizeof done},
                                            outcome->error_type,
                                            outcome->error_message,
                                            outcome->traceback,
                                            outcome->value}});
    if (!wire->unannounced)
        wire->unannounced = now_ns;
}
