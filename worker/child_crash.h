/* child_crash.h: what a child writes down when it crashes, and how the parent reads it. */
#ifndef WORKER_CHILD_CRASH_H
#define WORKER_CHILD_CRASH_H

#include "worker/child_page.h"

/* In the fork server: loads what unwinding needs, so that no handler has to. */
void crash_preload(void);
/* In a child: from now on a crash leaves its addresses in the page and then happens as it would have. */
void crash_watch(struct child_page *page);
/* In a thread of a child: gives the handler a stack to run on there, until it is closed. NULL: out of memory.
 */
void *crash_stack_open(void);
void crash_stack_close(void *stack);
/* In the parent, which has the same modules at the same addresses: one line per frame. Nothing when none was
 * left. */
void crash_describe(const struct child_page *page, struct buffer *out);

#endif
