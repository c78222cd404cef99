#include <criterion/criterion.h>
#include <string.h>

#include "common/str.h"
#include "common/url.h"

static struct arena arena;
static void begin(void)
{
    arena_init(&arena, 0);
}
static void end(void)
{
    arena_fini(&arena);
}
TestSuite(url, .init = begin, .fini = end);

Test(url, parts_are_taken_apart)
{
    static const struct {
        const char *text, *scheme, *user, *password, *host, *path;
        int port;
        bool has_path;
    } rows[] = {
        {"amqp://guest:guest@localhost:5672//", "amqp", "guest", "guest", "localhost", "/", 5672, true},
        {"AMQPS://h", "amqps", "", "", "h", "", 0, false},
        {"amqp://h/", "amqp", "", "", "h", "", 0, true},
        {"amqp://h/%2f", "amqp", "", "", "h", "/", 0, true},
        {"amqp://u%40x:p%3A%2F@h:1/v", "amqp", "u@x", "p:/", "h", "v", 1, true},
        {"amqp://u:p@w@h", "amqp", "u", "p@w", "h", "", 0, false},
        {"redis://:secret@[::1]:6379/0", "redis", "", "secret", "::1", "0", 6379, true},
        {"redis+socket:///run/redis.sock?db=3", "redis+socket", "", "", "", "run/redis.sock", 0, true},
        {"sqlite:/var/lib/u.db", "sqlite", "", "", "", "/var/lib/u.db", 0, true},
        {"sqlite:tasks.db?sync=1", "sqlite", "", "", "", "tasks.db", 0, true},
        {"memory://", "memory", "", "", "", "", 0, false},
        {"memory://?x=1", "memory", "", "", "", "", 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct url url;
        const char *why = "";
        cr_assert_eq(url_parse(&arena, rows[i].text, &url, &why), UMBEL_OK, "%s: %s", rows[i].text, why);
        cr_assert_str_eq(url.scheme.data, rows[i].scheme);
        cr_assert_str_eq(url.user.data, rows[i].user);
        cr_assert_str_eq(url.password.data, rows[i].password);
        cr_assert_str_eq(url.host.data, rows[i].host);
        cr_assert_str_eq(url.path.data, rows[i].path);
        cr_assert_eq(url.port, rows[i].port);
        cr_assert_eq(url.has_path, rows[i].has_path, "%s", rows[i].text);
    }
}

Test(url, options_are_decoded_and_found)
{
    struct url url;
    cr_assert_eq(url_parse(&arena, "amqp://h?ca=%2Fetc%2Fca.pem&verify=none&flag&&", &url, NULL), UMBEL_OK);
    cr_assert_eq(url.option_count, 3);
    cr_assert_str_eq(url_option(&url, "ca").data, "/etc/ca.pem");
    cr_assert_str_eq(url_option(&url, "verify").data, "none");
    cr_assert_str_eq(url_option(&url, "flag").data, "");
    cr_assert_null(url_option(&url, "other").data);
}

Test(url, nonsense_is_refused_without_quoting_it)
{
    static const char *const rows[] = {"",
                                       "localhost",
                                       "amqp:h",
                                       "://h",
                                       "amqp://h:0",
                                       "amqp://h:65536",
                                       "amqp://h:99999999999999999999",
                                       "amqp://u:sesame",
                                       "amqp://[::1",
                                       "amqp://[::1]x",
                                       "amqp://u:%zz@h",
                                       "amqp://u:%00@h",
                                       "amqp://h/%2"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct url url;
        const char *why = NULL;
        cr_assert_eq(url_parse(&arena, rows[i], &url, &why), UMBEL_BAD_URL, "%s", rows[i]);
        cr_assert(why && !strstr(why, "sesame"));
    }
    struct url url;
    const char *why;
    cr_assert_eq(url_parse(&arena, NULL, &url, &why), UMBEL_BAD_URL);
}

Test(url, a_list_is_split_at_semicolons_that_begin_a_url)
{
    struct url urls[3];
    const char *why;
    cr_assert_eq(url_parse_list(&arena, "amqp://a; amqp://u:x;y@b/v ;sqlite:c.db;", urls, 3, &why), 3);
    cr_assert_str_eq(urls[0].host.data, "a");
    cr_assert_str_eq(urls[1].password.data, "x;y");
    cr_assert_str_eq(urls[1].path.data, "v");
    cr_assert_str_eq(urls[2].path.data, "c.db");
    cr_assert_eq(url_parse_list(&arena, "amqp://a;amqp://b", urls, 1, &why), -UMBEL_BAD_URL);
    cr_assert_eq(url_parse_list(&arena, " ; ", urls, 3, &why), -UMBEL_BAD_URL);
    cr_assert_eq(url_parse_list(&arena, NULL, urls, 3, &why), -UMBEL_BAD_URL);
}

Test(url, the_safe_form_never_shows_a_password)
{
    static const struct {
        const char *text, *safe;
    } rows[] = {
        {"amqp://u:sesame@h:5672/v", "amqp://u:***@h:5672/v"},
        {"amqp://u@h", "amqp://u@h"},
        {"redis://:sesame@h/0", "redis://:***@h/0"},
        {"amqp://u:ses@ame@h", "amqp://u:***@h"},
        {"amqp://u:ses/ame@h", "amqp://u:***@h"},
        {"amqp://u:s/es@ame@h", "amqp://u:***@h"},
        {"amqp://u:ses?ame@h", "amqp://u:***@h"},
        {"amqp://u:ses;ame@h", "amqp://u:***@h"},
        {"amqp://a:sesame@h;amqp://b:sesame@i", "amqp://a:***@h;amqp://b:***@i"},
        {"rediss://h?password=sesame&db=1&ssl_pass=sesame", "rediss://h?password=***&db=1&ssl_pass=***"},
        {"sqlite:/var/x.db", "sqlite:/var/x.db"},
        {"nonsense", "nonsense"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer out;
        buffer_init(&out, 1000);
        url_safe(&out, rows[i].text);
        buffer_byte(&out, '\0');
        cr_assert_str_eq((char *)buffer_head(&out), rows[i].safe);
        buffer_fini(&out);
    }
}
