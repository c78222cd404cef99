/* stream_connect.c: from an address to a verified connection, in one span of time.
 *
 * A name is looked up in libuv's thread pool; the answers are tried one after another, each with its share of
 * the time that is left, so that a dead first address does not hide a live second one. A look-up cannot be
 * taken back once it runs: its request is orphaned and frees itself. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/stream_inside.h"
#include "common/tls.h"

/* ---- the target ---- */

static char *copy_text(const char *text)
{
    return text ? strdup(text) : NULL;
}

static void target_free(struct stream_target *target)
{
    if (!target)
        return;
    free(target->host);
    free(target->path);
    free((char *)target->tls.ca_file);
    free((char *)target->tls.cert_file);
    free((char *)target->tls.key_file);
    free((char *)target->tls.server_name);
    free(target);
}

static struct stream_target *target_copy(const struct stream_address *address)
{
    struct stream_target *target = calloc(1, sizeof *target);
    if (!target)
        return NULL;
    target->port = address->port;
    target->host = copy_text(address->host);
    target->path = copy_text(address->path);
    if (address->tls) {
        target->secure = true;
        target->tls = (struct stream_tls){.ca_file = copy_text(address->tls->ca_file),
                                          .cert_file = copy_text(address->tls->cert_file),
                                          .key_file = copy_text(address->tls->key_file),
                                          .server_name = copy_text(address->tls->server_name),
                                          .verify = address->tls->verify};
    }
    return target;
}

void stream_connect_forget(struct stream *stream)
{
    target_free(stream->target);
    stream->target = NULL;
    if (stream->lookup) {
        stream->lookup->stream = NULL;
        uv_cancel((uv_req_t *)&stream->lookup->request);
        stream->lookup = NULL;
    }
    if (stream->addresses)
        uv_freeaddrinfo(stream->addresses);
    stream->addresses = stream->address = NULL;
}

/* ---- one attempt ---- */

static const char *name_of(const struct stream_target *target)
{
    return target->path ? target->path : target->host ? target->host : "localhost";
}

static int open_socket(const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (address->sa_family != AF_UNIX) {
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    }
    if (connect(fd, address, size) == 0 || errno == EINPROGRESS)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

/* 0, or an errno. */
static int attempt(struct stream *stream, const struct sockaddr *address, socklen_t size)
{
    int fd = open_socket(address, size);
    if (fd < 0)
        return errno;
    if (stream_watch_fd(stream, fd) != UMBEL_OK) {
        close(fd);
        return ENOMEM;
    }
    stream->step = STREAM_CONNECTING;
    stream_watch(stream, UV_WRITABLE);
    return 0;
}

/* The time this attempt may take: its share of what is left. */
static void allow_time(struct stream *stream)
{
    uint64_t now = loop_now(stream->loop), left = stream->deadline > now ? stream->deadline - now : 0,
             shares = 1;
    for (const struct addrinfo *more = stream->address; more && more->ai_next; more = more->ai_next)
        shares++;
    uv_timer_start(&stream->timer, stream_on_timer, left / shares + 1, 0);
}

/* Tries the address at hand and those behind it, until one is under way. */
static void try_addresses(struct stream *stream, int number)
{
    for (; stream->address; stream->address = stream->address->ai_next) {
        number = attempt(stream, stream->address->ai_addr, stream->address->ai_addrlen);
        if (number == 0) {
            allow_time(stream);
            return;
        }
    }
    const struct stream_target *target = stream->target;
    stream_end(stream, UMBEL_SYSTEM, "connect to %s port %d: %s", name_of(target), target->port,
               strerror(number));
}

static void try_next(struct stream *stream, int number)
{
    stream_unlink(stream);
    if (stream->address)
        stream->address = stream->address->ai_next;
    if (stream->target->path)
        stream_end(stream, UMBEL_SYSTEM, "connect to %s: %s", stream->target->path, strerror(number));
    else
        try_addresses(stream, number);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct stream_lookup *lookup = request->data;
    struct stream *stream = lookup->stream;
    free(lookup);
    if (!stream) {
        if (addresses)
            uv_freeaddrinfo(addresses);
        return;
    }
    stream->lookup = NULL;
    if (status < 0) {
        stream_end(stream, UMBEL_SYSTEM, "host '%s': %s", name_of(stream->target), uv_strerror(status));
        return;
    }
    stream->addresses = stream->address = addresses;
    try_addresses(stream, EADDRNOTAVAIL);
}

static void resolve(struct stream *stream)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char port[16];
    snprintf(port, sizeof port, "%d", stream->target->port);
    struct stream_lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup) {
        stream_end_soon(stream, UMBEL_NO_MEMORY, "out of memory");
        return;
    }
    lookup->stream = stream;
    lookup->request.data = lookup;
    stream->step = STREAM_RESOLVING;
    stream->lookup = lookup;
    int status = uv_getaddrinfo(&stream->loop->uv, &lookup->request, on_resolved, name_of(stream->target),
                                port, &hints);
    if (status < 0) {
        stream->lookup = NULL;
        free(lookup);
        stream_end_soon(stream, UMBEL_SYSTEM, "host '%s': %s", name_of(stream->target), uv_strerror(status));
    }
}

static void connect_path(struct stream *stream)
{
    const char *path = stream->target->path;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int number = ENAMETOOLONG;
    if (strlen(path) < sizeof address.sun_path) {
        memcpy(address.sun_path, path, strlen(path) + 1);
        number = attempt(stream, (const struct sockaddr *)&address, sizeof address);
    }
    if (number)
        stream_end_soon(stream, UMBEL_SYSTEM, "connect to %s: %s", path, strerror(number));
}

/* ---- steps ---- */

void stream_connect(struct stream *stream, const struct stream_address *address, double timeout)
{
    stream_begin(stream);
    stream->target = target_copy(address);
    if (!stream->target) {
        stream_end_soon(stream, UMBEL_NO_MEMORY, "out of memory");
        return;
    }
    uint64_t span = timeout > 0 ? (uint64_t)(timeout * 1000.0) : 1;
    stream->deadline = loop_now(stream->loop) + span;
    uv_timer_start(&stream->timer, stream_on_timer, span, 0);
    if (stream->target->path)
        connect_path(stream);
    else
        resolve(stream);
}

static void shake_hands(struct stream *stream)
{
    int answer = tls_handshake(stream->tls);
    if (answer == TLS_WANT_READ)
        stream_watch(stream, UV_READABLE);
    else if (answer == TLS_WANT_WRITE)
        stream_watch(stream, UV_WRITABLE);
    else if (answer == TLS_FAILED)
        stream_end(stream, UMBEL_TLS, "%s", tls_why(stream->tls));
    else
        stream_now_up(stream);
}

static void begin_tls(struct stream *stream)
{
    const struct stream_target *target = stream->target;
    char why[sizeof stream->why];
    stream->tls = tls_new(&target->tls, target->host, stream->link->fd, why, sizeof why);
    if (!stream->tls) {
        stream_end(stream, UMBEL_TLS, "%s", why);
        return;
    }
    stream->step = STREAM_HANDSHAKING;
    uint64_t now = loop_now(stream->loop);
    uv_timer_start(&stream->timer, stream_on_timer, stream->deadline > now ? stream->deadline - now : 0, 0);
    shake_hands(stream);
}

static int socket_error(int fd)
{
    int number = 0;
    socklen_t size = sizeof number;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) == 0 ? number : errno;
}

void stream_connect_ready(struct stream *stream)
{
    if (stream->step == STREAM_HANDSHAKING) {
        shake_hands(stream);
        return;
    }
    int number = socket_error(stream->link->fd);
    if (number)
        try_next(stream, number);
    else if (stream->target->secure)
        begin_tls(stream);
    else
        stream_now_up(stream);
}

void stream_connect_timer(struct stream *stream)
{
    const struct stream_target *target = stream->target;
    if (stream->step == STREAM_CONNECTING && stream->address && stream->address->ai_next)
        try_next(stream, ETIMEDOUT);
    else
        stream_end(stream, UMBEL_TIMEOUT, "%s port %d: %s in time", name_of(target), target->port,
                   stream->step == STREAM_RESOLVING     ? "the name was not resolved"
                   : stream->step == STREAM_HANDSHAKING ? "the TLS handshake did not finish"
                                                        : "no connection");
}
