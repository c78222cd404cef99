/* fork_process.h: the two ends of the fork server's socket (SOCK_SEQPACKET), and what runs behind it. */
#ifndef WORKER_FORK_PROCESS_H
#define WORKER_FORK_PROCESS_H

#include "worker/child_page.h"
#include "worker/registry.h"
#include "worker/waiting_board.h"

struct fork_request {
    int32_t slot;
};

enum fork_report_kind { FORK_BORN = 1, FORK_ENDED };

/* Of a birth, with the pidfd that an old kernel does not give. */
#define FORK_REPORT_FDS 5

struct fork_report { /* FORK_BORN carries the descriptors of struct child_ends, in its order */
    int32_t kind;
    int32_t slot;
    int32_t pid; /* 0: it could not be made, status is an errno */
    int32_t status;
    int32_t has_handle;
    int32_t zero;
    uint64_t memory_peak;
    double cpu_seconds;
};

struct fork_setup {
    const struct registry *registry;
    const char *worker_name;
    struct child_page *pages;
    struct waiting_board *board;
    int socket; /* the server's end */
    int parent; /* pid of the worker */
};

/* The server's whole life, in its own process. */
_Noreturn void fork_process_run(const struct fork_setup *setup);

/* Descriptors of a child, in this order after 0, 1 and 2. */
enum { CHILD_SOCKET = 3, CHILD_OUT, CHILD_ERR, CHILD_NEST, CHILD_DESCRIPTORS };

/* A child's whole life, in its own process, with its descriptors in place. See child.c. */
struct child_birth {
    const struct registry *registry;
    const char *worker_name;
    struct child_page *page;
    struct waiting_board *board;
    int slot;
};
_Noreturn void child_run(const struct child_birth *birth);
/* The same for a child that runs several jobs at once: child_run hands over to it. See child_crew.c. */
_Noreturn void child_crew_run(const struct child_birth *birth);

#endif
