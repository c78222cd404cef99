/* redis_test.c: what only the Redis backend can get wrong: a server that forgets, is full, busy, frozen,
 * gone, locked or not Redis at all; and Celery on the other side. Every test has a server of its own. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/backend.h"
#include "common/clock.h"
#include "common/str.h"
#include "driver.h"
#include "redis_server.h"

TestSuite(redis, .timeout = 90);

#define STORES 1000

/* ---- a backend whose events are counted ---- */

struct scene {
    struct redis_server server;
    struct driver driver;
    struct backend *backend;
    struct backend_options options;
    struct log log;
    size_t up, failed, lost, stored, found, begun, noticed, subscribed, resubscribed, closed;
    int failed_code;
    size_t answers[STORES]; /* how often each token was answered */
    int codes[STORES];
    char why[512], found_text[512], notice[512], said[8192];
    struct backend_history history;
};

static void keep(char *out, size_t size, umbel_str text)
{
    snprintf(out, size, "%.*s", (int)text.size, text.data ? text.data : "");
}

static void on_state(void *self, enum backend_state state, int code, const char *why)
{
    struct scene *s = self;
    s->up += state == BACKEND_UP;
    s->lost += state == BACKEND_CONNECTING;
    if (state == BACKEND_FAILED) {
        s->failed++;
        s->failed_code = code;
    }
    keep(s->why, sizeof s->why, str_of(why));
}

static void on_stored(void *self, uint64_t token, int code, const char *why)
{
    struct scene *s = self;
    cr_assert_lt(token, STORES);
    s->stored++;
    s->answers[token]++;
    s->codes[token] = code;
    if (code)
        keep(s->why, sizeof s->why, str_of(why));
}

static void on_found(void *self, uint64_t token, int code, umbel_str id, umbel_str payload)
{
    struct scene *s = self;
    (void)token, (void)id;
    s->found++;
    s->codes[0] = code;
    keep(s->found_text, sizeof s->found_text, payload);
}

static void on_begun(void *self, uint64_t token, int code, struct backend_history history)
{
    struct scene *s = self;
    (void)token;
    s->begun++;
    s->codes[0] = code;
    s->history = history;
}

static void on_notice(void *self, umbel_str payload)
{
    struct scene *s = self;
    s->noticed++;
    keep(s->notice, sizeof s->notice, payload);
}

static void on_subscribed(void *self, uint64_t token)
{
    struct scene *s = self;
    (void)token;
    s->subscribed++;
}

static void on_resubscribed(void *self)
{
    struct scene *s = self;
    s->resubscribed++;
}

static void on_closed(void *self)
{
    struct scene *s = self;
    s->closed++;
}

static void on_line(void *self, umbel_level level, const char *area, const char *line)
{
    struct scene *s = self;
    (void)level, (void)area;
    size_t used = strlen(s->said);
    snprintf(s->said + used, sizeof s->said - used, "%s\n", line);
}

static const struct backend_events events = {
    .state = on_state,
    .stored = on_stored,
    .found = on_found,
    .begun = on_begun,
    .notice = on_notice,
    .subscribed = on_subscribed,
    .resubscribed = on_resubscribed,
};

static void await(struct scene *s, const size_t *counter, size_t wanted)
{
    cr_assert(driver_wait(&s->driver, counter, wanted, PATIENCE), "waited in vain; last word: %s", s->why);
}

/* Opens without waiting. */
static void open_url(struct scene *s, const char *url)
{
    struct buffer why;
    buffer_init(&why, 4096);
    driver_init(&s->driver);
    s->log = (struct log){.level = UMBEL_DEBUG, .write = on_line, .self = s};
    s->options.log = &s->log;
    int code = backend_open(&s->backend, &s->driver.loop, url, &s->options, &events, s, &why);
    cr_assert_eq(code, UMBEL_OK, "%.*s", (int)buffer_length(&why), buffer_head(&why));
    buffer_fini(&why);
}

static struct scene *enter_with(const char *const *server_options, double request_timeout, double expires)
{
    struct scene *s = calloc(1, sizeof *s);
    s->options.request_timeout = request_timeout;
    s->options.expires = expires;
    redis_server_start(&s->server, server_options);
    open_url(s, s->server.url);
    await(s, &s->up, 1);
    return s;
}

static struct scene *enter(void)
{
    return enter_with(NULL, 0, 0);
}

static void close_backend(struct scene *s)
{
    size_t closed = s->closed;
    s->backend->ops->close(s->backend, 2, on_closed, s);
    await(s, &s->closed, closed + 1);
}

static void leave(struct scene *s)
{
    close_backend(s);
    driver_fini(&s->driver);
    redis_server_stop(&s->server);
    free(s);
}

static void put(struct scene *s, const char *id, const char *payload, const char *reply, uint64_t token)
{
    struct backend_store store = {
        .id = str_of(id), .payload = str_of(payload), .terminal = true, .reply_channel = str_of(reply)};
    s->backend->ops->store(s->backend, &store, token);
}

static const char success[] = "{\"status\": \"SUCCESS\", \"result\": 5}";

/* Stores under "id-<number>" for each number in a range, all in this turn. */
static void put_many(struct scene *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        char id[32];
        snprintf(id, sizeof id, "id-%zu", i);
        put(s, id, success, NULL, i);
    }
}

static int store(struct scene *s, const char *id, const char *payload)
{
    size_t before = s->stored;
    put(s, id, payload, NULL, 0);
    await(s, &s->stored, before + 1);
    return s->codes[0];
}

static const char *find(struct scene *s, const char *id)
{
    umbel_str ids[] = {str_of(id)};
    size_t before = s->found;
    s->backend->ops->lookup(s->backend, ids, 1, 0);
    await(s, &s->found, before + 1);
    cr_assert_eq(s->codes[0], UMBEL_OK);
    return s->found_text;
}

static void listen_and_watch(struct scene *s, const char *channel, const char *id)
{
    umbel_str ids[] = {str_of(id)};
    size_t before = s->subscribed;
    s->backend->ops->listen(s->backend, str_of(channel), 1);
    s->backend->ops->watch(s->backend, ids, 1, 2);
    await(s, &s->subscribed, before + 2);
}

static void command(struct scene *s, const char *words)
{
    free(redis_server_do(&s->server, words));
}

static void each_answered_once(const struct scene *s)
{
    for (size_t i = 0; i < STORES; i++)
        cr_assert_eq(s->answers[i], 1, "store %zu was answered %zu times", i, s->answers[i]);
}

/* ---- a server that forgets, refuses, hangs ---- */

Test(redis, a_forgotten_script_is_sent_again)
{
    struct scene *s = enter();
    command(s, "SCRIPT FLUSH");
    put_many(s, 0, STORES);
    await(s, &s->stored, STORES);
    each_answered_once(s);
    for (size_t i = 0; i < STORES; i++)
        cr_assert_eq(s->codes[i], UMBEL_OK);
    cr_assert_eq(redis_server_number(&s->server, "DBSIZE"), STORES);
    leave(s);
}

Test(redis, a_full_server_refuses_in_its_own_words)
{
    struct scene *s = enter();
    command(s, "CONFIG SET maxmemory 1");
    cr_assert_eq(store(s, "a", success), UMBEL_BACKEND_REFUSED);
    cr_assert(str_starts(str_of(s->why), STR("OOM")), "%s", s->why);
    command(s, "CONFIG SET maxmemory 0");
    cr_assert_eq(store(s, "a", success), UMBEL_OK);
    leave(s);
}

Test(redis, only_the_affected_store_is_refused)
{
    struct scene *s = enter();
    command(s, "LPUSH celery-task-meta-id-1 x");
    put_many(s, 0, 3);
    await(s, &s->stored, 3);
    cr_assert_eq(s->codes[0], UMBEL_OK);
    cr_assert_eq(s->codes[1], UMBEL_BACKEND_REFUSED);
    cr_assert_eq(s->codes[2], UMBEL_OK);
    cr_assert(str_starts(str_of(s->why), STR("WRONGTYPE")), "%s", s->why);
    leave(s);
}

Test(redis, a_busy_server_refuses_and_serves_later)
{
    static const char *const options[] = {"--lua-time-limit", "20", NULL};
    struct scene *s = enter_with(options, 0, 0);
    int fd = redis_server_occupy(&s->server);
    int code = UMBEL_OK;
    for (int i = 0; i < 200 && code == UMBEL_OK; i++) { /* until the script runs */
        code = store(s, "a", "{\"status\": \"STARTED\"}");
        usleep(5000);
    }
    cr_assert_eq(code, UMBEL_BACKEND_REFUSED);
    cr_assert(str_starts(str_of(s->why), STR("BUSY")), "%s", s->why);
    command(s, "SCRIPT KILL");
    for (int i = 0; i < 200 && code != UMBEL_OK; i++)
        code = store(s, "a", success);
    cr_assert_eq(code, UMBEL_OK);
    close(fd);
    leave(s);
}

Test(redis, a_frozen_server_is_given_up_after_the_request_timeout)
{
    struct scene *s = enter_with(NULL, 0.4, 0);
    redis_server_freeze(&s->server, true);
    double start = clock_mono();
    cr_assert_eq(store(s, "a", success), UMBEL_BACKEND_AWAY);
    double took = clock_mono() - start;
    cr_assert(took > 0.3 && took < 2, "after %.3f s", took);
    cr_assert_eq(s->lost, 1);
    redis_server_freeze(&s->server, false);
    await(s, &s->up, 2);
    leave(s);
}

Test(redis, a_server_that_froze_is_noticed_although_nothing_is_asked)
{
    struct scene *s = enter_with(NULL, 0.5, 0);
    listen_and_watch(s, "c", "a");
    double start = clock_mono();
    while (clock_mono() - start < 1.5) /* idle: asked now and then, and answered */
        uv_run(&s->driver.loop.uv, UV_RUN_ONCE);
    cr_assert_eq(s->lost, 0);
    redis_server_freeze(&s->server, true);
    cr_assert(driver_wait(&s->driver, &s->lost, 1, 3));
    redis_server_freeze(&s->server, false);
    await(s, &s->up, 2);
    await(s, &s->resubscribed, 1);
    leave(s);
}

Test(redis, closing_ends_although_the_server_is_frozen)
{
    struct scene *s = enter();
    redis_server_freeze(&s->server, true);
    put_many(s, 0, STORES);
    s->backend->ops->close(s->backend, 0.3, on_closed, s);
    double start = clock_mono();
    await(s, &s->closed, 1);
    cr_assert_lt(clock_mono() - start, 2);
    each_answered_once(s);
    cr_assert_eq(s->codes[0], UMBEL_BACKEND_AWAY);
    driver_fini(&s->driver);
    redis_server_stop(&s->server);
    free(s);
}

Test(redis, output_that_nobody_takes_is_bounded)
{
    static char large[1 << 20];
    struct scene *s = enter();
    memset(large, 'x', sizeof large - 1);
    redis_server_freeze(&s->server, true);
    for (size_t i = 0; i < 100; i++)
        put(s, "a", large, NULL, i);
    /* What did not fit is answered although Redis says nothing, and only that. */
    cr_assert(driver_wait(&s->driver, &s->stored, 60, 3));
    cr_assert_eq(s->answers[0], 0);
    cr_assert_eq(s->codes[99], UMBEL_BACKEND_AWAY);
    redis_server_freeze(&s->server, false);
    await(s, &s->stored, 100);
    for (size_t i = 0; i < 100; i++)
        cr_assert_eq(s->answers[i], 1);
    leave(s);
}

/* ---- a connection that is lost ---- */

Test(redis, a_killed_connection_answers_each_store_exactly_once)
{
    struct scene *s = enter();
    for (size_t round = 0; round < 10; round++) {
        size_t up = s->up;
        memset(s->answers, 0, sizeof s->answers);
        s->stored = 0;
        redis_server_freeze(&s->server, true);
        put_many(s, 0, round * 100);
        uv_run(&s->driver.loop.uv, UV_RUN_NOWAIT); /* these are on their way */
        redis_server_freeze(&s->server, false);
        command(s, "CLIENT KILL TYPE normal");
        put_many(s, round * 100, STORES);
        await(s, &s->stored, STORES);
        each_answered_once(s);
        await(s, &s->up, up + 1);
        for (size_t i = 0; i < STORES; i++)
            cr_assert(s->codes[i] == UMBEL_OK || s->codes[i] == UMBEL_BACKEND_AWAY ||
                      (round && s->codes[i] == UMBEL_ALREADY_DONE));
    }
    leave(s);
}

Test(redis, what_was_outstanding_at_a_crash_is_unknown)
{
    struct scene *s = enter();
    put_many(s, 0, 500);
    await(s, &s->stored, 500);
    redis_server_freeze(&s->server, true);
    put_many(s, 500, STORES);
    uv_run(&s->driver.loop.uv, UV_RUN_NOWAIT);
    redis_server_kill(&s->server);
    await(s, &s->stored, STORES);
    each_answered_once(s);
    for (size_t i = 0; i < STORES; i++)
        cr_assert_eq(s->codes[i], i < 500 ? UMBEL_OK : UMBEL_BACKEND_AWAY);
    redis_server_again(&s->server);
    leave(s);
}

Test(redis, every_verb_is_answered_while_the_server_is_away)
{
    struct scene *s = enter();
    umbel_str ids[] = {STR("a"), STR("b")};
    redis_server_kill(&s->server);
    await(s, &s->lost, 1);
    put(s, "a", success, NULL, 1);
    s->backend->ops->lookup(s->backend, ids, 2, 1);
    s->backend->ops->begin(s->backend, STR("a"), 1);
    s->backend->ops->watch(s->backend, ids, 2, 1);
    s->backend->ops->forget(s->backend, STR("a"));
    s->backend->ops->end_mark(s->backend, STR("a"));
    await(s, &s->stored, 1);
    await(s, &s->found, 2);
    await(s, &s->begun, 1);
    cr_assert_eq(s->codes[1], UMBEL_BACKEND_AWAY);
    cr_assert_eq(s->codes[0], UMBEL_BACKEND_AWAY);
    cr_assert_eq(s->subscribed, 0);
    redis_server_again(&s->server);
    await(s, &s->subscribed, 1);
    leave(s);
}

Test(redis, a_restarted_server_is_subscribed_again)
{
    struct scene *s = enter();
    listen_and_watch(s, "umbel.reply.1", "a");
    redis_server_kill(&s->server);
    await(s, &s->lost, 1);
    redis_server_again(&s->server);
    double start = clock_mono();
    await(s, &s->resubscribed, 1);
    await(s, &s->up, 2);
    cr_assert_lt(clock_mono() - start, 5);
    put(s, "a", success, "umbel.reply.1", 0);
    await(s, &s->noticed, 2);
    cr_assert_str_eq(s->notice, success);
    cr_assert_eq(s->resubscribed, 1);
    leave(s);
}

Test(redis, a_killed_subscription_is_restored)
{
    struct scene *s = enter();
    listen_and_watch(s, "umbel.reply.1", "a");
    s->backend->ops->unwatch(s->backend, &STR("a"), 1);
    command(s, "CLIENT KILL TYPE pubsub");
    await(s, &s->resubscribed, 1);
    put(s, "a", success, NULL, 0);
    put(s, "b", success, "umbel.reply.1", 0);
    await(s, &s->noticed, 1);
    await(s, &s->stored, 2);
    cr_assert_eq(s->noticed, 1, "an unwatched task was subscribed again");
    leave(s);
}

Test(redis, a_hundred_thousand_watched_tasks_survive_a_restart)
{
    enum { MANY = 100000 };
    struct scene *s = enter();
    char(*names)[16] = calloc(MANY, sizeof *names);
    umbel_str *ids = calloc(MANY, sizeof *ids);
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof *names, "t%d", i);
        ids[i] = str_of(names[i]);
    }
    s->backend->ops->watch(s->backend, ids, MANY, 1);
    await(s, &s->subscribed, 1);
    redis_server_kill(&s->server);
    redis_server_again(&s->server);
    await(s, &s->resubscribed, 1);
    put(s, names[MANY - 1], success, NULL, 0);
    await(s, &s->noticed, 1);
    s->backend->ops->unwatch(s->backend, ids, MANY);
    free(ids);
    free(names);
    leave(s);
}

/* ---- logging in, finding the server ---- */

static void is_locked_out(const char *const *server_options, const char *login, const char *secret)
{
    struct scene *s = calloc(1, sizeof *s);
    char url[128];
    redis_server_start(&s->server, server_options);
    snprintf(url, sizeof url, "redis://%s127.0.0.1:%d", login, s->server.port);
    open_url(s, url);
    await(s, &s->failed, 1);
    cr_assert_eq(s->failed_code, UMBEL_AUTH, "%s", s->why);
    cr_assert_null(strstr(s->why, secret), "%s", s->why);
    cr_assert_null(strstr(s->said, secret), "%s", s->said);
    cr_assert_neq(*s->said, 0);
    cr_assert_eq(store(s, "a", success), UMBEL_BACKEND_AWAY);
    leave(s);
}

Test(redis, a_wrong_password_is_said_but_not_shown)
{
    static const char *const options[] = {"--requirepass", "right", NULL};
    is_locked_out(options, ":hunter2@", "hunter2");
    is_locked_out(options, "anna:hunter2@", "hunter2");
}

Test(redis, a_missing_password_is_said)
{
    static const char *const options[] = {"--requirepass", "right", NULL};
    is_locked_out(options, "", "right");
}

Test(redis, a_server_that_repeats_the_password_is_not_quoted)
{
    static const char *const options[] = {"--rename-command", "AUTH", "", NULL};
    is_locked_out(options, "anna:hunter2@", "hunter2");
}

Test(redis, a_user_of_an_access_list_is_let_in)
{
    static const char *const options[] = {"--user", "anna", "on", ">s3cret/", "~*", "&*", "+@all", NULL};
    struct scene *s = calloc(1, sizeof *s);
    char url[128];
    redis_server_start(&s->server, options);
    snprintf(url, sizeof url, "redis://anna:s3cret%%2F@127.0.0.1:%d", s->server.port);
    open_url(s, url);
    await(s, &s->up, 1);
    cr_assert_eq(store(s, "a", success), UMBEL_OK);
    leave(s);
}

Test(redis, a_unix_socket_and_a_database_number_are_used)
{
    struct scene *s = calloc(1, sizeof *s);
    char url[160];
    redis_server_start(&s->server, NULL);
    snprintf(url, sizeof url, "redis+socket://%s?db=3", s->server.socket);
    open_url(s, url);
    await(s, &s->up, 1);
    listen_and_watch(s, "c", "a");
    cr_assert_eq(store(s, "a", success), UMBEL_OK);
    await(s, &s->noticed, 1);
    char *keyspace = redis_server_do(&s->server, "INFO keyspace");
    cr_assert_not_null(strstr(keyspace, "db3:keys=1"), "%s", keyspace);
    free(keyspace);
    leave(s);
}

Test(redis, a_database_that_is_not_there_is_said)
{
    struct scene *s = calloc(1, sizeof *s);
    char url[128];
    redis_server_start(&s->server, NULL);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d/99", s->server.port);
    open_url(s, url);
    await(s, &s->failed, 1);
    cr_assert_eq(s->failed_code, UMBEL_BAD_URL);
    leave(s);
}

/* A scene on a server that speaks TLS with a certificate for `name`; `options` go behind the URL's "?". */
static struct scene *enter_tls(const char *name, const char *ca, const char *more)
{
    struct scene *s = calloc(1, sizeof *s);
    char url[256];
    redis_server_start_tls(&s->server, name);
    snprintf(url, sizeof url, "rediss://127.0.0.1:%d/0?ca=%s%s", s->server.tls_port,
             ca ? ca : s->server.certificate, more);
    open_url(s, url);
    return s;
}

Test(redis, a_certificate_that_is_right_is_taken)
{
    struct scene *s = enter_tls("IP:127.0.0.1", NULL, "");
    await(s, &s->up, 1);
    listen_and_watch(s, "c", "a");
    put_many(s, 0, STORES);
    put(s, "a", success, "c", 0);
    await(s, &s->stored, STORES + 1);
    await(s, &s->noticed, 2);
    leave(s);
}

static void is_not_trusted(struct scene *s)
{
    await(s, &s->failed, 1);
    cr_assert_eq(s->failed_code, UMBEL_TLS, "%s", s->why);
    cr_assert_eq(s->up, 0);
    leave(s);
}

Test(redis, a_certificate_for_another_host_is_refused)
{
    is_not_trusted(enter_tls("DNS:elsewhere.example", NULL, ""));
}

Test(redis, a_certificate_of_an_unknown_issuer_is_refused)
{
    is_not_trusted(enter_tls("IP:127.0.0.1", "/etc/ssl/certs/ca-certificates.crt", ""));
}

Test(redis, an_unverified_certificate_is_taken_only_when_asked_and_logged)
{
    struct scene *s = enter_tls("DNS:elsewhere.example", NULL, "&verify=none");
    await(s, &s->up, 1);
    cr_assert_not_null(strstr(s->said, "not verified"), "%s", s->said);
    leave(s);
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

Test(redis, a_server_that_is_no_redis_is_said)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    struct scene *s = calloc(1, sizeof *s);
    char url[64];
    int port, fd = listen_somewhere(&port);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", port);
    open_url(s, url);
    int peer = -1;
    for (int i = 0; i < 5000 && peer < 0; i++) { /* the address is looked up by another thread */
        uv_run(&s->driver.loop.uv, UV_RUN_NOWAIT);
        peer = accept4(fd, NULL, NULL, 0);
        usleep(1000);
    }
    cr_assert_eq(write(peer, answer, sizeof answer - 1), (ssize_t)sizeof answer - 1);
    await(s, &s->failed, 1);
    cr_assert_eq(s->failed_code, UMBEL_PROTOCOL, "%s", s->why);
    close_backend(s);
    driver_fini(&s->driver);
    close(peer);
    close(fd);
    free(s);
}

Test(redis, a_server_that_accepts_and_says_nothing_does_not_hold_us)
{
    struct scene *s = calloc(1, sizeof *s);
    char url[64];
    int port, fd = listen_somewhere(&port);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", port);
    s->options.request_timeout = 0.3;
    open_url(s, url);
    await(s, &s->lost, 1);
    cr_assert_eq(store(s, "a", success), UMBEL_BACKEND_AWAY);
    close_backend(s);
    driver_fini(&s->driver);
    close(fd);
    free(s);
}

/* ---- results ---- */

Test(redis, results_live_as_long_as_they_are_told_to)
{
    struct scene *s = enter_with(NULL, 0, 100);
    cr_assert_eq(store(s, "a", success), UMBEL_OK);
    long long left = redis_server_number(&s->server, "PTTL celery-task-meta-a");
    cr_assert(left > 90000 && left <= 100000, "%lld", left);
    leave(s);
    s = enter_with(NULL, 0, -1);
    cr_assert_eq(store(s, "a", success), UMBEL_OK);
    cr_assert_eq(redis_server_number(&s->server, "PTTL celery-task-meta-a"), -1);
    leave(s);
}

Test(redis, a_state_is_known_however_the_map_was_written)
{
    static const struct {
        const char *map;
        bool terminal;
    } rows[] = {
        {"{\"status\": \"SUCCESS\", \"result\": 5}", true},
        {"{\"status\":\"FAILURE\"}", true},
        {"{\"result\": {\"status\": \"STARTED\"}, \"status\": \"REVOKED\"}", true},
        {" {\n\"status\" : \"SUCCESS\"}", true},
        {"\x82\xa6status\xa7SUCCESS\xa6result\x05", true},
        {"\x82\xa6result\x05\xa6status\xa7"
         "FAILURE",
         true},
        {"\xde\x01\x01\xa6status\xa7REVOKED",
         false}, /* a map of 257 that ends early: nothing that can be read */
        {"{\"status\": \"STARTED\", \"result\": \"SUCCESS\"}", false},
        {"{\"status\": \"SUCCESS_SOON\"}", false},
        {"\x81\xa6status\xacSUCCESS_SOON", false},
        {"{\"result\": {\"status\": \"SUCCESS\"}, \"status\": \"RETRY\"}", false},
        {"{\"status\": 5}", false},
        {"[1]", false},
        {"garbage", false},
        {"", false},
    };
    struct scene *s = enter();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char id[16];
        snprintf(id, sizeof id, "%zu", i);
        cr_assert_eq(store(s, id, rows[i].map), UMBEL_OK);
        cr_assert_eq(store(s, id, success), rows[i].terminal ? UMBEL_ALREADY_DONE : UMBEL_OK, "row %zu", i);
        cr_assert_str_eq(find(s, id), rows[i].terminal ? rows[i].map : success);
    }
    leave(s);
}

/* Runs a program of Debian's Python with Celery; what it printed, to be freed. NULL when there is no Celery.
 */
static char *celery(const struct scene *s, const char *program)
{
    char line[2048], *out = calloc(1, 4096);
    snprintf(line, sizeof line,
             "/usr/bin/python3 -c 'from celery import Celery\nfrom celery.result import AsyncResult\n"
             "app = Celery(backend=\"%s/0\")\n%s' 2>&1",
             s->server.url, program);
    FILE *pipe = popen(line, "r");
    size_t used = fread(out, 1, 4095, pipe);
    out[used] = 0;
    int status = pclose(pipe);
    if (status && strstr(out, "No module named 'celery'"))
        cr_skip_test("Celery is not installed");
    cr_assert_eq(status, 0, "%s", out);
    return out;
}

Test(redis, celery_reads_our_results)
{
    struct scene *s = enter();
    cr_assert_eq(
        store(s, "a",
              "{\"status\": \"SUCCESS\", \"result\": [5, \"x\"], \"traceback\": null, \"children\": [], "
              "\"date_done\": \"2026-11-21T09:11:35.050829\", \"task_id\": \"a\"}"),
        UMBEL_OK);
    char *said = celery(s, "print(AsyncResult(\"a\", app=app).get(timeout=5))");
    cr_assert_str_eq(said, "[5, 'x']\n");
    free(said);
    leave(s);
}

Test(redis, we_read_celerys_results_and_hear_of_them)
{
    struct scene *s = enter();
    listen_and_watch(s, "c", "a");
    free(celery(s, "app.backend.store_result(\"a\", 7, \"SUCCESS\")"));
    await(s, &s->noticed, 1);
    cr_assert(str_starts(str_of(find(s, "a")), STR("{\"status\": \"SUCCESS\", \"result\": 7")), "%s",
              s->found_text);
    cr_assert_str_eq(s->notice, s->found_text);
    cr_assert_eq(store(s, "a", success), UMBEL_ALREADY_DONE);
    s->backend->ops->begin(s->backend, STR("a"), 0);
    await(s, &s->begun, 1);
    cr_assert(s->history.terminal);
    leave(s);
}
