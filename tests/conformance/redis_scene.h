/* redis_scene.h: a Redis of one test's own and a backend on it whose every event is counted. */
#ifndef TESTS_REDIS_SCENE_H
#define TESTS_REDIS_SCENE_H

#include "broker/backend.h"
#include "driver.h"
#include "redis_server.h"

#define STORES 1000 /* tokens of stores are below */

struct redis_scene {
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

extern const char scene_success[]; /* a result map */

/* A server and a backend that is up. */
struct redis_scene *scene_enter(void);
struct redis_scene *scene_enter_with(const char *const *server_options, double request_timeout,
                                     double expires);
/* Only opens, without waiting. */
void scene_open(struct redis_scene *s, const char *url);
/* The same of a server of its own, with "user:password@" or "". */
struct redis_scene *scene_open_as(const char *const *server_options, const char *login);
void scene_close(struct redis_scene *s, double grace);
/* Closes, stops the server, frees. */
void scene_leave(struct redis_scene *s);

/* Turns the loop until a counter is there; fails the test when that takes too long. */
void scene_await(struct redis_scene *s, const size_t *counter, size_t wanted);
/* Stores a terminal state, without waiting; and "id-<number>" for each number in a range. */
void scene_put(struct redis_scene *s, const char *id, const char *payload, const char *reply, uint64_t token);
void scene_put_many(struct redis_scene *s, size_t from, size_t to);
/* These wait. */
int scene_store(struct redis_scene *s, const char *id, const char *payload);
const char *scene_find(struct redis_scene *s, const char *id);
void scene_listen(struct redis_scene *s, const char *channel, const char *id);
/* A command to the server, past the backend. */
void scene_command(struct redis_scene *s, const char *words);
void scene_each_answered_once(const struct redis_scene *s);

#endif
