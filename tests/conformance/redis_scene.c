/* redis_scene.c: see redis_scene.h. */
#include "redis_scene.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/str.h"

static void keep(char *out, size_t size, umbel_str text)
{
    snprintf(out, size, "%.*s", (int)text.size, text.data ? text.data : "");
}

static void on_state(void *self, enum backend_state state, int code, const char *why)
{
    struct redis_scene *s = self;
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
    struct redis_scene *s = self;
    cr_assert_lt(token, STORES);
    s->stored++;
    s->answers[token]++;
    s->codes[token] = code;
    if (code)
        keep(s->why, sizeof s->why, str_of(why));
}

static void on_found(void *self, uint64_t token, int code, umbel_str id, umbel_str payload)
{
    struct redis_scene *s = self;
    (void)token, (void)id;
    s->found++;
    s->codes[0] = code;
    keep(s->found_text, sizeof s->found_text, payload);
}

static void on_begun(void *self, uint64_t token, int code, struct backend_history history)
{
    struct redis_scene *s = self;
    (void)token;
    s->begun++;
    s->codes[0] = code;
    s->history = history;
}

static void on_notice(void *self, umbel_str payload, bool listened)
{
    (void)listened;
    struct redis_scene *s = self;
    s->noticed++;
    keep(s->notice, sizeof s->notice, payload);
}

static void on_subscribed(void *self, uint64_t token)
{
    struct redis_scene *s = self;
    (void)token;
    s->subscribed++;
}

static void on_resubscribed(void *self)
{
    struct redis_scene *s = self;
    s->resubscribed++;
}

static void on_closed(void *self)
{
    struct redis_scene *s = self;
    s->closed++;
}

static void on_line(void *self, umbel_level level, const char *area, const char *line)
{
    struct redis_scene *s = self;
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

void scene_await(struct redis_scene *s, const size_t *counter, size_t wanted)
{
    cr_assert(driver_wait(&s->driver, counter, wanted, PATIENCE),
              "waited in vain; last word: %s; the log:\n%s", s->why, s->said);
}

void scene_open(struct redis_scene *s, const char *url)
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

struct redis_scene *scene_open_as(const char *const *server_options, const char *login)
{
    struct redis_scene *s = calloc(1, sizeof *s);
    char url[128];
    redis_server_start(&s->server, server_options);
    snprintf(url, sizeof url, "redis://%s127.0.0.1:%d", login, s->server.port);
    scene_open(s, url);
    return s;
}

struct redis_scene *scene_enter_with(const char *const *server_options, double request_timeout,
                                     double expires)
{
    struct redis_scene *s = calloc(1, sizeof *s);
    s->options.request_timeout = request_timeout;
    s->options.expires = expires;
    redis_server_start(&s->server, server_options);
    scene_open(s, s->server.url);
    scene_await(s, &s->up, 1);
    return s;
}

struct redis_scene *scene_enter(void)
{
    return scene_enter_with(NULL, 0, 0);
}

void scene_close(struct redis_scene *s, double grace)
{
    size_t closed = s->closed;
    s->backend->ops->close(s->backend, grace, on_closed, s);
    scene_await(s, &s->closed, closed + 1);
}

void scene_leave(struct redis_scene *s)
{
    scene_close(s, 2);
    driver_fini(&s->driver);
    redis_server_stop(&s->server);
    free(s);
}

void scene_put(struct redis_scene *s, const char *id, const char *payload, const char *reply, uint64_t token)
{
    struct backend_store store = {
        .id = str_of(id), .payload = str_of(payload), .terminal = true, .reply_channel = str_of(reply)};
    s->backend->ops->store(s->backend, &store, token);
}

const char scene_success[] = "{\"status\": \"SUCCESS\", \"result\": 5}";

void scene_put_many(struct redis_scene *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        char id[32];
        snprintf(id, sizeof id, "id-%zu", i);
        scene_put(s, id, scene_success, NULL, i);
    }
}

int scene_store(struct redis_scene *s, const char *id, const char *payload)
{
    size_t before = s->stored;
    scene_put(s, id, payload, NULL, 0);
    scene_await(s, &s->stored, before + 1);
    return s->codes[0];
}

const char *scene_find(struct redis_scene *s, const char *id)
{
    umbel_str ids[] = {str_of(id)};
    size_t before = s->found;
    s->backend->ops->lookup(s->backend, ids, 1, 0);
    scene_await(s, &s->found, before + 1);
    cr_assert_eq(s->codes[0], UMBEL_OK);
    return s->found_text;
}

void scene_listen(struct redis_scene *s, const char *channel, const char *id)
{
    umbel_str ids[] = {str_of(id)};
    size_t before = s->subscribed;
    s->backend->ops->listen(s->backend, str_of(channel), 1);
    s->backend->ops->watch(s->backend, ids, 1, 2);
    scene_await(s, &s->subscribed, before + 2);
}

void scene_command(struct redis_scene *s, const char *words)
{
    free(redis_server_do(&s->server, words));
}

void scene_each_answered_once(const struct redis_scene *s)
{
    for (size_t i = 0; i < STORES; i++)
        cr_assert_eq(s->answers[i], 1, "store %zu was answered %zu times", i, s->answers[i]);
}
