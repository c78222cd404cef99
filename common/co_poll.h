/* co_poll.h: waiting for descriptors.
 *
 * The loop's own watchers allow one user per descriptor and end the process when one was closed under them.
 * So a scheduler has an epoll of its own, which the loop watches: entries are one-shot, a closed descriptor
 * is simply gone, and any number of coroutines may wait for the same one. */
#ifndef COMMON_CO_POLL_H
#define COMMON_CO_POLL_H

#include <poll.h>
#include <stddef.h>

#define CO_POLL_MAX 8

/* As poll(2), but parks. UMBEL_OK: at least one `revents` is set (regular files are always ready).
 * UMBEL_TIMEOUT. UMBEL_CLOSED: co_close was called on one. UMBEL_BAD_ARGUMENT: more than CO_POLL_MAX.
 * UMBEL_SYSTEM: errno says why. */
int co_poll(struct pollfd *fds, size_t count, double deadline);
/* Closes it; whoever waits for it is told UMBEL_CLOSED. From a coroutine. */
void co_close(int fd);

#endif
