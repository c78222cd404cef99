/* tour_coroutines.c: every call of coroutine.h: a server and its clients in one task, channels, events,
 * semaphores, another thread, a child program.
 *
 *     ./tour_coroutines                              coroutines of this program
 *     ./tour_coroutines sqlite:/tmp/u.db             workers on this machine, on any pool: the same program
 * is one
 *     ./tour_coroutines -b sqlite:/tmp/u.db worker -P coroutines */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <umbel.h>

struct house {
    int listener, port;
    umbel_event *open;
    umbel_semaphore *chairs;
    umbel_channel *said;
};

/* Says to one client what it hears from it. */
static int serve(umbel_task *task, void *argument)
{
    struct house *house = argument;
    char text[16];
    size_t got = 0;
    umbel_event_set(house->open);
    int code = umbel_wait_fd(task, house->listener, UMBEL_READABLE, 5, NULL);
    int fd = code ? -1 : accept(house->listener, NULL, NULL);
    if (fd >= 0 && (code = umbel_read(task, fd, text, sizeof text, 5, &got)) == UMBEL_OK)
        code = umbel_write(task, fd, text, got, 5);
    umbel_close_fd(task, fd);
    return code;
}

static int visit(umbel_task *task, void *argument)
{
    struct house *house = argument;
    char text[16] = "";
    size_t got;
    int fd, code = umbel_event_wait(task, house->open, 5);
    if (code || (code = umbel_semaphore_acquire(task, house->chairs, 5)))
        return code;
    if ((code = umbel_dial(task, "127.0.0.1", house->port, 5, &fd)) == UMBEL_OK) {
        umbel_write(task, fd, "hello", 5, 5);
        umbel_read(task, fd, text, sizeof text - 1, 5, &got);
        umbel_close_fd(task, fd);
    }
    umbel_semaphore_release(house->chairs);
    code = umbel_channel_send(task, house->said, text, 5);
    umbel_channel_close(house->said);
    return code;
}

static void add_up(void *argument) /* on another thread */
{
    int *sum = argument;
    for (int i = 1; i <= 100; i++)
        *sum += i;
}

static void others(umbel_task *task, umbel_value *map)
{
    int sum = 0;
    struct addrinfo *found = NULL;
    umbel_program_end end;
    if (umbel_run_blocking(task, add_up, &sum) == UMBEL_OK)
        umbel_add_int(map, "sum", sum);
    if (umbel_resolve(task, "127.0.0.1", 80, 5, &found) == UMBEL_OK)
        freeaddrinfo(found);
    umbel_add_bool(map, "resolved", found != NULL);
    if (umbel_run_program(task, (const char *[]){"tr", "a-z", "A-Z", NULL},
                          &(umbel_program_options){.input = {"loud", 4}}, 5, &end) == UMBEL_OK) {
        umbel_add_strn(map, "program", end.out);
        umbel_program_end_free(&end);
    }
}

static int listen_somewhere(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&at, size) || listen(fd, 4) ||
        getsockname(fd, (struct sockaddr *)&at, &size))
        return -1;
    *port = ntohs(at.sin_port);
    return fd;
}

UMBEL_TASK(tour, "tour.coroutines")
{
    struct house house = {-1, 0, umbel_event_new(), umbel_semaphore_new(1), umbel_channel_new(16, 1)};
    umbel_value *map = umbel_map_new();
    char text[16];
    house.listener = listen_somewhere(&house.port);
    umbel_coroutine *both[] = {umbel_spawn(task, serve, &house), umbel_spawn(task, visit, &house)};
    while (umbel_channel_receive(task, house.said, text, 5) == UMBEL_OK)
        umbel_add_str(map, "echo", text);
    for (int i = 0; i < 2; i++)
        umbel_join(task, both[i], 5, NULL);
    umbel_event_clear(house.open);
    umbel_coroutine *late =
        umbel_spawn(task, visit, &house); /* waits for the house to open, and is told to stop */
    umbel_interrupt(task, late);
    int code = UMBEL_OK;
    umbel_join(task, late, 5, &code);
    umbel_add_str(map, "late", umbel_strerror(code));
    others(task, map);
    umbel_close_fd(task, house.listener);
    umbel_channel_free(house.said);
    umbel_semaphore_free(house.chairs);
    umbel_event_free(house.open);
    umbel_return(task, map);
    umbel_value_free(map);
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] == '-')
        return umbel_main(argc, argv);
    umbel_client *client =
        umbel_connect(argc > 1 ? argv[1] : "memory://?pool=coroutines", argc > 2 ? argv[2] : NULL);
    umbel_future *tour = umbel_submit(client, "tour.coroutines", UMBEL_ARGS());
    const umbel_value *map;
    umbel_str echo = {"", 0}, program = {"", 0}, late = {"", 0};
    if (umbel_get(tour, 20, &map))
        fprintf(stderr, "%s\n", umbel_error(tour));
    else {
        umbel_value_str(umbel_value_find(map, "echo"), &echo);
        umbel_value_str(umbel_value_find(map, "program"), &program);
        umbel_value_str(umbel_value_find(map, "late"), &late);
        printf("%s, %s, %s\n", echo.data, program.data, late.data);
    }
    umbel_future_free(tour);
    return umbel_close(client, 1);
}
