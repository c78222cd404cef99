/* fork_mark.c: see fork_mark.h. MADV_WIPEONFORK needs Linux 4.14; elsewhere the pid is asked for each time. */
#include "client/fork_mark.h"

#include <stdint.h>
#include <sys/mman.h>

void fork_mark_init(struct fork_mark *mark)
{
    *mark = (struct fork_mark){.pid = getpid()};
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return;
    if (madvise(page, size, MADV_WIPEONFORK) != 0) {
        munmap(page, size);
        return;
    }
    page[0] = 1;
    mark->page = page;
}

void fork_mark_fini(struct fork_mark *mark)
{
    if (mark->page)
        munmap((void *)(uintptr_t)mark->page, (size_t)sysconf(_SC_PAGESIZE));
    mark->page = NULL;
}
