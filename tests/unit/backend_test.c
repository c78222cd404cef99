/* backend_test.c: which URLs can keep results, and what is said of the others. */
#include <criterion/criterion.h>

#include "broker/backend.h"

TestSuite(backend_url, .timeout = 20);

static int open_url(const char *url, char text[512])
{
    static const struct backend_events events;
    struct backend_options options = {0};
    struct backend *backend = NULL;
    struct loop loop;
    struct buffer why;
    cr_assert_eq(loop_init(&loop), UMBEL_OK);
    buffer_init(&why, 511);
    int code = backend_open(&backend, &loop, url, &options, &events, NULL, &why);
    snprintf(text, 512, "%.*s", (int)buffer_length(&why),
             buffer_length(&why) ? (char *)buffer_head(&why) : "");
    buffer_fini(&why);
    loop_fini(&loop);
    return code;
}

Test(backend_url, a_broker_cannot_keep_results_and_what_can_is_named)
{
    char text[512];
    cr_assert_eq(open_url("amqp://anna:hunter2@h//", text), UMBEL_BAD_URL);
    cr_assert(strstr(text, "amqp:// cannot keep results") && strstr(text, "redis") && strstr(text, "memory"),
              "%s", text);
    cr_assert_null(strstr(text, "hunter2"));
}

Test(backend_url, what_is_wrong_is_said_without_the_password)
{
    static const char *const urls[] = {"redis://anna:hunter2@h/x", "redis://anna:hunter2@h:port",
                                       "redis://anna:hunter2@h/0?verify=none", "hunter2", NULL};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        char text[512];
        cr_assert_eq(open_url(urls[i], text), UMBEL_BAD_URL, "%s", urls[i]);
        cr_assert_neq(*text, 0);
        cr_assert_null(strstr(text, "hunter2"), "%s", text);
    }
}
