/* child_crash.c: a backtrace out of a crash.
 *
 * The handler runs on a stack of its own (a stack overflow has none left) and stores bare addresses in the
 * shared page; names are found by the parent, at leisure. The signal is then raised again with its default
 * action, so the child dies of what it would have died of, core file included. A second fault inside the
 * handler ends the child at once. */
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "common/co.h"
#include "worker/child_crash.h"
#include "worker/elf_name.h"

/* write_down, the handler, and what the kernel calls it through. */
#define HANDLER_FRAMES 3
#define STACK_SIZE (64u << 10)

static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

/* A signal handler has no argument of ours: the mutable globals of a child. */
static struct child_page *crash_page;
static pid_t crash_owner; /* a task may fork: what befalls a copy is no crash of the child */

void crash_preload(void)
{
    void *address[2];
    backtrace(address, 2); /* loads libgcc_s */
}

/* Never inlined: HANDLER_FRAMES counts it. */
__attribute__((noinline)) static void write_down(struct child_crash *crash, int signal_number, void *fault)
{
    crash->signal = signal_number;
    crash->fault = fault;
    crash->overflow = co_overflow_at(fault);
    int depth = backtrace(crash->address, CHILD_CRASH_DEPTH);
    atomic_store(&crash->depth, depth);
}

static void on_crash(int signal_number, siginfo_t *info, void *context)
{
    (void)context;
    if (getpid() == crash_owner)
        write_down(&crash_page->crash, signal_number, info->si_addr);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

void *crash_stack_open(void)
{
    void *memory =
        mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    sigaltstack(&(stack_t){.ss_sp = memory, .ss_size = STACK_SIZE}, NULL);
    return memory;
}

void crash_stack_close(void *stack)
{
    if (!stack)
        return;
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    munmap(stack, STACK_SIZE);
}

void crash_watch(struct child_page *page)
{
    struct sigaction action = {.sa_sigaction = on_crash};
    crash_page = page;
    crash_owner = getpid();
    action.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER);
    if (!crash_stack_open())
        return;
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        sigaction(fatal[i], &action, NULL);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* What addr2line and gdb take, the file and the offset in it, and the function's name where there is one. */
static void describe_address(void *address, int number, struct buffer *out)
{
    Dl_info info;
    char name[ELF_NAME_SIZE];
    if (!dladdr(address, &info) || !info.dli_fname) {
        buffer_format(out, "  #%d %p\n", number, address);
        return;
    }
    size_t offset = (size_t)((char *)address - (char *)info.dli_fbase), into;
    buffer_format(out, "  #%d %s+0x%zx", number, base_name(info.dli_fname), offset);
    if (elf_name(info.dli_fname, offset, name, &into))
        buffer_format(out, " %s+0x%zx", name, into);
    else if (info.dli_sname)
        buffer_format(out, " %s+0x%tx", info.dli_sname, (char *)address - (char *)info.dli_saddr);
    buffer_byte(out, '\n');
}

void crash_describe(const struct child_page *page, struct buffer *out)
{
    const struct child_crash *crash = &page->crash;
    int depth = atomic_load(&crash->depth);
    if (depth <= 0 || depth > CHILD_CRASH_DEPTH)
        return;
    buffer_format(out, "%s", strsignal(crash->signal));
    if (crash->signal == SIGSEGV || crash->signal == SIGBUS)
        buffer_format(out, " at address %p", crash->fault);
    if (crash->overflow)
        buffer_format(out, ": a coroutine overflowed its stack of %zu KiB", crash->overflow >> 10);
    buffer_text(out, ", innermost call first:\n");
    for (int i = HANDLER_FRAMES; i < depth; i++) {
        int first = i;
        /* All but the first are return addresses: one less is within the call, and on its line. */
        describe_address((char *)crash->address[i] - (i > HANDLER_FRAMES), i - HANDLER_FRAMES, out);
        while (i + 1 < depth && crash->address[i + 1] == crash->address[first]) /* a recursion */
            i++;
        if (i > first)
            buffer_format(out, "  (%d times)\n", i - first + 1);
    }
}
