/* backend_part_test.c: the parts of a result: in order, none twice, of one run only, and gone with their
 * result. */
#include <stdio.h>
#include "common/clock.h"
#include "backend_scene.h"

PROMISE(parts_are_kept_in_order_and_read_by_others_from_any_number)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
    backend_scene_leave(&s);
}

PROMISE(a_part_sent_twice_is_kept_once_and_none_is_skipped)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 0, "a"), UMBEL_OK);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 2, "c"), UMBEL_BACKEND_REFUSED);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 1, "b"), UMBEL_OK);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 1, "b"), UMBEL_OK, "its answer may have been lost");
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 0, "a"), UMBEL_OK);
    cr_assert_eq(vault_parts(&s.vault, s.id, 0), 2);
    backend_scene_leave(&s);
}

PROMISE(a_new_run_supersedes_the_parts_of_the_one_before)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    vault_part(&s.vault, s.id, "r1", 0, "a");
    vault_part(&s.vault, s.id, "r1", 1, "b");
    cr_assert_eq(vault_part(&s.other, s.id, "r2", 1, "y"), UMBEL_ALREADY_DONE, "it has not begun");
    cr_assert_eq(vault_part(&s.other, s.id, "r2", 0, "x"), UMBEL_OK);
    cr_assert_eq(vault_part(&s.vault, s.id, "r1", 2, "c"), UMBEL_ALREADY_DONE, "the old run is over");
    cr_assert_eq(vault_parts(&s.vault, s.id, 0), 1);
    cr_assert_str_eq(s.vault.parts[0], "x");
    backend_scene_leave(&s);
}

PROMISE(no_part_comes_behind_a_terminal_state)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
    backend_scene_leave(&s);
}

PROMISE(many_parts_are_read_some_at_a_time)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
    backend_scene_leave(&s);
}

PROMISE(parts_are_published_on_the_reply_channel_and_on_the_tasks_before_its_result)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
    backend_scene_leave(&s);
}

PROMISE(parts_are_forgotten_with_their_result)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    vault_part(&s.vault, s.id, "r1", 0, "a");
    vault_store(&s.vault, s.id, "SUCCESS", 1);
    s.vault.backend->ops->forget(s.vault.backend, str_of(s.id));
    double end = clock_mono() + 5;
    while (vault_parts(&s.vault, s.id, 0) && clock_mono() < end) {
    }
    cr_assert_eq(s.vault.part_count, 0);
    backend_scene_leave(&s);
}

PROMISE(parts_live_as_long_as_a_result_that_is_stored_later)
{
    struct backend_scene s;
    char map[512];
    backend_scene_enter_keeping(&s, row, 3);
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
    backend_scene_leave(&s);
}

PROMISE(a_start_mark_that_ends_leaves_parts_alone)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    vault_begin(&s.vault, s.id);
    vault_part(&s.vault, s.id, "r1", 0, "a");
    s.vault.backend->ops->end_mark(s.vault.backend, str_of(s.id));
    cr_assert_eq(vault_begin(&s.vault, s.id).starts, 0);
    cr_assert_eq(vault_parts(&s.vault, s.id, 0), 1);
    backend_scene_leave(&s);
}
