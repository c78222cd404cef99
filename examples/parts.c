/* parts.c: reads a result while the task still makes it.
 *
 *     cc -o parts parts.c $(pkg-config --cflags --libs umbel) && UMBEL_BROKER_URL=... ./parts
 */
#include <stdio.h>
#include <umbel.h>

int main(void)
{
    umbel_client *client = umbel_connect(NULL, NULL);
    umbel_future *words = umbel_submit(client, "text.words", UMBEL_ARGS("one word after the other"));
    const char *word;
    int64_t count = 0;
    int code;
    while ((code = umbel_next(words, 10.0, &word)) == UMBEL_OK || code == UMBEL_RESTARTED) {
        if (code == UMBEL_RESTARTED) /* a worker died: the task began again, and so do we */
            printf("(from the start)\n");
        else
            printf("%s\n", word);
    }
    if (code != UMBEL_EXHAUSTED || umbel_get(words, 10.0, &count))
        fprintf(stderr, "%s\n", umbel_error(words));
    else
        printf("%lld words\n", (long long)count);
    umbel_future_free(words);
    umbel_close(client, 1.0);
    return code != UMBEL_EXHAUSTED;
}
