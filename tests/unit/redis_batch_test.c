/* redis_batch_test.c: the stores of a turn as one request, and its answer taken apart. */
#include <criterion/criterion.h>

#include "broker/redis_batch.h"
#include "common/str.h"

TestSuite(redis_batch, .timeout = 20);

static bool add(struct redis_batch *batch, const char *id, const char *payload, const char *channel)
{
    struct backend_store store = {
        .id = str_of(id), .payload = str_of(payload), .reply_channel = str_of(channel)};
    return redis_batch_add(batch, STR("k-"), STR("p-"), &store, 7);
}

Test(redis_batch, keys_come_first_then_payloads_and_channels)
{
    struct redis_batch_pool pool = {0};
    struct redis_batch *batch = redis_batch_take(&pool, false);
    struct buffer out;
    buffer_init(&out, 10000);
    cr_assert(add(batch, "1", "one", "c"));
    cr_assert(add(batch, "2", "two", NULL));
    redis_batch_write(batch, &out, "EVALSHA", "digest", "5000");
    buffer_byte(&out, 0);
    cr_assert_str_eq((char *)buffer_head(&out), "*11\r\n$7\r\nEVALSHA\r\n$6\r\ndigest\r\n$1\r\n2\r\n$3\r\nk-"
                                                "1\r\n$3\r\nk-2\r\n$4\r\n5000\r\n$1\r\n0\r\n"
                                                "$3\r\none\r\n$3\r\np-c\r\n$3\r\ntwo\r\n$0\r\n\r\n");
    buffer_fini(&out);
    redis_batch_give(&pool, batch);
    redis_batch_pool_fini(&pool);
}

Test(redis_batch, it_is_full_by_count_or_by_bytes)
{
    static char large[REDIS_BATCH_BYTES];
    struct redis_batch_pool pool = {0};
    struct redis_batch *batch = redis_batch_take(&pool, false);
    for (int i = 0; i < REDIS_BATCH_COUNT; i++) {
        cr_assert_not(redis_batch_full(batch));
        cr_assert(add(batch, "1", "one", NULL));
    }
    cr_assert(redis_batch_full(batch));
    redis_batch_give(&pool, batch);
    batch = redis_batch_take(&pool, true);
    cr_assert_eq(batch->count, 0);
    cr_assert_not(redis_batch_full(batch));
    memset(large, 'x', sizeof large - 1);
    cr_assert(add(batch, "1", large, NULL));
    cr_assert(redis_batch_full(batch));
    redis_batch_give(&pool, batch);
    redis_batch_pool_fini(&pool);
}

Test(redis_batch, a_store_that_does_not_fit_leaves_the_batch_as_it_was)
{
    struct redis_batch_pool pool = {0};
    struct redis_batch *batch = redis_batch_take(&pool, false);
    cr_assert(add(batch, "1", "one", NULL));
    size_t bytes = redis_batch_bytes(batch);
    batch->args.max = 64;
    cr_assert_not(add(batch, "2", "0123456789012345678901234567890123456789012345678901234567890123", NULL));
    cr_assert_eq(redis_batch_bytes(batch), bytes);
    cr_assert_eq(batch->count, 1);
    batch->args.max = 10000;
    cr_assert(add(batch, "2", "two", NULL));
    redis_batch_give(&pool, batch);
    redis_batch_pool_fini(&pool);
}

Test(redis_batch, each_store_has_its_own_verdict)
{
    struct resp_reply reply = {.kind = RESP_STRING, .text = STR("10eOOM command not allowed")};
    const char *why;
    cr_assert_eq(redis_batch_verdict(&reply, 3, 0, &why), UMBEL_OK);
    cr_assert_eq(redis_batch_verdict(&reply, 3, 1, &why), UMBEL_ALREADY_DONE);
    cr_assert_eq(redis_batch_verdict(&reply, 3, 2, &why), UMBEL_BACKEND_REFUSED);
    cr_assert_str_eq(why, "OOM command not allowed");
}

Test(redis_batch, an_error_refuses_all_of_them)
{
    struct resp_reply reply = {.kind = RESP_ERROR, .text = STR("BUSY Redis is busy running a script.")};
    const char *why;
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(redis_batch_verdict(&reply, 3, i, &why), UMBEL_BACKEND_REFUSED);
    cr_assert_str_eq(why, "BUSY Redis is busy running a script.");
}

Test(redis_batch, an_answer_that_makes_no_sense_decides_nothing)
{
    struct resp_reply replies[] = {{.kind = RESP_STRING, .text = STR("11")},
                                   {.kind = RESP_NIL},
                                   {.kind = RESP_INTEGER, .integer = 1},
                                   {.kind = RESP_ARRAY}};
    const char *why;
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(redis_batch_verdict(&replies[i], 3, 2, &why), UMBEL_BACKEND_AWAY);
}
