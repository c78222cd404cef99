/* backend_notice_test.c: who watches a task or listens on a channel is told each result, and nothing else. */
#include <stdio.h>
#include <string.h>
#include "backend_scene.h"

PROMISE(who_watches_a_task_is_told_its_result)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    vault_watch(&s.other, s.id);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 5), UMBEL_OK);
    cr_assert(vault_wait(&s.other, &s.other.noticed, 1));
    assert_result_map(s.other.notices[0].payload, s.id, "SUCCESS", 5);
    backend_scene_leave(&s);
}

PROMISE(who_listens_and_watches_is_told_on_the_channel_first)
{
    struct backend_scene s;
    char map[512];
    backend_scene_enter(&s, row);
    vault_watch(&s.vault, s.id);
    vault_listen(&s.vault, "mine");
    vault_watch(&s.other, s.id);
    vault_put(&s.vault, s.id, result_map(map, s.id, "SUCCESS", 1), true, "mine", 2);
    cr_assert(vault_wait(&s.vault, &s.vault.noticed, 1) && vault_wait(&s.other, &s.other.noticed, 1));
    cr_assert(s.vault.notices[0].listened);
    cr_assert(!s.other.notices[0].listened, "it watches only");
    backend_scene_leave(&s);
}

PROMISE(who_watches_is_told_states_that_are_not_terminal_too)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    vault_watch(&s.other, s.id);
    cr_assert_eq(vault_store(&s.vault, s.id, "PROGRESS", 1), UMBEL_OK);
    cr_assert(vault_wait(&s.other, &s.other.noticed, 1));
    assert_result_map(s.other.notices[0].payload, s.id, "PROGRESS", 1);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 2), UMBEL_OK);
    cr_assert(vault_wait(&s.other, &s.other.noticed, 2));
    assert_result_map(s.other.notices[1].payload, s.id, "SUCCESS", 2);
    backend_scene_leave(&s);
}

PROMISE(who_watches_too_late_finds_it_stored)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 5), UMBEL_OK);
    vault_watch(&s.other, s.id);
    assert_result_map(vault_find(&s.other, s.id), s.id, "SUCCESS", 5);
    backend_scene_leave(&s);
}

PROMISE(who_listens_on_a_reply_channel_is_told_each_result)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
    backend_scene_leave(&s);
}

PROMISE(a_task_with_the_longest_id_is_watched_like_any_other)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    char id[256] = {0}, map[512];
    memset(id, 'x', 255);
    vault_watch(&s.other, id);
    vault_put(&s.vault, id, result_map(map, id, "SUCCESS", 5), true, NULL, 1);
    cr_assert(vault_wait(&s.other, &s.other.noticed, 1));
    backend_scene_leave(&s);
}

PROMISE(a_watched_task_and_a_reply_channel_cross_loops)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
    backend_scene_leave(&s);
}

PROMISE(a_refused_store_is_not_published_and_unwatched_is_not_told)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
    assert_result_map(s.other.notices[0].payload, last, "SUCCESS", 4); /* nothing came before it */
    backend_scene_leave(&s);
}

PROMISE(a_thousand_watched_tasks_are_all_told)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
    backend_scene_leave(&s);
}
