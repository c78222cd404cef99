/* child_copy.h: a task or a hook may fork, and the copy may log or fall out of the function: it must not go
 * on as if it were the child, for the ring has one writer. */
#ifndef WORKER_CHILD_COPY_H
#define WORKER_CHILD_COPY_H

#include <stdbool.h>

/* In a child: from now on its copies know what they are. */
void copy_watch(void);
/* Is this a copy? */
bool copy_here(void);
/* A copy ends here. Called where a task or a hook has returned, before any lock is taken. */
void copy_end(void);

#endif
