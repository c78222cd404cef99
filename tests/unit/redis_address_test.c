/* redis_address_test.c: what a Redis URL means, and which are refused. */
#include <criterion/criterion.h>

#include "broker/redis_address.h"
#include "common/str.h"

TestSuite(redis_address, .timeout = 20);

struct scene {
    struct arena arena;
    struct redis_address address;
    const char *why;
};

static int open_url(struct scene *s, const char *text)
{
    struct url url;
    s->why = "";
    arena_init(&s->arena, 0);
    cr_assert_eq(url_parse(&s->arena, text, &url, &s->why), UMBEL_OK, "%s: %s", text, s->why);
    return redis_address_init(&s->address, &url, &s->why);
}

static void leave(struct scene *s)
{
    redis_address_fini(&s->address);
    arena_fini(&s->arena);
}

Test(redis_address, a_bare_url_is_the_local_server)
{
    struct scene s;
    cr_assert_eq(open_url(&s, "redis://"), UMBEL_OK);
    cr_assert_str_eq(s.address.stream.host, "localhost");
    cr_assert_eq(s.address.stream.port, 6379);
    cr_assert_eq(s.address.database, 0);
    cr_assert_null(s.address.password.data);
    cr_assert_null(s.address.stream.tls);
    leave(&s);
}

Test(redis_address, user_password_host_port_and_database_are_read)
{
    struct scene s;
    cr_assert_eq(open_url(&s, "redis://anna:s%40fe@db.example:7000/12"), UMBEL_OK);
    cr_assert_str_eq(s.address.user.data, "anna");
    cr_assert_str_eq(s.address.password.data, "s@fe");
    cr_assert_str_eq(s.address.stream.host, "db.example");
    cr_assert_eq(s.address.stream.port, 7000);
    cr_assert_eq(s.address.database, 12);
    cr_assert_str_eq(s.address.name, "db.example:7000/12");
    leave(&s);
}

Test(redis_address, a_password_may_come_without_a_user)
{
    struct scene s;
    cr_assert_eq(open_url(&s, "redis://:secret@h"), UMBEL_OK);
    cr_assert_eq(s.address.user.size, 0);
    cr_assert_str_eq(s.address.password.data, "secret");
    cr_assert_null(strstr(s.address.name, "secret"));
    leave(&s);
}

Test(redis_address, a_socket_is_a_path_and_its_database_an_option)
{
    static const char *const urls[] = {"redis+socket:///run/redis/r.sock?db=3",
                                       "redis+socket:///run/redis/r.sock?virtual_host=3",
                                       "unix:///run/redis/r.sock?db=3"};
    for (size_t i = 0; i < 3; i++) {
        struct scene s;
        cr_assert_eq(open_url(&s, urls[i]), UMBEL_OK);
        cr_assert_str_eq(s.address.stream.path, "/run/redis/r.sock");
        cr_assert_eq(s.address.database, 3);
        leave(&s);
    }
}

Test(redis_address, tls_verifies_unless_told_not_to)
{
    struct scene s;
    cr_assert_eq(open_url(&s, "rediss://h/0?ca=/a.pem&cert=/b.pem&key=/c.pem"), UMBEL_OK);
    cr_assert_not_null(s.address.stream.tls);
    cr_assert(s.address.stream.tls->verify);
    cr_assert_str_eq(s.address.stream.tls->ca_file, "/a.pem");
    cr_assert_str_eq(s.address.stream.tls->cert_file, "/b.pem");
    cr_assert_str_eq(s.address.stream.tls->key_file, "/c.pem");
    leave(&s);
    cr_assert_eq(open_url(&s, "rediss://h/0?verify=none"), UMBEL_OK);
    cr_assert_not(s.address.stream.tls->verify);
    leave(&s);
}

Test(redis_address, celerys_names_of_the_tls_options_are_understood)
{
    struct scene s;
    cr_assert_eq(open_url(&s, "rediss://h/0?ssl_cert_reqs=required&ssl_ca_certs=/a.pem"), UMBEL_OK);
    cr_assert(s.address.stream.tls->verify);
    cr_assert_str_eq(s.address.stream.tls->ca_file, "/a.pem");
    leave(&s);
    cr_assert_eq(open_url(&s, "rediss://h/0?ssl_cert_reqs=CERT_NONE"), UMBEL_OK);
    cr_assert_not(s.address.stream.tls->verify);
    leave(&s);
}

Test(redis_address, what_cannot_be_meant_is_refused)
{
    static const char *const urls[] = {
        "redis://h/one",       "redis://h/99999999999", "redis+socket://",         "redis+socket://host/path",
        "redis://h?verify=no", "rediss://h?verify=no",  "redis://h/0?verify=none", "redis://h/0?verfy=none",
    };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct scene s;
        cr_assert_eq(open_url(&s, urls[i]), UMBEL_BAD_URL, "%s", urls[i]);
        cr_assert_neq(*s.why, 0);
        leave(&s);
    }
}
