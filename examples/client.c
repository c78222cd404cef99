/* client.c: calling a task from C. The URLs come from UMBEL_BROKER_URL and UMBEL_RESULT_BACKEND.
 *
 *     cc -o client client.c $(pkg-config --cflags --libs umbel)
 */
#include <stdio.h>
#include <umbel.h>

int main(void)
{
    umbel_client *client = umbel_connect(NULL, NULL);

    umbel_future *sum = umbel_submit(client, "math.add", UMBEL_ARGS(2, 3));
    umbel_future *ratio =
        umbel_submit(client, "math.divide", UMBEL_ARGS(1, umbel_kwarg("y", 0)), .expires = 60);

    int64_t value;
    int code = umbel_get(sum, 5.0, &value);
    if (code)
        fprintf(stderr, "%s\n", umbel_error(sum));
    else
        printf("2 + 3 = %lld\n", (long long)value);

    double quotient;
    if (umbel_get(ratio, 5.0, &quotient) == UMBEL_FAILED)
        printf("1 / 0: %s: %s\n", umbel_error_type(ratio), umbel_error_message(ratio));

    umbel_future_free(sum);
    umbel_future_free(ratio);
    umbel_close(client, 1.0);
    return code;
}
