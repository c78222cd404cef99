/* chunk.c: a C program that calls in chunks: chunk BROKER BACKEND QUEUE TASK json|msgpack COUNT SIZE. TASK
 * adds two numbers. Prints the sums it got back in order, or the error of the first chunk that failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbel.h>

static int show(umbel_future *future)
{
    const umbel_value *list = NULL;
    if (umbel_get(future, 20, &list)) {
        const char *trace = umbel_traceback(future);
        printf("%s\n%s\n", umbel_error(future), trace ? trace : "");
        return 1;
    }
    for (size_t i = 0; i < umbel_value_count(list); i++) {
        int64_t sum = -1;
        umbel_value_int(umbel_value_at(list, i), &sum);
        printf("%lld\n", (long long)sum);
    }
    return 0;
}

int main(int argc, char **argv)
{
    enum { CHUNKS = 1000 };
    umbel_future *futures[CHUNKS] = {NULL};
    if (argc != 8)
        return 2;
    long count = atol(argv[6]), size = atol(argv[7]), sent = 0;
    umbel_client *client = umbel_connect(argv[1], argv[2]);
    umbel_chunk *chunk =
        umbel_chunk_new(client, argv[4], strcmp(argv[5], "json") ? UMBEL_MSGPACK : UMBEL_JSON);
    for (long i = 0; i < count; i++) {
        if (umbel_chunk_add(chunk, UMBEL_ARGS(i, 1)))
            return 2;
        if ((umbel_chunk_count(chunk) == (size_t)size || i == count - 1) && sent < CHUNKS)
            futures[sent++] = umbel_submit_chunk(chunk, .queue = argv[3]);
    }
    int code = 0;
    for (long i = 0; i < sent; i++) {
        code |= code ? 0 : show(futures[i]);
        umbel_future_free(futures[i]);
    }
    umbel_chunk_free(chunk);
    umbel_close(client, 5);
    return code;
}
