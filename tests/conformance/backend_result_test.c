/* backend_result_test.c: results are stored whole, found by all, and the first end of a task stays its end
 * until it expires. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "backend_scene.h"

/* ---- storing ---- */

PROMISE(what_is_stored_is_found_byte_by_byte)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 5), UMBEL_OK);
    assert_result_map(vault_find(&s.vault, s.id), s.id, "SUCCESS", 5);
    assert_result_map(vault_find(&s.other, s.id), s.id, "SUCCESS", 5);
    backend_scene_leave(&s);
}

PROMISE(an_unknown_id_is_found_empty)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    cr_assert_str_eq(vault_find(&s.vault, s.id), "");
    backend_scene_leave(&s);
}

PROMISE(a_large_result_is_found_whole)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
    backend_scene_leave(&s);
}

PROMISE(the_first_terminal_state_stays)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    static const char *states[] = {"SUCCESS", "FAILURE", "REVOKED"};
    for (size_t first = 0; first < 3; first++)
        for (size_t second = 0; second < 3; second++) {
            uuid_make(s.id);
            cr_assert_eq(vault_store(&s.vault, s.id, states[first], 1), UMBEL_OK);
            cr_assert_eq(vault_store(&s.other, s.id, states[second], 2), UMBEL_ALREADY_DONE);
            assert_result_map(vault_find(&s.vault, s.id), s.id, states[first], 1);
        }
    backend_scene_leave(&s);
}

PROMISE(of_two_racing_terminal_states_one_wins)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
        assert_result_map(vault_find(&s.vault, ids[at]), ids[at], won[at] ? "SUCCESS" : "FAILURE",
                          won[at] ? 1 : 2);
    }
    backend_scene_leave(&s);
}

PROMISE(a_state_that_is_not_terminal_is_overwritten_by_any)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "STARTED", 1), UMBEL_OK);
    cr_assert_eq(vault_store(&s.vault, s.id, "PROGRESS", 2), UMBEL_OK);
    assert_result_map(vault_find(&s.vault, s.id), s.id, "PROGRESS", 2);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 3), UMBEL_OK);
    assert_result_map(vault_find(&s.vault, s.id), s.id, "SUCCESS", 3);
    backend_scene_leave(&s);
}

PROMISE(a_terminal_state_is_not_replaced_by_one_that_is_not)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "FAILURE", 1), UMBEL_OK);
    cr_assert_eq(vault_store(&s.vault, s.id, "STARTED", 2), UMBEL_ALREADY_DONE);
    assert_result_map(vault_find(&s.vault, s.id), s.id, "FAILURE", 1);
    backend_scene_leave(&s);
}

PROMISE(a_replay_replaces_even_a_terminal_state)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    char map[512];
    cr_assert_eq(vault_store(&s.vault, s.id, "FAILURE", 1), UMBEL_OK);
    struct backend_store store = {
        .id = str_of(s.id), .payload = result_map(map, s.id, "PENDING", 2), .overwrite_terminal = true};
    s.vault.backend->ops->store(s.vault.backend, &store, 3);
    cr_assert(vault_wait(&s.vault, &s.vault.stored, 2));
    cr_assert_eq(s.vault.stores[1].code, UMBEL_OK);
    assert_result_map(vault_find(&s.vault, s.id), s.id, "PENDING", 2);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 3), UMBEL_OK);
    cr_assert_eq(vault_store(&s.vault, s.id, "FAILURE", 4), UMBEL_ALREADY_DONE);
    backend_scene_leave(&s);
}

PROMISE(a_forgotten_result_is_gone)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 5), UMBEL_OK);
    s.vault.backend->ops->forget(s.vault.backend, str_of(s.id));
    cr_assert_str_eq(vault_find(&s.vault, s.id), "");
    cr_assert_str_eq(vault_find(&s.other, s.id), "");
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 6), UMBEL_OK);
    backend_scene_leave(&s);
}

PROMISE(a_result_expires)
{
    struct backend_scene s;
    backend_scene_enter_keeping(&s, row, 1);
    double stored = clock_mono();
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 5), UMBEL_OK);
    const char *found = vault_find(&s.vault, s.id);
    cr_assert(*found || clock_mono() - stored >= 0.99);
    while (*found && clock_mono() - stored < PATIENCE)
        found = vault_find(&s.vault, s.id);
    cr_assert_str_eq(found, "");
    cr_assert_geq(clock_mono() - stored, 0.5);
    cr_assert_eq(vault_store(&s.vault, s.id, "FAILURE", 6), UMBEL_OK);
    backend_scene_leave(&s);
}

PROMISE(a_thousand_ids_are_read_at_once)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
            assert_result_map(s.other.finds[i].payload, ids[i], "SUCCESS", i);
        else
            cr_assert_str_eq(s.other.finds[i].payload, "");
    }
    backend_scene_leave(&s);
}

/* ---- closing ---- */

PROMISE(close_answers_everything_that_is_pending)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
    backend_scene_leave(&s);
}
