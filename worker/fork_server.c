/* fork_server.c: the worker's end of the fork server: asks for children, reads reports of births and deaths.
 *
 * The socket keeps message borders, so one receive is one report. When it ends the server is gone, and with
 * it (by PR_SET_PDEATHSIG) all children: `lost` is called once. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "worker/fork_process.h"
#include "worker/fork_server.h"

#define REPORTS_PER_TURN 256
#define STOP_WAIT_MS 2000

struct fork_server {
    const struct registry *registry;
    struct child_page *pages;
    struct waiting_board *board; /* behind the pages */
    int socket, pid;
    bool lost;
    uv_poll_t *poll; /* while attached; memory of its own, because it ends with the loop and the server may
                        end later */
    const struct fork_server_events *events;
    void *self;
};

static size_t pages_size(void)
{
    return FORK_SERVER_SLOTS * sizeof(struct child_page) + sizeof(struct waiting_board);
}

/* ---- start ---- */

static int fork_process(struct fork_server *server, const char *worker_name, const int ends[2])
{
    struct fork_setup setup = {.registry = server->registry,
                               .worker_name = worker_name,
                               .pages = server->pages,
                               .board = server->board,
                               .socket = ends[1],
                               .parent = getpid()};
    server->pid = fork();
    if (server->pid < 0)
        return UMBEL_SYSTEM;
    if (server->pid == 0)
        fork_process_run(&setup);
    return UMBEL_OK;
}

static int start(struct fork_server *server, const char *worker_name)
{
    int ends[2];
    /* Pages nobody touches cost nothing, so there is one for every slot from the start. */
    void *pages =
        mmap(NULL, pages_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        return UMBEL_SYSTEM;
    server->pages = pages;
    server->board = (struct waiting_board *)(server->pages + FORK_SERVER_SLOTS);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return UMBEL_SYSTEM;
    server->socket = ends[0];
    int code = fork_process(server, worker_name, ends);
    close(ends[1]);
    if (!code && fcntl(ends[0], F_SETFL, O_NONBLOCK))
        code = UMBEL_SYSTEM;
    return code;
}

int fork_server_start(struct fork_server **out, const struct registry *registry, const char *worker_name)
{
    struct fork_server *server = calloc(1, sizeof *server);
    if (!server)
        return UMBEL_NO_MEMORY;
    server->registry = registry;
    server->socket = server->pid = -1;
    int code = start(server, worker_name);
    if (code) {
        fork_server_stop(server);
        return code;
    }
    *out = server;
    return UMBEL_OK;
}

/* ---- reports ---- */

static void lose(struct fork_server *server, const char *why)
{
    if (server->lost)
        return;
    server->lost = true;
    if (server->poll)
        uv_poll_stop(server->poll);
    if (server->events)
        server->events->lost(server->self, why);
}

/* The descriptors of a birth, in the order of struct child_ends. False when the kernel could not give all. */
static bool take_ends(const struct msghdr *msg, bool has_handle, struct child_ends *ends)
{
    int fds[FORK_REPORT_FDS];
    size_t want = FORK_REPORT_FDS - !has_handle, got = 0;
    struct cmsghdr *control = CMSG_FIRSTHDR((struct msghdr *)(uintptr_t)msg);
    for (size_t i = 0; i < FORK_REPORT_FDS; i++)
        fds[i] = -1;
    if (control && control->cmsg_type == SCM_RIGHTS) {
        got = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        got = got < FORK_REPORT_FDS ? got : FORK_REPORT_FDS;
        memcpy(fds, CMSG_DATA(control), got * sizeof(int));
    }
    *ends =
        (struct child_ends){.socket = fds[0], .out = fds[1], .err = fds[2], .nest = fds[3], .handle = fds[4]};
    if (got == want)
        return true;
    for (size_t i = 0; i < got; i++)
        close(fds[i]);
    return false;
}

static void close_ends(const struct child_ends *ends)
{
    close(ends->socket);
    close(ends->out);
    close(ends->err);
    close(ends->nest);
    if (ends->handle >= 0)
        close(ends->handle);
}

static void report_birth(struct fork_server *server, const struct fork_report *report,
                         const struct msghdr *msg)
{
    struct child_ends ends;
    if (!take_ends(msg, report->has_handle,
                   &ends)) /* out of descriptors: it sees its end and leaves, `ended` comes */
        kill(report->pid, SIGKILL);
    else if (server->events)
        server->events->born(server->self, report->slot, report->pid, &ends);
    else
        close_ends(&ends);
}

/* Reads one report. False: none is left. */
static bool read_report(struct fork_server *server)
{
    struct fork_report report;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FORK_REPORT_FDS * sizeof(int))];
    struct iovec piece = {&report, sizeof report};
    struct msghdr msg = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(server->socket, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (size < 0 && errno == EINTR)
        return true;
    if (size < 0 && errno == EAGAIN)
        return false;
    if (size != sizeof report) {
        lose(server, "the fork server has ended");
        return false;
    }
    if (report.kind == FORK_BORN)
        report_birth(server, &report, &msg);
    else if (server->events)
        server->events->ended(server->self, report.slot, report.pid, report.status,
                              (size_t)report.memory_peak, report.cpu_seconds);
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct fork_server *server = poll->data;
    (void)events;
    if (status < 0) {
        lose(server, "the fork server's socket failed");
        return;
    }
    for (int i = 0; i < REPORTS_PER_TURN && server->poll && !server->lost && read_report(server); i++)
        ;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void detach(struct fork_server *server)
{
    if (server->poll) {
        uv_poll_stop(server->poll);
        uv_close((uv_handle_t *)server->poll, on_closed);
    }
    server->poll = NULL;
    server->events = NULL;
}

int fork_server_attach(struct fork_server *server, struct loop *loop, const struct fork_server_events *events,
                       void *self)
{
    detach(server);
    if (!events)
        return UMBEL_OK;
    uv_poll_t *poll = malloc(sizeof *poll);
    if (!poll || uv_poll_init(&loop->uv, poll, server->socket)) {
        free(poll);
        return UMBEL_NO_MEMORY;
    }
    poll->data = server;
    server->poll = poll;
    server->events = events;
    server->self = self;
    uv_poll_start(poll, UV_READABLE, on_readable);
    return UMBEL_OK;
}

/* ---- requests ---- */

int fork_server_spawn(struct fork_server *server, int slot)
{
    struct fork_request request = {slot};
    if (server->lost)
        return UMBEL_CLOSED;
    for (;;) {
        if (send(server->socket, &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof request)
            return UMBEL_OK;
        if (errno != EINTR)
            return errno == EAGAIN ? UMBEL_BUSY : UMBEL_SYSTEM;
    }
}

struct child_page *fork_server_page(struct fork_server *server, int slot)
{
    return &server->pages[slot];
}

struct waiting_board *fork_server_board(struct fork_server *server)
{
    return server->board;
}

int fork_server_pid(const struct fork_server *server)
{
    return server->pid;
}

const struct registry *fork_server_registry(const struct fork_server *server)
{
    return server->registry;
}

/* ---- stop ---- */

/* The server leaves when its socket ends. One that is stopped or stuck is killed. */
static void await_exit(int pid)
{
    for (int waited = 0; waited < STOP_WAIT_MS; waited++) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        poll(NULL, 0, 1);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

void fork_server_stop(struct fork_server *server)
{
    if (!server)
        return;
    detach(server);
    if (server->socket >= 0)
        close(server->socket);
    if (server->pid > 0)
        await_exit(server->pid);
    if (server->pages)
        munmap(server->pages, pages_size());
    free(server);
}
