/* co_switch.h: from one stack to another. One file per way: assembly for x86-64 and aarch64, ucontext
 * elsewhere; the build picks one (UMBEL_SWITCH).
 *
 * What a function may expect to survive a call survives a switch: callee-saved registers and the
 * floating-point modes. The signal mask does not change. */
#ifndef COMMON_CO_SWITCH_H
#define COMMON_CO_SWITCH_H

/* A suspended stack; everything else lies on that stack. */
struct co_context {
    void *sp;
};

/* The first switch to `context` calls entry(self) on the stack that ends at `top`. `entry` must not return.
 */
void co_context_make(struct co_context *context, void *top, void (*entry)(void *self), void *self);
/* Suspends the running stack as *from and goes on with *to; returns when somebody switches back. */
void co_context_switch(struct co_context *from, const struct co_context *to);

#endif
