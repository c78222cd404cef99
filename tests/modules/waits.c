/* waits.c: every call of umbel/coroutine.h, each in a task that says "good" or what was wrong. The unit tests
 * run them on a thread and on a coroutine, the system tests on every pool. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <umbel.h>

#define EXPECT(task, condition)                                                                              \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            umbel_fail((task), "AssertionError", "line %d: %s (errno %d)", __LINE__, #condition, errno);     \
            return;                                                                                          \
        }                                                                                                    \
    } while (0)

static double now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec * 1e-9;
}

/* ---- sleeping, spawning ---- */

UMBEL_TASK(waits_sleep, "waits.sleep")
{
    double began = now();
    EXPECT(task, umbel_sleep(task, 0.03) == UMBEL_OK);
    EXPECT(task, now() - began >= 0.03);
    EXPECT(task, umbel_sleep(task, 0) == UMBEL_OK);
    umbel_return(task, "good");
}

static int nap(umbel_task *task, void *argument)
{
    int *number = argument;
    return umbel_sleep(task, 0.05) ? -1 : *number;
}

UMBEL_TASK(waits_spawn, "waits.spawn")
{
    umbel_coroutine *all[100];
    int numbers[100], sum = 0;
    double began = now();
    for (int i = 0; i < 100; i++) {
        numbers[i] = i;
        all[i] = umbel_spawn(task, nap, &numbers[i]);
        EXPECT(task, all[i] != NULL);
    }
    for (int i = 0; i < 100; i++) {
        int result = -1;
        EXPECT(task, umbel_join(task, all[i], 10, &result) == UMBEL_OK);
        sum += result;
    }
    EXPECT(task, sum == 4950);
    EXPECT(task, now() - began < 2.5); /* one after the other would be five seconds */
    umbel_return(task, "good");
}

static int sleep_long(umbel_task *task, void *argument)
{
    int *woken = argument;
    int code = umbel_sleep(task, 30);
    if (woken)
        *woken = umbel_interrupted(task) ? 2 : 1;
    return code;
}

UMBEL_TASK(waits_join, "waits.join")
{
    int woken = 0, result = -1;
    umbel_coroutine *one = umbel_spawn(task, sleep_long, &woken);
    EXPECT(task, umbel_join(task, one, 0.02, &result) == UMBEL_TIMEOUT);
    umbel_interrupt(task, one);
    EXPECT(task, umbel_join(task, one, 10, &result) == UMBEL_OK);
    EXPECT(task, result == UMBEL_TIMEOUT && woken == 2);
    EXPECT(task, !umbel_interrupted(task));
    umbel_return(task, "good");
}

/* What it leaves running is ended with it. */
UMBEL_TASK(waits_leave, "waits.leave")
{
    EXPECT(task, umbel_spawn(task, sleep_long, NULL) && umbel_spawn(task, sleep_long, NULL));
    umbel_sleep(task, 0.01);
    umbel_return(task, "good");
}

/* ---- limits ---- */

UMBEL_TASK(waits_timeout, "waits.timeout")
{
    umbel_timeout outer, inner;
    double began = now();
    umbel_timeout_begin(task, &outer, 10);
    umbel_timeout_begin(task, &inner, 0.03);
    EXPECT(task, umbel_sleep(task, 5) == UMBEL_TIMEOUT);
    EXPECT(task, umbel_sleep(task, 5) == UMBEL_TIMEOUT);
    EXPECT(task, umbel_timeout_end(task, &inner));
    EXPECT(task, now() - began >= 0.03 && now() - began < 3);
    EXPECT(task, umbel_sleep(task, 0.001) == UMBEL_OK);
    EXPECT(task, !umbel_timeout_end(task, &outer));
    EXPECT(task, !umbel_interrupted(task));
    umbel_return(task, "good");
}

/* Waits for what never comes, until it is asked to end. */
UMBEL_TASK(waits_forever, "waits.forever")
{
    char item;
    size_t got;
    int ends[2];
    umbel_channel *channel = umbel_channel_new(1, 0);
    EXPECT(task, pipe(ends) == 0);
    umbel_coroutine *one = umbel_spawn(task, sleep_long, NULL);
    int first = umbel_channel_receive(task, channel, &item, -1);
    int then = umbel_read(task, ends[0], &item, 1, -1, &got);
    int joined = umbel_join(task, one, -1, NULL); /* it may have heard of it first */
    umbel_channel_free(channel);
    close(ends[0]);
    close(ends[1]);
    EXPECT(task, first == UMBEL_TIMEOUT && then == UMBEL_TIMEOUT);
    EXPECT(task, joined == UMBEL_OK || joined == UMBEL_TIMEOUT);
    EXPECT(task, umbel_interrupted(task));
    umbel_return(task, "interrupted");
}

/* ---- descriptors ---- */

static int listen_here(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) || listen(fd, 10))
        return -1;
    getsockname(fd, (struct sockaddr *)&at, &size);
    *port = ntohs(at.sin_port);
    return fd;
}

/* Serves one connection: everything comes back. */
static int echo(umbel_task *task, void *argument)
{
    int *listener = argument;
    char data[5000];
    size_t got = 1;
    if (umbel_wait_fd(task, *listener, UMBEL_READABLE, 10, NULL))
        return -1;
    int fd = accept(*listener, NULL, NULL), code = 0;
    while (code == 0 && got) {
        code = umbel_read(task, fd, data, sizeof data, 10, &got);
        if (code == 0)
            code = umbel_write(task, fd, data, got, 10);
    }
    umbel_close_fd(task, fd);
    return code;
}

struct sending {
    int fd;
    size_t size;
};

static int send_numbers(umbel_task *task, void *argument)
{
    struct sending *sending = argument;
    char *data = malloc(sending->size);
    for (size_t i = 0; i < sending->size; i++)
        data[i] = (char)(i * 31 >> 3);
    int code = umbel_write(task, sending->fd, data, sending->size, 10);
    free(data);
    shutdown(sending->fd, SHUT_WR);
    return code;
}

UMBEL_TASK(waits_echo, "waits.echo")
{
    int port, fd, listener = listen_here(&port), result = -1;
    char data[3000];
    size_t got, all = 0, wrong = 0;
    EXPECT(task, listener >= 0);
    umbel_coroutine *server = umbel_spawn(task, echo, &listener);
    EXPECT(task, umbel_dial(task, "localhost", port, 10, &fd) == UMBEL_OK);
    struct sending sending = {fd, 2 << 20};
    umbel_coroutine *sender = umbel_spawn(task, send_numbers, &sending);
    do {
        EXPECT(task, umbel_read(task, fd, data, sizeof data, 10, &got) == UMBEL_OK);
        for (size_t i = 0; i < got; i++)
            wrong += data[i] != (char)((all + i) * 31 >> 3);
        all += got;
    } while (got);
    EXPECT(task, all == 2 << 20 && wrong == 0);
    EXPECT(task, umbel_join(task, sender, 10, &result) == UMBEL_OK && result == 0);
    EXPECT(task, umbel_join(task, server, 10, &result) == UMBEL_OK && result == 0);
    umbel_close_fd(task, fd);
    close(listener);
    umbel_return(task, "good");
}

UMBEL_TASK(waits_dial, "waits.dial")
{
    int port, fd = -1, listener = listen_here(&port);
    struct addrinfo *found = NULL;
    close(listener);
    EXPECT(task, umbel_dial(task, "127.0.0.1", port, 10, &fd) == UMBEL_SYSTEM && errno == ECONNREFUSED);
    EXPECT(task, umbel_dial(task, "127.0.0.1", 70000, 10, &fd) == UMBEL_BAD_ARGUMENT);
    EXPECT(task, umbel_resolve(task, "localhost", 80, 10, &found) == UMBEL_OK && found);
    freeaddrinfo(found);
    int code = umbel_resolve(task, "no-such-name.invalid", 80, 20, &found);
    EXPECT(task, code == UMBEL_NOT_FOUND || code == UMBEL_SYSTEM); /* the latter without a name server */
    umbel_return(task, "good");
}

static int write_late(umbel_task *task, void *argument)
{
    int *fd = argument;
    umbel_sleep(task, 0.02);
    return umbel_write(task, *fd, "x", 1, 10);
}

/* Blocking descriptors: nothing waits in the kernel all the same. */
UMBEL_TASK(waits_pipe, "waits.pipe")
{
    int ends[2], ready = 0;
    char item;
    size_t got = 9;
    EXPECT(task, pipe(ends) == 0);
    EXPECT(task, umbel_read(task, ends[0], &item, 1, 0.02, &got) == UMBEL_TIMEOUT);
    EXPECT(task, umbel_wait_fd(task, ends[0], UMBEL_READABLE, 0, NULL) == UMBEL_TIMEOUT);
    EXPECT(task,
           umbel_wait_fd(task, ends[1], UMBEL_WRITABLE, 0, &ready) == UMBEL_OK && ready == UMBEL_WRITABLE);
    umbel_spawn(task, write_late, &ends[1]);
    EXPECT(task, umbel_read(task, ends[0], &item, 1, 10, &got) == UMBEL_OK && got == 1 && item == 'x');
    umbel_close_fd(task, ends[1]);
    EXPECT(task, umbel_read(task, ends[0], &item, 1, 10, &got) == UMBEL_OK && got == 0);
    umbel_close_fd(task, ends[0]);
    EXPECT(task, umbel_wait_fd(task, ends[0], UMBEL_READABLE, 1, NULL) == UMBEL_SYSTEM && errno == EBADF);
    umbel_return(task, "good");
}

static int await_readable(umbel_task *task, void *argument)
{
    int *fd = argument;
    return umbel_wait_fd(task, *fd, UMBEL_READABLE, 10, NULL);
}

/* Several wait for one descriptor, for different things; its number is used again for another file. */
UMBEL_TASK(waits_share, "waits.share")
{
    int pair[2], again[2], first = -1, second = -1;
    EXPECT(task, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    umbel_coroutine *one = umbel_spawn(task, await_readable, &pair[0]);
    umbel_coroutine *other = umbel_spawn(task, await_readable, &pair[0]);
    umbel_sleep(task, 0.01);
    EXPECT(task, umbel_wait_fd(task, pair[0], UMBEL_WRITABLE, 1, NULL) == UMBEL_OK);
    EXPECT(task, umbel_join(task, one, 0.01, NULL) == UMBEL_TIMEOUT);
    EXPECT(task, umbel_write(task, pair[1], "x", 1, 1) == UMBEL_OK);
    EXPECT(task,
           umbel_join(task, one, 10, &first) == UMBEL_OK && umbel_join(task, other, 10, &second) == UMBEL_OK);
    EXPECT(task, first == UMBEL_OK && second == UMBEL_OK);
    close(pair[0]); /* behind our back */
    close(pair[1]);
    EXPECT(task, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, again) == 0);
    EXPECT(task, umbel_wait_fd(task, again[0], UMBEL_READABLE, 0.02, NULL) == UMBEL_TIMEOUT);
    one = umbel_spawn(task, await_readable, &again[0]);
    umbel_sleep(task, 0.01);
    umbel_close_fd(task, again[0]);
    EXPECT(task, umbel_join(task, one, 10, &first) == UMBEL_OK && first == UMBEL_CLOSED);
    close(again[1]);
    umbel_return(task, "good");
}

UMBEL_TASK(waits_file, "waits.file")
{
    char line[100];
    size_t got = 0;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    EXPECT(task, umbel_read(task, fd, line, sizeof line, 1, &got) == UMBEL_OK && got > 0);
    EXPECT(task, umbel_write(task, null, line, got, 1) == UMBEL_OK);
    close(fd);
    close(null);
    umbel_return(task, "good");
}

/* ---- threads and programs ---- */

struct slow {
    int ticks, seen;
    bool over;
};

static void block(void *argument)
{
    struct slow *slow = argument;
    usleep(50000);
    slow->seen = 42;
}

static int tick(umbel_task *task, void *argument)
{
    struct slow *slow = argument;
    for (; !slow->over && umbel_sleep(task, 0.002) == UMBEL_OK; slow->ticks++) {
    }
    return slow->ticks;
}

UMBEL_TASK(waits_blocking, "waits.blocking")
{
    struct slow slow = {0};
    umbel_coroutine *ticker = umbel_spawn(task, tick, &slow);
    EXPECT(task, umbel_run_blocking(task, block, &slow) == UMBEL_OK && slow.seen == 42);
    slow.over = true;
    EXPECT(task, umbel_join(task, ticker, 10, NULL) == UMBEL_OK);
    EXPECT(task, slow.ticks >= 3); /* the others ran meanwhile */
    umbel_return(task, "good");
}

static bool is(umbel_str text, const char *wanted)
{
    return text.size == strlen(wanted) && memcmp(text.data, wanted, text.size) == 0 &&
           text.data[text.size] == 0;
}

UMBEL_TASK(waits_program, "waits.program")
{
    const char *const talk[] = {"sh", "-c", "read x; echo got $x in $PWD; echo $A >&2; exit 3", NULL};
    const char *const environment[] = {"A=b c", "PATH=/usr/bin:/bin", NULL};
    const char *const flood[] = {"head", "-c", "3000000", "/dev/zero", NULL};
    const char *const loiter[] = {"sh", "-c", "echo begun; exec sleep 30", NULL};
    const char *const nothing[] = {"no-such-program-anywhere", NULL};
    umbel_program_options options = {.directory = "/usr", .environment = environment, .input = {"hi\n", 3}};
    umbel_program_end end;
    EXPECT(task, umbel_run_program(task, talk, &options, 10, &end) == UMBEL_OK);
    EXPECT(task, end.exit_code == 3 && end.signal == 0 && !end.cut);
    EXPECT(task, is(end.out, "got hi in /usr\n") && is(end.err, "b c\n"));
    umbel_program_end_free(&end);
    EXPECT(task, umbel_run_program(task, flood, NULL, 10, &end) == UMBEL_OK);
    EXPECT(task, end.exit_code == 0 && end.out.size == 1 << 20 && end.cut);
    umbel_program_end_free(&end);
    EXPECT(task, umbel_run_program(task, loiter, NULL, 0.3, &end) == UMBEL_TIMEOUT);
    EXPECT(task, end.exit_code == -1 && end.signal == 9 && is(end.out, "begun\n"));
    umbel_program_end_free(&end);
    EXPECT(task, umbel_run_program(task, nothing, NULL, 10, &end) == UMBEL_NOT_FOUND);
    umbel_return(task, "good");
}

/* A program that does not read what it is given. */
UMBEL_TASK(waits_deaf, "waits.deaf")
{
    const char *const deaf[] = {"sh", "-c", "exec <&-; sleep 0.05; exit 5", NULL};
    umbel_program_options options = {.input = {calloc(1, 1 << 20), 1 << 20}};
    umbel_program_end end;
    int code = umbel_run_program(task, deaf, &options, 10, &end);
    free((void *)(uintptr_t)options.input.data);
    EXPECT(task, code == UMBEL_OK && end.exit_code == 5);
    umbel_program_end_free(&end);
    umbel_return(task, "good");
}

/* ---- between coroutines ---- */

static int produce(umbel_task *task, void *argument)
{
    umbel_channel *channel = argument;
    int code = UMBEL_OK;
    for (int i = 0; i < 1000 && code == UMBEL_OK; i++)
        code = umbel_channel_send(task, channel, &i, 10);
    umbel_channel_close(channel);
    return code;
}

static int receive_one(umbel_task *task, void *argument)
{
    int item = -1;
    int code = umbel_channel_receive(task, argument, &item, 10);
    return code ? -code : item;
}

static void pass_through(umbel_task *task, size_t room)
{
    umbel_channel *channel = umbel_channel_new(sizeof(int), room);
    int item, expected = 0;
    umbel_spawn(task, produce, channel);
    while (umbel_channel_receive(task, channel, &item, 10) == UMBEL_OK) {
        EXPECT(task, item == expected);
        expected++;
    }
    EXPECT(task, expected == 1000);
    EXPECT(task, umbel_channel_send(task, channel, &item, 1) == UMBEL_CLOSED);
    EXPECT(task, umbel_channel_receive(task, channel, &item, 1) == UMBEL_CLOSED);
    umbel_channel_free(channel);
}

UMBEL_TASK(waits_channel, "waits.channel")
{
    int item = 7, first = -1, second = -1;
    pass_through(task, 0);
    pass_through(task, 1);
    pass_through(task, 10);
    umbel_channel *channel = umbel_channel_new(sizeof item, 2);
    EXPECT(task, umbel_channel_receive(task, channel, &item, 0.01) == UMBEL_TIMEOUT);
    EXPECT(task, umbel_channel_send(task, channel, &item, 0) == UMBEL_OK);
    EXPECT(task, umbel_channel_send(task, channel, &item, 0) == UMBEL_OK);
    EXPECT(task, umbel_channel_send(task, channel, &item, 0.01) == UMBEL_TIMEOUT); /* bounded */
    EXPECT(task, umbel_channel_receive(task, channel, &item, 0) == UMBEL_OK && item == 7);
    EXPECT(task, umbel_channel_receive(task, channel, &item, 0) == UMBEL_OK);
    umbel_coroutine *one = umbel_spawn(task, receive_one, channel),
                    *other = umbel_spawn(task, receive_one, channel);
    umbel_sleep(task, 0);
    EXPECT(task, umbel_channel_send(task, channel, &item, 1) == UMBEL_OK);
    umbel_channel_close(channel);
    EXPECT(task,
           umbel_join(task, one, 10, &first) == UMBEL_OK && umbel_join(task, other, 10, &second) == UMBEL_OK);
    EXPECT(task, first == 7 && second == -UMBEL_CLOSED); /* who waited first is served first */
    umbel_channel_free(channel);
    umbel_return(task, "good");
}

static int await_event(umbel_task *task, void *argument)
{
    return umbel_event_wait(task, argument, 10);
}

UMBEL_TASK(waits_event, "waits.event")
{
    umbel_event *event = umbel_event_new();
    int first = -1, second = -1;
    umbel_coroutine *one = umbel_spawn(task, await_event, event),
                    *other = umbel_spawn(task, await_event, event);
    EXPECT(task, umbel_event_wait(task, event, 0.01) == UMBEL_TIMEOUT);
    umbel_event_set(event);
    EXPECT(task, umbel_event_wait(task, event, 0) == UMBEL_OK);
    EXPECT(task,
           umbel_join(task, one, 10, &first) == UMBEL_OK && umbel_join(task, other, 10, &second) == UMBEL_OK);
    EXPECT(task, first == UMBEL_OK && second == UMBEL_OK);
    umbel_event_clear(event);
    EXPECT(task, umbel_event_wait(task, event, 0) == UMBEL_TIMEOUT);
    umbel_event_free(event);
    umbel_return(task, "good");
}

struct room {
    umbel_semaphore *door;
    int inside, most;
};

static int enter_room(umbel_task *task, void *argument)
{
    struct room *room = argument;
    for (int i = 0; i < 5; i++) {
        if (umbel_semaphore_acquire(task, room->door, 10))
            return -1;
        room->inside++;
        room->most = room->inside > room->most ? room->inside : room->most;
        umbel_sleep(task, 0.001);
        room->inside--;
        umbel_semaphore_release(room->door);
    }
    return 0;
}

UMBEL_TASK(waits_semaphore, "waits.semaphore")
{
    struct room room = {.door = umbel_semaphore_new(3)};
    umbel_coroutine *all[10];
    for (int i = 0; i < 10; i++)
        all[i] = umbel_spawn(task, enter_room, &room);
    for (int i = 0; i < 10; i++) {
        int result = -1;
        EXPECT(task, umbel_join(task, all[i], 10, &result) == UMBEL_OK && result == 0);
    }
    EXPECT(task, room.most == 3);
    for (int i = 0; i < 3; i++)
        EXPECT(task, umbel_semaphore_acquire(task, room.door, 0) == UMBEL_OK);
    EXPECT(task, umbel_semaphore_acquire(task, room.door, 0.01) == UMBEL_TIMEOUT);
    umbel_semaphore_free(room.door);
    umbel_return(task, "good");
}

/* ---- too deep ---- */

static int dig(umbel_task *task, void *argument)
{
    volatile char room[1000];
    room[0] = argument ? 1 : 0;
    return umbel_task_deaths(task) < 1000 ? dig(task, argument) + room[0] : 0;
}

UMBEL_TASK(waits_overflow, "waits.overflow")
{
    int never;
    umbel_join(task, umbel_spawn(task, dig, task), -1, &never);
    umbel_return(task, never);
}
