/* chunk_test.c: calls gathered into one message. */
#include <criterion/criterion.h>
#include <umbel.h>
#include "client/chunk.h"
#include "client/client.h"
#include "common/str.h"

static umbel_client *client;

static void begin(void)
{
    client = umbel_connect("memory://chunk-test", NULL);
}

static void end(void)
{
    umbel_close(client, 1);
}

TestSuite(chunk, .init = begin, .fini = end, .timeout = 20);

static void assert_body(const umbel_chunk *chunk, const char *wanted)
{
    struct buffer body;
    buffer_init(&body, 4096);
    cr_assert_eq(chunk_write_body(chunk, &body), UMBEL_OK);
    umbel_str made = {(const char *)buffer_head(&body), buffer_length(&body)};
    cr_assert(str_equal(made, str_of(wanted)), "%.*s", (int)made.size, made.data);
    buffer_fini(&body);
}

#define BODY(it)                                                                                             \
    "[[], {\"task\": {\"task\": \"math.add\", \"args\": [], \"kwargs\": {}, \"options\": {}, "               \
    "\"subtask_type\": null, \"immutable\": false}, \"it\": " it "}, {}]"

Test(chunk, its_body_is_celerys_starmap)
{
    umbel_chunk *chunk = umbel_chunk_new(client, "math.add", UMBEL_SERIALIZER_DEFAULT);
    assert_body(chunk, BODY("[]"));
    cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(1, "two")), UMBEL_OK);
    cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS()), UMBEL_OK);
    cr_assert_eq(umbel_chunk_count(chunk), 2);
    assert_body(chunk, BODY("[[1, \"two\"], []]"));
    umbel_chunk_free(chunk);
    umbel_chunk_free(NULL);
}

Test(chunk, in_msgpack_it_decodes_to_the_same)
{
    umbel_chunk *chunk = umbel_chunk_new(client, "math.add", UMBEL_MSGPACK);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(i)), UMBEL_OK);
    struct buffer body;
    struct arena arena;
    umbel_value *value;
    buffer_init(&body, 4096);
    arena_init(&arena, 0);
    cr_assert_eq(chunk_write_body(chunk, &body), UMBEL_OK);
    umbel_str bytes = {(const char *)buffer_head(&body), buffer_length(&body)};
    cr_assert_eq(codec_row(CODEC_MSGPACK)->decode(&arena, bytes, &value, NULL), UMBEL_OK);
    const umbel_value *it = umbel_value_find(umbel_value_at(value, 1), "it");
    int64_t last = 0;
    cr_assert_eq(umbel_value_count(it), 20);
    cr_assert_eq(umbel_value_int(umbel_value_at(umbel_value_at(it, 19), 0), &last), UMBEL_OK);
    cr_assert_eq(last, 19);
    arena_fini(&arena);
    buffer_fini(&body);
    umbel_chunk_free(chunk);
}

Test(chunk, a_call_that_cannot_be_added_leaves_it_as_it_was)
{
    umbel_chunk *chunk = umbel_chunk_new(client, "math.add", UMBEL_SERIALIZER_DEFAULT);
    umbel_value *deep = NULL;
    char nested[64];
    size_t depth = UMBEL_DEPTH_MAX - 1;
    memset(nested, '[', depth);
    memset(nested + depth, ']', depth);
    cr_assert_eq(umbel_value_parse(nested, 2 * depth, &deep), UMBEL_OK);
    cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(1)), UMBEL_OK);
    cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(1, umbel_kwarg("y", 2))), UMBEL_BAD_ARGUMENT);
    cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(1, "\xff")), UMBEL_BAD_VALUE);
    cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(deep)), UMBEL_TOO_DEEP);
    cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(umbel_value_at(deep, 0))), UMBEL_OK);
    cr_assert_eq(umbel_chunk_count(chunk), 2);
    umbel_value_free(deep);
    umbel_chunk_free(chunk);
}

Test(chunk, one_that_was_sent_is_empty_and_can_be_filled_again)
{
    umbel_chunk *chunk = umbel_chunk_new(client, "math.add", UMBEL_SERIALIZER_DEFAULT);
    umbel_chunk_add(chunk, UMBEL_ARGS(1));
    umbel_future *future = umbel_submit_chunk(chunk, .queue = "q", .create_queue = true);
    cr_assert_eq(umbel_flush(client, 5), UMBEL_OK, "%s", umbel_client_error(client));
    cr_assert_eq(umbel_chunk_count(chunk), 0);
    assert_body(chunk, BODY("[]"));
    cr_assert_eq(umbel_chunk_add(chunk, UMBEL_ARGS(2)), UMBEL_OK);
    assert_body(chunk, BODY("[[2]]"));
    umbel_chunk_free(chunk);
    cr_assert_eq(umbel_future_state(future), UMBEL_STATE_ACCEPTED, "the future outlives the chunk");
    umbel_future_free(future);
}

Test(chunk, a_chunk_of_a_task_without_a_name_is_unsent)
{
    umbel_chunk *chunk = umbel_chunk_new(client, NULL, UMBEL_SERIALIZER_DEFAULT);
    umbel_future *future = umbel_submit_chunk(chunk);
    cr_assert_eq(umbel_future_code(future), UMBEL_BAD_ARGUMENT);
    umbel_future_free(future);
    umbel_chunk_free(chunk);
}
