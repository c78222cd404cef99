/* co_overflow.c: a stack that overflowed is named, not just a crash. See co.h.
 *
 * A handler needs a stack that is not the full one: every thread with a scheduler gets an alternate stack,
 * kept until the thread ends. A process that handles SIGSEGV itself (a worker's child, a sanitizer) keeps its
 * handler; elsewhere ours says what happened, and then the fault happens as it would have. */
#include "common/co_inside.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <umbel/error.h>

#define SIGNAL_STACK_SIZE (64u << 10)

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool key_made;

size_t co_overflow_at(const void *address)
{
    const struct co *self = co_self();
    return self && self->stack.size && co_stack_guards(&self->stack, address) ? self->stack.size : 0;
}

static size_t put_number(char *out, size_t number)
{
    char digits[24];
    size_t count = 0, used = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
    } while (number /= 10);
    while (count)
        out[used++] = digits[--count];
    return used;
}

/* No printf in a signal handler. */
static void tell(size_t size)
{
    static const char before[] = "umbel: a coroutine overflowed its stack of ", after[] = " KiB\n";
    char line[sizeof before + sizeof after + 24];
    size_t used = sizeof before - 1;
    memcpy(line, before, used);
    used += put_number(line + used, size >> 10);
    memcpy(line + used, after, sizeof after - 1);
    used += sizeof after - 1;
    if (write(STDERR_FILENO, line, used) < 0) {
        /* nobody to tell */
    }
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    size_t size = co_overflow_at(info->si_addr);
    (void)context;
    if (size)
        tell(size);
    signal(number, SIG_DFL); /* and the instruction is tried again */
}

static void drop_signal_stack(void *memory)
{
    stack_t now;
    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == memory)
        sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    munmap(memory, SIGNAL_STACK_SIZE);
}

static void watch_process(void)
{
    struct sigaction now, ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    key_made = pthread_key_create(&key, drop_signal_stack) == 0;
    if (sigaction(SIGSEGV, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL)
        sigaction(SIGSEGV, &ours, NULL);
}

int co_overflow_thread(void)
{
    stack_t now;
    pthread_once(&once, watch_process);
    if (!key_made || sigaltstack(NULL, &now) || !(now.ss_flags & SS_DISABLE))
        return UMBEL_OK;
    void *memory = mmap(NULL, SIGNAL_STACK_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return UMBEL_NO_MEMORY;
    if (sigaltstack(&(stack_t){.ss_sp = memory, .ss_size = SIGNAL_STACK_SIZE}, NULL) ||
        pthread_setspecific(key, memory)) {
        munmap(memory, SIGNAL_STACK_SIZE);
        return UMBEL_SYSTEM;
    }
    return UMBEL_OK;
}
