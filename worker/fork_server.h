/* fork_server.h: births and deaths of children.
 *
 * fork_server_start is called first thing, before any thread, socket or TLS exists and after the modules were
 * loaded: it forks one small process that does nothing but fork children on request and report their ends.
 * Children share its pages. If it dies, the worker cannot make children any more: `lost` is called and the
 * worker stops warmly. */
#ifndef WORKER_FORK_SERVER_H
#define WORKER_FORK_SERVER_H

#include "common/loop.h"
#include "worker/registry.h"

struct fork_server;

/* Shared between parent and one child, one cache-line-aligned record per slot; see child_page.h. */
struct child_page;
#define FORK_SERVER_SLOTS 1024

/* The parent's ends of a child, all CLOEXEC, the receiver's to close. Socket and pipes do not block. */
struct waiting_board;

struct child_ends {
    int socket;   /* SOCK_STREAM: frames */
    int out, err; /* pipes: what the child writes to stdout and stderr */
    int nest;     /* SOCK_STREAM: what its tasks call, and what they hear (broker/parent_wire.h) */
    int handle;   /* a pidfd, so that a signal never hits a reused pid; -1 where the kernel has none */
};

struct fork_server_events {
    void (*born)(void *self, int slot, int pid, const struct child_ends *ends);
    /* The child and its process group are gone. pid 0: it could not be made, wait_status is an errno. */
    void (*ended)(void *self, int slot, int pid, int wait_status, size_t memory_peak, double cpu_seconds);
    void (*lost)(void *self, const char *why);
};

/* Forks the server. Single-threaded callers only. UMBEL_OK or UMBEL_SYSTEM. */
int fork_server_start(struct fork_server **out, const struct registry *registry, const char *worker_name);
/* From now on its reports are read on this loop. `events` NULL (and loop NULL): no longer; the loop may then
 * end before the server does. UMBEL_OK or UMBEL_NO_MEMORY. */
int fork_server_attach(struct fork_server *server, struct loop *loop, const struct fork_server_events *events,
                       void *self);
/* Asks for a child in a slot; `born`, `ended` (with pid 0) or `lost` comes. */
int fork_server_spawn(struct fork_server *server, int slot);
struct child_page *fork_server_page(struct fork_server *server, int slot);
/* Which of them wait; see waiting_board.h. */
struct waiting_board *fork_server_board(struct fork_server *server);
int fork_server_pid(const struct fork_server *server);
const struct registry *fork_server_registry(const struct fork_server *server);
/* Ends the server (its remaining children die with it), detaches and frees. */
void fork_server_stop(struct fork_server *server);

#endif
