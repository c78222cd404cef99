#include <criterion/criterion.h>

#include "broker/transport.h"
#include "client/future.h"
#include "client/record.h"
#include "common/message_fields.h"
#include "common/str.h"

enum { BODY_MAX = 1 << 20 };

struct scene {
    struct record *record;
    umbel_future future;
    struct arena arena;
    struct message msg;
};

static struct scene *scene_new(void)
{
    struct scene *scene = calloc(1, sizeof *scene);
    scene->record = record_new();
    scene->future.id = "7d3a", scene->future.name = "math.add";
    scene->record->future = &scene->future;
    arena_init(&scene->arena, 0);
    return scene;
}

static void scene_free(struct scene *scene)
{
    arena_fini(&scene->arena);
    record_free(scene->record);
    free(scene);
}

static void fill(struct scene *scene, umbel_arguments arguments, const umbel_submit_options *options,
                 const struct nested_origin *origin)
{
    struct record_call call = {.arguments = arguments};
    cr_assert_eq(record_fill(scene->record, &call, options, origin, CODEC_JSON, BODY_MAX), UMBEL_OK);
    cr_assert_eq(record_message(scene->record, &scene->arena, &scene->msg), UMBEL_OK);
}

static void assert_text(umbel_str text, const char *wanted)
{
    cr_assert(str_equal(text, str_of(wanted)), "'%.*s' is not '%s'", (int)text.size, text.data, wanted);
}

static void assert_own_fields(const struct scene *scene)
{
    assert_text(scene->msg.id, "7d3a");
    assert_text(scene->msg.correlation_id, "7d3a");
    assert_text(scene->msg.task, "math.add");
    assert_text(scene->msg.content_type, "application/json");
}

Test(record, a_call_that_wants_nothing_special_is_its_body_alone)
{
    struct scene *scene = scene_new();
    fill(scene, UMBEL_ARGS(2, 3), &(umbel_submit_options){.ignore_result = UMBEL_ON, .priority = 7}, NULL);
    assert_own_fields(scene);
    assert_text(scene->msg.queue, "celery");
    assert_text(scene->msg.body, "[[2, 3], {}, {}]");
    cr_assert_eq(buffer_length(&scene->record->bytes), scene->msg.body.size);
    cr_assert(scene->record->bytes.lent, "no memory of its own");
    cr_assert(scene->msg.priority == 7 && scene->msg.ignore_result == 1 && record_ignored(scene->record));
    cr_assert(!scene->msg.shadow.data && !scene->msg.expires.data && scene->msg.extra_count == 0);
    scene_free(scene);
}

Test(record, what_the_caller_asks_for_is_in_the_message)
{
    struct scene *scene = scene_new();
    umbel_value *headers = umbel_map_new();
    umbel_add_int(headers, "tenant", 42);
    umbel_submit_options options = {.queue = "math",
                                    .shadow = "sum",
                                    .headers = headers,
                                    .expires = 60,
                                    .time_limit = 5,
                                    .soft_time_limit = 2.5,
                                    .transient = true,
                                    .create_queue = true,
                                    .unconfirmed = true};
    fill(scene, UMBEL_ARGS(2, 3), &options, NULL);
    umbel_value_free(headers);
    assert_own_fields(scene);
    assert_text(scene->msg.queue, "math");
    assert_text(scene->msg.shadow, "sum");
    assert_text(scene->msg.body, "[[2, 3], {}, {}]");
    cr_assert_eq(scene->msg.expires.size, sizeof "2026-11-21T21:27:14.000000+00:00" - 1);
    cr_assert(scene->msg.hard_limit == 5 && scene->msg.soft_limit == 2.5 && scene->msg.transient);
    cr_assert_eq(scene->msg.ignore_result, -1);
    const umbel_value *tenant = message_extra(&scene->msg, "tenant");
    cr_assert(tenant && tenant->as.integer == 42);
    cr_assert_eq(scene->record->flags, PUBLISH_CREATE_QUEUE | PUBLISH_UNCONFIRMED);
    scene_free(scene);
}

Test(record, a_call_out_of_a_task_says_whose_it_is)
{
    struct scene *scene = scene_new();
    struct nested_origin origin = {.root_id = STR("root"), .parent_id = STR("parent"), .depth = 3};
    fill(scene, UMBEL_ARGS(2, 3), &(umbel_submit_options){.queue = "math.nested"}, &origin);
    cr_assert(scene->record->bytes.lent, "it still needs no memory of its own");
    assert_text(scene->msg.root_id, "root");
    assert_text(scene->msg.parent_id, "parent");
    const umbel_value *depth = message_extra(&scene->msg, NESTED_DEPTH_HEADER);
    cr_assert(depth && depth->as.integer == 3);
    scene_free(scene);
}

Test(record, a_body_that_outgrows_the_record_is_whole_and_the_next_call_is_small_again)
{
    struct scene *scene = scene_new();
    char *text = malloc(100001);
    memset(text, 'x', 100000);
    text[100000] = '\0';
    fill(scene, UMBEL_ARGS(text), &(umbel_submit_options){.queue = "math"}, NULL);
    cr_assert_eq(scene->msg.body.size, 100000 + sizeof "[[\"\"], {}, {}]" - 1);
    cr_assert_eq(memcmp(scene->msg.body.data + 3, text, 100000), 0);
    assert_text(scene->msg.queue, "math");
    cr_assert_gt(scene->record->charge, 100000);
    record_clear(scene->record);
    scene->record->future = &scene->future;
    fill(scene, UMBEL_ARGS(2, 3), &(umbel_submit_options){.queue = NULL}, NULL);
    assert_text(scene->msg.body, "[[2, 3], {}, {}]");
    assert_text(scene->msg.queue, "celery");
    cr_assert(scene->record->bytes.lent);
    free(text);
    scene_free(scene);
}

Test(record, a_body_past_the_limit_is_refused)
{
    struct scene *scene = scene_new();
    struct record_call call = {.arguments = UMBEL_ARGS("0123456789")};
    umbel_submit_options plain = {.queue = NULL};
    cr_assert_eq(record_fill(scene->record, &call, &plain, NULL, CODEC_JSON, 15), UMBEL_TOO_LARGE);
    scene_free(scene);
}
