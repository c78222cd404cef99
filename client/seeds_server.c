/* seeds_server.c: the server of the downloads.
 *
 * One process, one loop, one request per connection: it waits, answers a page and hangs up. A visitor that
 * leaves early, or for whom there is no memory, is dropped; nothing that a visitor sends is kept. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <umbel/error.h>
#include <unistd.h>
#include <uv.h>
#include "client/seeds.h"

enum { BACKLOG = 4096 };

struct server {
    uv_loop_t loop;
    uv_tcp_t listener;
    char page[SEEDS_DOWNLOAD + 200];
    size_t page_size;
    char sink[4096]; /* where requests are read to */
};

struct visitor {
    uv_tcp_t tcp;
    uv_timer_t wait;
    uv_write_t answer;
    struct server *server;
    int matched; /* letters of the empty line that ends a request */
    int open;    /* handles to be closed */
};

static void on_closed(uv_handle_t *handle)
{
    struct visitor *visitor = handle->data;
    if (--visitor->open == 0)
        free(visitor);
}

static void drop(struct visitor *visitor)
{
    if (uv_is_closing((uv_handle_t *)&visitor->tcp))
        return;
    uv_close((uv_handle_t *)&visitor->tcp, on_closed);
    uv_close((uv_handle_t *)&visitor->wait, on_closed);
}

static void on_answered(uv_write_t *answer, int status)
{
    (void)status;
    drop(answer->data);
}

static void on_waited(uv_timer_t *timer)
{
    struct visitor *visitor = timer->data;
    uv_buf_t page = uv_buf_init(visitor->server->page, (unsigned)visitor->server->page_size);
    visitor->answer.data = visitor;
    if (uv_write(&visitor->answer, (uv_stream_t *)&visitor->tcp, &page, 1, on_answered))
        drop(visitor);
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *room)
{
    struct visitor *visitor = handle->data;
    (void)wanted;
    *room = uv_buf_init(visitor->server->sink, sizeof visitor->server->sink);
}

static bool ends_request(struct visitor *visitor, const char *data, size_t size)
{
    static const char end[] = "\r\n\r\n";
    for (size_t i = 0; i < size && end[visitor->matched]; i++)
        visitor->matched = data[i] == end[visitor->matched] ? visitor->matched + 1 : data[i] == '\r';
    return !end[visitor->matched];
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *data)
{
    struct visitor *visitor = stream->data;
    if (size < 0) {
        drop(visitor);
    } else if (ends_request(visitor, data->base, (size_t)size) &&
               !uv_is_active((uv_handle_t *)&visitor->wait)) {
        uv_read_stop(stream);
        uv_update_time(&visitor->server->loop);
        /* Timers count whole milliseconds and may be a part of one early: never less than was promised. */
        uv_timer_start(&visitor->wait, on_waited, SEEDS_LATENCY_MS + 1, 0);
    }
}

static void on_visit(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    struct visitor *visitor = status ? NULL : calloc(1, sizeof *visitor);
    if (!visitor)
        return;
    visitor->server = server;
    visitor->open = 2;
    uv_tcp_init(&server->loop, &visitor->tcp);
    uv_timer_init(&server->loop, &visitor->wait);
    visitor->tcp.data = visitor->wait.data = visitor;
    if (uv_accept(listener, (uv_stream_t *)&visitor->tcp) ||
        uv_read_start((uv_stream_t *)&visitor->tcp, on_room, on_read))
        drop(visitor);
}

static void prepare_page(struct server *server)
{
    int head = snprintf(server->page, sizeof server->page - SEEDS_DOWNLOAD,
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
                        "Connection: close\r\n\r\n",
                        SEEDS_DOWNLOAD);
    memset(server->page + head, 'u', SEEDS_DOWNLOAD);
    server->page_size = (size_t)head + SEEDS_DOWNLOAD;
}

static _Noreturn void serve(int fd)
{
    static const int failed = 1;
    struct server *server = calloc(1, sizeof *server);
    if (!server || uv_loop_init(&server->loop) || uv_tcp_init(&server->loop, &server->listener))
        _exit(failed);
    prepare_page(server);
    server->listener.data = server;
    if (uv_tcp_open(&server->listener, fd) || uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_visit))
        _exit(failed);
    uv_run(&server->loop, UV_RUN_DEFAULT); /* until SIGTERM */
    _exit(failed);
}

static int listen_somewhere(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, BACKLOG) ||
        getsockname(fd, (struct sockaddr *)&address, &size)) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

int seeds_server_start(pid_t *pid, int *port)
{
    int fd = listen_somewhere(port);
    if (fd < 0)
        return UMBEL_SYSTEM;
    *pid = seeds_fork();
    if (*pid == 0)
        serve(fd);
    int why = errno;
    close(fd);
    errno = why;
    return *pid > 0 ? UMBEL_OK : UMBEL_SYSTEM;
}
