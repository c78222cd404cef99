/* burst.c: sends many calls of `trace` and waits for every one: burst BROKER BACKEND QUEUE COUNT FILE
 * SECONDS.
 *
 * Prints "sent" once all are accepted, then a line per call as it ends: "WORD STATE", the error behind it.
 * Ends with 0 when all succeeded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbel.h>

static const char *text_of(umbel_state state)
{
    switch (state) {
    case UMBEL_STATE_SUCCEEDED:
        return "SUCCESS";
    case UMBEL_STATE_FAILED:
        return "FAILURE";
    case UMBEL_STATE_REVOKED:
        return "REVOKED";
    case UMBEL_STATE_UNSENT:
        return "UNSENT";
    default:
        return "PENDING";
    }
}

int main(int argc, char **argv)
{
    if (argc != 7)
        return 2;
    const char *queue = argv[3], *path = argv[5];
    size_t count = (size_t)atoi(argv[4]);
    double seconds = atof(argv[6]);
    umbel_client *client = umbel_connect(argv[1], strcmp(argv[2], "-") ? argv[2] : NULL);
    umbel_future **futures = calloc(count, sizeof *futures);
    for (size_t i = 0; i < count; i++) {
        char word[32];
        snprintf(word, sizeof word, "w%zu", i);
        futures[i] = umbel_submit(client, "trace", UMBEL_ARGS(path, word, seconds), .queue = queue,
                                  .create_queue = true);
    }
    int code = umbel_flush(client, 30);
    if (code)
        fprintf(stderr, "flush: %s\n", umbel_client_error(client));
    puts("sent");
    fflush(stdout);
    umbel_wait(futures, count, UMBEL_ALL_COMPLETED, 60);
    size_t good = 0;
    for (size_t i = 0; i < count; i++) {
        umbel_state state = umbel_future_state(futures[i]);
        good += state == UMBEL_STATE_SUCCEEDED;
        printf("w%zu %s %s\n", i, text_of(state), umbel_error(futures[i]));
        umbel_future_free(futures[i]);
    }
    free(futures);
    umbel_close(client, 1);
    return good == count ? 0 : 1;
}
