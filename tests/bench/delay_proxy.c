/* delay_proxy.c: links with a delay, for machines whose kernel has no netem.
 *
 *     delay_proxy MILLISECONDS LISTEN:TARGET [LISTEN:TARGET ...]
 *
 * Each LISTEN port of the loopback leads to TARGET; every byte arrives so much later than it was sent, in
 * both directions, and nothing else changes: what is under way is limited only by 16 MiB a direction. It says
 * "ready" and ends with whoever started it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 64 << 10, UNDER_WAY = 16 << 20, LINKS = 1024, EVENTS = 64 };

struct piece {
    struct piece *next;
    uint64_t due;
    size_t size, sent;
    char data[PIECE];
};

/* One direction of a connection: read from one socket, written to the other when it is due. */
struct way {
    int from, to;
    struct piece *first, *last;
    size_t under_way;
    bool readable, ended, shut;
};

struct link {
    struct way way[2];
};

static struct link *links[LINKS];
static int link_count, epoll_fd, timer_fd;
static uint64_t delay_ns;
static struct piece *spare;

static void die(const char *what)
{
    fprintf(stderr, "delay_proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct piece *new_piece(void)
{
    struct piece *piece = spare;
    if (piece)
        spare = piece->next;
    else if (!(piece = malloc(sizeof *piece)))
        die("memory");
    piece->next = NULL;
    piece->sent = 0;
    return piece;
}

static void append(struct way *way, struct piece *piece)
{
    if (way->last)
        way->last->next = piece;
    else
        way->first = piece;
    way->last = piece;
    way->under_way += piece->size;
}

static void take_in(struct way *way, uint64_t now)
{
    while (way->readable && !way->ended && way->under_way < UNDER_WAY) {
        struct piece *piece = new_piece();
        ssize_t size = recv(way->from, piece->data, PIECE, MSG_DONTWAIT);
        if (size <= 0) {
            piece->next = spare;
            spare = piece;
            way->readable = false;
            way->ended = size == 0 || errno != EAGAIN;
            return;
        }
        piece->size = (size_t)size;
        piece->due = now + delay_ns;
        append(way, piece);
        way->readable = size == PIECE; /* a shorter one was the last for now; edge triggered tells of more */
    }
}

static void let_out(struct way *way, uint64_t now)
{
    struct piece *piece;
    while ((piece = way->first) && piece->due <= now) {
        ssize_t size =
            send(way->to, piece->data + piece->sent, piece->size - piece->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN)
            return;
        if (size < 0) {
            way->ended = true;
            size = (ssize_t)(piece->size - piece->sent);
        }
        piece->sent += (size_t)size;
        way->under_way -= (size_t)size;
        if (piece->sent < piece->size)
            return;
        way->first = piece->next;
        if (!way->first)
            way->last = NULL;
        piece->next = spare;
        spare = piece;
    }
    if (way->ended && !way->first && !way->shut) {
        shutdown(way->to, SHUT_WR);
        way->shut = true;
    }
}

/* Answers when the next piece is due; UINT64_MAX: none waits for its time. */
static uint64_t serve(struct link *link, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (int i = 0; i < 2; i++) {
        struct way *way = &link->way[i];
        take_in(way, now);
        let_out(way, now);
        if (way->first && way->first->due > now && way->first->due < next)
            next = way->first->due;
    }
    return next;
}

static void end_link(int at)
{
    struct link *link = links[at];
    close(link->way[0].from);
    close(link->way[0].to);
    free(link);
    links[at] = links[--link_count];
}

static void serve_all(void)
{
    uint64_t now = now_ns(), next = UINT64_MAX;
    for (int i = link_count - 1; i >= 0; i--) {
        uint64_t due = serve(links[i], now);
        next = due < next ? due : next;
        if (links[i]->way[0].shut && links[i]->way[1].shut)
            end_link(i);
    }
    struct itimerspec when = {{0, 0}, {0, 0}};
    if (next != UINT64_MAX)
        when.it_value = (struct timespec){(time_t)(next / 1000000000u), (long)(next % 1000000000u)};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* ---- sockets ---- */

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

static void watch(int fd, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
        die("epoll");
}

static void open_link(int listener, int target)
{
    int one = 1, near = accept4(listener, NULL, NULL, SOCK_CLOEXEC),
        far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = loopback(target);
    struct link *link = calloc(1, sizeof *link);
    if (near < 0 || far < 0 || !link || link_count == LINKS ||
        connect(far, (struct sockaddr *)&at, sizeof at))
        die("a connection");
    setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    link->way[0].from = link->way[1].to = near;
    link->way[1].from = link->way[0].to = far;
    links[link_count++] = link;
    watch(near, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &link->way[0]);
    watch(far, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &link->way[1]);
}

static struct {
    int fd, target;
} doors[8];

static void open_door(int at, const char *text)
{
    int port, one = 1;
    if (sscanf(text, "%d:%d", &port, &doors[at].target) != 2)
        die("LISTEN:TARGET");
    struct sockaddr_in here = loopback(port);
    doors[at].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(doors[at].fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(doors[at].fd, (struct sockaddr *)&here, sizeof here) || listen(doors[at].fd, 512))
        die("listen");
    watch(doors[at].fd, EPOLLIN, &doors[at]);
}

static void handle(const struct epoll_event *event)
{
    uint64_t ticks;
    for (int d = 0; d < (int)(sizeof doors / sizeof *doors); d++)
        if (event->data.ptr == &doors[d]) {
            open_link(doors[d].fd, doors[d].target);
            return;
        }
    if (event->data.ptr == &timer_fd)
        (void)!read(timer_fd, &ticks, sizeof ticks);
    else if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        ((struct way *)event->data.ptr)->readable = true;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    if (argc < 3 || argc > 2 + (int)(sizeof doors / sizeof *doors))
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1);
    delay_ns = (uint64_t)(atof(argv[1]) * 1e6);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    watch(timer_fd, EPOLLIN, &timer_fd);
    for (int i = 2; i < argc; i++)
        open_door(i - 2, argv[i]);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            handle(&events[i]);
        serve_all();
    }
}
