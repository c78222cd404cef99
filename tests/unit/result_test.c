#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/result.h"
#include "common/result_usual.h"
#include "common/str.h"

static struct arena arena;
static struct buffer out;

static void begin(void)
{
    arena_init(&arena, 0);
    buffer_init(&out, 1 << 24);
}
static void end(void)
{
    arena_fini(&arena);
    buffer_fini(&out);
}
TestSuite(result, .init = begin, .fini = end);

static umbel_str content(void)
{
    return (umbel_str){(const char *)buffer_head(&out), buffer_length(&out)};
}

static const char *text(void)
{
    return arena_copy(&arena, buffer_head(&out), buffer_length(&out));
}

Test(result, success_is_written_as_celery_writes_it)
{
    struct result_parts parts = {
        .id = STR("T1"), .state = RESULT_SUCCESS, .value = STR("5"), .done_at = 1795252295.050829};
    cr_assert_eq(result_write(CODEC_JSON, &out, &parts), UMBEL_OK);
    cr_assert_str_eq(text(),
                     "{\"status\": \"SUCCESS\", \"result\": 5, \"traceback\": null, \"children\": [], "
                     "\"date_done\": \"2026-11-21T09:11:35.050829\", \"task_id\": \"T1\"}");
}

Test(result, group_and_parent_are_written_only_when_set)
{
    struct result_parts parts = {.id = STR("T1"),
                                 .state = RESULT_CUSTOM,
                                 .custom = STR("PROGRESS"),
                                 .value = STR("{\"done\": 1}"),
                                 .traceback = STR("at \"line\" 1\n"),
                                 .group = STR("G"),
                                 .parent_id = STR("P")};
    cr_assert_eq(result_write(CODEC_JSON, &out, &parts), UMBEL_OK);
    cr_assert_str_eq(
        text(),
        "{\"status\": \"PROGRESS\", \"result\": {\"done\": 1}, \"traceback\": \"at \\\"line\\\" 1\\n\", "
        "\"children\": [], \"date_done\": null, \"group_id\": \"G\", \"parent_id\": \"P\", "
        "\"task_id\": \"T1\"}");
}

static const struct result_parts usual = {.id = STR("3f1c9a52-0c1e-4d8e-9d35-2f0b6a7c8e90"),
                                          .state = RESULT_SUCCESS,
                                          .value = STR("{\"a\": [1, \"}\"]}"),
                                          .done_at = 1795252295.050829};

Test(result, the_usual_one_is_written_from_a_pattern_as_celery_writes_it)
{
    cr_assert(result_usual_write(CODEC_JSON, &out, &usual));
    cr_assert_str_eq(
        text(),
        "{\"status\": \"SUCCESS\", \"result\": {\"a\": [1, \"}\"]}, \"traceback\": null, \"children\": [], "
        "\"date_done\": \"2026-11-21T09:11:35.050829\", "
        "\"task_id\": \"3f1c9a52-0c1e-4d8e-9d35-2f0b6a7c8e90\"}");
}

Test(result, whatever_differs_from_the_usual_in_more_than_value_time_and_id_is_no_pattern)
{
    struct result_parts rows[] = {usual, usual, usual, usual, usual, usual, usual, usual};
    rows[0].state = RESULT_FAILURE;
    rows[1].traceback = STR("t");
    rows[2].group = STR("g");
    rows[3].parent_id = STR("p");
    rows[4].run = STR("r");
    rows[5].id = STR("short");
    rows[6].id = STR("3f1c9a52-0c1e-4d8e-9d35-2f0b6a7c8e9\"");
    rows[7].done_at = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert(!result_usual_write(CODEC_JSON, &out, &rows[i]), "row %zu", i);
    cr_assert(!result_usual_write(CODEC_MSGPACK, &out, &usual));
    cr_assert_eq(buffer_length(&out), 0);
}

Test(result, whatever_an_id_is_made_of_the_pattern_says_what_the_map_does)
{
    for (int byte = 0; byte < 256; byte++) {
        char id[36];
        struct result_parts usually = usual, as_a_map = usual;
        memcpy(id, usual.id.data, sizeof id);
        id[byte % 36] = (char)byte;
        usually.id = as_a_map.id = (umbel_str){id, sizeof id};
        as_a_map.state = RESULT_CUSTOM; /* which no pattern is for */
        as_a_map.custom = STR("SUCCESS");
        buffer_clear(&out);
        cr_assert_eq(result_write(CODEC_JSON, &out, &usually), UMBEL_OK);
        const char *written = text();
        buffer_clear(&out);
        cr_assert_eq(result_write(CODEC_JSON, &out, &as_a_map), UMBEL_OK);
        cr_assert_str_eq(written, text(), "byte %d", byte);
    }
}

static const char *repr(const umbel_value *value)
{
    struct buffer written;
    buffer_init(&written, 1 << 20);
    value_repr(&written, value, 1 << 20);
    const char *kept = arena_copy(&arena, buffer_head(&written), buffer_length(&written));
    buffer_fini(&written);
    return kept;
}

/* What decoding the whole map says of it. */
static void assert_the_whole_says(umbel_str stored, umbel_str value, umbel_str id)
{
    umbel_value *map, *alone;
    cr_assert_eq(codec_row(CODEC_JSON)->decode(&arena, stored, &map, NULL),
                 codec_row(CODEC_JSON)->decode(&arena, value, &alone, NULL), "%.*s", (int)stored.size,
                 stored.data);
    if (codec_row(CODEC_JSON)->decode(&arena, stored, &map, NULL))
        return;
    cr_assert(str_equal(value_text(map, "status"), STR("SUCCESS")));
    cr_assert(str_equal(value_text(map, "task_id"), id), "%.*s", (int)stored.size, stored.data);
    cr_assert_str_eq(repr(umbel_value_find(map, "result")), repr(alone));
}

Test(result, the_pattern_is_never_seen_in_what_says_something_else)
{
    static const char others[] = "\"\\{}[],: 0n\x01\x80";
    size_t seen = 0;
    cr_assert_eq(result_write(CODEC_JSON, &out, &usual), UMBEL_OK);
    for (size_t at = 0; at < buffer_length(&out); at++) {
        for (size_t i = 0; i < sizeof others; i++) {
            char *copy = arena_copy(&arena, buffer_head(&out), buffer_length(&out));
            umbel_str stored = {copy, buffer_length(&out)}, value, id;
            copy[at] = others[i];
            if (!result_usual_read(stored, &value, &id))
                continue;
            seen++;
            assert_the_whole_says(stored, value, id);
        }
    }
    cr_assert_gt(seen, 100, "digits of the time and the id may differ, and spaces in a text");
}

Test(result, an_exception_gets_the_module_of_its_type)
{
    static const struct {
        const char *type, *exc_type, *module;
    } rows[] = {
        {"ValueError", "ValueError", "builtins"},
        {"ArithmeticError", "ArithmeticError", "builtins"},
        {"ZeroDivisionError", "ZeroDivisionError", "builtins"},
        {"NotRegistered", "NotRegistered", "celery.exceptions"},
        {"TaskRevokedError", "TaskRevokedError", "celery.exceptions"},
        {"TimeLimitExceeded", "TimeLimitExceeded", "billiard.exceptions"},
        {"SoftTimeLimitExceeded", "SoftTimeLimitExceeded", "billiard.exceptions"},
        {"WorkerLostError", "WorkerLostError", "billiard.exceptions"},
        {"MemoryLimitExceeded", "MemoryLimitExceeded", "umbel.exceptions"},
        {"Error", "Error", "umbel.exceptions"},
        {"ValueErr", "ValueErr", "umbel.exceptions"},
        {"a.b.C", "C", "a.b"},
        {"", "RuntimeError", "builtins"},
        {".C", ".C", "umbel.exceptions"},
        {"C.", "C.", "umbel.exceptions"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char expected[200];
        snprintf(expected, sizeof expected,
                 "{\"exc_type\": \"%s\", \"exc_message\": [\"bad\"], \"exc_module\": \"%s\"}",
                 rows[i].exc_type, rows[i].module);
        buffer_clear(&out);
        cr_assert_eq(result_write_error(CODEC_JSON, &out, str_of(rows[i].type), STR("bad")), UMBEL_OK);
        cr_assert_str_eq(text(), expected);
    }
}

Test(result, a_message_that_is_not_utf8_is_stored_all_the_same)
{
    cr_assert_eq(result_write_error(CODEC_JSON, &out, STR("ValueError"), STR("caf\xC3\xA9 \xFF\xC3")),
                 UMBEL_OK);
    cr_assert_not_null(strstr(text(), "[\"caf\\u00e9 ??\"]"));
    struct result_parts parts = {.id = STR("T"), .state = RESULT_FAILURE, .traceback = STR("\xFF")};
    buffer_clear(&out);
    cr_assert_eq(result_write(CODEC_MSGPACK, &out, &parts), UMBEL_OK);
    struct result_view view;
    cr_assert_eq(result_read(&arena, content(), &view), UMBEL_OK);
    cr_assert_str_eq(view.traceback.data, "?");
}

static void both_ways(enum codec codec)
{
    struct buffer value;
    buffer_init(&value, 10000);
    result_write_error(codec, &value, STR("mine.Bad"), STR("why"));
    struct result_parts parts = {.id = STR("T9"),
                                 .state = RESULT_FAILURE,
                                 .value = {(char *)buffer_head(&value), buffer_length(&value)},
                                 .traceback = STR("tb"),
                                 .group = STR("G"),
                                 .done_at = 1};
    cr_assert_eq(result_write(codec, &out, &parts), UMBEL_OK);
    cr_assert_eq(codec_sniff(content()), codec);
    enum result_state state;
    umbel_str id;
    cr_assert_eq(result_peek(content(), &state, &id), UMBEL_OK);
    cr_assert(state == RESULT_FAILURE && str_equal(id, STR("T9")));
    struct result_view view;
    cr_assert_eq(result_read(&arena, content(), &view), UMBEL_OK);
    cr_assert(view.state == RESULT_FAILURE && str_equal(view.id, STR("T9")));
    cr_assert(str_equal(view.error_type, STR("Bad")) && str_equal(view.error_module, STR("mine")));
    cr_assert(str_equal(view.error_message, STR("why")) && str_equal(view.traceback, STR("tb")));
    buffer_fini(&value);
}

Test(result, what_is_written_in_json_is_peeked_at_and_read)
{
    both_ways(CODEC_JSON);
}

Test(result, what_is_written_in_msgpack_is_peeked_at_and_read)
{
    both_ways(CODEC_MSGPACK);
}

Test(result, a_success_in_parts_says_of_which_run_they_are)
{
    struct result_parts parts = {
        .id = STR("T1"), .state = RESULT_SUCCESS, .value = STR("5"), .run = STR("r"), .part = 3};
    struct result_view view;
    umbel_str run;
    uint32_t count;
    cr_assert_eq(result_write(CODEC_JSON, &out, &parts), UMBEL_OK);
    cr_assert_eq(result_read(&arena, content(), &view), UMBEL_OK);
    cr_assert(result_read_part(&view, &run, &count));
    cr_assert(str_equal(run, STR("r")));
    cr_assert_eq(count, 3);
}

Test(result, peeking_steps_over_any_value)
{
    static const char *const values[] = {"null", "[1, \"]}\\\"\", {\"task_id\": \"no\"}]", "\"task_id\"",
                                         "{\"status\": \"no\"}", "-1.5e3"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct result_parts parts = {.id = STR("T1"), .state = RESULT_STARTED, .value = str_of(values[i])};
        enum result_state state = RESULT_PENDING;
        umbel_str id;
        buffer_clear(&out);
        result_write(CODEC_JSON, &out, &parts);
        cr_assert_eq(result_peek(content(), &state, &id), UMBEL_OK);
        cr_assert(state == RESULT_STARTED && str_equal(id, STR("T1")));
    }
}

Test(result, states_of_others_are_understood)
{
    static const struct {
        const char *stored;
        enum result_state state;
    } rows[] = {
        {"{\"status\": \"SUCCESS\", \"task_id\": \"T\"}", RESULT_SUCCESS},
        {"{\"task_id\":\"T\",\"status\":\"REVOKED\"}", RESULT_REVOKED},
        {" { \"status\" : \"RETRY\" , \"task_id\" : \"T\" } ", RESULT_RETRY},
        {"{\"status\": \"RECEIVED\", \"task_id\": \"T\"}", RESULT_PENDING},
        {"{\"status\": \"PENDING\", \"task_id\": \"T\"}", RESULT_PENDING},
        {"{\"status\": \"HALFWAY\", \"task_id\": \"T\"}", RESULT_CUSTOM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum result_state state;
        umbel_str id;
        struct result_view view;
        cr_assert_eq(result_peek(str_of(rows[i].stored), &state, &id), UMBEL_OK, "%s", rows[i].stored);
        cr_assert(state == rows[i].state && str_equal(id, STR("T")));
        cr_assert_eq(result_read(&arena, str_of(rows[i].stored), &view), UMBEL_OK);
        cr_assert_eq(view.state, rows[i].state);
    }
}

Test(result, what_is_no_result_map_is_refused)
{
    static const char *const rows[] = {"",
                                       "5",
                                       "[]",
                                       "{}",
                                       "{\"status\": 5, \"task_id\": \"T\"}",
                                       "{\"status\": [true, null], \"task_id\": \"T\"}",
                                       "{\"task_id\": \"T\"}",
                                       "{\"status\": \"SUCCESS\", ",
                                       "{\"result\": [[[",
                                       "\x81\xA6status",
                                       "{\"status\": \"\xFF\", \"task_id\": \"T\"}",
                                       "\x82\xA6status\xC0\xA7task_id\xA1T"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum result_state state;
        umbel_str id;
        struct result_view view;
        cr_assert_eq(result_peek(str_of(rows[i]), &state, &id), UMBEL_BAD_MESSAGE, "%s", rows[i]);
        cr_assert_neq(result_read(&arena, str_of(rows[i]), &view), UMBEL_OK, "%s", rows[i]);
    }
}

Test(result, messages_of_python_exceptions_are_read)
{
    static const struct {
        const char *message, *read;
    } rows[] = {
        {"[\"bad\"]", "bad"}, {"[\"x\", \"y\"]", "x"}, {"[]", ""},   {"\"plain\"", "plain"},
        {"[5]", "5"},         {"[[\"a\"]]", "['a']"},  {"null", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char stored[300];
        struct result_view view;
        snprintf(stored, sizeof stored,
                 "{\"status\": \"FAILURE\", \"result\": {\"exc_type\": \"E\", \"exc_message\": %s, "
                 "\"exc_module\": "
                 "\"m\"}, \"task_id\": \"T\"}",
                 rows[i].message);
        cr_assert_eq(result_read(&arena, str_of(stored), &view), UMBEL_OK);
        cr_assert_str_eq(view.error_message.data, rows[i].read);
        cr_assert_str_eq(view.error_type.data, "E");
    }
}
