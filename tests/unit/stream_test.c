#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/stream.h"

struct probe {
    struct loop loop;
    struct stream *stream;
    int ups, downs, shown, drains, code;
    char why[256];
    size_t got, take; /* bytes seen; consume at most `take` per call */
    enum { ON_NONE, ON_FREE, ON_CLOSE, ON_RECONNECT, ON_PAUSE } inside;
    size_t stop_at;
    struct stream_address address;
};

static void on_up(void *self)
{
    struct probe *probe = self;
    probe->ups++;
    if (probe->stop_at == 0)
        loop_stop(&probe->loop);
}

static size_t on_data(void *self, const uint8_t *data, size_t size)
{
    struct probe *probe = self;
    size_t used = size < probe->take ? size : probe->take;
    probe->shown++;
    for (size_t i = 0; i < used; i++)
        cr_assert_eq(data[i], (uint8_t)((probe->got + i) % 251), "in order, nothing lost");
    probe->got += used;
    if (probe->inside == ON_FREE)
        stream_free(probe->stream);
    else if (probe->inside == ON_CLOSE)
        stream_close(probe->stream);
    else if (probe->inside == ON_RECONNECT)
        stream_connect(probe->stream, &probe->address, 5);
    else if (probe->inside == ON_PAUSE)
        stream_pause(probe->stream, true);
    if (probe->inside || probe->got >= probe->stop_at)
        loop_stop(&probe->loop);
    return used;
}

static void on_down(void *self, int code, const char *why)
{
    struct probe *probe = self;
    probe->downs++;
    probe->code = code;
    snprintf(probe->why, sizeof probe->why, "%s", why);
    loop_stop(&probe->loop);
}

static void on_drained(void *self)
{
    struct probe *probe = self;
    probe->drains++;
}

static const struct stream_events events = {on_up, on_data, on_down, on_drained};

static void give_up(uv_timer_t *timer)
{
    (void)timer;
    cr_assert_fail("nothing happened for ten seconds");
}

static void run(struct probe *probe)
{
    uv_timer_t timer;
    uv_timer_init(&probe->loop.uv, &timer);
    uv_timer_start(&timer, give_up, 10000, 0);
    loop_run(&probe->loop);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&probe->loop.uv, UV_RUN_NOWAIT);
}

static void probe_init(struct probe *probe)
{
    *probe = (struct probe){.take = SIZE_MAX, .stop_at = SIZE_MAX};
    cr_assert_eq(loop_init(&probe->loop), 0);
    probe->stream = stream_new(&probe->loop, &events, probe);
}

static void probe_fini(struct probe *probe)
{
    if (probe->inside != ON_FREE)
        stream_free(probe->stream);
    loop_fini(&probe->loop);
}

static int adopt_pair(struct probe *probe)
{
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    cr_assert_eq(stream_adopt(probe->stream, pair[0]), 0);
    return pair[1];
}

static size_t fill(int fd, size_t from, size_t size)
{
    uint8_t bytes[4096];
    if (size > sizeof bytes)
        size = sizeof bytes;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((from + i) % 251);
    ssize_t put = write(fd, bytes, size);
    return put < 0 ? 0 : (size_t)put;
}

static int listen_tcp(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(fd, 8), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    return fd;
}

Test(stream, bytes_not_consumed_are_shown_again_with_more_behind_them)
{
    struct probe probe;
    probe_init(&probe);
    int peer = adopt_pair(&probe);
    probe.take = 7;
    probe.stop_at = 7;
    fill(peer, 0, 20);
    run(&probe);
    cr_assert_eq(probe.got, 7);
    probe.take = SIZE_MAX;
    probe.stop_at = 30;
    fill(peer, 20, 10);
    run(&probe);
    cr_assert_eq(probe.got, 30);
    close(peer);
    probe_fini(&probe);
}

Test(stream, what_one_turn_wrote_leaves_in_order_even_when_the_peer_is_slow)
{
    struct probe probe;
    probe_init(&probe);
    int peer = adopt_pair(&probe);
    size_t total = 4u << 20, got = 0;
    struct buffer *out = stream_output(probe.stream);
    uint8_t *room = buffer_room(out, total);
    for (size_t i = 0; i < total; i++)
        room[i] = (uint8_t)(i % 251);
    buffer_grew(out, total);
    stream_wrote(probe.stream);
    cr_assert_eq(stream_pending(probe.stream), total, "nothing is written before the turn ends");
    uint8_t bytes[65536];
    while (got < total) {
        uv_run(&probe.loop.uv, UV_RUN_NOWAIT);
        ssize_t size = read(peer, bytes, sizeof bytes);
        for (ssize_t i = 0; i < size; i++)
            cr_assert_eq(bytes[i], (uint8_t)((got + (size_t)i) % 251));
        got += size > 0 ? (size_t)size : 0;
    }
    cr_assert_eq(probe.drains, 1);
    cr_assert_eq(stream_pending(probe.stream), 0);
    close(peer);
    probe_fini(&probe);
}

Test(stream, a_paused_stream_shows_nothing_and_goes_on_with_what_it_kept)
{
    struct probe probe;
    probe_init(&probe);
    int peer = adopt_pair(&probe);
    probe.inside = ON_PAUSE;
    probe.take = 5;
    fill(peer, 0, 20);
    run(&probe);
    cr_assert_eq(probe.shown, 1);
    for (int i = 0; i < 5; i++)
        uv_run(&probe.loop.uv, UV_RUN_NOWAIT);
    cr_assert_eq(probe.shown, 1);
    probe.inside = ON_NONE;
    probe.take = SIZE_MAX;
    probe.stop_at = 20;
    stream_pause(probe.stream, false);
    run(&probe);
    cr_assert_eq(probe.got, 20, "without a new byte from the peer");
    close(peer);
    probe_fini(&probe);
}

Test(stream, it_may_be_freed_inside_its_data_callback)
{
    struct probe probe;
    probe_init(&probe);
    int peer = adopt_pair(&probe);
    probe.inside = ON_FREE;
    fill(peer, 0, 100);
    run(&probe);
    cr_assert_eq(probe.downs, 0);
    char byte;
    cr_assert_eq(read(peer, &byte, 1), 0, "the descriptor was closed");
    close(peer);
    probe_fini(&probe);
}

Test(stream, closing_inside_its_data_callback_says_no_down)
{
    struct probe probe;
    probe_init(&probe);
    int peer = adopt_pair(&probe);
    probe.inside = ON_CLOSE;
    fill(peer, 0, 100);
    run(&probe);
    cr_assert_not(stream_is_up(probe.stream));
    cr_assert_eq(probe.downs, 0);
    close(peer);
    probe_fini(&probe);
}

Test(stream, it_may_be_connected_anew_inside_its_data_callback)
{
    struct probe probe;
    probe_init(&probe);
    int port, listener = listen_tcp(&port);
    int peer = adopt_pair(&probe);
    probe.address = (struct stream_address){.host = "127.0.0.1", .port = port};
    probe.inside = ON_RECONNECT;
    fill(peer, 0, 100);
    run(&probe);
    probe.inside = ON_NONE;
    probe.stop_at = 0;
    run(&probe);
    cr_assert_eq(probe.ups, 1);
    int other = accept(listener, NULL, NULL);
    probe.got = 0;
    probe.stop_at = 50;
    fill(other, 0, 50);
    run(&probe);
    cr_assert_eq(probe.got, 50, "only bytes of the new connection");
    close(peer), close(other), close(listener);
    probe_fini(&probe);
}

Test(stream, the_end_of_the_peer_is_told_once_after_its_last_bytes)
{
    struct probe probe;
    probe_init(&probe);
    int peer = adopt_pair(&probe);
    fill(peer, 0, 10);
    close(peer);
    run(&probe);
    cr_assert_eq(probe.got, 10);
    cr_assert_eq(probe.downs, 1);
    cr_assert_eq(probe.code, UMBEL_OK);
    for (int i = 0; i < 5; i++)
        uv_run(&probe.loop.uv, UV_RUN_NOWAIT);
    cr_assert_eq(probe.downs, 1);
    probe_fini(&probe);
}

Test(stream, a_refused_connection_is_told_later_and_names_the_target)
{
    struct probe probe;
    probe_init(&probe);
    int port, listener = listen_tcp(&port);
    close(listener);
    stream_connect(probe.stream, &(struct stream_address){.host = "127.0.0.1", .port = port}, 5);
    cr_assert_eq(probe.downs, 0);
    run(&probe);
    cr_assert_eq(probe.code, UMBEL_SYSTEM);
    cr_assert(strstr(probe.why, "127.0.0.1") && strstr(probe.why, "refused"), "%s", probe.why);
    probe_fini(&probe);
}

Test(stream, a_missing_unix_socket_is_told_later)
{
    struct probe probe;
    probe_init(&probe);
    stream_connect(probe.stream, &(struct stream_address){.path = "/nonexistent/umbel.sock"}, 5);
    cr_assert_eq(probe.downs, 0);
    run(&probe);
    cr_assert(strstr(probe.why, "/nonexistent/umbel.sock"), "%s", probe.why);
    probe_fini(&probe);
}

Test(stream, a_server_that_never_answers_tls_is_given_up_in_time)
{
    struct probe probe;
    probe_init(&probe);
    int port, listener = listen_tcp(&port);
    struct stream_tls tls = {.verify = true};
    stream_connect(probe.stream, &(struct stream_address){.host = "localhost", .port = port, .tls = &tls},
                   0.2);
    run(&probe);
    cr_assert_eq(probe.code, UMBEL_TIMEOUT, "%s", probe.why);
    close(listener);
    probe_fini(&probe);
}

Test(stream, a_name_that_is_being_looked_up_may_be_abandoned)
{
    struct probe probe;
    probe_init(&probe);
    stream_connect(probe.stream, &(struct stream_address){.host = "localhost", .port = 1}, 5);
    probe_fini(&probe);
    cr_assert_eq(probe.downs, 0);
}
