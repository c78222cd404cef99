/* redis_test.c: what only the Redis backend can get wrong: a server that forgets, is full, busy, frozen or
 * gone; and Celery on the other side. Every test has a server of its own. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/str.h"
#include "redis_scene.h"

TestSuite(redis, .timeout = 90);

/* ---- a server that forgets, refuses, hangs ---- */

Test(redis, a_forgotten_script_is_sent_again)
{
    struct redis_scene *s = scene_enter();
    scene_command(s, "SCRIPT FLUSH");
    scene_put_many(s, 0, STORES);
    scene_await(s, &s->stored, STORES);
    scene_each_answered_once(s);
    for (size_t i = 0; i < STORES; i++)
        cr_assert_eq(s->codes[i], UMBEL_OK);
    cr_assert_eq(redis_server_number(&s->server, "DBSIZE"), STORES);
    scene_leave(s);
}

Test(redis, a_full_server_refuses_in_its_own_words)
{
    struct redis_scene *s = scene_enter();
    scene_command(s, "CONFIG SET maxmemory 1");
    cr_assert_eq(scene_store(s, "a", scene_success), UMBEL_BACKEND_REFUSED);
    cr_assert(str_starts(str_of(s->why), STR("OOM")), "%s", s->why);
    scene_command(s, "CONFIG SET maxmemory 0");
    cr_assert_eq(scene_store(s, "a", scene_success), UMBEL_OK);
    scene_leave(s);
}

Test(redis, only_the_affected_store_is_refused)
{
    struct redis_scene *s = scene_enter();
    scene_command(s, "LPUSH celery-task-meta-id-1 x");
    scene_put_many(s, 0, 3);
    scene_await(s, &s->stored, 3);
    cr_assert_eq(s->codes[0], UMBEL_OK);
    cr_assert_eq(s->codes[1], UMBEL_BACKEND_REFUSED);
    cr_assert_eq(s->codes[2], UMBEL_OK);
    cr_assert(str_starts(str_of(s->why), STR("WRONGTYPE")), "%s", s->why);
    scene_leave(s);
}

Test(redis, a_busy_server_refuses_and_serves_later)
{
    static const char *const options[] = {"--lua-time-limit", "20", NULL};
    struct redis_scene *s = scene_enter_with(options, 0, 0);
    int fd = redis_server_occupy(&s->server);
    int code = UMBEL_OK;
    for (int i = 0; i < 200 && code == UMBEL_OK; i++) { /* until the script runs */
        code = scene_store(s, "a", "{\"status\": \"STARTED\"}");
        usleep(5000);
    }
    cr_assert_eq(code, UMBEL_BACKEND_REFUSED);
    cr_assert(str_starts(str_of(s->why), STR("BUSY")), "%s", s->why);
    scene_command(s, "SCRIPT KILL");
    for (int i = 0; i < 200 && code != UMBEL_OK; i++)
        code = scene_store(s, "a", scene_success);
    cr_assert_eq(code, UMBEL_OK);
    close(fd);
    scene_leave(s);
}

Test(redis, a_frozen_server_is_given_up_after_the_request_timeout)
{
    struct redis_scene *s = scene_enter_with(NULL, 0.4, 0);
    redis_server_freeze(&s->server, true);
    double start = clock_mono();
    cr_assert_eq(scene_store(s, "a", scene_success), UMBEL_BACKEND_AWAY);
    double took = clock_mono() - start;
    cr_assert(took > 0.3 && took < 2, "after %.3f s", took);
    cr_assert_eq(s->lost, 1);
    redis_server_freeze(&s->server, false);
    scene_await(s, &s->up, 2);
    scene_leave(s);
}

Test(redis, a_server_that_froze_is_noticed_although_nothing_is_asked)
{
    struct redis_scene *s = scene_enter_with(NULL, 0.5, 0);
    scene_listen(s, "c", "a");
    double start = clock_mono();
    while (clock_mono() - start < 1.5) /* idle: asked now and then, and answered */
        uv_run(&s->driver.loop.uv, UV_RUN_ONCE);
    cr_assert_eq(s->lost, 0);
    s->said[0] = '\0';
    redis_server_freeze(&s->server, true);
    cr_assert(driver_wait(&s->driver, &s->lost, 1, 3));
    start = clock_mono();
    while (!strstr(s->said, "(subscription)") && clock_mono() - start < 3) /* the other connection too */
        uv_run(&s->driver.loop.uv, UV_RUN_ONCE);
    redis_server_freeze(&s->server, false);
    scene_await(s, &s->up, 2);
    scene_await(s, &s->resubscribed, 1);
    scene_leave(s);
}

Test(redis, closing_ends_although_the_server_is_frozen)
{
    struct redis_scene *s = scene_enter();
    redis_server_freeze(&s->server, true);
    scene_put_many(s, 0, STORES);
    double start = clock_mono();
    scene_close(s, 0.3);
    cr_assert_lt(clock_mono() - start, 2);
    scene_each_answered_once(s);
    cr_assert_eq(s->codes[0], UMBEL_BACKEND_AWAY);
    driver_fini(&s->driver);
    redis_server_stop(&s->server);
    free(s);
}

Test(redis, output_that_nobody_takes_is_bounded)
{
    static char large[1 << 20];
    struct redis_scene *s = scene_enter();
    memset(large, 'x', sizeof large - 1);
    redis_server_freeze(&s->server, true);
    for (size_t i = 0; i < 100; i++)
        scene_put(s, "a", large, NULL, i);
    /* What did not fit is answered although Redis says nothing, and only that. */
    cr_assert(driver_wait(&s->driver, &s->stored, 60, 3));
    cr_assert_eq(s->answers[0], 0);
    cr_assert_eq(s->codes[99], UMBEL_BACKEND_AWAY);
    redis_server_freeze(&s->server, false);
    scene_await(s, &s->stored, 100);
    for (size_t i = 0; i < 100; i++)
        cr_assert_eq(s->answers[i], 1);
    scene_leave(s);
}

/* ---- a connection that is lost ---- */

Test(redis, a_killed_connection_answers_each_store_exactly_once)
{
    struct redis_scene *s = scene_enter();
    for (size_t round = 0; round < 10; round++) {
        size_t up = s->up;
        memset(s->answers, 0, sizeof s->answers);
        s->stored = 0;
        redis_server_freeze(&s->server, true);
        scene_put_many(s, 0, round * 100);
        uv_run(&s->driver.loop.uv, UV_RUN_NOWAIT); /* these are on their way */
        redis_server_freeze(&s->server, false);
        scene_command(s, "CLIENT KILL TYPE normal");
        scene_put_many(s, round * 100, STORES);
        scene_await(s, &s->stored, STORES);
        scene_each_answered_once(s);
        scene_await(s, &s->up, up + 1);
        for (size_t i = 0; i < STORES; i++)
            cr_assert(s->codes[i] == UMBEL_OK || s->codes[i] == UMBEL_BACKEND_AWAY ||
                      (round && s->codes[i] == UMBEL_ALREADY_DONE));
    }
    scene_leave(s);
}

Test(redis, what_was_outstanding_at_a_crash_is_unknown)
{
    struct redis_scene *s = scene_enter();
    scene_put_many(s, 0, 500);
    scene_await(s, &s->stored, 500);
    redis_server_freeze(&s->server, true);
    scene_put_many(s, 500, STORES);
    uv_run(&s->driver.loop.uv, UV_RUN_NOWAIT);
    redis_server_kill(&s->server);
    scene_await(s, &s->stored, STORES);
    scene_each_answered_once(s);
    for (size_t i = 0; i < STORES; i++)
        cr_assert_eq(s->codes[i], i < 500 ? UMBEL_OK : UMBEL_BACKEND_AWAY);
    redis_server_again(&s->server);
    scene_leave(s);
}

Test(redis, every_verb_is_answered_while_the_server_is_away)
{
    struct redis_scene *s = scene_enter();
    umbel_str ids[] = {STR("a"), STR("b")};
    redis_server_kill(&s->server);
    scene_await(s, &s->lost, 1);
    scene_put(s, "a", scene_success, NULL, 1);
    s->backend->ops->lookup(s->backend, ids, 2, 1);
    s->backend->ops->begin(s->backend, STR("a"), 1);
    s->backend->ops->watch(s->backend, ids, 2, 1);
    s->backend->ops->forget(s->backend, STR("a"));
    s->backend->ops->end_mark(s->backend, STR("a"));
    scene_await(s, &s->stored, 1);
    scene_await(s, &s->found, 2);
    scene_await(s, &s->begun, 1);
    cr_assert_eq(s->codes[1], UMBEL_BACKEND_AWAY);
    cr_assert_eq(s->codes[0], UMBEL_BACKEND_AWAY);
    cr_assert_eq(s->subscribed, 0);
    redis_server_again(&s->server);
    scene_await(s, &s->subscribed, 1);
    scene_leave(s);
}

Test(redis, a_restarted_server_is_subscribed_again)
{
    struct redis_scene *s = scene_enter();
    scene_listen(s, "umbel.reply.1", "a");
    redis_server_kill(&s->server);
    scene_await(s, &s->lost, 1);
    redis_server_again(&s->server);
    double start = clock_mono();
    scene_await(s, &s->resubscribed, 1);
    scene_await(s, &s->up, 2);
    cr_assert_lt(clock_mono() - start, 5);
    scene_put(s, "a", scene_success, "umbel.reply.1", 0);
    scene_await(s, &s->noticed, 2);
    cr_assert_str_eq(s->notice, scene_success);
    cr_assert_eq(s->resubscribed, 1);
    scene_leave(s);
}

Test(redis, a_killed_subscription_is_restored)
{
    struct redis_scene *s = scene_enter();
    scene_listen(s, "umbel.reply.1", "a");
    s->backend->ops->unwatch(s->backend, &STR("a"), 1);
    scene_command(s, "CLIENT KILL TYPE pubsub");
    scene_await(s, &s->resubscribed, 1);
    scene_put(s, "a", scene_success, NULL, 0);
    scene_put(s, "b", scene_success, "umbel.reply.1", 0);
    scene_await(s, &s->noticed, 1);
    scene_await(s, &s->stored, 2);
    cr_assert_eq(s->noticed, 1, "an unwatched task was subscribed again");
    scene_leave(s);
}

Test(redis, a_hundred_thousand_watched_tasks_survive_a_restart)
{
    enum { MANY = 100000 };
    struct redis_scene *s = scene_enter();
    char(*names)[16] = calloc(MANY, sizeof *names);
    umbel_str *ids = calloc(MANY, sizeof *ids);
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof *names, "t%d", i);
        ids[i] = str_of(names[i]);
    }
    s->backend->ops->watch(s->backend, ids, MANY, 1);
    scene_await(s, &s->subscribed, 1);
    redis_server_kill(&s->server);
    redis_server_again(&s->server);
    scene_await(s, &s->resubscribed, 1);
    scene_put(s, names[MANY - 1], scene_success, NULL, 0);
    scene_await(s, &s->noticed, 1);
    s->backend->ops->unwatch(s->backend, ids, MANY);
    free(ids);
    free(names);
    scene_leave(s);
}

/* ---- results ---- */

Test(redis, results_live_as_long_as_they_are_told_to)
{
    struct redis_scene *s = scene_enter_with(NULL, 0, 100);
    cr_assert_eq(scene_store(s, "a", scene_success), UMBEL_OK);
    long long left = redis_server_number(&s->server, "PTTL celery-task-meta-a");
    cr_assert(left > 90000 && left <= 100000, "%lld", left);
    scene_leave(s);
    s = scene_enter_with(NULL, 0, -1);
    cr_assert_eq(scene_store(s, "a", scene_success), UMBEL_OK);
    cr_assert_eq(redis_server_number(&s->server, "PTTL celery-task-meta-a"), -1);
    scene_leave(s);
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
    struct redis_scene *s = scene_enter();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char id[16];
        snprintf(id, sizeof id, "%zu", i);
        cr_assert_eq(scene_store(s, id, rows[i].map), UMBEL_OK);
        cr_assert_eq(scene_store(s, id, scene_success), rows[i].terminal ? UMBEL_ALREADY_DONE : UMBEL_OK,
                     "row %zu", i);
        cr_assert_str_eq(scene_find(s, id), rows[i].terminal ? rows[i].map : scene_success);
    }
    scene_leave(s);
}

/* Runs a program of Debian's Python with Celery; what it printed, to be freed. NULL when there is no Celery.
 */
static char *celery(const struct redis_scene *s, const char *program)
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
    struct redis_scene *s = scene_enter();
    cr_assert_eq(
        scene_store(
            s, "a",
            "{\"status\": \"SUCCESS\", \"result\": [5, \"x\"], \"traceback\": null, \"children\": [], "
            "\"date_done\": \"2026-11-21T09:11:35.050829\", \"task_id\": \"a\"}"),
        UMBEL_OK);
    char *said = celery(s, "print(AsyncResult(\"a\", app=app).get(timeout=5))");
    cr_assert_str_eq(said, "[5, 'x']\n");
    free(said);
    scene_leave(s);
}

Test(redis, we_read_celerys_results_and_hear_of_them)
{
    struct redis_scene *s = scene_enter();
    scene_listen(s, "c", "a");
    free(celery(s, "app.backend.store_result(\"a\", 7, \"SUCCESS\")"));
    scene_await(s, &s->noticed, 1);
    cr_assert(str_starts(str_of(scene_find(s, "a")), STR("{\"status\": \"SUCCESS\", \"result\": 7")), "%s",
              s->found_text);
    cr_assert_str_eq(s->notice, s->found_text);
    cr_assert_eq(scene_store(s, "a", scene_success), UMBEL_ALREADY_DONE);
    s->backend->ops->begin(s->backend, STR("a"), 0);
    scene_await(s, &s->begun, 1);
    cr_assert(s->history.terminal);
    scene_leave(s);
}
