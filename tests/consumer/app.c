/* app.c: a program that knows nothing of Umbel's tree, only of what is installed. Its own functions carry names that the
 * library uses inside: with the static library they must not meet. */
#include <stdio.h>
#include <string.h>
#include <umbel.h>

int buffer_init(void);
int loop_run(void);
int codec_row(void);
int buffer_init(void)
{
    return 1;
}
int loop_run(void)
{
    return 2;
}
int codec_row(void)
{
    return 3;
}

UMBEL_TASK(add, "math.add", .time_limit = 5)
{
    int64_t x, y = 1;
    const char *unit = "";
    if (umbel_args(task, &x, umbel_named("y", &y), umbel_optional("unit", &unit)))
        return;
    umbel_return(task, x + y);
}

UMBEL_TASK(nothing, "nothing")
{
    if (umbel_args(task))
        return;
    umbel_return(task, umbel_null());
}

static int call(umbel_client *client)
{
    umbel_future *sum = umbel_submit(client, "math.add", UMBEL_ARGS(2, 3u, "m", 2.5, UMBEL_TRUE, umbel_kwarg("z", (char)1)),
                                     .create_queue = true, .confirm = true, .expires = 60);
    int64_t value = 0;
    int code = umbel_get(sum, 0.05, &value);
    int state = umbel_future_state(sum);
    if (code != UMBEL_TIMEOUT || state != UMBEL_STATE_ACCEPTED || !*umbel_error(sum)) {
        fprintf(stderr, "%s, state %d: %s\n", umbel_code_name(code), state, umbel_error(sum));
        return 1;
    }
    umbel_future_free(sum);
    umbel_future *bare = umbel_submit(client, "nothing", UMBEL_ARGS());
    umbel_future_free(bare);
    return umbel_flush(client, 5);
}

int main(int argc, char **argv)
{
    if (argc > 1) /* the whole worker is in here too */
        return umbel_main(argc, argv);
    if (strcmp(umbel_version(), UMBEL_VERSION) != 0)
        return 1;
    umbel_client *client = umbel_connect("memory://consumer", NULL);
    int bad = !client || call(client);
    bad |= umbel_close(client, 5);
    return bad || buffer_init() + loop_run() + codec_row() != 6;
}
