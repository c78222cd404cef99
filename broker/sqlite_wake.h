/* sqlite_wake.h: how the processes that share one database file know of each other: a folder beside it.
 *
 * Each process has a number. In PATH-wake/ it binds a datagram socket of that name: a byte sent there says
 * "look". And it locks that byte of PATH-wake/locks as long as it lives: the kernel lets go when it dies,
 * however it dies, so whether a number lives is a question with an exact answer. (POSIX locks: a forked child
 * does not inherit them.)
 *
 * The gate is two more bytes of the same file. SQLite itself lets writers poll with growing pauses, and
 * whoever writes all the time wins all the time; the gate lets them in one after another. It is a courtesy:
 * who cannot have it in time goes on without, and SQLite's own lock decides. */
#ifndef BROKER_SQLITE_WAKE_H
#define BROKER_SQLITE_WAKE_H

#include <stdbool.h>
#include <stdint.h>

struct sqlite_wake {
    char *folder; /* PATH-wake */
    int folder_fd, locks, sock;
    int64_t number; /* ours; 0: none yet */
};

/* 0, or an errno with the folder named in wake->folder. */
int sqlite_wake_open(struct sqlite_wake *wake, const char *path);
/* Takes a number for this process: the lock at once, then the socket. 0 or an errno. */
int sqlite_wake_join(struct sqlite_wake *wake, int64_t number);
/* Removes our socket, lets go of the lock, closes everything. */
void sqlite_wake_close(struct sqlite_wake *wake);
/* Does another process with that number live? */
bool sqlite_wake_lives(const struct sqlite_wake *wake, int64_t number);
/* Removes the socket of a dead one. */
void sqlite_wake_bury(const struct sqlite_wake *wake, int64_t number);
/* False when nobody listens there any more. */
bool sqlite_wake_send(const struct sqlite_wake *wake, int64_t number);
/* Takes what was sent to us; true when there was something. */
bool sqlite_wake_drain(const struct sqlite_wake *wake);
/* Waits as long as `patient` says so. */
void sqlite_gate_enter(const struct sqlite_wake *wake, bool (*patient)(void *self), void *self);
void sqlite_gate_leave(const struct sqlite_wake *wake);

#endif
