/* co_resolve.c: names to addresses, on libuv's threads. A look-up cannot be taken back once it has begun: who
 * gives up waiting leaves it behind, and it frees itself. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <umbel/error.h>
#include "common/co.h"
#include "common/co_socket.h"

struct lookup {
    uv_getaddrinfo_t request;
    struct co *waiter; /* NULL: it was left behind */
    struct addrinfo *found;
    int status;
    bool done;
};

static void on_found(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct lookup *lookup = request->data;
    if (!lookup->waiter) {
        uv_freeaddrinfo(found);
        free(lookup);
        return;
    }
    lookup->status = status;
    lookup->found = found;
    lookup->done = true;
    co_wake(lookup->waiter);
}

static int code_of(int status)
{
    if (status == 0)
        return UMBEL_OK;
    if (status == UV_EAI_NONAME || status == UV_EAI_NODATA || status == UV_ENOENT)
        return UMBEL_NOT_FOUND;
    errno = status == UV_EAI_AGAIN ? EAGAIN : EIO;
    return UMBEL_SYSTEM;
}

static int await(struct lookup *lookup, double deadline, struct addrinfo **out)
{
    while (!lookup->done) {
        if (co_park(deadline) == UMBEL_OK || lookup->done)
            continue;
        lookup->waiter = NULL;
        uv_cancel((uv_req_t *)&lookup->request); /* if it has not begun */
        return UMBEL_TIMEOUT;
    }
    int code = code_of(lookup->status);
    *out = lookup->found;
    free(lookup);
    return code;
}

static int look_up(const char *host, const char *port, const struct addrinfo *hints, double deadline,
                   struct addrinfo **out)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return UMBEL_NO_MEMORY;
    lookup->request.data = lookup;
    lookup->waiter = co_self();
    int status = uv_getaddrinfo(co_scheduler_loop(co_scheduler_of(co_self())), &lookup->request, on_found,
                                host, port, hints);
    if (status) {
        free(lookup);
        return code_of(status);
    }
    return await(lookup, deadline, out);
}

int co_resolve(const char *host, int port, double deadline, struct addrinfo **out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    char service[16];
    *out = NULL;
    if (!host || port < 0 || port > 65535)
        return UMBEL_BAD_ARGUMENT;
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, out) == 0) /* an address needs no look-up */
        return UMBEL_OK;
    hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
    *out = NULL;
    return look_up(host, service, &hints, deadline, out);
}
