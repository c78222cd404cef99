/* co_socket.h: names, connections, bytes: each call parks until it is done or its deadline has passed.
 * Descriptors may be blocking ones: nothing here waits in the kernel. All from a coroutine; UMBEL_SYSTEM
 * leaves its reason in errno. */
#ifndef COMMON_CO_SOCKET_H
#define COMMON_CO_SOCKET_H

#include <stddef.h>

struct addrinfo;

/* Looked up on another thread. freeaddrinfo(*out). UMBEL_NOT_FOUND: no such name. */
int co_resolve(const char *host, int port, double deadline, struct addrinfo **out);
/* A connected TCP socket, non-blocking; each address of the name gets its share of the time. */
int co_dial(const char *host, int port, double deadline, int *fd);
/* At least one byte; *got == 0 at the end of the file. */
int co_read(int fd, void *data, size_t size, double deadline, size_t *got);
/* All of it; after an error some of it. */
int co_write(int fd, const void *data, size_t size, double deadline);

#endif
