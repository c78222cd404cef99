/* redis_login_test.c: finding a Redis and getting in: passwords, certificates, sockets, and servers that are
 * no Redis. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/str.h"
#include "redis_scene.h"

TestSuite(redis_login, .timeout = 90);

static void is_locked_out(const char *const *server_options, const char *login, const char *secret)
{
    struct redis_scene *s = scene_open_as(server_options, login);
    scene_await(s, &s->failed, 1);
    cr_assert_eq(s->failed_code, UMBEL_AUTH, "%s", s->why);
    cr_assert_null(strstr(s->why, secret), "%s", s->why);
    cr_assert_null(strstr(s->said, secret), "%s", s->said);
    cr_assert_neq(*s->said, 0);
    cr_assert_eq(scene_store(s, "a", scene_success), UMBEL_BACKEND_AWAY);
    scene_leave(s);
}

Test(redis_login, a_wrong_password_is_said_but_not_shown)
{
    static const char *const options[] = {"--requirepass", "right", NULL};
    is_locked_out(options, ":hunter2@", "hunter2");
    is_locked_out(options, "anna:hunter2@", "hunter2");
}

Test(redis_login, a_missing_password_is_said)
{
    static const char *const options[] = {"--requirepass", "right", NULL};
    is_locked_out(options, "", "right");
}

Test(redis_login, a_server_that_repeats_the_password_is_not_quoted)
{
    static const char *const options[] = {"--rename-command", "AUTH", "", NULL};
    is_locked_out(options, "anna:hunter2@", "hunter2");
}

Test(redis_login, a_user_of_an_access_list_is_let_in)
{
    static const char *const options[] = {"--user", "anna", "on", ">s3cret/", "~*", "&*", "+@all", NULL};
    struct redis_scene *s = scene_open_as(options, "anna:s3cret%2F@");
    scene_await(s, &s->up, 1);
    cr_assert_eq(scene_store(s, "a", scene_success), UMBEL_OK);
    scene_leave(s);
}

Test(redis_login, a_unix_socket_and_a_database_number_are_used)
{
    struct redis_scene *s = calloc(1, sizeof *s);
    char url[160];
    redis_server_start(&s->server, NULL);
    snprintf(url, sizeof url, "redis+socket://%s?db=3", s->server.socket);
    scene_open(s, url);
    scene_await(s, &s->up, 1);
    scene_listen(s, "c", "a");
    cr_assert_eq(scene_store(s, "a", scene_success), UMBEL_OK);
    scene_await(s, &s->noticed, 1);
    char *keyspace = redis_server_do(&s->server, "INFO keyspace");
    cr_assert_not_null(strstr(keyspace, "db3:keys=1"), "%s", keyspace);
    free(keyspace);
    scene_leave(s);
}

Test(redis_login, a_database_that_is_not_there_is_said)
{
    struct redis_scene *s = calloc(1, sizeof *s);
    char url[128];
    redis_server_start(&s->server, NULL);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/99", s->server.port);
    scene_open(s, url);
    scene_await(s, &s->failed, 1);
    cr_assert_eq(s->failed_code, UMBEL_BAD_URL);
    scene_leave(s);
}

/* A scene on a server that speaks TLS with a certificate for `name`; `options` go behind the URL's "?". */
static struct redis_scene *enter_tls(const char *name, const char *ca, const char *more)
{
    struct redis_scene *s = calloc(1, sizeof *s);
    char url[256];
    redis_server_start_tls(&s->server, name);
    snprintf(url, sizeof url, "rediss://127.0.0.1:%d/0?ca=%s%s", s->server.tls_port,
             ca ? ca : s->server.certificate, more);
    scene_open(s, url);
    return s;
}

Test(redis_login, a_certificate_that_is_right_is_taken)
{
    struct redis_scene *s = enter_tls("IP:127.0.0.1", NULL, "");
    scene_await(s, &s->up, 1);
    scene_listen(s, "c", "a");
    scene_put_many(s, 0, STORES);
    scene_put(s, "a", scene_success, "c", 0);
    scene_await(s, &s->stored, STORES + 1);
    scene_await(s, &s->noticed, 2);
    scene_leave(s);
}

static void is_not_trusted(struct redis_scene *s)
{
    scene_await(s, &s->failed, 1);
    cr_assert_eq(s->failed_code, UMBEL_TLS, "%s", s->why);
    cr_assert_eq(s->up, 0);
    scene_leave(s);
}

Test(redis_login, a_certificate_for_another_host_is_refused)
{
    is_not_trusted(enter_tls("DNS:elsewhere.example", NULL, ""));
}

Test(redis_login, a_certificate_of_an_unknown_issuer_is_refused)
{
    is_not_trusted(enter_tls("IP:127.0.0.1", "/etc/ssl/certs/ca-certificates.crt", ""));
}

Test(redis_login, an_unverified_certificate_is_taken_only_when_asked_and_logged)
{
    struct redis_scene *s = enter_tls("DNS:elsewhere.example", NULL, "&verify=none");
    scene_await(s, &s->up, 1);
    cr_assert_not_null(strstr(s->said, "not verified"), "%s", s->said);
    scene_leave(s);
}

static int listen_somewhere(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(listen(fd, 8), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    return fd;
}

Test(redis_login, a_server_that_is_no_redis_is_said)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    struct redis_scene *s = calloc(1, sizeof *s);
    char url[64];
    int port, fd = listen_somewhere(&port);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", port);
    scene_open(s, url);
    int peer = -1;
    for (int i = 0; i < 5000 && peer < 0; i++) { /* the address is looked up by another thread */
        uv_run(&s->driver.loop.uv, UV_RUN_NOWAIT);
        peer = accept4(fd, NULL, NULL, 0);
        usleep(1000);
    }
    cr_assert_eq(write(peer, answer, sizeof answer - 1), (ssize_t)sizeof answer - 1);
    scene_await(s, &s->failed, 1);
    cr_assert_eq(s->failed_code, UMBEL_PROTOCOL, "%s", s->why);
    scene_close(s, 2);
    driver_fini(&s->driver);
    close(peer);
    close(fd);
    free(s);
}

Test(redis_login, a_server_that_accepts_and_says_nothing_does_not_hold_us)
{
    struct redis_scene *s = calloc(1, sizeof *s);
    char url[64];
    int port, fd = listen_somewhere(&port);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", port);
    s->options.request_timeout = 0.3;
    scene_open(s, url);
    scene_await(s, &s->lost, 1);
    cr_assert_eq(scene_store(s, "a", scene_success), UMBEL_BACKEND_AWAY);
    scene_close(s, 2);
    driver_fini(&s->driver);
    close(fd);
    free(s);
}
