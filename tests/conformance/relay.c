/* relay.c: see relay.h. */
#include "relay.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct relay_end {
    uv_tcp_t tcp;
    struct relay_pair *pair;
    struct relay_end *other;
};

struct relay_pair {
    struct relay *relay;
    struct relay_end near, far;
    uv_connect_t connect;
    struct relay_pair *next;
    int open; /* handles not closed yet */
    bool cut;
};

struct parcel {
    uv_write_t write;
    char bytes[];
};

static void on_closed(uv_handle_t *handle)
{
    struct relay_pair *pair = ((struct relay_end *)handle->data)->pair;
    if (--pair->open == 0)
        free(pair);
}

static void cut(struct relay_pair *pair)
{
    if (pair->cut)
        return;
    pair->cut = true;
    struct relay_pair **at = &pair->relay->pairs;
    while (*at != pair)
        at = &(*at)->next;
    *at = pair->next;
    uv_close((uv_handle_t *)&pair->near.tcp, on_closed);
    uv_close((uv_handle_t *)&pair->far.tcp, on_closed);
}

void relay_cut(struct relay *relay)
{
    while (relay->pairs)
        cut(relay->pairs);
}

void relay_cut_oldest(struct relay *relay)
{
    struct relay_pair *pair = relay->pairs;
    while (pair->next)
        pair = pair->next;
    cut(pair);
}

static void on_room(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
    (void)handle;
    *buf = uv_buf_init(malloc(wanted), (unsigned)wanted);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    free(write->data);
}

static void pass_on(struct relay_end *end, const char *bytes, size_t size)
{
    struct relay *relay = end->pair->relay;
    struct parcel *parcel = malloc(sizeof *parcel + size);
    parcel->write.data = parcel;
    memcpy(parcel->bytes, bytes, size);
    uv_buf_t buf = uv_buf_init(parcel->bytes, (unsigned)size);
    if (uv_write(&parcel->write, (uv_stream_t *)&end->other->tcp, &buf, 1, on_written) < 0)
        free(parcel);
    if (end == &end->pair->near)
        relay->passed += size;
    if (relay->cut_after && relay->passed >= relay->cut_after) {
        relay->cut_after = 0;
        relay_cut(relay);
    }
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buf)
{
    struct relay_end *end = stream->data;
    if (size > 0 && !end->pair->relay->silent)
        pass_on(end, buf->base, (size_t)size);
    else if (size < 0)
        cut(end->pair);
    free(buf->base);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct relay_pair *pair = connect->data;
    if (pair->cut)
        return;
    if (status < 0) {
        cut(pair);
        return;
    }
    uv_read_start((uv_stream_t *)&pair->near.tcp, on_room, on_read);
    uv_read_start((uv_stream_t *)&pair->far.tcp, on_room, on_read);
}

static void end_init(struct relay_end *end, struct relay_pair *pair, struct relay_end *other)
{
    uv_tcp_init(&pair->relay->loop->uv, &end->tcp);
    end->tcp.data = end;
    end->pair = pair;
    end->other = other;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct relay *relay = listener->data;
    if (status < 0)
        return;
    struct relay_pair *pair = calloc(1, sizeof *pair);
    pair->relay = relay;
    pair->open = 2;
    pair->next = relay->pairs;
    relay->pairs = pair;
    relay->accepted++;
    end_init(&pair->near, pair, &pair->far);
    end_init(&pair->far, pair, &pair->near);
    uv_accept(listener, (uv_stream_t *)&pair->near.tcp);
    if (relay->down) {
        cut(pair);
        return;
    }
    struct sockaddr_in address;
    uv_ip4_addr("127.0.0.1", relay->target_port, &address);
    pair->connect.data = pair;
    uv_tcp_connect(&pair->connect, &pair->far.tcp, (const struct sockaddr *)&address, on_connected);
}

void relay_open(struct relay *relay, struct loop *loop, int target_port)
{
    *relay = (struct relay){.loop = loop, .target_port = target_port};
    struct sockaddr_in address;
    int size = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(&loop->uv, &relay->listener);
    relay->listener.data = relay;
    cr_assert_eq(uv_tcp_bind(&relay->listener, (const struct sockaddr *)&address, 0), 0);
    cr_assert_eq(uv_listen((uv_stream_t *)&relay->listener, 16, on_connection), 0);
    uv_tcp_getsockname(&relay->listener, (struct sockaddr *)&address, &size);
    relay->port = ntohs(address.sin_port);
}

void relay_close(struct relay *relay)
{
    relay_cut(relay);
    uv_close((uv_handle_t *)&relay->listener, NULL);
}
