/* stream.c: see stream.h. Bytes over one non-blocking descriptor that we own, watched by uv_poll.
 *
 * libuv aborts when it is asked to poll a descriptor that was closed, so a descriptor is closed only here,
 * right after its handle. uv_poll_start costs two system calls, so POLLIN stays on and POLLOUT is asked for
 * only while the kernel does not take what we have. Any callback may close, free or reconnect the stream:
 * `life` is compared after each. The memory itself outlives the callback because libuv ends closed handles
 * only at the end of a turn. */
#include "common/stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/stream_inside.h"
#include "common/tls.h"

#define READ_SIZE ((size_t)64 * 1024)
#define READS_PER_WAKE 4 /* so that one busy peer does not starve the others */
#define BUFFER_MAX ((size_t)1 << 30)

static void on_hook(void *self);

/* ---- the descriptor ---- */

static void link_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void stream_unlink(struct stream *stream)
{
    struct stream_link *link = stream->link;
    tls_free(stream->tls);
    stream->tls = NULL;
    stream->link = NULL;
    if (!link)
        return;
    uv_close((uv_handle_t *)&link->poll, link_closed);
    close(link->fd);
}

static void read_ready(struct stream *stream);
static void flush(struct stream *stream);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct stream_link *link = poll->data;
    struct stream *stream = link->stream;
    if (stream->link != link)
        return;
    uint32_t life = stream->life;
    if (stream->step == STREAM_CONNECTING || stream->step == STREAM_HANDSHAKING) {
        stream_connect_ready(stream);
        return;
    }
    /* TLS may need to read in order to write and the other way round: with it, any event tries both. After an
     * error (libuv has stopped watching then) reading finds out what it was. */
    if (!stream->paused && (status < 0 || (events & UV_READABLE) || stream->tls))
        read_ready(stream);
    if (stream->life != life)
        return;
    if (status < 0)
        stream_end(stream, UMBEL_SYSTEM, "%s", "the connection broke");
    else if (stream->blocked)
        flush(stream);
}

void stream_watch(struct stream *stream, int events)
{
    struct stream_link *link = stream->link;
    if (link->watched == events)
        return;
    link->watched = events;
    if (events)
        uv_poll_start(&link->poll, events, on_poll);
    else
        uv_poll_stop(&link->poll);
}

/* Takes the descriptor over; on failure it stays the caller's. */
int stream_watch_fd(struct stream *stream, int fd)
{
    struct stream_link *link = calloc(1, sizeof *link);
    if (!link)
        return UMBEL_NO_MEMORY;
    if (uv_poll_init(&stream->loop->uv, &link->poll, fd) < 0) {
        free(link);
        return UMBEL_SYSTEM;
    }
    link->poll.data = link;
    link->stream = stream;
    link->fd = fd;
    stream->link = link;
    return UMBEL_OK;
}

static void watch_wanted(struct stream *stream)
{
    stream_watch(stream, (stream->paused ? 0 : UV_READABLE) | (stream->blocked ? UV_WRITABLE : 0));
}

/* ---- beginning and ending ---- */

void stream_on_timer(uv_timer_t *timer)
{
    struct stream *stream = timer->data;
    if (stream->step == STREAM_ENDING) {
        char why[sizeof stream->why];
        memcpy(why, stream->why, sizeof why);
        stream_end(stream, stream->end_code, "%s", why);
    } else {
        stream_connect_timer(stream);
    }
}

struct stream *stream_new(struct loop *loop, const struct stream_events *events, void *self)
{
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->loop = loop;
    stream->events = *events;
    stream->self = self;
    stream->hook = (struct turn_hook){.call = on_hook, .self = stream};
    buffer_init(&stream->in, BUFFER_MAX);
    buffer_init(&stream->out, BUFFER_MAX);
    uv_timer_init(&loop->uv, &stream->timer);
    stream->timer.data = stream;
    return stream;
}

static void stream_gone(uv_handle_t *handle)
{
    struct stream *stream = handle->data;
    buffer_fini(&stream->in);
    buffer_fini(&stream->out);
    free(stream);
}

void stream_free(struct stream *stream)
{
    if (!stream || stream->freed)
        return;
    stream_close(stream);
    stream->freed = true;
    uv_close((uv_handle_t *)&stream->timer, stream_gone);
}

/* What every connection starts from. `in` is emptied only when it is first read into: the caller may still be
 * looking at bytes of the connection before. */
void stream_begin(struct stream *stream)
{
    stream_close(stream);
    stream->fresh = true;
    buffer_clear(&stream->out);
    stream->out.failed = false;
    stream->last_read = loop_now(stream->loop);
}

void stream_close(struct stream *stream)
{
    stream->life++;
    stream->step = STREAM_IDLE;
    stream->paused = stream->blocked = stream->leftovers = false;
    loop_unmark(stream->loop, &stream->hook);
    uv_timer_stop(&stream->timer);
    stream_connect_forget(stream);
    stream_unlink(stream);
}

static void keep_why(struct stream *stream, const char *format, va_list arguments)
{
    vsnprintf(stream->why, sizeof stream->why, format, arguments);
}

void stream_end(struct stream *stream, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    keep_why(stream, format, arguments);
    va_end(arguments);
    stream_close(stream);
    char why[sizeof stream->why]; /* the owner may connect anew, and fail anew, while reading it */
    memcpy(why, stream->why, sizeof why);
    stream->events.down(stream->self, code, why);
}

void stream_end_soon(struct stream *stream, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    keep_why(stream, format, arguments);
    va_end(arguments);
    stream_close(stream);
    stream->step = STREAM_ENDING;
    stream->end_code = code;
    uv_timer_start(&stream->timer, stream_on_timer, 0, 0);
}

int stream_adopt(struct stream *stream, int fd)
{
    stream_begin(stream);
    int code = stream_watch_fd(stream, fd);
    if (code)
        return code;
    stream->step = STREAM_UP;
    watch_wanted(stream);
    return UMBEL_OK;
}

void stream_now_up(struct stream *stream)
{
    stream_connect_forget(stream);
    uv_timer_stop(&stream->timer);
    stream->step = STREAM_UP;
    stream->last_read = loop_now(stream->loop);
    watch_wanted(stream);
    if (stream->tls)
        stream->leftovers =
            true; /* the server may have spoken behind its handshake, where poll does not see it */
    loop_mark(stream->loop, &stream->hook);
    stream->events.up(stream->self);
}

bool stream_is_up(const struct stream *stream)
{
    return stream->step == STREAM_UP;
}

int stream_fd(const struct stream *stream)
{
    return stream->link ? stream->link->fd : -1;
}

/* ---- reading ---- */

/* Shows what has come; false when that ended this connection or paused it. */
static bool show(struct stream *stream)
{
    uint32_t life = stream->life;
    if (buffer_length(&stream->in) == 0)
        return true;
    size_t used = stream->events.data(stream->self, buffer_head(&stream->in), buffer_length(&stream->in));
    if (stream->life != life)
        return false;
    buffer_take(&stream->in, used);
    return !stream->paused;
}

/* One read: bytes, 0 = nothing now, -1 = the connection ended. */
static ssize_t read_once(struct stream *stream)
{
    uint8_t *room = buffer_room(&stream->in, READ_SIZE);
    if (!room) {
        stream_end(stream, UMBEL_NO_MEMORY, "what the peer sent does not fit into memory");
        return -1;
    }
    ssize_t got =
        stream->tls ? tls_read(stream->tls, room, READ_SIZE) : recv(stream->link->fd, room, READ_SIZE, 0);
    if (got > 0) {
        buffer_grew(&stream->in, (size_t)got);
        return got;
    }
    if (stream->tls ? got == TLS_WANT_READ || got == TLS_WANT_WRITE
                    : got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    if (got == 0)
        stream_end(stream, UMBEL_OK, "the peer closed the connection");
    else if (stream->tls)
        stream_end(stream, UMBEL_TLS, "%s", tls_why(stream->tls));
    else
        stream_end(stream, UMBEL_SYSTEM, "%s", strerror(errno));
    return -1;
}

static void read_ready(struct stream *stream)
{
    if (stream->fresh) {
        buffer_clear(&stream->in);
        stream->in.failed = false;
        stream->fresh = false;
    }
    /* What OpenSSL has decrypted already must be taken: poll would not wake us for it. It is at most one
     * record. */
    for (int reads = 0; reads < READS_PER_WAKE || (stream->tls && tls_waiting(stream->tls) > 0); reads++) {
        ssize_t got = read_once(stream);
        if (got <= 0)
            return;
        stream->last_read = loop_now(stream->loop);
        if (!show(stream))
            return;
        if ((size_t)got < READ_SIZE && !stream->tls)
            return; /* the socket was emptied */
    }
}

void stream_pause(struct stream *stream, bool paused)
{
    if (stream->paused == paused || stream->step != STREAM_UP)
        return;
    stream->paused = paused;
    watch_wanted(stream);
    if (!paused) {
        stream->leftovers = true;
        loop_mark(stream->loop, &stream->hook);
    }
}

uint64_t stream_last_read(const struct stream *stream)
{
    return stream->last_read;
}

/* ---- writing ---- */

/* Bytes the kernel took, 0 = not now, -1 = failed with a text in `why`. */
static ssize_t write_once(struct stream *stream, char *why, size_t why_size)
{
    size_t size = buffer_length(&stream->out);
    if (stream->tls) {
        ssize_t put = tls_write(stream->tls, buffer_head(&stream->out), size);
        if (put == TLS_WANT_READ || put == TLS_WANT_WRITE)
            return 0;
        if (put <= 0)
            snprintf(why, why_size, "%s", tls_why(stream->tls));
        return put > 0 ? put : -1;
    }
    ssize_t put = send(stream->link->fd, buffer_head(&stream->out), size, MSG_NOSIGNAL);
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    if (put < 0)
        snprintf(why, why_size, "%s", strerror(errno));
    return put;
}

/* Writes what the kernel takes; false on a broken connection. */
static bool push(struct stream *stream, char *why, size_t why_size)
{
    if (stream->out.failed) {
        snprintf(why, why_size, "out of memory for output");
        return false;
    }
    while (buffer_length(&stream->out) > 0) {
        ssize_t put = write_once(stream, why, why_size);
        if (put < 0)
            return false;
        if (put == 0)
            break;
        buffer_take(&stream->out, (size_t)put);
    }
    stream->blocked = buffer_length(&stream->out) > 0;
    watch_wanted(stream);
    return true;
}

/* From the loop: ends are told at once. */
static void flush(struct stream *stream)
{
    char why[sizeof stream->why];
    if (buffer_length(&stream->out) == 0 && !stream->out.failed)
        return;
    if (!push(stream, why, sizeof why))
        stream_end(stream, UMBEL_SYSTEM, "%s", why);
    else if (!stream->blocked && stream->events.drained)
        stream->events.drained(stream->self);
}

static void on_hook(void *self)
{
    struct stream *stream = self;
    uint32_t life = stream->life;
    if (stream->step != STREAM_UP)
        return;
    if (stream->leftovers && !stream->paused) {
        stream->leftovers = false;
        if (show(stream))
            read_ready(stream);
        if (stream->life != life)
            return;
    }
    if (!stream->blocked)
        flush(stream);
}

void stream_flush(struct stream *stream)
{
    char why[sizeof stream->why];
    if (stream->step == STREAM_UP && !stream->blocked && !push(stream, why, sizeof why))
        stream_end_soon(stream, UMBEL_SYSTEM, "%s", why);
}

void stream_write(struct stream *stream, const void *data, size_t size)
{
    buffer_add(&stream->out, data, size);
    stream_wrote(stream);
}

struct buffer *stream_output(struct stream *stream)
{
    return &stream->out;
}

void stream_wrote(struct stream *stream)
{
    if (stream->step == STREAM_UP && !stream->blocked)
        loop_mark(stream->loop, &stream->hook);
}

size_t stream_pending(const struct stream *stream)
{
    return buffer_length(&stream->out);
}
