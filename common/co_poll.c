/* co_poll.c: see co_poll.h. */
#include "common/co_poll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <umbel/error.h>
#include "common/co_inside.h"

#define BATCH 64
#define ALWAYS (EPOLLERR | EPOLLHUP)
#define GONE POLLNVAL /* closed by co_close */

_Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLPRI == EPOLLPRI,
               "they are the same bits on Linux");

/* One coroutine's interest in one descriptor, in its frame. */
struct watch {
    struct co *co;
    uint32_t wanted, ready;
    struct watch *next;
};

struct entry {
    struct watch *first;
    bool known; /* to the epoll, as far as we know: a close takes it off */
};

struct co_poller {
    uv_poll_t handle;
    int epoll;
    struct entry *entries; /* by descriptor */
    size_t count;
};

/* ---- arming ---- */

static uint32_t interest(const struct entry *entry)
{
    uint32_t wanted = 0;
    for (const struct watch *watch = entry->first; watch; watch = watch->next)
        if (!watch->ready)
            wanted |= watch->wanted;
    return wanted;
}

/* What we believe of the epoll may be old, for descriptors are closed and numbered again. */
static int control(struct co_poller *poller, int fd, uint32_t wanted)
{
    struct epoll_event event = {.events = wanted | EPOLLONESHOT, .data.fd = fd};
    struct entry *entry = &poller->entries[fd];
    int failed = epoll_ctl(poller->epoll, entry->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (failed && errno == ENOENT)
        failed = epoll_ctl(poller->epoll, EPOLL_CTL_ADD, fd, &event);
    else if (failed && errno == EEXIST)
        failed = epoll_ctl(poller->epoll, EPOLL_CTL_MOD, fd, &event);
    entry->known = !failed;
    return failed ? errno : 0;
}

static void tell(struct entry *entry, uint32_t events)
{
    for (struct watch *watch = entry->first; watch; watch = watch->next) {
        uint32_t hit = events & (watch->wanted | ALWAYS | GONE);
        if (hit) {
            watch->ready |= hit;
            co_wake(watch->co);
        }
    }
}

static int arm(struct co_poller *poller, int fd)
{
    struct entry *entry = &poller->entries[fd];
    uint32_t wanted = interest(entry);
    int error = wanted ? control(poller, fd, wanted) : 0;
    if (error == EPERM) { /* a regular file */
        tell(entry, wanted);
        return 0;
    }
    return error;
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
    struct co_poller *poller = handle->data;
    struct epoll_event ready[BATCH];
    int count;
    (void)status, (void)events;
    do {
        count = epoll_wait(poller->epoll, ready, BATCH, 0);
        for (int i = 0; i < count; i++) {
            int fd = ready[i].data.fd;
            tell(&poller->entries[fd], ready[i].events);
            arm(poller, fd); /* for those who want something else of it */
        }
    } while (count == BATCH);
}

/* ---- beginning and end ---- */

static struct co_poller *poller_new(struct co_scheduler *scheduler)
{
    struct co_poller *poller = calloc(1, sizeof *poller);
    if (!poller)
        return NULL;
    poller->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (poller->epoll < 0 || uv_poll_init(scheduler->loop, &poller->handle, poller->epoll)) {
        if (poller->epoll >= 0)
            close(poller->epoll);
        free(poller);
        return NULL;
    }
    poller->handle.data = poller;
    uv_poll_start(&poller->handle, UV_READABLE, on_ready);
    return poller;
}

static void on_closed(uv_handle_t *handle)
{
    struct co_poller *poller = handle->data;
    close(poller->epoll);
    free(poller->entries);
    free(poller);
}

void co_poller_free(struct co_poller *poller)
{
    if (poller)
        uv_close((uv_handle_t *)&poller->handle, on_closed);
}

/* The running coroutine's, with room for `fd`. */
static struct co_poller *poller_for(int fd)
{
    struct co_scheduler *scheduler = co_scheduler_of(co_self());
    size_t needed = (size_t)fd + 1;
    if (!scheduler->poller && !(scheduler->poller = poller_new(scheduler)))
        return NULL;
    struct co_poller *poller = scheduler->poller;
    if (needed <= poller->count)
        return poller;
    size_t wider = needed > 2 * poller->count ? needed : 2 * poller->count;
    struct entry *entries = realloc(poller->entries, wider * sizeof *entries);
    if (!entries)
        return NULL;
    memset(entries + poller->count, 0, (wider - poller->count) * sizeof *entries);
    poller->entries = entries;
    poller->count = wider;
    return poller;
}

/* ---- waiting ---- */

static int begin(struct watch *watch, int fd, short events)
{
    struct co_poller *poller = poller_for(fd);
    if (!poller)
        return ENOMEM;
    *watch = (struct watch){co_self(), (uint16_t)events, 0, poller->entries[fd].first};
    poller->entries[fd].first = watch;
    return arm(poller, fd);
}

static void end(struct watch *watch, int fd)
{
    struct co_poller *poller = co_scheduler_of(watch->co)->poller;
    struct watch **at = &poller->entries[fd].first;
    while (*at != watch)
        at = &(*at)->next;
    *at = watch->next;
}

static bool any_ready(const struct watch *watches, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (watches[i].ready)
            return true;
    return false;
}

static int await(const struct watch *watches, size_t count, double deadline)
{
    while (!any_ready(watches, count))
        if (co_park(deadline) && !any_ready(watches, count))
            return UMBEL_TIMEOUT;
    return UMBEL_OK;
}

static int report(const struct watch *watches, struct pollfd *fds, size_t count)
{
    int code = UMBEL_OK;
    for (size_t i = 0; i < count; i++) {
        fds[i].revents = (short)watches[i].ready;
        if (watches[i].ready & GONE)
            code = UMBEL_CLOSED;
    }
    return code;
}

/* Those with a negative descriptor are left out. */
static int park_for(struct pollfd *fds, size_t count, double deadline)
{
    struct watch watches[CO_POLL_MAX] = {0};
    int error = 0, code = UMBEL_SYSTEM;
    size_t begun = 0;
    for (; begun < count && !error; begun++)
        if (fds[begun].fd >= 0)
            error = begin(&watches[begun], fds[begun].fd, fds[begun].events);
    if (!error)
        code = await(watches, count, deadline);
    if (code == UMBEL_OK)
        code = report(watches, fds, count);
    for (size_t i = 0; i < begun; i++)
        if (watches[i].co)
            end(&watches[i], fds[i].fd);
    errno = error;
    return code;
}

static bool any_invalid(const struct pollfd *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i].revents & POLLNVAL)
            return true;
    return false;
}

int co_poll(struct pollfd *fds, size_t count, double deadline)
{
    if (count > CO_POLL_MAX)
        return UMBEL_BAD_ARGUMENT;
    int ready = poll(fds, count, 0);
    if (ready > 0 && any_invalid(fds, count)) {
        errno = EBADF;
        return UMBEL_SYSTEM;
    }
    return ready > 0 ? UMBEL_OK : park_for(fds, count, deadline);
}

void co_close(int fd)
{
    struct co_poller *poller = co_scheduler_of(co_self())->poller;
    if (poller && fd >= 0 && (size_t)fd < poller->count) {
        struct entry *entry = &poller->entries[fd];
        tell(entry, GONE);
        if (entry->known) /* a copy of the descriptor would keep the entry alive */
            epoll_ctl(poller->epoll, EPOLL_CTL_DEL, fd, NULL);
        entry->known = false;
    }
    close(fd);
}
