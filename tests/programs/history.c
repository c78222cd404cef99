/* history.c: a client that writes down what it was promised and what it saw, for the checker of tests/faults.
 *
 *     history BROKER BACKEND QUEUE FILE COUNT TASK MILLISECONDS PER_SECOND DEADLINE
 *
 * Sends COUNT calls of TASK (several names separated by commas are taken in turn), PER_SECOND of them (0: as
 * fast as it can), and waits for each until DEADLINE seconds after its own submission. Lines of FILE, times
 * monotonic in seconds:
 *
 *     submit ID TIME                the library took it
 *     accepted ID TIME              or: unsent ID TIME CODE
 *     result ID TIME CODE VALUE     what umbel_get answered
 *     late ID SECONDS               by how much a wait outlived its deadline
 *
 * Prints "sending" at the first and "sent" after the last submission, which may come sooner: SIGUSR1 says
 * that it is enough. Ends with 0 whenever it came to its end.
 *
 * A machine that is busy elsewhere wakes every sleeper late. So a second thread sleeps for a few milliseconds
 * at a time and notes how late it is woken itself: only what a wait is late beyond that is the library's. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
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
static volatile sig_atomic_t enough;

static void on_enough(int number)
{
    (void)number;
    enough = 1;
}

static double monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- the machine's own lateness ---- */

enum { BEAT_US = 5000 };
static atomic_int slept_over; /* microseconds, the most since it was set to 0 */

static void *metronome(void *none)
{
    for (;;) {
        double began = monotonic();
        usleep(BEAT_US);
        int over = (int)((monotonic() - began) * 1e6) - BEAT_US;
        if (over > atomic_load(&slept_over))
            atomic_store(&slept_over, over);
    }
    return none;
}

/* What is left of `over` seconds without the machine's share, and counts anew from here. */
static double own_share(double over)
{
    return over - (double)atomic_exchange(&slept_over, 0) * 1e-6;
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
    own_share(0);
    int code = umbel_get(call->future, allowed, &value);
    double over = monotonic() - began - allowed;
    if (over > 0.1) /* the metronome was held up as well: it gets the time to say so */
        usleep(20 * BEAT_US);
    over = own_share(over);
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
    signal(SIGUSR1, on_enough);
    pthread_t beat;
    if (pthread_create(&beat, NULL, metronome, NULL))
        return 3;
    umbel_client *client = umbel_connect(argv[1], argv[2]);
    struct call *calls = calloc(count, sizeof *calls);
    say("sending");
    double start = monotonic();
    size_t sent = 0;
    for (; sent < count && !enough; sent++) {
        pace(start, sent, atof(argv[8]));
        submit(client, &calls[sent], argv, name[sent % names]);
    }
    say("sent");
    for (size_t i = 0; i < sent; i++)
        note_result(&calls[i], atof(argv[9]));
    free(calls);
    double began = monotonic();
    own_share(0);
    umbel_close(client, 2);
    double over = monotonic() - began - 2;
    if (over > 0.1 && own_share(over) > 0.1)
        note("late close %.3f\n", over);
    return 0;
}
