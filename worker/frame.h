/* frame.h: what parent and child say to each other, one length-framed, versioned frame at a time.
 *
 * The same frames travel over the child's socket and through its shared ring. What a task calls goes over a
 * line of its own (broker/parent_wire.h). Numbers are host order: both ends are one program on one machine.
 */
#ifndef WORKER_FRAME_H
#define WORKER_FRAME_H

#include "common/buffer.h"
#include "common/str.h"

#define FRAME_VERSION 1
/* Longest frame that either end takes; bodies and results are checked against TASK_BODY_MAX long before. */
#define FRAME_SIZE_MAX (80u << 20)

enum frame_kind {
    FRAME_RUN = 1,   /* parent: run a job. struct frame_run, then the packed message */
    FRAME_DONE,      /* child: a job's outcome. struct frame_done, then its texts, then the value */
    FRAME_WAIT,      /* child of a crew: a job waits for tasks it called (a byte 1), or goes on (a byte 0) */
    FRAME_PROGRESS,  /* child: an encoded meta for state PROGRESS */
    FRAME_PART,      /* child: an encoded part of the result */
    FRAME_LOG,       /* child: a line of umbel_log. A level byte, then the text */
    FRAME_OUTPUT,    /* child: what a job wrote. A byte 1 (stdout) or 2 (stderr), then the bytes */
    FRAME_BELL,      /* child, socket: look into the ring */
    FRAME_BYE,       /* parent: end politely */
    FRAME_READY,     /* child: hooks have run. Empty, or why they failed */
    FRAME_ELSEWHERE, /* child, ring: the next frame is on the socket, it is too large for the ring */
    FRAME_CANCEL, /* parent, to a crew: end this job's waits. A byte: 1 it is cancelled, 0 look at the clock
                   */
    FRAME_SLOTS,  /* parent, to a crew: so many jobs at once from now on. A uint32_t */
};

struct frame_head {
    uint32_t size; /* of the whole frame, this head included */
    uint8_t version;
    uint8_t kind;
    uint16_t zero;
    uint32_t number; /* of the job it is about; 0 = none */
    uint32_t zero2;
};

struct frame {
    enum frame_kind kind;
    uint32_t number;
    umbel_str payload; /* borrowed from the bytes it was read from, any alignment */
};

#define FRAME_NO_TASK UINT32_MAX

struct frame_run {
    double time_limit, soft_time_limit;
    uint32_t task; /* index in the registry; FRAME_NO_TASK for role reader */
    int32_t deaths;
    uint8_t result_codec;
    uint8_t zero[7];
};

struct frame_done {
    double retry_after, runtime;
    uint32_t type_size, message_size, traceback_size;
    uint8_t kind; /* enum outcome_kind */
    uint8_t has_links, id_told;
    uint8_t zero;
};

/* UMBEL_OK and *used; UMBEL_BUSY: more bytes are needed; UMBEL_PROTOCOL: these bytes are no frame of ours. */
int frame_read(const uint8_t *data, size_t size, struct frame *frame, size_t *used);

/* A frame of several pieces, written in one go to wherever there is room for frame_size() bytes. */
struct frame_pieces {
    enum frame_kind kind;
    uint32_t number;
    umbel_str piece[6];
};
size_t frame_size(const struct frame_pieces *pieces);
void frame_put(void *to, const struct frame_pieces *pieces);
void frame_add(struct buffer *out, const struct frame_pieces *pieces);

/* A frame whose payload is appended to `out` between the two calls. */
size_t frame_open(struct buffer *out, enum frame_kind kind, uint32_t number);
void frame_close(struct buffer *out, size_t opened);

#endif
