/* fork_mark.h: tells a forked child from the process that made the mark, without a system call. */
#ifndef CLIENT_FORK_MARK_H
#define CLIENT_FORK_MARK_H

#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

struct fork_mark {
    volatile unsigned char *page; /* one page that the kernel clears in a child; NULL: the pid tells */
    pid_t pid;
};

void fork_mark_init(struct fork_mark *mark);
void fork_mark_fini(struct fork_mark *mark);
/* False in a child forked after fork_mark_init. */
static inline bool fork_mark_is_ours(const struct fork_mark *mark)
{
    return mark->page ? *mark->page != 0 : getpid() == mark->pid;
}

#endif
