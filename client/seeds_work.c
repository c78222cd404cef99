/* seeds_work.c: what the two experiments do, once as plain C and once as tasks.
 *
 * The plain download blocks in the system's calls, the task waits in Umbel's, so that the same task fits
 * every pool. */
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <umbel/coroutine.h>
#include <unistd.h>
#include "client/seeds.h"

enum { PAGE_MAX = 4096 };
static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
static const double PATIENCE = 60;

/* What the seeds measured: serial, threads, processes, process and queue (twice), coroutines (twice). */
static const double seeds_io[SEEDS_WAYS] = {1.00, 1.60, 1.61, 1.57, 1.57, 2.03, 2.03};
static const double seeds_cpu[SEEDS_WAYS] = {1.00, 1.06, 1.84, 1.70, 1.70, 1.05, 1.05};

/* ---- downloads ---- */

static double body_of(const char *page, size_t size)
{
    const char *head_end = memmem(page, size, "\r\n\r\n", 4);
    return head_end ? (double)(page + size - (head_end + 4)) : 0;
}

static int read_page(int fd, double *body)
{
    char page[PAGE_MAX];
    size_t size = 0;
    while (size < sizeof page) {
        ssize_t got = read(fd, page + size, sizeof page - size);
        if (got < 0)
            return UMBEL_SYSTEM;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    *body = body_of(page, size);
    return UMBEL_OK;
}

static int download(int64_t port, double *body)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return UMBEL_SYSTEM;
    int code = UMBEL_SYSTEM;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        write(fd, request, sizeof request - 1) == (ssize_t)sizeof request - 1)
        code = read_page(fd, body);
    int why = errno;
    close(fd);
    errno = why;
    return code;
}

static int task_read_page(umbel_task *task, int fd, double *body)
{
    char page[PAGE_MAX];
    size_t size = 0, got = 1;
    while (size < sizeof page && got) {
        int code = umbel_read(task, fd, page + size, sizeof page - size, PATIENCE, &got);
        if (code != UMBEL_OK)
            return code;
        size += got;
    }
    *body = body_of(page, size);
    return UMBEL_OK;
}

static int task_download(umbel_task *task, int port, double *body)
{
    int fd;
    int code = umbel_dial(task, "127.0.0.1", port, PATIENCE, &fd);
    if (code != UMBEL_OK)
        return code;
    code = umbel_write(task, fd, request, sizeof request - 1, PATIENCE);
    if (code == UMBEL_OK)
        code = task_read_page(task, fd, body);
    int why = errno;
    umbel_close_fd(task, fd);
    errno = why;
    return code;
}

static void run_download(umbel_task *task)
{
    uint16_t port;
    double body = 0;
    if (umbel_args(task, &port))
        return;
    int code = task_download(task, port, &body);
    if (code == UMBEL_OK)
        umbel_return(task, body);
    else
        umbel_fail(task, "ConnectionError", "%s",
                   code == UMBEL_SYSTEM ? strerror(errno) : umbel_strerror(code));
}

/* ---- sums ---- */

static int sum(int64_t n, double *result)
{
    double total = 0;
    for (int64_t i = 1; i <= n; i++) {
        double x = (double)i;
        total += 1 / x + sqrt(x) + sin(x) + cos(x);
    }
    *result = total;
    return UMBEL_OK;
}

static void run_sum(umbel_task *task)
{
    int64_t n;
    double result;
    if (umbel_args(task, &n))
        return;
    sum(n, &result);
    umbel_return(task, result);
}

/* ---- what workers serve ---- */

static const umbel_task_def download_def = {
    .size = sizeof(umbel_task_def), .name = "seeds.download", .run = run_download};
static const umbel_task_def sum_def = {.size = sizeof(umbel_task_def), .name = "seeds.sum", .run = run_sum};
static const umbel_task_def *const defs[] = {&download_def, &sum_def};

const umbel_module_table seeds_module = {.magic = UMBEL_MODULE_MAGIC,
                                         .abi = UMBEL_ABI,
                                         .version = UMBEL_VERSION,
                                         .tasks_begin = defs,
                                         .tasks_end = defs + sizeof defs / sizeof *defs};

void seeds_work_downloads(struct seeds_work *work, size_t calls, int port)
{
    *work = (struct seeds_work){.name = "I/O-bound",
                                .task = download_def.name,
                                .call = download,
                                .first = port,
                                .calls = calls,
                                .turns = 1,
                                .seeds = seeds_io,
                                .logarithmic = true};
    snprintf(work->what, sizeof work->what, "%zu downloads from a server that answers after %d ms", calls,
             SEEDS_LATENCY_MS);
}

void seeds_work_sums(struct seeds_work *work, size_t calls)
{
    *work = (struct seeds_work){.name = "CPU-bound",
                                .task = sum_def.name,
                                .call = sum,
                                .first = 100,
                                .step = 100,
                                .calls = calls,
                                .turns = SEEDS_TURNS,
                                .seeds = seeds_cpu};
    snprintf(work->what, sizeof work->what,
             "%zu sums over n = 100, 200, ... of 1/x + sqrt x + sin x + cos x, best of %d turns", calls,
             SEEDS_TURNS);
}
