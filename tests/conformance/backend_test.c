/* backend_test.c: what broker/backend.h promises, one body per promise, over every implementation. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdlib.h>
#include "common/clock.h"
#include "common/str.h"
#include "common/uuid.h"
#include "vault.h"

TestSuite(backend, .timeout = 60);

#define PROMISE(name)                                                                                        \
    ParameterizedTestParameters(backend, name)                                                               \
    {                                                                                                        \
        size_t count;                                                                                        \
        struct row *rows = backend_rows(&count);                                                             \
        return cr_make_param_array(struct row, rows, count);                                                 \
    }                                                                                                        \
    ParameterizedTest(struct row *row, backend, name)

/* One test's scene: a place, a loop, two backends of one store, an id. */
struct scene {
    struct place place;
    struct driver driver;
    struct vault vault, other;
    char id[UUID_SIZE];
};

static void enter_keeping(struct scene *scene, const struct row *row, double expires)
{
    place_init(&scene->place, row);
    driver_init(&scene->driver);
    vault_open(&scene->vault, &scene->driver, &scene->place, expires);
    vault_open(&scene->other, &scene->driver, &scene->place, expires);
    uuid_make(scene->id);
}

static void enter(struct scene *scene, const struct row *row)
{
    enter_keeping(scene, row, 60);
}

static void leave(struct scene *scene)
{
    vault_close(&scene->vault);
    vault_close(&scene->other);
    driver_fini(&scene->driver);
    place_fini(&scene->place);
}

static void is_map(const char *found, const char *id, const char *state, int result)
{
    char map[512];
    result_map(map, id, state, result);
    cr_assert_str_eq(found, map);
}

/* ---- revoked ids
 * ----------------------------------------------------------------------------------------------------- */

static double wait_revoked(struct scene *s, struct vault *vault)
{
    double end = clock_mono() + 5, until;
    while ((until = vault_revoked(vault, s->id)) == 0 && clock_mono() < end) {
    }
    return until;
}

PROMISE(what_is_revoked_is_known_to_others)
{
    struct scene s;
    enter(&s, row);
    double until = floor(clock_now()) + 100;
    cr_assert_eq(vault_revoked(&s.other, s.id), 0);
    vault_revoke(&s.vault, s.id, until);
    cr_assert_eq(vault_revoked(&s.vault, s.id), until);
    cr_assert_eq(wait_revoked(&s, &s.other), until);
    leave(&s);
}

PROMISE(what_was_revoked_has_its_time)
{
    struct scene s;
    enter(&s, row);
    vault_revoke(&s.vault, s.id, floor(clock_now()) + 2);
    cr_assert_gt(vault_revoked(&s.vault, s.id), 0);
    double end = clock_mono() + 10;
    while (vault_revoked(&s.vault, s.id) > 0)
        cr_assert_lt(clock_mono(), end, "it does not run out");
    leave(&s);
}

PROMISE(an_id_revoked_twice_stays_for_the_longer_time)
{
    struct scene s;
    enter(&s, row);
    double until = floor(clock_now()) + 100;
    vault_revoke(&s.vault, s.id, until);
    vault_revoke(&s.vault, s.id, until - 50);
    cr_assert_eq(vault_revoked(&s.vault, s.id), until);
    vault_revoke(&s.vault, s.id, until + 50);
    cr_assert_eq(vault_revoked(&s.vault, s.id), until + 50);
    leave(&s);
}

PROMISE(many_are_revoked_at_once)
{
    struct scene s;
    enter(&s, row);
    enum { MANY = 2000 };
    static char ids[MANY][UUID_SIZE];
    static struct backend_revocation list[MANY];
    double until = floor(clock_now()) + 5;
    for (int i = 0; i < MANY; i++) {
        uuid_make(ids[i]);
        list[i] = (struct backend_revocation){str_of(ids[i]), until};
    }
    s.vault.backend->ops->revoke(s.vault.backend, list, MANY);
    cr_assert_eq(vault_revoked(&s.vault, ids[0]), until);
    cr_assert_eq(vault_revoked(&s.vault, ids[MANY - 1]), until);
    leave(&s);
}

/* ---- parts
 * ----------------------------------------------------------------------------------------------------- */

PROMISE(parts_are_kept_in_order_and_read_by_others_from_any_number)
{
    struct scene s;
    enter(&s, row);
    cr_assert_eq(vault_parts(&s.other, s.id, 0), 0);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 0, "a"), UMBEL_OK);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 1, "b"), UMBEL_OK);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 2, "c"), UMBEL_OK);
    cr_assert_eq(vault_parts(&s.other, s.id, 0), 3);
    cr_assert_str_eq(s.other.parts[0], "a");
    cr_assert_str_eq(s.other.parts[1], "b");
    cr_assert_str_eq(s.other.parts[2], "c");
    cr_assert_eq(vault_parts(&s.other, s.id, 2), 1);
    cr_assert_str_eq(s.other.parts[0], "c");
    cr_assert_eq(vault_parts(&s.other, s.id, 3), 0);
    leave(&s);
}

PROMISE(a_part_sent_twice_is_kept_once_and_none_is_skipped)
{
    struct scene s;
    enter(&s, row);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 0, "a"), UMBEL_OK);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 2, "c"), UMBEL_BACKEND_REFUSED);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 1, "b"), UMBEL_OK);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 1, "b"), UMBEL_OK, "its answer may have been lost");
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 0, "a"), UMBEL_OK);
    cr_assert_eq(vault_parts(&s.vault, s.id, 0), 2);
    leave(&s);
}

PROMISE(a_new_run_supersedes_the_parts_of_the_one_before)
{
    struct scene s;
    enter(&s, row);
    vault_part(&s.vault, s.id, "r1", 0, "a");
    vault_part(&s.vault, s.id, "r1", 1, "b");
    cr_assert_eq(vault_part(&s.other, s.id, "r2", 1, "y"), UMBEL_ALREADY_DONE, "it has not begun");
    cr_assert_eq(vault_part(&s.other, s.id, "r2", 0, "x"), UMBEL_OK);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 2, "c"), UMBEL_ALREADY_DONE, "the old run is over");
    cr_assert_eq(vault_parts(&s.vault, s.id, 0), 1);
    cr_assert_str_eq(s.vault.parts[0], "x");
    leave(&s);
}

PROMISE(no_part_comes_behind_a_terminal_state)
{
    struct scene s;
    enter(&s, row);
    vault_part(&s.vault, s.id, "r1", 0, "a");
    cr_assert_eq(vault_store(&s.vault, s.id, "RETRY", 1), UMBEL_OK);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 1, "b"), UMBEL_OK);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 1), UMBEL_OK);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 2, "c"), UMBEL_ALREADY_DONE);
    cr_assert_eq(vault_part(&s.vault, s.id, "r2", 0, "x"), UMBEL_ALREADY_DONE);
    cr_assert_eq(vault_parts(&s.other, s.id, 0), 2);
    struct backend_part replay = {
        .id = str_of(s.id), .run = STR("r3"), .payload = STR("z"), .overwrite_terminal = true};
    s.vault.backend->ops->add_part(s.vault.backend, &replay, 1);
    cr_assert(vault_wait(&s.vault, &s.vault.stored, s.vault.stored + 1));
    cr_assert_eq(vault_parts(&s.other, s.id, 0), 1, "an operator's replay is a new life");
    leave(&s);
}

PROMISE(many_parts_are_read_some_at_a_time)
{
    struct scene s;
    enter(&s, row);
    enum { MANY = 150 };
    char text[16];
    size_t before = s.vault.stored;
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "%u", i);
        struct backend_part part = {
            .id = str_of(s.id), .run = STR("r"), .number = i, .payload = str_of(text)};
        s.vault.backend->ops->add_part(s.vault.backend, &part, i);
    }
    cr_assert(vault_wait(&s.vault, &s.vault.stored, before + MANY));
    for (size_t i = 0; i < MANY; i++)
        cr_assert_eq(s.vault.stores[before + i].token, i, "answers come in order");
    uint32_t read = 0;
    for (size_t some; (some = vault_parts(&s.other, s.id, read)); read += (uint32_t)some) {
        snprintf(text, sizeof text, "%u", read);
        cr_assert_str_eq(s.other.parts[0], text);
    }
    cr_assert_eq(read, MANY);
    leave(&s);
}

PROMISE(parts_are_published_on_the_reply_channel_and_on_the_tasks_before_its_result)
{
    struct scene s;
    enter(&s, row);
    char map[512];
    vault_listen(&s.vault, "mine");
    vault_watch(&s.other, s.id);
    vault_part(&s.vault, s.id, "r1", 0, "a");
    struct backend_part next = {
        .id = str_of(s.id), .run = STR("r1"), .number = 1, .payload = STR("b"), .reply_channel = STR("mine")};
    s.vault.backend->ops->add_part(s.vault.backend, &next, 1);
    vault_put(&s.vault, s.id, result_map(map, s.id, "SUCCESS", 1), true, "mine", 2);
    cr_assert(vault_wait(&s.vault, &s.vault.noticed, 3) && vault_wait(&s.other, &s.other.noticed, 3));
    const struct vault *both[] = {&s.vault, &s.other};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_str_eq(both[i]->notices[0].payload, "a");
        cr_assert_str_eq(both[i]->notices[1].payload, "b");
        cr_assert_str_eq(both[i]->notices[2].payload, map);
    }
    leave(&s);
}

PROMISE(parts_are_forgotten_with_their_result)
{
    struct scene s;
    enter(&s, row);
    vault_part(&s.vault, s.id, "r1", 0, "a");
    vault_store(&s.vault, s.id, "SUCCESS", 1);
    s.vault.backend->ops->forget(s.vault.backend, str_of(s.id));
    double end = clock_mono() + 5;
    while (vault_parts(&s.vault, s.id, 0) && clock_mono() < end) {
    }
    cr_assert_eq(s.vault.part_count, 0);
    leave(&s);
}

PROMISE(parts_live_as_long_as_a_result_that_is_stored_later)
{
    struct scene s;
    char map[512];
    enter_keeping(&s, row, 3);
    vault_part(&s.vault, s.id, "r1", 0, "a");
    double stored_at = clock_mono();
    while (clock_mono() < stored_at + 1.5)
        vault_parts(&s.vault, s.id, 0);
    struct backend_store store = {.id = str_of(s.id),
                                  .payload = result_map(map, s.id, "SUCCESS", 1),
                                  .terminal = true,
                                  .has_parts = true};
    size_t before = s.vault.stored;
    s.vault.backend->ops->store(s.vault.backend, &store, before);
    cr_assert(vault_wait(&s.vault, &s.vault.stored, before + 1));
    while (clock_mono() < stored_at + 3.7)
        vault_find(&s.vault, s.id);
    cr_assert_eq(vault_parts(&s.vault, s.id, 0), 1, "they are there while the result is");
    while (vault_find(&s.vault, s.id)[0] && clock_mono() < stored_at + 20) {
    }
    while (vault_parts(&s.vault, s.id, 0) && clock_mono() < stored_at + 20) {
    }
    cr_assert_eq(s.vault.part_count, 0, "and go with it");
    leave(&s);
}

PROMISE(a_start_mark_that_ends_leaves_parts_alone)
{
    struct scene s;
    enter(&s, row);
    vault_begin(&s.vault, s.id);
    vault_part(&s.vault, s.id, "r1", 0, "a");
    s.vault.backend->ops->end_mark(s.vault.backend, str_of(s.id));
    cr_assert_eq(vault_begin(&s.vault, s.id).starts, 0);
    cr_assert_eq(vault_parts(&s.vault, s.id, 0), 1);
    leave(&s);
}

/* ---- storing
 * ----------------------------------------------------------------------------------------------------- */

PROMISE(what_is_stored_is_found_byte_by_byte)
{
    struct scene s;
    enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 5), UMBEL_OK);
    is_map(vault_find(&s.vault, s.id), s.id, "SUCCESS", 5);
    is_map(vault_find(&s.other, s.id), s.id, "SUCCESS", 5);
    leave(&s);
}

PROMISE(an_unknown_id_is_found_empty)
{
    struct scene s;
    enter(&s, row);
    cr_assert_str_eq(vault_find(&s.vault, s.id), "");
    leave(&s);
}

PROMISE(a_large_result_is_found_whole)
{
    struct scene s;
    enter(&s, row);
    size_t size = 1 << 20;
    char head[512], *map = malloc(size + 600);
    memset(map, 'x', size + 600);
    result_map(head, s.id, "SUCCESS", 1);
    int start = sprintf(map, "{\"status\": \"SUCCESS\", \"result\": \"");
    map[start] = 'x';
    int tail = sprintf(map + size, "\", \"traceback\": null, \"children\": [], \"task_id\": \"%s\"}", s.id);
    umbel_str payload = {map, size + (size_t)tail};
    vault_put(&s.vault, s.id, payload, true, "", 1);
    cr_assert(vault_wait(&s.vault, &s.vault.stored, 1));
    cr_assert_eq(s.vault.stores[0].code, UMBEL_OK);
    vault_find(&s.other, s.id);
    cr_assert_eq(s.other.finds[0].size, payload.size);
    cr_assert_eq(memcmp(s.other.finds[0].payload, map, payload.size), 0);
    free(map);
    leave(&s);
}

PROMISE(the_first_terminal_state_stays)
{
    struct scene s;
    enter(&s, row);
    static const char *states[] = {"SUCCESS", "FAILURE", "REVOKED"};
    for (size_t first = 0; first < 3; first++)
        for (size_t second = 0; second < 3; second++) {
            uuid_make(s.id);
            cr_assert_eq(vault_store(&s.vault, s.id, states[first], 1), UMBEL_OK);
            cr_assert_eq(vault_store(&s.other, s.id, states[second], 2), UMBEL_ALREADY_DONE);
            is_map(vault_find(&s.vault, s.id), s.id, states[first], 1);
        }
    leave(&s);
}

PROMISE(of_two_racing_terminal_states_one_wins)
{
    struct scene s;
    enter(&s, row);
    char ids[50][UUID_SIZE], map[512];
    for (size_t i = 0; i < 50; i++) {
        uuid_make(ids[i]);
        vault_put(&s.vault, ids[i], result_map(map, ids[i], "SUCCESS", 1), true, "", i);
        vault_put(&s.other, ids[i], result_map(map, ids[i], "FAILURE", 2), true, "", i);
    }
    cr_assert(vault_wait(&s.vault, &s.vault.stored, 50));
    cr_assert(vault_wait(&s.other, &s.other.stored, 50));
    bool won[50] = {false};
    for (size_t i = 0; i < 50; i++)
        won[s.vault.stores[i].token] = s.vault.stores[i].code == UMBEL_OK;
    for (size_t i = 0; i < 50; i++) {
        uint64_t at = s.other.stores[i].token;
        cr_assert_eq(s.other.stores[i].code, won[at] ? UMBEL_ALREADY_DONE : UMBEL_OK);
        is_map(vault_find(&s.vault, ids[at]), ids[at], won[at] ? "SUCCESS" : "FAILURE", won[at] ? 1 : 2);
    }
    leave(&s);
}

PROMISE(a_state_that_is_not_terminal_is_overwritten_by_any)
{
    struct scene s;
    enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "STARTED", 1), UMBEL_OK);
    cr_assert_eq(vault_store(&s.vault, s.id, "PROGRESS", 2), UMBEL_OK);
    is_map(vault_find(&s.vault, s.id), s.id, "PROGRESS", 2);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 3), UMBEL_OK);
    is_map(vault_find(&s.vault, s.id), s.id, "SUCCESS", 3);
    leave(&s);
}

PROMISE(a_terminal_state_is_not_replaced_by_one_that_is_not)
{
    struct scene s;
    enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "FAILURE", 1), UMBEL_OK);
    cr_assert_eq(vault_store(&s.vault, s.id, "STARTED", 2), UMBEL_ALREADY_DONE);
    is_map(vault_find(&s.vault, s.id), s.id, "FAILURE", 1);
    leave(&s);
}

PROMISE(a_replay_replaces_even_a_terminal_state)
{
    struct scene s;
    enter(&s, row);
    char map[512];
    cr_assert_eq(vault_store(&s.vault, s.id, "FAILURE", 1), UMBEL_OK);
    struct backend_store store = {
        .id = str_of(s.id), .payload = result_map(map, s.id, "PENDING", 2), .overwrite_terminal = true};
    s.vault.backend->ops->store(s.vault.backend, &store, 3);
    cr_assert(vault_wait(&s.vault, &s.vault.stored, 2));
    cr_assert_eq(s.vault.stores[1].code, UMBEL_OK);
    is_map(vault_find(&s.vault, s.id), s.id, "PENDING", 2);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 3), UMBEL_OK);
    cr_assert_eq(vault_store(&s.vault, s.id, "FAILURE", 4), UMBEL_ALREADY_DONE);
    leave(&s);
}

PROMISE(a_forgotten_result_is_gone)
{
    struct scene s;
    enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 5), UMBEL_OK);
    s.vault.backend->ops->forget(s.vault.backend, str_of(s.id));
    cr_assert_str_eq(vault_find(&s.vault, s.id), "");
    cr_assert_str_eq(vault_find(&s.other, s.id), "");
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 6), UMBEL_OK);
    leave(&s);
}

PROMISE(a_result_expires)
{
    struct scene s;
    enter_keeping(&s, row, 1);
    double stored = clock_mono();
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 5), UMBEL_OK);
    const char *found = vault_find(&s.vault, s.id);
    cr_assert(*found || clock_mono() - stored >= 0.99);
    while (*found && clock_mono() - stored < PATIENCE)
        found = vault_find(&s.vault, s.id);
    cr_assert_str_eq(found, "");
    cr_assert_geq(clock_mono() - stored, 0.5);
    cr_assert_eq(vault_store(&s.vault, s.id, "FAILURE", 6), UMBEL_OK);
    leave(&s);
}

PROMISE(a_thousand_ids_are_read_at_once)
{
    struct scene s;
    enter(&s, row);
    static char ids[1000][UUID_SIZE];
    umbel_str names[1000];
    char map[512];
    for (int i = 0; i < 1000; i++) {
        uuid_make(ids[i]);
        names[i] = str_of(ids[i]);
        if (i % 2)
            vault_put(&s.vault, ids[i], result_map(map, ids[i], "SUCCESS", i), true, "", (uint64_t)i);
    }
    cr_assert(vault_wait(&s.vault, &s.vault.stored, 500));
    s.other.backend->ops->lookup(s.other.backend, names, 1000, 7);
    cr_assert(vault_wait(&s.other, &s.other.found, 1000), "%zu found", s.other.found);
    for (int i = 0; i < 1000; i++) {
        cr_assert_str_eq(s.other.finds[i].id, ids[i]);
        cr_assert_eq(s.other.finds[i].token, 7);
        if (i % 2)
            is_map(s.other.finds[i].payload, ids[i], "SUCCESS", i);
        else
            cr_assert_str_eq(s.other.finds[i].payload, "");
    }
    leave(&s);
}

/* ---- notices
 * ----------------------------------------------------------------------------------------------------- */

PROMISE(who_watches_a_task_is_told_its_result)
{
    struct scene s;
    enter(&s, row);
    vault_watch(&s.other, s.id);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 5), UMBEL_OK);
    cr_assert(vault_wait(&s.other, &s.other.noticed, 1));
    is_map(s.other.notices[0].payload, s.id, "SUCCESS", 5);
    leave(&s);
}

PROMISE(who_listens_and_watches_is_told_on_the_channel_first)
{
    struct scene s;
    char map[512];
    enter(&s, row);
    vault_watch(&s.vault, s.id);
    vault_listen(&s.vault, "mine");
    vault_watch(&s.other, s.id);
    vault_put(&s.vault, s.id, result_map(map, s.id, "SUCCESS", 1), true, "mine", 2);
    cr_assert(vault_wait(&s.vault, &s.vault.noticed, 1) && vault_wait(&s.other, &s.other.noticed, 1));
    cr_assert(s.vault.notices[0].listened);
    cr_assert(!s.other.notices[0].listened, "it watches only");
    leave(&s);
}

PROMISE(who_watches_is_told_states_that_are_not_terminal_too)
{
    struct scene s;
    enter(&s, row);
    vault_watch(&s.other, s.id);
    cr_assert_eq(vault_store(&s.vault, s.id, "PROGRESS", 1), UMBEL_OK);
    cr_assert(vault_wait(&s.other, &s.other.noticed, 1));
    is_map(s.other.notices[0].payload, s.id, "PROGRESS", 1);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 2), UMBEL_OK);
    cr_assert(vault_wait(&s.other, &s.other.noticed, 2));
    is_map(s.other.notices[1].payload, s.id, "SUCCESS", 2);
    leave(&s);
}

PROMISE(who_watches_too_late_finds_it_stored)
{
    struct scene s;
    enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 5), UMBEL_OK);
    vault_watch(&s.other, s.id);
    is_map(vault_find(&s.other, s.id), s.id, "SUCCESS", 5);
    leave(&s);
}

PROMISE(who_listens_on_a_reply_channel_is_told_each_result)
{
    struct scene s;
    enter(&s, row);
    char channel[64], map[512];
    snprintf(channel, sizeof channel, "umbel.%s", s.place.name);
    vault_listen(&s.other, channel);
    for (int i = 0; i < 20; i++) {
        uuid_make(s.id);
        vault_put(&s.vault, s.id, result_map(map, s.id, "SUCCESS", i), true, channel, 1);
    }
    cr_assert(vault_wait(&s.other, &s.other.noticed, 20));
    for (size_t i = 0; i < 20; i++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "\"result\": %zu,", i);
        cr_assert_not_null(strstr(s.other.notices[i].payload, wanted), "notice %zu out of order", i);
    }
    leave(&s);
}

PROMISE(a_task_with_the_longest_id_is_watched_like_any_other)
{
    struct scene s;
    enter(&s, row);
    char id[256] = {0}, map[512];
    memset(id, 'x', 255);
    vault_watch(&s.other, id);
    vault_put(&s.vault, id, result_map(map, id, "SUCCESS", 5), true, NULL, 1);
    cr_assert(vault_wait(&s.other, &s.other.noticed, 1));
    leave(&s);
}

PROMISE(a_watched_task_and_a_reply_channel_cross_loops)
{
    struct scene s;
    enter(&s, row);
    struct driver elsewhere;
    struct vault far;
    char map[512];
    driver_init(&elsewhere);
    vault_open(&far, &elsewhere, &s.place, 60);
    vault_watch(&far, s.id);
    vault_put(&s.vault, s.id, result_map(map, s.id, "SUCCESS", 5), true, "umbel.nobody", 1);
    cr_assert(vault_wait(&s.vault, &s.vault.stored, 1));
    cr_assert(vault_wait(&far, &far.noticed, 1));
    vault_close(&far);
    uv_close((uv_handle_t *)&elsewhere.deadline, NULL);
    loop_fini(&elsewhere.loop);
    leave(&s);
}

PROMISE(a_refused_store_is_not_published_and_unwatched_is_not_told)
{
    struct scene s;
    enter(&s, row);
    char last[UUID_SIZE];
    uuid_make(last);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 1), UMBEL_OK);
    vault_watch(&s.other, s.id);
    cr_assert_eq(vault_store(&s.vault, s.id, "FAILURE", 2), UMBEL_ALREADY_DONE);
    char dropped[UUID_SIZE];
    uuid_make(dropped);
    vault_watch(&s.other, dropped);
    umbel_str ids[] = {str_of(dropped)};
    s.other.backend->ops->unwatch(s.other.backend, ids, 1);
    vault_watch(&s.other, last);
    cr_assert_eq(vault_store(&s.vault, dropped, "SUCCESS", 3), UMBEL_OK);
    cr_assert_eq(vault_store(&s.vault, last, "SUCCESS", 4), UMBEL_OK);
    cr_assert(vault_wait(&s.other, &s.other.noticed, 1));
    is_map(s.other.notices[0].payload, last, "SUCCESS", 4); /* nothing came before it */
    leave(&s);
}

PROMISE(a_thousand_watched_tasks_are_all_told)
{
    struct scene s;
    enter(&s, row);
    static char ids[1000][UUID_SIZE];
    umbel_str names[1000];
    char map[512];
    for (int i = 0; i < 1000; i++) {
        uuid_make(ids[i]);
        names[i] = str_of(ids[i]);
    }
    s.other.backend->ops->watch(s.other.backend, names, 1000, 8);
    cr_assert(vault_wait(&s.other, &s.other.subscribed, 1));
    for (int i = 0; i < 1000; i++)
        vault_put(&s.vault, ids[i], result_map(map, ids[i], "SUCCESS", i), true, "", (uint64_t)i);
    cr_assert(vault_wait(&s.other, &s.other.noticed, 1000), "%zu told", s.other.noticed);
    cr_assert(vault_wait(&s.vault, &s.vault.stored, 1000));
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 1), UMBEL_OK); /* not ours, but it wakes us */
    vault_find(&s.other, s.id);
    cr_assert_eq(s.other.noticed, 1000, "%s: %zu told", row->name, s.other.noticed);
    leave(&s);
}

/* ---- marks
 * ------------------------------------------------------------------------------------------------------- */

PROMISE(start_marks_are_counted_until_the_end_is_marked)
{
    struct scene s;
    enter(&s, row);
    struct backend_history history = vault_begin(&s.vault, s.id);
    cr_assert_eq(history.starts, 0);
    cr_assert_not(history.terminal);
    cr_assert_eq(vault_begin(&s.vault, s.id).starts, 1);
    cr_assert_eq(vault_begin(&s.other, s.id).starts, 2);
    s.vault.backend->ops->end_mark(s.vault.backend, str_of(s.id));
    vault_find(&s.vault, s.id); /* a barrier: the mark is gone by then */
    cr_assert_eq(vault_begin(&s.other, s.id).starts, 0);
    cr_assert_str_eq(vault_find(&s.vault, s.id), ""); /* a mark is no result */
    leave(&s);
}

PROMISE(begin_says_whether_a_terminal_state_is_stored)
{
    struct scene s;
    enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "STARTED", 1), UMBEL_OK);
    cr_assert_not(vault_begin(&s.other, s.id).terminal);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 1), UMBEL_OK);
    cr_assert(vault_begin(&s.other, s.id).terminal);
    leave(&s);
}

/* ---- closing
 * ----------------------------------------------------------------------------------------------------- */

PROMISE(close_answers_everything_that_is_pending)
{
    struct scene s;
    enter(&s, row);
    char map[512];
    umbel_str id = str_of(s.id);
    for (uint64_t i = 0; i < 100; i++) {
        char each[UUID_SIZE];
        uuid_make(each);
        vault_put(&s.vault, each, result_map(map, each, "SUCCESS", 1), true, "", i);
    }
    s.vault.backend->ops->lookup(s.vault.backend, &id, 1, 1);
    s.vault.backend->ops->begin(s.vault.backend, id, 2);
    vault_shut(&s.vault, 2);
    cr_assert_eq(s.vault.stored, 100);
    cr_assert_eq(s.vault.found, 1);
    cr_assert_eq(s.vault.begun, 1);
    size_t seen[100] = {0};
    for (size_t i = 0; i < 100; i++) {
        cr_assert(s.vault.stores[i].code == UMBEL_OK || s.vault.stores[i].code == UMBEL_BACKEND_AWAY);
        seen[s.vault.stores[i].token]++;
    }
    for (size_t i = 0; i < 100; i++)
        cr_assert_eq(seen[i], 1);
    leave(&s);
}
