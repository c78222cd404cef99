#include "tests/unit/client_rig.h"

static umbel_future *accepted(struct rig *rig, const char *id)
{
    umbel_future *future = rig_submit(rig, id);
    rig_published(rig, rig->sent_count - 1, UMBEL_OK, NULL);
    return future;
}

Test(inbox, a_notice_ends_the_wait)
{
    struct rig *rig = rig_new();
    umbel_future *future = accepted(rig, "a");
    rig_notice(rig, "b", RESULT_SUCCESS, "1");
    cr_assert(!umbel_done(future));
    rig_notice(rig, "a", RESULT_SUCCESS, "5");
    int64_t value = 0;
    cr_assert_eq(umbel_get(future, 0, &value), UMBEL_OK);
    cr_assert_eq(value, 5);
    rig_notice(rig, "a", RESULT_FAILURE, "null");
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_SUCCEEDED, "the first end stays");
    cr_assert_eq(rig->engine->inbox.roster.count, 0);
    umbel_future_free(future);
    rig_free(rig);
}

/* As nearly all results look (common/result_usual.h). */
static void answer_usually(struct rig *rig, const char *id, const char *value)
{
    struct buffer map;
    struct result_parts parts = {
        .id = str_of(id), .state = RESULT_SUCCESS, .value = str_of(value), .done_at = 1795296434.25};
    buffer_init(&map, 100000);
    cr_assert_eq(result_write(CODEC_JSON, &map, &parts), UMBEL_OK);
    inbox_notice(&rig->engine->inbox, (umbel_str){(const char *)buffer_head(&map), buffer_length(&map)},
                 true);
    buffer_fini(&map);
    rig_turn(rig);
}

Test(inbox, a_usual_result_is_kept_whatever_its_size)
{
    static const char id[] = "0b5c1f5e-6f5e-4c58-9d0c-6f4f6f0f1a2b";
    char text[3000] = "\"";
    for (size_t size = 0; size < sizeof text - 3; size += size < 100 ? 1 : 700) {
        struct rig *rig = rig_new();
        umbel_future *future = rig_submit(rig, id);
        memset(text + 1, 'x', size);
        memcpy(text + 1 + size, "\"", 2);
        rig_notice(rig, id, RESULT_CUSTOM, "50"); /* what was kept before makes room */
        cr_assert(umbel_result(future) && !umbel_done(future));
        answer_usually(rig, id, text);
        const char *value = NULL;
        cr_assert_eq(umbel_get(future, 0, &value), UMBEL_OK);
        cr_assert(strlen(value) == size && strspn(value, "x") == size);
        cr_assert_str_eq(umbel_future_id(future), id);
        umbel_future_free(future);
        rig_free(rig);
    }
}

Test(inbox, a_usual_null_is_null_whatever_was_read_before)
{
    static const char id[] = "0b5c1f5e-6f5e-4c58-9d0c-6f4f6f0f1a2b";
    struct rig *rig = rig_new();
    umbel_future *future = rig_submit(rig, id);
    rig_notice(rig, id, RESULT_CUSTOM, "50");
    cr_assert_eq(umbel_value_kind(umbel_result(future)), UMBEL_INT);
    answer_usually(rig, id, "null");
    cr_assert_eq(umbel_get(future, 0, NULL), UMBEL_OK);
    cr_assert_eq(umbel_value_kind(umbel_result(future)), UMBEL_NULL);
    umbel_future_free(future);
    rig_free(rig);
}

Test(inbox, a_failure_is_told_with_its_type_and_message)
{
    struct rig *rig = rig_new();
    umbel_future *future = accepted(rig, "a");
    rig_notice(rig, "a", RESULT_FAILURE,
               "{\"exc_type\": \"ValueError\", \"exc_message\": [\"bad\"], \"exc_module\": \"builtins\"}");
    cr_assert_eq(umbel_get(future, 0, NULL), UMBEL_FAILED);
    cr_assert_str_eq(umbel_error(future), "task math.add[a] failed: ValueError: bad");
    cr_assert_str_eq(umbel_error_type(future), "ValueError");
    cr_assert_str_eq(umbel_error_message(future), "bad");
    cr_assert_null(umbel_result(future));
    umbel_future_free(future);
    rig_free(rig);
}

Test(inbox, progress_is_seen_and_does_not_end_the_wait)
{
    struct rig *rig = rig_new();
    umbel_future *future = accepted(rig, "a");
    int64_t percent = 0;
    cr_assert_null(umbel_result(future));
    rig_notice(rig, "a", RESULT_CUSTOM, "50");
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_STARTED);
    cr_assert_eq(umbel_value_int(umbel_result(future), &percent), UMBEL_OK);
    cr_assert_eq(percent, 50);
    rig_notice(rig, "a", RESULT_CUSTOM, "60");
    umbel_value_int(umbel_result(future), &percent);
    cr_assert_eq(percent, 60);
    cr_assert(!umbel_done(future));
    rig_notice(rig, "a", RESULT_RETRY, "null");
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_RETRYING);
    umbel_future_free(future);
    rig_send(rig);
    rig_free(rig);
}

Test(inbox, two_futures_of_one_id_are_both_answered)
{
    struct rig *rig = rig_new();
    umbel_future *first = accepted(rig, "a"), *second = umbel_future_from_id(rig->client, "a");
    rig_send(rig);
    rig_notice(rig, "a", RESULT_SUCCESS, "5");
    cr_assert(umbel_done(first) && umbel_done(second));
    umbel_future_free(first);
    umbel_future_free(second);
    rig_free(rig);
}

Test(inbox, what_is_late_is_watched_then_read_and_unwatched_at_the_end)
{
    struct rig *rig = rig_new();
    umbel_future *future = accepted(rig, "a");
    rig_tick(rig, 10);
    cr_assert_eq(rig->watched_count, 0);
    rig_tick(rig, 60);
    cr_assert_eq(rig->watched_count, 1);
    cr_assert_eq(rig->looked_up_count, 0, "only when the subscription is in force");
    inbox_subscribed(&rig->engine->inbox, rig->watch_token);
    cr_assert_eq(rig->looked_up_count, 1);
    rig_notice(rig, "a", RESULT_SUCCESS, "5");
    cr_assert(umbel_done(future));
    cr_assert_eq(rig->unwatched_count, 1);
    umbel_future_free(future);
    rig_free(rig);
}

Test(inbox, a_bare_id_is_watched_at_once)
{
    struct rig *rig = rig_new();
    umbel_future *future = umbel_future_from_id(rig->client, "somebody-elses");
    rig_send(rig);
    rig_tick(rig, 0);
    cr_assert_eq(rig->watched_count, 1);
    cr_assert_str_eq(rig->watched[0], "somebody-elses");
    umbel_future_free(future);
    rig_send(rig);
    cr_assert_eq(rig->unwatched_count, 1);
    rig_free(rig);
}

Test(inbox, what_is_not_its_turn_yet_is_not_late)
{
    struct rig *rig = rig_new();
    umbel_future *futures[] = {accepted(rig, "a"), accepted(rig, "b"), accepted(rig, "c")};
    rig_notice(rig, "a", RESULT_SUCCESS, "1");
    rig->engine->inbox.flows[futures[0]->flow].answered_ms += 60; /* it was answered just now */
    rig_tick(rig, 60);
    cr_assert_eq(rig->watched_count, 0, "b and c stand behind a");
    for (int i = 0; i < 3; i++)
        umbel_future_free(futures[i]);
    rig_send(rig);
    rig_free(rig);
}

/* More than the window, all of them late. */
enum { LINE = 3 * INBOX_WINDOW };
static umbel_future *line[LINE];

static struct rig *standing_line(void)
{
    struct rig *rig = rig_new();
    char id[16];
    for (int i = 0; i < LINE; i++) {
        snprintf(id, sizeof id, "t%d", i);
        line[i] = accepted(rig, id);
        rig->sent_count = 0;
    }
    rig_tick(rig, 60);
    cr_assert_eq(rig->watched_count, INBOX_WINDOW);
    return rig;
}

static void line_answered(struct rig *rig, int from, int to, bool listened)
{
    char id[16];
    for (int i = from; i < to; i++) {
        snprintf(id, sizeof id, "t%d", i);
        rig_notice_on(rig, id, RESULT_SUCCESS, "1", listened);
    }
}

static void line_free(struct rig *rig)
{
    for (int i = 0; i < LINE; i++)
        umbel_future_free(line[i]);
    rig_send(rig);
    rig_free(rig);
}

Test(inbox, of_a_line_that_stands_only_the_head_is_watched)
{
    struct rig *rig = standing_line();
    uint64_t due = inbox_due(&rig->engine->inbox);
    cr_assert_gt(due, loop_now(&rig->engine->loop) + 1000, "nothing to do for those behind it");
    rig_tick(rig, 120);
    cr_assert_eq(rig->watched_count, INBOX_WINDOW);
    line_free(rig);
}

Test(inbox, workers_that_do_not_know_our_channel_let_the_next_into_the_window)
{
    struct rig *rig = standing_line();
    line_answered(rig, 0, INBOX_WINDOW / 2 - 1, false);
    rig_tick(rig, 120);
    cr_assert_eq(rig->watched_count, INBOX_WINDOW, "many at once, not each");
    line_answered(rig, INBOX_WINDOW / 2 - 1, INBOX_WINDOW, false);
    rig_tick(rig, 120);
    cr_assert_eq(rig->watched_count, 2 * INBOX_WINDOW);
    cr_assert_eq(rig->unwatched_count, INBOX_WINDOW);
    line_free(rig);
}

Test(inbox, when_the_line_moves_on_our_channel_nobody_else_is_watched)
{
    struct rig *rig = standing_line();
    line_answered(rig, 0, INBOX_WINDOW + 10, true);
    rig->engine->inbox.flows[line[0]->flow].answered_ms += 120;
    rig_tick(rig, 120);
    cr_assert_eq(rig->watched_count, INBOX_WINDOW);
    line_free(rig);
}

Test(inbox, what_stands_behind_the_window_is_read_with_the_slow_look)
{
    struct rig *rig = standing_line();
    rig->looked_up_count = 0;
    rig_tick(rig, INBOX_SLOW_MS + 100);
    cr_assert_eq(rig->looked_up_count, LINE - INBOX_WINDOW);
    cr_assert_eq(rig->watched_count, INBOX_WINDOW);
    line_free(rig);
}

Test(inbox, what_was_passed_over_is_watched_beside_a_full_window)
{
    struct rig *rig = standing_line();
    line_answered(rig, LINE - 1, LINE, true);
    rig_tick(rig, 200);
    cr_assert_eq(rig->watched_count, LINE - 1);
    line_free(rig);
}

Test(inbox, what_was_passed_over_is_late)
{
    struct rig *rig = rig_new();
    umbel_future *futures[] = {accepted(rig, "a"), accepted(rig, "b"), accepted(rig, "c")};
    rig_notice(rig, "b", RESULT_SUCCESS, "1");
    rig->engine->inbox.flows[futures[0]->flow].answered_ms += 60;
    rig_tick(rig, 60);
    cr_assert_eq(rig->watched_count, 1);
    cr_assert_str_eq(rig->watched[0], "a");
    for (int i = 0; i < 3; i++)
        umbel_future_free(futures[i]);
    rig_send(rig);
    rig_free(rig);
}

Test(inbox, everything_is_read_after_the_backend_came_back)
{
    struct rig *rig = rig_new();
    umbel_future *first = accepted(rig, "a");
    rig_tick(rig, 60);
    inbox_subscribed(&rig->engine->inbox, rig->watch_token);
    umbel_future *second = accepted(rig, "b");
    rig->looked_up_count = 0;
    inbox_resubscribed(&rig->engine->inbox);
    cr_assert_eq(rig->looked_up_count, 2);
    umbel_future_free(first);
    umbel_future_free(second);
    rig_send(rig);
    rig_free(rig);
}

/* One future that is watched; its look after `resubscribed` had no answer. */
static umbel_future *unread(struct rig *rig)
{
    umbel_future *future = accepted(rig, "a");
    rig_tick(rig, 60);
    inbox_subscribed(&rig->engine->inbox, rig->watch_token);
    rig->looked_up_count = 0;
    inbox_reach(&rig->engine->inbox, false);
    inbox_resubscribed(&rig->engine->inbox);
    cr_assert_eq(rig->looked_up_count, 1);
    inbox_unread(&rig->engine->inbox);
    return future;
}

Test(inbox, a_look_that_had_no_answer_is_repeated_when_the_backend_is_back)
{
    struct rig *rig = rig_new();
    umbel_future *future = unread(rig);
    inbox_reach(&rig->engine->inbox, true);
    cr_assert_eq(rig->looked_up_count, 2);
    inbox_reach(&rig->engine->inbox, true);
    cr_assert_eq(rig->looked_up_count, 2, "once");
    umbel_future_free(future);
    rig_send(rig);
    rig_free(rig);
}

Test(inbox, a_look_that_was_refused_is_repeated_after_a_second)
{
    struct rig *rig = rig_new();
    umbel_future *future = unread(rig);
    rig->engine->inbox.reachable = true;
    cr_assert_leq(inbox_due(&rig->engine->inbox), loop_now(&rig->engine->loop) + INBOX_AGAIN_MS);
    rig_tick(rig, INBOX_AGAIN_MS - 1);
    cr_assert_eq(rig->looked_up_count, 1);
    rig_tick(rig, INBOX_AGAIN_MS);
    cr_assert_eq(rig->looked_up_count, 2);
    umbel_future_free(future);
    rig_send(rig);
    rig_free(rig);
}

Test(inbox, a_watched_one_is_read_again_after_half_a_minute)
{
    struct rig *rig = rig_new();
    umbel_future *future = accepted(rig, "a");
    rig_tick(rig, 60);
    inbox_subscribed(&rig->engine->inbox, rig->watch_token);
    rig->looked_up_count = 0;
    rig_tick(rig, 20000);
    cr_assert_eq(rig->looked_up_count, 0);
    rig_tick(rig, 31000);
    cr_assert_eq(rig->looked_up_count, 1);
    umbel_future_free(future);
    rig_send(rig);
    rig_free(rig);
}

Test(inbox, forgetting_deletes_the_result_and_ends_the_waiting)
{
    struct rig *rig = rig_new();
    umbel_future *future = accepted(rig, "a");
    cr_assert_eq(umbel_forget(future), UMBEL_OK);
    rig_send(rig);
    cr_assert_str_eq(rig->forgotten, "a");
    cr_assert_eq(rig->engine->inbox.roster.count, 0);
    rig_free(rig);
}

Test(inbox, a_notice_that_is_none_is_left_alone)
{
    struct rig *rig = rig_new();
    umbel_future *future = accepted(rig, "a");
    inbox_notice(&rig->engine->inbox, STR("{\"status\": \"SUCC"), true);
    inbox_notice(&rig->engine->inbox, STR(""), true);
    inbox_notice(&rig->engine->inbox, STR("\xff\xff\xff"), true);
    cr_assert(!umbel_done(future));
    umbel_future_free(future);
    rig_send(rig);
    rig_free(rig);
}
