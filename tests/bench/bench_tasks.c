/* bench_tasks.c: what the bench runs: an addition, nothing, and a mark that tells when it ran. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <umbel.h>

UMBEL_TASK(add, "math.add")
{
    int64_t x, y;
    if (umbel_args(task, &x, &y))
        return;
    umbel_return(task, x + y);
}

UMBEL_TASK(add_ignored, "math.add_ignored", .ignore_result = UMBEL_ON)
{
    int64_t x, y;
    if (umbel_args(task, &x, &y))
        return;
    umbel_return(task, x + y);
}

UMBEL_TASK(add_once, "math.add_once", .acks = UMBEL_AT_MOST_ONCE)
{
    int64_t x, y;
    if (umbel_args(task, &x, &y))
        return;
    umbel_return(task, x + y);
}

static int redis_connect(void)
{
    const char *port = getenv("BENCH_REDIS_PORT");
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port ? port : "6380"))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Pushes the wall clock to the list bench:marks of the bench's Redis. */
UMBEL_TASK(mark, "bench.mark", .ignore_result = UMBEL_ON)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char text[64], command[192];
    int size = snprintf(text, sizeof text, "%.6f", (double)now.tv_sec + (double)now.tv_nsec / 1e9);
    int length = snprintf(command, sizeof command, "*3\r\n$5\r\nRPUSH\r\n$11\r\nbench:marks\r\n$%d\r\n%s\r\n",
                          size, text);
    int fd = redis_connect();
    char reply[64];
    if (fd < 0 || write(fd, command, (size_t)length) != length || read(fd, reply, sizeof reply) < 2 ||
        reply[0] != ':')
        umbel_fail(task, "RuntimeError", "the mark could not be pushed to Redis");
    if (fd >= 0)
        close(fd);
}
