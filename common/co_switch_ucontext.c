/* co_switch_ucontext.c: see co_switch.h. The portable way, two system calls a switch, for it also saves the
 * signal mask.
 *
 * makecontext passes integers only, so a pointer travels in two halves. A suspended context lies in the frame
 * that suspended it; the first one of a stack at the stack's top. */
#include "common/co_switch.h"

#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

struct beginning {
    ucontext_t context;
    void (*entry)(void *self);
    void *self;
};

/* makecontext must be told where a stack begins; it only ever uses the end. */
#define NOMINAL_SIZE 16384

static void begin(unsigned high, unsigned low)
{
    struct beginning *beginning = (struct beginning *)(((uintptr_t)high << 16 << 16) | low);
    beginning->entry(beginning->self);
}

void co_context_make(struct co_context *context, void *top, void (*entry)(void *self), void *self)
{
    uintptr_t at = ((uintptr_t)top - sizeof(struct beginning)) & ~(uintptr_t)63;
    struct beginning *beginning = (struct beginning *)at;
    getcontext(&beginning->context);
    beginning->entry = entry;
    beginning->self = self;
    beginning->context.uc_stack.ss_sp = (char *)at - NOMINAL_SIZE;
    beginning->context.uc_stack.ss_size = NOMINAL_SIZE;
    beginning->context.uc_link = NULL;
    makecontext(&beginning->context, (void (*)(void))(uintptr_t)begin, 2, (unsigned)(at >> 16 >> 16),
                (unsigned)at);
    context->sp = &beginning->context;
}

void co_context_switch(struct co_context *from, const struct co_context *to)
{
    ucontext_t here;
    from->sp = &here;
    swapcontext(&here, to->sp);
}
