/* fork_server.h: births and deaths of children.
 *
 * fork_server_start is called first thing, before any thread, socket or TLS exists and after the modules were loaded:
 * it forks one small process that does nothing but fork children on request and report their ends. Children share its
 * pages. If it dies, the worker cannot make children any more: `lost` is called and the worker stops warmly. */
#ifndef WORKER_FORK_SERVER_H
#define WORKER_FORK_SERVER_H

#include "common/loop.h"
#include "worker/registry.h"

struct fork_server;

/* Shared between parent and one child, one cache-line-aligned record per slot; see child_page.h. */
struct child_page;
#define FORK_SERVER_SLOTS 1024

struct fork_server_events {
    void (*born)(void *self, int slot, int pid, int fd);  /* fd: the parent's end, non-blocking, CLOEXEC */
    void (*ended)(void *self, int slot, int pid, int wait_status, size_t memory_peak, double cpu_seconds);
    void (*lost)(void *self, const char *why);
};

/* Forks the server. Single-threaded callers only. UMBEL_OK or UMBEL_SYSTEM. */
int fork_server_start(struct fork_server **out, const struct registry *registry, const char *worker_name);
/* From now on its reports are read on this loop. */
void fork_server_attach(struct fork_server *server, struct loop *loop, const struct fork_server_events *events, void *self);
/* Asks for a child in a slot; `born` or `lost` comes. */
int fork_server_spawn(struct fork_server *server, int slot);
struct child_page *fork_server_page(struct fork_server *server, int slot);
int fork_server_pid(const struct fork_server *server);
/* Ends the server (its remaining children die with it) and frees. */
void fork_server_stop(struct fork_server *server);

#endif
