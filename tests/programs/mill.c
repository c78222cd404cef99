/* mill.c: a client that lives long and calls much: mill BROKER BACKEND QUEUE < NUMBERS.
 *
 * For each number on its standard input it makes so many calls, a few hundred under way at a time, waits for every one, and
 * prints "GOOD FAILED CRASHED WRONG": results that were right, failures and crashes that were meant, and whatever else
 * came, each of which is told on stderr. One call in 100 fails, one in 1,000 kills its child, the others add. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbel.h>

enum { WINDOW = 512 };
enum kind { ADD, FAIL, CRASH };
static const double patience = 60;

struct tally {
    long good, failed, crashed, wrong;
};

static enum kind kind_of(long number)
{
    return number % 1000 == 500 ? CRASH : number % 100 == 3 ? FAIL : ADD;
}

static umbel_future *call(umbel_client *client, const char *queue, long number)
{
    umbel_submit_options options = {.queue = queue, .create_queue = true, .timeout = patience};
    switch (kind_of(number)) {
    case CRASH:
        return umbel_submit_with(client, "crash.signal", UMBEL_ARGS(9), &options);
    case FAIL:
        return umbel_submit_with(client, "fail", UMBEL_ARGS("ValueError", "as it was asked to"), &options);
    default:
        return umbel_submit_with(client, "math.add", UMBEL_ARGS(number, 1), &options);
    }
}

static bool is_of(umbel_future *future, const char *type)
{
    const char *told = umbel_error_type(future);
    return told && strcmp(told, type) == 0;
}

static void take(umbel_future *future, long number, struct tally *tally)
{
    int64_t sum = 0;
    enum kind kind = kind_of(number);
    int code = umbel_get(future, patience, &sum);
    if (kind == ADD && code == UMBEL_OK && sum == number + 1)
        tally->good++;
    else if (kind == FAIL && code == UMBEL_FAILED && is_of(future, "ValueError"))
        tally->failed++;
    else if (kind == CRASH && code == UMBEL_FAILED && is_of(future, "WorkerLostError"))
        tally->crashed++;
    else if (++tally->wrong < 10)
        fprintf(stderr, "call %ld: %s\n", number, umbel_error(future));
    umbel_future_free(future);
}

static struct tally play(umbel_client *client, const char *queue, long count)
{
    umbel_future *window[WINDOW];
    struct tally tally = {0};
    for (long i = 0; i < count + WINDOW; i++) {
        if (i >= WINDOW && i - WINDOW < count)
            take(window[i % WINDOW], i - WINDOW, &tally);
        if (i < count)
            window[i % WINDOW] = call(client, queue, i);
    }
    return tally;
}

int main(int argc, char **argv)
{
    char line[32];
    if (argc != 4)
        return 2;
    umbel_client *client = umbel_connect(argv[1], argv[2]);
    while (fgets(line, sizeof line, stdin)) {
        struct tally tally = play(client, argv[3], atol(line));
        printf("%ld %ld %ld %ld\n", tally.good, tally.failed, tally.crashed, tally.wrong);
        fflush(stdout);
    }
    return umbel_close(client, 5) == UMBEL_OK ? 0 : 1;
}
