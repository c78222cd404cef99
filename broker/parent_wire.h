/* parent_wire.h: what a process that runs tasks and its worker say to each other about calls that tasks make.
 *
 * A connected pair of sockets lies between them. One end speaks for a client (parent_link.h), the other is
 * the worker's (worker/nest.h), which carries out on its own connections what it is told. Numbers are host
 * order: both ends are one program on one machine. The client's end runs other people's code, so the worker
 * believes nothing of what it reads; sizes are bounded, and a frame that lies ends the connection. */
#ifndef BROKER_PARENT_WIRE_H
#define BROKER_PARENT_WIRE_H

#include "common/buffer.h"
#include "common/str.h"

#define PARENT_FRAME_MAX (160u << 20)

enum parent_kind {
    /* client to worker */
    PARENT_PUBLISH = 1, /* flags: enum publish_flags. A double (delay), then the packed message */
    PARENT_LISTEN,      /* `subscribed` comes once results are heard */
    PARENT_WATCH,       /* ids */
    PARENT_UNWATCH,     /* ids */
    PARENT_LOOKUP,      /* ids */
    PARENT_FORGET,      /* one id */
    PARENT_REVOKE,      /* ids, each behind a double (until) */
    PARENT_READ_PARTS,  /* one id; code: the number to begin with */
    /* worker to client */
    PARENT_BROKER,       /* flags: enum transport_state; code; why */
    PARENT_BACKEND,      /* flags: enum backend_state; code; why */
    PARENT_PUBLISHED,    /* token, code, why */
    PARENT_FOUND,        /* token, code, id, then the payload */
    PARENT_NOTICE,       /* flags: 1 if it was listened to; the payload */
    PARENT_SUBSCRIBED,   /* token */
    PARENT_RESUBSCRIBED, /* nothing */
    PARENT_PARTS,        /* token, code, id, then the payloads */
    PARENT_LAST = PARENT_PARTS
};

struct parent_frame {
    enum parent_kind kind;
    uint8_t flags;
    int32_t code;
    uint64_t token;
    umbel_str payload; /* borrowed from the bytes it was read from */
};

/* UMBEL_OK and *used; UMBEL_BUSY: more bytes are needed; UMBEL_PROTOCOL: these bytes are no frame of ours. */
int parent_frame_read(const uint8_t *data, size_t size, struct parent_frame *frame, size_t *used);
/* Appends a frame with its payload. */
void parent_frame_add(struct buffer *out, const struct parent_frame *frame);
/* A frame whose payload is appended to `out` between the two calls; frame->payload is not looked at. */
size_t parent_frame_open(struct buffer *out, const struct parent_frame *frame);
void parent_frame_close(struct buffer *out, size_t opened);

/* One text of a payload that has several, with its size before it. Taking answers false at the end, or when
 * the size lies. */
void parent_put_text(struct buffer *out, umbel_str text);
bool parent_take_text(umbel_str *payload, umbel_str *text);
bool parent_take_double(umbel_str *payload, double *number);

#endif
