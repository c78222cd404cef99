/* holder.c: see holder.h. */
#include "holder.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "broker/transport.h"
#include "common/str.h"

struct child {
    struct loop loop;
    struct transport *transport;
    const char *queue;
    size_t wanted, arrived; /* to be held */
    unsigned first;
    size_t letters, sent, confirmed; /* to be published */
    int say, seen;                   /* seen < 0: takes nothing */
};

static void say(struct child *child)
{
    if (write(child->say, "!", 1) != 1)
        _exit(2);
}

static void send_more(struct child *child)
{
    for (int code = UMBEL_OK; child->sent < child->letters && code == UMBEL_OK;) {
        char id[24];
        struct message msg;
        message_init(&msg);
        snprintf(id, sizeof id, "%zu", child->first + child->sent);
        msg.queue = str_of(child->queue);
        msg.task = STR("conformance.letter");
        msg.id = str_of(id);
        msg.body = STR("[[], {}, {}]");
        code = child->transport->ops->publish(child->transport, &msg, 0, PUBLISH_CREATE_QUEUE, child->sent);
        child->sent += code == UMBEL_OK;
    }
}

static void on_state(void *self, enum transport_state state, int code, const char *why)
{
    struct child *child = self;
    (void)code, (void)why;
    if (state != TRANSPORT_UP)
        return;
    if (child->letters)
        send_more(child);
    if (child->letters && child->seen < 0)
        return;
    struct consume_options options = {.prefetch = (uint32_t)child->wanted, .create_queue = true};
    child->transport->ops->consume(child->transport, child->queue, &options);
}

static void on_delivered(void *self, struct tag tag, const struct message *msg)
{
    struct child *child = self;
    if (child->seen >= 0) {
        uint32_t id = (uint32_t)strtoul(msg->id.data, NULL, 10); /* NUL or not, a non-digit follows */
        if (write(child->seen, &id, sizeof id) != sizeof id)
            _exit(7);
        child->transport->ops->settle(child->transport, tag, SETTLE_ACK);
    } else if (++child->arrived == child->wanted) {
        say(child);
    }
}

static void on_consuming(void *self, uint32_t consumer, uint64_t waiting)
{
    struct child *child = self;
    (void)consumer, (void)waiting;
    if (child->letters == 0)
        say(self);
}

static void on_published(void *self, uint64_t token, int code, const char *why)
{
    struct child *child = self;
    (void)token, (void)why;
    if (code != UMBEL_OK)
        _exit(8);
    if (++child->confirmed == child->letters)
        say(child);
}

static void on_garbled(void *self, struct tag tag, const struct message *msg, const char *why)
{
    (void)self, (void)tag, (void)msg, (void)why;
    _exit(3);
}

static void on_lost(void *self, uint32_t consumer, int code, const char *why)
{
    (void)self, (void)consumer, (void)code, (void)why;
    _exit(4);
}

static void on_cancelled(void *self, uint32_t consumer)
{
    (void)self, (void)consumer;
}

static void on_room(void *self)
{
    send_more(self);
}

static void on_counted(void *self, uint64_t token, int code, uint64_t messages, const char *why)
{
    (void)self, (void)token, (void)code, (void)messages, (void)why;
}

static const struct transport_events events = {
    .state = on_state,
    .published = on_published,
    .delivered = on_delivered,
    .garbled = on_garbled,
    .consumer_lost = on_lost,
    .consuming = on_consuming,
    .cancelled = on_cancelled,
    .room = on_room,
    .counted = on_counted,
};

static _Noreturn void hold(struct child *child, const char *url)
{
    static const struct transport_options options = {.client_name = "holder"};
    struct buffer why;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    buffer_init(&why, 4096);
    if (loop_init(&child->loop) ||
        transport_open(&child->transport, &child->loop, url, &options, &events, child, &why))
        _exit(5);
    loop_run(&child->loop);
    _exit(6);
}

static bool start(struct holder *holder, const char *url, struct child *child)
{
    int ends[2];
    if (pipe(ends))
        return false;
    holder->pid = fork();
    if (holder->pid == 0) {
        close(ends[0]);
        child->say = ends[1];
        hold(child, url);
    }
    close(ends[1]);
    holder->said = ends[0];
    return holder->pid > 0;
}

bool holder_start(struct holder *holder, const char *url, const char *queue, size_t count)
{
    struct child child = {.queue = queue, .wanted = count, .seen = -1};
    return start(holder, url, &child) && holder_holds(holder);
}

bool holder_send(struct holder *holder, const char *url, const char *queue, unsigned first, size_t count)
{
    struct child child = {.queue = queue, .first = first, .letters = count, .seen = -1};
    return start(holder, url, &child) && holder_holds(holder);
}

bool holder_trade(struct holder *holder, const char *url, const char *queue, unsigned first, size_t count,
                  int seen)
{
    struct child child = {.queue = queue, .wanted = 100, .first = first, .letters = count, .seen = seen};
    return start(holder, url, &child);
}

bool holder_holds(struct holder *holder)
{
    struct pollfd wait = {.fd = holder->said, .events = POLLIN};
    char said;
    return poll(&wait, 1, 10000) == 1 && read(holder->said, &said, 1) == 1;
}

void holder_kill(struct holder *holder)
{
    kill(holder->pid, SIGKILL);
    waitpid(holder->pid, NULL, 0);
    close(holder->said);
}
