/* notify.h: tells systemd (or whoever set NOTIFY_SOCKET) how the worker is. */
#ifndef WORKER_NOTIFY_H
#define WORKER_NOTIFY_H

/* Sends one state, e.g. "READY=1\nSTATUS=consuming 2 queues". Without NOTIFY_SOCKET it does nothing; it never
 * blocks and its failure is nobody's. */
void notify_send(const char *state);

#endif
