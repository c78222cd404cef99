/* holder.h: another process with a transport, to be killed.
 *
 * Start it before the test has a thread. The child asserts nothing (Criterion would hang): it says by one
 * byte that it holds what it was asked to, or ends. */
#ifndef TESTS_HOLDER_H
#define TESTS_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct holder {
    pid_t pid;
    int said; /* read end */
};

/* True when it consumes from `queue` (created) with a prefetch of `count`. */
bool holder_start(struct holder *holder, const char *url, const char *queue, size_t count);
/* True once it holds `count` deliveries. */
bool holder_holds(struct holder *holder);
/* True when it has published `count` letters "first", "first + 1", ... and the last was confirmed. */
bool holder_send(struct holder *holder, const char *url, const char *queue, unsigned first, size_t count);
/* Publishes likewise and takes from the same queue: every letter it acknowledged is written to `seen` as a
 * uint32_t. */
bool holder_trade(struct holder *holder, const char *url, const char *queue, unsigned first, size_t count,
                  int seen);
/* SIGKILL, and reaped. */
void holder_kill(struct holder *holder);

#endif
