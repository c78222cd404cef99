/* backend_mark_test.c: what is kept of a task besides its result: that it was revoked, how often it began. */
#include <math.h>
#include "common/clock.h"
#include "backend_scene.h"

/* ---- revoked ids ---- */

static double wait_revoked(struct backend_scene *s, struct vault *vault)
{
    double end = clock_mono() + 5, until;
    while ((until = vault_revoked(vault, s->id)) == 0 && clock_mono() < end) {
    }
    return until;
}

PROMISE(what_is_revoked_is_known_to_others)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    double until = floor(clock_now()) + 100;
    cr_assert_eq(vault_revoked(&s.other, s.id), 0);
    vault_revoke(&s.vault, s.id, until);
    cr_assert_eq(vault_revoked(&s.vault, s.id), until);
    cr_assert_eq(wait_revoked(&s, &s.other), until);
    backend_scene_leave(&s);
}

PROMISE(what_was_revoked_has_its_time)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    vault_revoke(&s.vault, s.id, floor(clock_now()) + 2);
    cr_assert_gt(vault_revoked(&s.vault, s.id), 0);
    double end = clock_mono() + 10;
    while (vault_revoked(&s.vault, s.id) > 0)
        cr_assert_lt(clock_mono(), end, "it does not run out");
    backend_scene_leave(&s);
}

PROMISE(an_id_revoked_twice_stays_for_the_longer_time)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    double until = floor(clock_now()) + 100;
    vault_revoke(&s.vault, s.id, until);
    vault_revoke(&s.vault, s.id, until - 50);
    cr_assert_eq(vault_revoked(&s.vault, s.id), until);
    vault_revoke(&s.vault, s.id, until + 50);
    cr_assert_eq(vault_revoked(&s.vault, s.id), until + 50);
    backend_scene_leave(&s);
}

PROMISE(many_are_revoked_at_once)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
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
    backend_scene_leave(&s);
}

/* ---- starts ---- */

PROMISE(start_marks_are_counted_until_the_end_is_marked)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    struct backend_history history = vault_begin(&s.vault, s.id);
    cr_assert_eq(history.starts, 0);
    cr_assert_not(history.terminal);
    cr_assert_eq(vault_begin(&s.vault, s.id).starts, 1);
    cr_assert_eq(vault_begin(&s.other, s.id).starts, 2);
    s.vault.backend->ops->end_mark(s.vault.backend, str_of(s.id));
    vault_find(&s.vault, s.id); /* a barrier: the mark is gone by then */
    cr_assert_eq(vault_begin(&s.other, s.id).starts, 0);
    cr_assert_str_eq(vault_find(&s.vault, s.id), ""); /* a mark is no result */
    backend_scene_leave(&s);
}

PROMISE(begin_says_whether_a_terminal_state_is_stored)
{
    struct backend_scene s;
    backend_scene_enter(&s, row);
    cr_assert_eq(vault_store(&s.vault, s.id, "STARTED", 1), UMBEL_OK);
    cr_assert_not(vault_begin(&s.other, s.id).terminal);
    cr_assert_eq(vault_store(&s.vault, s.id, "SUCCESS", 1), UMBEL_OK);
    cr_assert(vault_begin(&s.other, s.id).terminal);
    backend_scene_leave(&s);
}
