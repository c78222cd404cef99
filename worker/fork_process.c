/* fork_process.c: the fork server's own process: forks a child per request, reports its end, nothing else.
 *
 * It stays as small and as boring as it can: no loop library, no allocation after the start, one thread. It
 * ends when the worker's end of the socket closes, and takes every child and what they left behind with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "worker/child_crash.h"
#include "worker/fork_process.h"
#include "worker/fork_server.h"

enum { SERVER_SOCKET = 3, SERVER_SIGNALS, SERVER_DESCRIPTORS };
/* Descriptors are parked above this line while the low ones are dealt out. */
#define PARKED 64

struct fork_process {
    struct fork_setup setup;
    int pids[FORK_SERVER_SLOTS]; /* 0: empty */
    int highest;                 /* slot that was ever used, plus one */
};

/* What passes through a birth, in the server. */
struct birth {
    int socket[2], out[2], err[2], nest[2]; /* [0] the parent's, [1] the child's */
};

/* ---- signals and descriptors ---- */

static void reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &standard, NULL); /* refused for some, and that is fine */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Puts from[i] at descriptor first + i and closes everything above. */
static void deal_descriptors(const int *from, int count, int first)
{
    int parked[8];
    for (int i = 0; i < count; i++)
        parked[i] = fcntl(from[i], F_DUPFD_CLOEXEC, PARKED);
    for (int i = 0; i < count; i++) {
        if (first + i <= 2)
            dup2(parked[i], first + i);
        else
            dup3(parked[i], first + i, O_CLOEXEC);
    }
    close_range((unsigned)(first + count), ~0u, 0);
}

/* ---- child ---- */

static void oom_first(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "1000", 4) != 4) {
        /* a hardened kernel; the memory cap still holds */
    }
    close(fd);
}

static _Noreturn void live(const struct fork_process *server, int slot, const struct birth *birth,
                           int server_pid)
{
    const int descriptors[] = {birth->out[1], birth->err[1], birth->socket[1],
                               birth->out[0], birth->err[0], birth->nest[1]};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != server_pid) /* it died before the line above */
        _exit(0);
    setpgid(0, 0);
    prctl(PR_SET_NAME, "umbel-child");
    reset_signals();
    deal_descriptors(descriptors, 6, 1);
    oom_first();
    child_run(&(struct child_birth){.registry = server->setup.registry,
                                    .worker_name = server->setup.worker_name,
                                    .page = &server->setup.pages[slot],
                                    .board = server->setup.board,
                                    .slot = slot});
}

/* ---- births ---- */

static void close_pair(const int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

static void birth_close(const struct birth *birth)
{
    close_pair(birth->socket);
    close_pair(birth->out);
    close_pair(birth->err);
    close_pair(birth->nest);
}

static int birth_open(struct birth *birth)
{
    *birth = (struct birth){{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, birth->socket) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, birth->nest))
        return -1;
    if (pipe2(birth->out, O_CLOEXEC) || pipe2(birth->err, O_CLOEXEC))
        return -1;
    fcntl(birth->socket[0], F_SETFL, O_NONBLOCK);
    fcntl(birth->out[0], F_SETFL, O_NONBLOCK);
    fcntl(birth->err[0], F_SETFL, O_NONBLOCK);
    fcntl(birth->nest[0], F_SETFL, O_NONBLOCK);
    return 0;
}

/* A blocked send waits for the worker, which is what the server is there for; EPIPE shows as end of file
 * soon. */
static void report(const struct fork_report *body, const int *fds, size_t count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FORK_REPORT_FDS * sizeof(int))] = {0};
    struct iovec piece = {(void *)(uintptr_t)body, sizeof *body};
    struct msghdr msg = {.msg_iov = &piece, .msg_iovlen = 1};
    if (count) {
        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), fds, count * sizeof(int));
    }
    while (sendmsg(SERVER_SOCKET, &msg, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

static void report_failure(int slot, int error)
{
    report(&(struct fork_report){.kind = FORK_ENDED, .slot = slot, .status = error}, NULL, 0);
}

static void report_born(int slot, int pid, const struct birth *birth)
{
    int handle = (int)syscall(SYS_pidfd_open, pid, 0);
    int fds[FORK_REPORT_FDS] = {birth->socket[0], birth->out[0], birth->err[0], birth->nest[0], handle};
    report(&(struct fork_report){.kind = FORK_BORN, .slot = slot, .pid = pid, .has_handle = handle >= 0}, fds,
           FORK_REPORT_FDS - (handle < 0));
    if (handle >= 0)
        close(handle);
}

static void give_birth(struct fork_process *server, int slot)
{
    struct birth birth;
    int self = getpid(), pid = -1;
    if (slot < 0 || slot >= FORK_SERVER_SLOTS || server->pids[slot])
        return;
    /* Without the handlers of pthread_atfork: libuv's closes two descriptors by the numbers they had in the
     * program, where they were closed above and are somebody else's now. One thread needs no other handler. */
    if (birth_open(&birth) == 0)
        pid = _Fork();
    if (pid == 0)
        live(server, slot, &birth, self);
    if (pid < 0) {
        report_failure(slot, errno);
    } else {
        setpgid(pid, pid); /* both do it, so that it is done whoever is first */
        server->pids[slot] = pid;
        if (slot >= server->highest)
            server->highest = slot + 1;
        report_born(slot, pid, &birth);
    }
    birth_close(&birth);
}

/* ---- deaths ---- */

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static int slot_of(const struct fork_process *server, int pid)
{
    for (int i = 0; i < server->highest; i++)
        if (server->pids[i] == pid)
            return i;
    return -1;
}

/* What a child leaves running dies with it: its group is killed while the child still holds the number. */
static bool bury_one(struct fork_process *server)
{
    siginfo_t info = {0};
    struct rusage usage;
    int status = 0;
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == 0)
        return false;
    int slot = slot_of(server, info.si_pid);
    if (slot >= 0)
        kill(-info.si_pid, SIGKILL);
    if (wait4(info.si_pid, &status, 0, &usage) != info.si_pid || slot < 0)
        return true; /* a grandchild that was left to us */
    server->pids[slot] = 0;
    report(&(struct fork_report){.kind = FORK_ENDED,
                                 .slot = slot,
                                 .pid = info.si_pid,
                                 .status = status,
                                 .memory_peak = (uint64_t)usage.ru_maxrss * 1024,
                                 .cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime)},
           NULL, 0);
    return true;
}

/* ---- life ---- */

static void settle_in(const struct fork_setup *setup)
{
    static const int deaf[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    sigset_t watched;
    reset_signals();
    /* Ctrl-C goes to the whole foreground group; the worker decides when we end. */
    for (size_t i = 0; i < sizeof deaf / sizeof *deaf; i++)
        signal(deaf[i], SIG_IGN);
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    sigaddset(&watched, SIGUSR2);
    sigprocmask(SIG_BLOCK, &watched, NULL);
    int from[] = {setup->socket, signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK)};
    deal_descriptors(from, 2, SERVER_SOCKET);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, 0);
    close(null);
    /* The socket's end tells us that the worker is gone; this is for the case that somebody else holds it
     * open. */
    prctl(PR_SET_PDEATHSIG, SIGUSR2);
    if (getppid() != setup->parent)
        _exit(0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "umbel-forks");
    __fpurge(stdout); /* what the worker had not flushed is the worker's to write */
    crash_preload();
}

static _Noreturn void leave(const struct fork_process *server)
{
    for (int i = 0; i < server->highest; i++)
        if (server->pids[i])
            kill(-server->pids[i], SIGKILL);
    _exit(0);
}

/* True: the worker is gone. The signal comes as well when the thread that forked us ends and its process goes
 * on: then the parent is still the parent. */
static bool drain_signals(int parent)
{
    struct signalfd_siginfo info;
    bool gone = false;
    while (read(SERVER_SIGNALS, &info, sizeof info) == sizeof info)
        gone |= info.ssi_signo == SIGUSR2;
    return gone && getppid() != parent;
}

static void serve_request(struct fork_process *server)
{
    struct fork_request request;
    ssize_t size = recv(SERVER_SOCKET, &request, sizeof request, MSG_DONTWAIT);
    if (size == sizeof request)
        give_birth(server, request.slot);
    else if (size >= 0 || (errno != EAGAIN && errno != EINTR))
        leave(server);
}

void fork_process_run(const struct fork_setup *setup)
{
    struct fork_process server = {.setup = *setup};
    settle_in(setup);
    for (;;) {
        struct pollfd ready[] = {{SERVER_SOCKET, POLLIN, 0}, {SERVER_SIGNALS, POLLIN, 0}};
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            leave(&server);
        if (ready[1].revents && drain_signals(setup->parent))
            leave(&server);
        while (bury_one(&server))
            ;
        if (ready[0].revents)
            serve_request(&server);
    }
}
