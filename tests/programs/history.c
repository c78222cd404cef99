/* history.c: a client that writes down what it was promised and what it saw, for the checker of tests/faults.
 *
 *     history BROKER BACKEND QUEUE FILE COUNT TASK MILLISECONDS PER_SECOND DEADLINE
 *
 * Sends COUNT calls of TASK (several names separated by commas are taken in turn), PER_SECOND of them (0: as
 * fast as it can), and waits for each until DEADLINE seconds after its own submission. Lines of FILE, times
 * monotonic in seconds: submit ID TIME                   the library took it accepted ID TIME | unsent ID
 * TIME CODE result ID TIME CODE VALUE        what umbel_get answered late ID SECONDS                  by how
 * much a wait outlived its deadline Prints "sending" at the first and "sent" after the last submission. Ends
 * with 0 whenever it came to its end. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <umbel.h>

struct call {
    umbel_future *future;
    double submitted;
};

static int history;

static double monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    char line[600];
    va_list list;
    va_start(list, format);
    int size = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (size < 0 || (size_t)size >= sizeof line || write(history, line, (size_t)size) != size)
        _exit(9);
}

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

static void pace(double start, size_t sent, double per_second)
{
    double ahead = per_second > 0 ? start + (double)sent / per_second - monotonic() : 0;
    if (ahead > 0)
        usleep((useconds_t)(ahead * 1e6));
}

static void submit(umbel_client *client, struct call *call, char **argv, const char *task)
{
    call->submitted = monotonic();
    call->future = umbel_submit(client, task, UMBEL_ARGS((const char *)argv[4], atoi(argv[7])),
                                .queue = argv[3], .create_queue = true, .timeout = atof(argv[9]));
    note("submit %s %.6f\n", umbel_future_id(call->future), call->submitted);
}

static void note_result(struct call *call, double deadline)
{
    double left = call->submitted + deadline - monotonic();
    double began = monotonic(), allowed = left > 0 ? left : 0;
    const char *value = NULL;
    int code = umbel_get(call->future, allowed, &value);
    double over = monotonic() - began - allowed;
    const char *id = umbel_future_id(call->future);
    if (umbel_future_state(call->future) == UMBEL_STATE_UNSENT)
        note("unsent %s %.6f %s\n", id, monotonic(), umbel_code_name(code));
    else if (umbel_future_state(call->future) != UMBEL_STATE_SENDING)
        note("accepted %s %.6f\n", id, monotonic());
    const char *type = umbel_error_type(call->future);
    note("result %s %.6f %s %s\n", id, monotonic(), umbel_code_name(code), value ? value : type ? type : "-");
    if (over > 0.1)
        note("late %s %.3f\n", id, over);
    umbel_future_free(call->future);
}

int main(int argc, char **argv)
{
    if (argc != 10 || (history = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
        return 2;
    size_t count = (size_t)atol(argv[5]), names = 0;
    const char *name[16];
    for (char *word = strtok(argv[6], ","); word && names < 16; word = strtok(NULL, ","))
        name[names++] = word;
    umbel_client *client = umbel_connect(argv[1], argv[2]);
    struct call *calls = calloc(count, sizeof *calls);
    say("sending");
    double start = monotonic();
    for (size_t i = 0; i < count; i++) {
        pace(start, i, atof(argv[8]));
        submit(client, &calls[i], argv, name[i % names]);
    }
    say("sent");
    for (size_t i = 0; i < count; i++)
        note_result(&calls[i], atof(argv[9]));
    free(calls);
    double began = monotonic();
    umbel_close(client, 2);
    if (monotonic() - began > 2.1)
        note("late close %.3f\n", monotonic() - began - 2);
    return 0;
}
