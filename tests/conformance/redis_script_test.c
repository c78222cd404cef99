/* redis_script_test.c: what one call of the script does for many results at once: each one's verdict, what
 * lies under its key then, and who is told what, in which order. */
#include <criterion/criterion.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/str.h"
#include "redis_scene.h"

TestSuite(redis_script, .timeout = 90);

#define NEW_MAP "{\"status\": \"SUCCESS\", \"result\": "

/* What lies under a key before. */
enum before { NOTHING, ENDED, STARTED, ENDED_PACKED, RETRY_PACKED, ENDED_LATE, LIST, BEFORES };

static const char *const maps[BEFORES] = {
    [ENDED] = "{\"status\": \"REVOKED\", \"result\": 0}",
    [STARTED] = "{\"status\": \"STARTED\", \"result\": 0}",
    [ENDED_PACKED] = "\x82\xa6status\xa7REVOKED\xa6result\x05",
    [RETRY_PACKED] = "\x82\xa6status\xa5RETRY\xa6result\x05",
    [ENDED_LATE] = "{\"result\": {\"status\": \"RETRY\"}, \"status\": \"FAILURE\"}",
    [LIST] = "x",
};

struct hearer {
    redisContext *context;
    char told[65536], wanted[65536];
};

static redisContext *dial(const struct redis_scene *s)
{
    redisContext *context = redisConnectWithTimeout("127.0.0.1", s->server.port, (struct timeval){20, 0});
    cr_assert(context && !context->err);
    redisSetTimeout(context, (struct timeval){20, 0});
    return context;
}

static struct hearer *hear(const struct redis_scene *s)
{
    struct hearer *hearer = calloc(1, sizeof *hearer);
    hearer->context = dial(s);
    freeReplyObject(redisCommand(hearer->context, "PSUBSCRIBE *"));
    return hearer;
}

static void expect(struct hearer *hearer, const char *channel, const char *payload)
{
    size_t used = strlen(hearer->wanted);
    snprintf(hearer->wanted + used, sizeof hearer->wanted - used, "%s %s\n", channel, payload);
}

/* Everything that was published is what was expected, in that order. */
static void heard(struct hearer *hearer, struct redis_scene *s)
{
    size_t used = 0;
    scene_command(s, "PUBLISH end end");
    for (;;) {
        redisReply *reply = NULL;
        cr_assert_eq(redisGetReply(hearer->context, (void **)&reply), REDIS_OK);
        const char *channel = reply->element[2]->str, *payload = reply->element[3]->str;
        bool last = strcmp(channel, "end") == 0;
        if (!last)
            used += (size_t)snprintf(hearer->told + used, sizeof hearer->told - used, "%s %s\n", channel,
                                     payload);
        freeReplyObject(reply);
        if (last)
            break;
    }
    cr_assert_str_eq(hearer->told, hearer->wanted);
    hearer->told[0] = hearer->wanted[0] = 0;
}

static void hearer_free(struct hearer *hearer)
{
    redisFree(hearer->context);
    free(hearer);
}

/* One result of a turn, and what must become of it. */
struct result {
    char id[32], key[64], payload[64];
    const char *channel; /* NULL = none */
    enum before before;
};

static void prepare(redisContext *direct, struct result *result, int number)
{
    snprintf(result->id, sizeof result->id, "t%d", number);
    snprintf(result->key, sizeof result->key, "celery-task-meta-t%d", number);
    snprintf(result->payload, sizeof result->payload, NEW_MAP "%d}", number);
    if (result->before == LIST)
        freeReplyObject(redisCommand(direct, "RPUSH %s x", result->key));
    else if (result->before)
        freeReplyObject(redisCommand(direct, "SET %s %s", result->key, maps[result->before]));
}

static int code_of(enum before before, bool overwrite)
{
    if (overwrite)
        return UMBEL_OK;
    if (before == LIST)
        return UMBEL_BACKEND_REFUSED;
    bool ended = before == ENDED || before == ENDED_PACKED || before == ENDED_LATE;
    return ended ? UMBEL_ALREADY_DONE : UMBEL_OK;
}

static void check(redisContext *direct, const struct result *result, int code, bool expires)
{
    if (code == UMBEL_BACKEND_REFUSED)
        return;
    redisReply *map = redisCommand(direct, "GET %s", result->key);
    cr_assert_str_eq(map->str, code == UMBEL_OK ? result->payload : maps[result->before]);
    freeReplyObject(map);
    redisReply *left = redisCommand(direct, "PTTL %s", result->key);
    if (code == UMBEL_OK && expires)
        cr_assert(left->integer > 90000 && left->integer <= 100000, "%lld", left->integer);
    else
        cr_assert_eq(left->integer, -1);
    freeReplyObject(left);
}

/* Stores `count` results in one turn and checks everything about them. */
static void turn(struct redis_scene *s, struct hearer *hearer, struct result *results, size_t count,
                 bool overwrite)
{
    redisContext *direct = dial(s);
    size_t stored = s->stored;
    for (size_t i = 0; i < count; i++) {
        struct result *it = &results[i];
        prepare(direct, it, (int)i);
        struct backend_store store = {.id = str_of(it->id),
                                      .payload = str_of(it->payload),
                                      .terminal = true,
                                      .overwrite_terminal = overwrite,
                                      .reply_channel = str_of(it->channel)};
        s->backend->ops->store(s->backend, &store, i);
        if (code_of(it->before, overwrite) != UMBEL_OK)
            continue;
        if (it->channel)
            expect(hearer, it->channel, it->payload);
        expect(hearer, it->key, it->payload);
    }
    scene_await(s, &s->stored, stored + count);
    for (size_t i = 0; i < count; i++) {
        int code = code_of(results[i].before, overwrite);
        cr_assert_eq(s->codes[i], code, "result %zu: %d", i, s->codes[i]);
        check(direct, &results[i], code, s->options.expires > 0);
    }
    heard(hearer, s);
    freeReplyObject(redisCommand(direct, "FLUSHALL"));
    redisFree(direct);
}

static void turns(double expires)
{
    static const char *const channels[] = {"umbel.1", "umbel.2", NULL, "umbel.33"};
    enum { MOST = 40 };
    struct redis_scene *s = scene_enter_with(NULL, 0, expires);
    struct hearer *hearer = hear(s);
    unsigned random = 7;
    for (unsigned round = 0; round < 150; round++) {
        struct result results[MOST] = {0};
        size_t count = 1 + round % MOST;
        for (size_t i = 0; i < count; i++) {
            random = random * 1103515245 + 12345;
            unsigned dice = random >> 16;
            results[i].channel = channels[round % 3 == 0 ? dice % 4 : round / 3 % 4];
            results[i].before = round % 2 ? dice / 4 % BEFORES : NOTHING;
        }
        turn(s, hearer, results, count, round % 5 == 4);
    }
    hearer_free(hearer);
    scene_leave(s);
}

Test(redis_script, every_result_of_a_turn_is_judged_kept_and_told_on_its_own)
{
    turns(100);
}

Test(redis_script, the_same_where_results_live_for_ever)
{
    turns(-1);
}

/* ---- a user who may not publish everywhere ---- */

/* Two results, each told to one channel alone, because anna may publish to `allowed` only. */
static void is_complained_of(const char *allowed, const char *first, const char *second)
{
    const char *const options[] = {"--user", "anna",          "on",    ">pw", "~*",
                                   "+@all",  "resetchannels", allowed, NULL};
    struct redis_scene *s = scene_open_as(options, "anna:pw@");
    scene_await(s, &s->up, 1);
    struct hearer *hearer = hear(s);
    scene_put(s, "a", NEW_MAP "1}", "umbel.1", 0);
    scene_put(s, "b", NEW_MAP "2}", "umbel.1", 1);
    scene_await(s, &s->stored, 2);
    cr_assert_eq(s->codes[0], UMBEL_OK);
    cr_assert_eq(s->codes[1], UMBEL_OK);
    cr_assert_not_null(strstr(s->said, "channel"), "%s", s->said);
    expect(hearer, first, NEW_MAP "1}");
    expect(hearer, second, NEW_MAP "2}");
    heard(hearer, s);
    cr_assert_str_eq(scene_find(s, "b"), NEW_MAP "2}");
    hearer_free(hearer);
    scene_leave(s);
}

Test(redis_script, a_client_that_may_not_be_told_is_complained_of)
{
    is_complained_of("&celery-task-meta-*", "celery-task-meta-a", "celery-task-meta-b");
}

Test(redis_script, a_tasks_channel_that_is_forbidden_is_complained_of)
{
    is_complained_of("&umbel.*", "umbel.1", "umbel.1");
}
