/* co_socket.c: connecting, reading, writing. See co_socket.h. Each operation is tried first and parks only
 * when the kernel has nothing yet; a coroutine whose peer is always faster gives the others a turn now and
 * then. */
#include "common/co_socket.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <umbel/error.h>
#include "common/clock.h"
#include "common/co_inside.h"
#include "common/co_poll.h"

/* Operations in a row that did not park. */
#define EAGER_MAX 64

static void note_eager(void)
{
    struct co_scheduler *scheduler = co_scheduler_of(co_self());
    if (++scheduler->eager < EAGER_MAX)
        return;
    scheduler->eager = 0;
    co_pass();
}

static int await(int fd, short events, double deadline)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    co_scheduler_of(co_self())->eager = 0;
    return co_poll(&wanted, 1, deadline);
}

/* ---- dialling ---- */

static int finish_connect(int fd, double deadline)
{
    int error = 0;
    socklen_t size = sizeof error;
    int code = await(fd, POLLOUT, deadline);
    if (code)
        return code;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0)
        return UMBEL_OK;
    errno = error;
    return UMBEL_SYSTEM;
}

static int dial_address(const struct addrinfo *address, double deadline, int *out)
{
    int one = 1, code = UMBEL_OK;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0)
        return UMBEL_SYSTEM;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, address->ai_addr, address->ai_addrlen))
        code = errno == EINPROGRESS || errno == EINTR ? finish_connect(fd, deadline) : UMBEL_SYSTEM;
    if (code) {
        int error = errno;
        close(fd);
        errno = error;
        return code;
    }
    *out = fd;
    return UMBEL_OK;
}

/* An address that does not answer leaves time for the ones after it. */
static double share(const struct addrinfo *address, double deadline)
{
    int left = 0;
    for (; address; address = address->ai_next)
        left++;
    double now = clock_mono(), end = co_deadline(deadline);
    return end < INFINITY ? now + (end - now) / left : end;
}

int co_dial(const char *host, int port, double deadline, int *fd)
{
    struct addrinfo *found;
    int code = co_resolve(host, port, deadline, &found);
    if (code)
        return code;
    code = UMBEL_NOT_FOUND;
    for (const struct addrinfo *address = found; address; address = address->ai_next) {
        code = dial_address(address, share(address, deadline), fd);
        if (code == UMBEL_OK)
            break;
    }
    int error = errno;
    freeaddrinfo(found);
    errno = error;
    return code;
}

/* ---- bytes ---- */

static bool again(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

/* A pipe or a terminal may be a blocking one, so it must be ready first. */
static ssize_t read_other(int fd, void *data, size_t size, double deadline, int *code)
{
    *code = await(fd, POLLIN, deadline);
    return *code ? -1 : read(fd, data, size);
}

int co_read(int fd, void *data, size_t size, double deadline, size_t *got)
{
    bool is_socket = true;
    int code = UMBEL_OK;
    for (;;) {
        ssize_t done =
            is_socket ? recv(fd, data, size, MSG_DONTWAIT) : read_other(fd, data, size, deadline, &code);
        if (done >= 0) {
            *got = (size_t)done;
            note_eager();
            return UMBEL_OK;
        }
        if (code)
            return code;
        if (errno == ENOTSOCK)
            is_socket = false;
        else if (again())
            code = await(fd, POLLIN, deadline);
        else if (errno != EINTR)
            return UMBEL_SYSTEM;
        if (code)
            return code;
    }
}

/* A pipe that is ready takes this much without waiting. */
static ssize_t write_other(int fd, const void *data, size_t size, double deadline, int *code)
{
    *code = await(fd, POLLOUT, deadline);
    return *code ? -1 : write(fd, data, size < PIPE_BUF ? size : PIPE_BUF);
}

int co_write(int fd, const void *data, size_t size, double deadline)
{
    const char *at = data;
    bool is_socket = true;
    int code = UMBEL_OK;
    while (size && !code) {
        ssize_t done = is_socket ? send(fd, at, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                                 : write_other(fd, at, size, deadline, &code);
        if (done >= 0) {
            at += done;
            size -= (size_t)done;
            note_eager();
        } else if (code) {
            return code;
        } else if (errno == ENOTSOCK) {
            is_socket = false;
        } else if (again()) {
            code = await(fd, POLLOUT, deadline);
        } else if (errno != EINTR) {
            return UMBEL_SYSTEM;
        }
    }
    return code;
}
