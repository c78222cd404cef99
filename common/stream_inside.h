/* stream_inside.h: what stream.c (bytes on a connection) and stream_connect.c (how one comes about) share. */
#ifndef COMMON_STREAM_INSIDE_H
#define COMMON_STREAM_INSIDE_H

#include <netdb.h>
#include "common/stream.h"
#include "common/tls.h"

enum stream_step {
    STREAM_IDLE,
    STREAM_RESOLVING,
    STREAM_CONNECTING,
    STREAM_HANDSHAKING,
    STREAM_UP,
    STREAM_ENDING
};

/* One descriptor under uv_poll. It outlives the connection until libuv has let go of the handle. */
struct stream_link {
    uv_poll_t poll;
    struct stream *stream;
    int fd;
    int watched; /* events asked of uv_poll */
};

/* A name being looked up in libuv's pool; `stream` is NULL once nobody waits for it. */
struct stream_lookup {
    uv_getaddrinfo_t request;
    struct stream *stream;
};

/* Copies of a struct stream_address and its TLS part, in one allocation. */
struct stream_target {
    int port;
    char *host, *path;
    bool secure;
    struct stream_tls tls;
};

struct stream {
    struct loop *loop;
    struct stream_events events;
    void *self;
    enum stream_step step;
    uint32_t life; /* changes whenever a connection begins or ends: tells a caller up the stack that its world
                      is gone */
    bool freed, paused;
    bool blocked;   /* the kernel did not take everything: POLLOUT is awaited */
    bool leftovers; /* bytes are to be shown (again) without new ones from the socket */
    bool fresh;     /* `in` still holds the previous connection's bytes */

    struct stream_link *link;
    struct tls *tls;
    struct buffer in, out;
    struct turn_hook hook;
    uint64_t last_read;

    /* while connecting */
    struct stream_target *target;
    struct stream_lookup *lookup;
    struct addrinfo *addresses, *address;
    uint64_t deadline;
    uv_timer_t timer; /* the deadline, and an end that must not be told from inside a call */

    int end_code;
    char why[448];
};

/* stream.c */
int stream_watch_fd(struct stream *stream, int fd);
void stream_unlink(struct stream *stream);
void stream_watch(struct stream *stream, int events);
void stream_begin(struct stream *stream);
/* Ends the connection and says so, at once; only from the loop's own callbacks. */
void stream_end(struct stream *stream, int code, const char *format, ...) UMBEL_PRINTF(3, 4);
void stream_end_soon(struct stream *stream, int code, const char *format, ...) UMBEL_PRINTF(3, 4);
void stream_now_up(struct stream *stream);
void stream_on_timer(uv_timer_t *timer);
/* stream_connect.c */
void stream_connect_ready(struct stream *stream);
void stream_connect_timer(struct stream *stream);
/* Drops what only connecting needs. */
void stream_connect_forget(struct stream *stream);

#endif
