/* stream.h: a connected socket on a loop, plain or TLS, that never blocks.
 *
 * Caller's steps: fill struct stream_events; stream_new; stream_connect or stream_adopt; in `data` consume what you can;
 * stream_write (or stream_room/stream_wrote) whenever there is something; stream_free. Bytes written during a turn
 * leave in one write at its end. `down` comes exactly once per connection that was attempted, unless stream_close is
 * called first; after it the stream may be connected again. Inside a callback stream_close and stream_free are allowed.
 * All on the loop's thread. */
#ifndef COMMON_STREAM_H
#define COMMON_STREAM_H

#include "common/buffer.h"
#include "common/loop.h"

struct stream;

struct stream_events {
    void (*up)(void *self); /* connected, TLS verified */
    /* New bytes; answers how many were used. The rest is kept and shown again with more behind it. */
    size_t (*data)(void *self, const uint8_t *data, size_t size);
    /* The connection ended: UMBEL_BROKER_AWAY-like code is the owner's choice; `code` is UMBEL_SYSTEM, UMBEL_TIMEOUT,
     * UMBEL_TLS or UMBEL_OK (end of file), `why` a text valid during the call. */
    void (*down)(void *self, int code, const char *why);
    /* All buffered output has been written, once per turn at most. May be NULL. */
    void (*drained)(void *self);
};

struct stream_tls {          /* NULL in stream_address: plain */
    const char *ca_file;     /* NULL: the system's */
    const char *cert_file, *key_file; /* client certificate, or NULL */
    const char *server_name; /* verified against the certificate, and sent as SNI; NULL: host */
    bool verify;             /* only an explicit ?verify=none makes this false, and it is logged */
};

struct stream_address {
    const char *host; /* or NULL with path */
    int port;
    const char *path; /* a Unix socket */
    const struct stream_tls *tls;
};

struct stream *stream_new(struct loop *loop, const struct stream_events *events, void *self);
/* Frees now, or after the callback that is running. No callback comes later. */
void stream_free(struct stream *stream);
/* Resolves, connects, shakes hands, all within `timeout` seconds, else `down`. Strings are copied. */
void stream_connect(struct stream *stream, const struct stream_address *address, double timeout);
/* Takes a connected non-blocking descriptor (a child's socketpair); `up` is not called. */
int stream_adopt(struct stream *stream, int fd);
/* Ends the connection without a `down`. Unsent bytes are lost. */
void stream_close(struct stream *stream);
bool stream_is_up(const struct stream *stream);
int stream_fd(const struct stream *stream);

void stream_write(struct stream *stream, const void *data, size_t size);
/* The output buffer itself, to encode into; call stream_wrote after appending. */
struct buffer *stream_output(struct stream *stream);
void stream_wrote(struct stream *stream);
/* Bytes not yet taken by the kernel. */
size_t stream_pending(const struct stream *stream);
/* Writes now what it can, instead of at the turn's end. */
void stream_flush(struct stream *stream);
/* Stops and resumes reading (back-pressure). */
void stream_pause(struct stream *stream, bool paused);
/* Milliseconds (loop_now) at which bytes last came, for heartbeats. */
uint64_t stream_last_read(const struct stream *stream);

#endif
