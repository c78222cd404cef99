/* co_blocking.h: what would hold up the loop, on another thread. */
#ifndef COMMON_CO_BLOCKING_H
#define COMMON_CO_BLOCKING_H

/* Runs run(self) on one of libuv's threads and parks until it has returned. UMBEL_TIMEOUT: it never began,
 * because all threads were busy until the deadline. Once it has begun it is waited for, whatever the limits
 * are. */
int co_run_blocking(void (*run)(void *self), void *self, double deadline);

#endif
