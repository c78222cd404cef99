/* parent_link.c: see parent_link.h.
 *
 * `links` is a mutable global, as the hubs of memory_hub.c and for their reason: a transport and a backend
 * are opened one after the other and must meet by nothing but a name. It is guarded by its lock. */
#include "broker/parent_link.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <umbel/error.h>
#include "common/stream.h"

struct end {
    const struct parent_hearer *hearer; /* NULL: not open */
    void *self;
};

struct parent_link {
    struct parent_link *next;
    struct loop *loop;
    int fd;
    struct stream *stream;
    struct end ends[PARENT_SIDES];
    struct turn_hook late; /* tells who opens it that it is down already */
    bool down;
};

static pthread_mutex_t links_lock = PTHREAD_MUTEX_INITIALIZER;
static struct parent_link *links;

static void add(struct parent_link *link)
{
    pthread_mutex_lock(&links_lock);
    link->next = links;
    links = link;
    pthread_mutex_unlock(&links_lock);
}

static void drop(struct parent_link *link)
{
    pthread_mutex_lock(&links_lock);
    struct parent_link **at = &links;
    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    pthread_mutex_unlock(&links_lock);
}

static struct parent_link *find(const struct loop *loop, int fd)
{
    pthread_mutex_lock(&links_lock);
    struct parent_link *link = links;
    while (link && (link->loop != loop || link->fd != fd))
        link = link->next;
    pthread_mutex_unlock(&links_lock);
    return link;
}

/* ---- what comes ---- */

static bool is_of_transport(enum parent_kind kind)
{
    return kind == PARENT_BROKER || kind == PARENT_PUBLISHED;
}

static void hear(const struct parent_link *link, const struct parent_frame *frame)
{
    const struct end *end =
        &link->ends[is_of_transport(frame->kind) ? PARENT_TRANSPORT_SIDE : PARENT_BACKEND_SIDE];
    if (end->hearer)
        end->hearer->frame(end->self, frame);
}

static void fall(struct parent_link *link, const char *why)
{
    link->down = true;
    for (int i = 0; i < PARENT_SIDES; i++)
        if (link->ends[i].hearer)
            link->ends[i].hearer->down(link->ends[i].self, why);
}

/* Nothing that a hearer does closes the link: closing is the client's last step, from a turn of its own. */
static size_t on_data(void *self, const uint8_t *data, size_t size)
{
    struct parent_link *link = self;
    struct parent_frame frame;
    size_t used = 0, taken = 0;
    int code;
    while ((code = parent_frame_read(data + taken, size - taken, &frame, &used)) == UMBEL_OK) {
        hear(link, &frame);
        taken += used;
    }
    if (code == UMBEL_PROTOCOL) {
        stream_close(link->stream);
        fall(link, "the worker's end spoke no frames");
    }
    return taken;
}

static void on_down(void *self, int code, const char *why)
{
    (void)code, (void)why;
    fall(self, "the worker has closed the line");
}

static const struct stream_events stream_calls = {NULL, on_data, on_down, NULL};

/* ---- opening and closing ---- */

static void tell_late(void *self)
{
    fall(self, "there is no worker on the other end");
}

static struct parent_link *link_new(struct loop *loop, int fd)
{
    struct parent_link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->loop = loop;
    link->fd = fd;
    link->late = (struct turn_hook){.call = tell_late, .self = link};
    link->stream = stream_new(loop, &stream_calls, link);
    if (!link->stream) {
        free(link);
        return NULL;
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || stream_adopt(link->stream, fd) != UMBEL_OK) {
        link->down = true;
        loop_mark(loop, &link->late);
    }
    add(link);
    return link;
}

static int descriptor_of(const struct url *url)
{
    int fd = 0;
    for (size_t i = 0; i < url->host.size; i++) {
        char digit = url->host.data[i];
        if (digit < '0' || digit > '9' || fd > 100000)
            return -1;
        fd = fd * 10 + (digit - '0');
    }
    return url->host.size ? fd : -1;
}

struct parent_link *parent_link_open(struct loop *loop, const struct url *url, enum parent_side side,
                                     const struct parent_hearer *hearer, void *self, const char **why)
{
    int fd = descriptor_of(url);
    *why = "only umbel_task_client uses this scheme: it names a descriptor of a worker's child";
    if (fd < 3)
        return NULL;
    struct parent_link *link = find(loop, fd);
    *why = "out of memory";
    if (!link && !(link = link_new(loop, fd)))
        return NULL;
    link->ends[side] = (struct end){hearer, self};
    return link;
}

void parent_link_close(struct parent_link *link, enum parent_side side)
{
    link->ends[side].hearer = NULL;
    if (!link->down)
        stream_flush(link->stream);
    for (int i = 0; i < PARENT_SIDES; i++)
        if (link->ends[i].hearer)
            return;
    drop(link);
    loop_unmark(link->loop, &link->late);
    stream_free(link->stream);
    free(link);
}

bool parent_link_is_up(const struct parent_link *link)
{
    return !link->down;
}

struct buffer *parent_link_output(struct parent_link *link)
{
    return stream_output(link->stream);
}

void parent_link_wrote(struct parent_link *link)
{
    stream_wrote(link->stream);
}

size_t parent_link_pending(const struct parent_link *link)
{
    return stream_pending(link->stream);
}
