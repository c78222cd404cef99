/* values.c: a C client of a Python worker: values BROKER BACKEND QUEUE json|msgpack. Says what is wrong, ends
 * with 1. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <umbel.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("line %d: %s\n", __LINE__, #condition);                                                   \
            bad++;                                                                                           \
        }                                                                                                    \
    } while (0)

static int bad;
static umbel_client *client;
static umbel_submit_options options;

static umbel_future *call(const char *task, umbel_arguments arguments)
{
    return umbel_submit_with(client, task, arguments, &options);
}

static void integers(void)
{
    const int64_t edges[] = {0, -1, 127, 128, -129, 65536, INT32_MIN, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        int64_t back = 1;
        umbel_future *future = call("py.one", UMBEL_ARGS(edges[i]));
        CHECK(umbel_get(future, 20, &back) == UMBEL_OK && back == edges[i]);
        umbel_future_free(future);
    }
}

static void others(void)
{
    double real = 0;
    umbel_future *future = call("py.one", UMBEL_ARGS(-1.5e300));
    CHECK(umbel_get(future, 20, &real) == UMBEL_OK && real == -1.5e300);
    umbel_future_free(future);

    bool truth = false;
    future = call("py.one", UMBEL_ARGS((bool)true));
    CHECK(umbel_get(future, 20, &truth) == UMBEL_OK && truth);
    int number = 7;
    CHECK(umbel_get(future, 20, &number) == UMBEL_BAD_TYPE && number == 7);
    umbel_future_free(future);

    const char *text = NULL;
    future = call("py.one", UMBEL_ARGS("gr\xc3\xbc\xc3\x9f dich"));
    CHECK(umbel_get(future, 20, &text) == UMBEL_OK && text && !strcmp(text, "gr\xc3\xbc\xc3\x9f dich"));
    umbel_future_free(future);

    const umbel_value *value = NULL;
    future = call("py.echo", UMBEL_ARGS(1, umbel_null(), umbel_kwarg("k", "v")));
    CHECK(umbel_get(future, 20, &value) == UMBEL_OK);
    CHECK(umbel_value_kind(umbel_value_at(umbel_value_at(value, 0), 1)) == UMBEL_NULL);
    umbel_str k = {NULL, 0};
    CHECK(umbel_value_str(umbel_value_find(umbel_value_at(value, 1), "k"), &k) == UMBEL_OK && k.size == 1);
    umbel_future_free(future);
}

static void bytes(void)
{
    unsigned char data[256];
    for (int i = 0; i < 256; i++)
        data[i] = (unsigned char)i;
    umbel_future *future = call("py.one", UMBEL_ARGS(umbel_bytes(data, sizeof data)));
    umbel_str back = {NULL, 0};
    CHECK(umbel_get(future, 20, &back) == UMBEL_OK && back.size == 256 && !memcmp(back.data, data, 256));
    CHECK(umbel_value_kind(umbel_result(future)) == UMBEL_BYTES);
    umbel_future_free(future);
    future = call("py.size", UMBEL_ARGS(umbel_bytes(data, 10)));
    const umbel_value *value = NULL;
    CHECK(umbel_get(future, 20, &value) == UMBEL_OK);
    umbel_str kind = {NULL, 0};
    CHECK(umbel_value_str(umbel_value_at(value, 0), &kind) == UMBEL_OK && !strcmp(kind.data, "bytes"));
    umbel_future_free(future);
}

static void failure(void)
{
    umbel_future *future = call("py.fail", UMBEL_ARGS("no good"));
    CHECK(umbel_get(future, 20, (void *)NULL) == UMBEL_FAILED);
    CHECK(umbel_future_state(future) == UMBEL_STATE_FAILED);
    CHECK(!strcmp(umbel_error_type(future), "ValueError"));
    CHECK(!strcmp(umbel_error_message(future), "no good"));
    CHECK(umbel_traceback(future) && strstr(umbel_traceback(future), "Traceback"));
    CHECK(strstr(umbel_error(future), "no good") && strstr(umbel_error(future), "py.fail"));
    umbel_future_free(future);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    bool msgpack = !strcmp(argv[4], "msgpack");
    client = umbel_connect(argv[1], argv[2]);
    options = (umbel_submit_options){.queue = argv[3], .serializer = msgpack ? UMBEL_MSGPACK : UMBEL_JSON};
    CHECK(umbel_client_wait(client, 10) == UMBEL_OK);
    integers();
    others();
    failure();
    if (msgpack)
        bytes();
    umbel_close(client, 1);
    return bad ? 1 : 0;
}
