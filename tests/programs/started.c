/* started.c: a client that sees its task begin: started BROKER BACKEND QUEUE FILE.
 *
 * Calls `trace.hold`, which waits until FILE exists; waits until the future's state is STARTED, prints what
 * the worker said of itself as JSON, makes FILE, and prints the result. Ends with 0 when all of it came. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <umbel.h>

static bool await_start(umbel_future *future)
{
    for (int i = 0; i < 1000 && umbel_future_state(future) != UMBEL_STATE_STARTED; i++)
        umbel_wait(&future, 1, UMBEL_ALL_COMPLETED, 0.01);
    return umbel_future_state(future) == UMBEL_STATE_STARTED;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    char log[4096];
    const char *gate = argv[4], *word = NULL;
    snprintf(log, sizeof log, "%s.log", gate);
    umbel_client *client = umbel_connect(argv[1], strcmp(argv[2], "-") ? argv[2] : NULL);
    umbel_future *future = umbel_submit(client, "trace.hold", UMBEL_ARGS(log, "held", gate), .queue = argv[3],
                                        .create_queue = true);
    bool good = await_start(future);
    char *place = umbel_value_json(umbel_result(future));
    printf("%s\n", place ? place : "none");
    free(place);
    close(open(gate, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    good = umbel_get(future, 20, &word) == UMBEL_OK && good;
    printf("%s\n", word ? word : umbel_error(future));
    umbel_future_free(future);
    umbel_close(client, 1);
    return good ? 0 : 1;
}
