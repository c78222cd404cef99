/* redis_batch_test.c: the stores of a turn as one request, and its answer taken apart. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

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
                                                "$3\r\none\r\n$3\r\ntwo\r\n$3\r\np-c\r\n$0\r\n\r\n");
    buffer_fini(&out);
    redis_batch_give(&pool, batch);
    redis_batch_pool_fini(&pool);
}

/* The channels' words of results that go to `channels` ("" = none), one after the other; `max` bytes of words
 * fit, and what does not fit is left out. */
static void channels_are(const char *const *channels, size_t count, size_t max, const char *wanted)
{
    struct redis_batch_pool pool = {0};
    struct redis_batch *batch = redis_batch_take(&pool, false);
    struct buffer out;
    buffer_init(&out, 100000);
    batch->channels.max = max;
    for (size_t i = 0; i < count; i++)
        add(batch, "1", "x", channels[i]);
    redis_batch_write(batch, &out, "EVALSHA", "digest", "5000");
    buffer_byte(&out, 0);
    const char *text = (char *)buffer_head(&out);
    cr_assert_eq(strtoul(text + 1, NULL, 10), 5 + 2 * batch->count + batch->channel_words, "%s", text);
    cr_assert_eq(buffer_length(&batch->channels), strlen(wanted), "%s", text);
    cr_assert_str_eq(text + buffer_length(&out) - 1 - strlen(wanted), wanted);
    buffer_fini(&out);
    redis_batch_give(&pool, batch);
    redis_batch_pool_fini(&pool);
}

#define C "$3\r\np-c\r\n"
#define D "$3\r\np-d\r\n"
#define CC "$4\r\np-cc\r\n"
#define NONE "$0\r\n\r\n"

Test(redis_batch, a_channel_that_all_share_is_sent_once)
{
    static const struct {
        const char *channels[6];
        size_t count;
        const char *wanted;
    } rows[] = {
        {{"c"}, 1, C},
        {{""}, 1, NONE},
        {{"c", "c", "c"}, 3, C},
        {{"", "", ""}, 3, NONE},
        {{"c", "d"}, 2, C D},
        {{"c", "cc"}, 2, C CC},
        {{"cc", "c"}, 2, CC C},
        {{"c", ""}, 2, C NONE},
        {{"", "c"}, 2, NONE C},
        {{"c", "c", "c", "d"}, 4, C C C D},
        {{"c", "c", "d", "d", "c"}, 5, C C D D C},
        {{"", "", "", "d", "", ""}, 6, NONE NONE NONE D NONE NONE},
        {{NULL}, 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        channels_are(rows[i].channels, rows[i].count, 10000, rows[i].wanted);
}

Test(redis_batch, a_refused_store_leaves_the_others_channels)
{
    static const char *const between[] = {"c", "c", "ddddddddddddddddddddddddddddddddddddd", "c"};
    static const char *const first[] = {"ddddddddddddddddddddddddddddddddddddd", "c", "c"};
    static const char *const repeated[] = {"c", "c", "c", "c", "d", "c"};
    channels_are(between, 4, 40, C);
    channels_are(first, 3, 40, C);
    channels_are(repeated, 6, 60, C); /* there is room to repeat c's, and none for d's */
    channels_are(repeated, 6, 30, C); /* nor to repeat c's */
}

Test(redis_batch, a_channel_that_is_long_is_not_shared)
{
    static char channel[257], word[300], wanted[600];
    memset(channel, 'c', 256);
    snprintf(word, sizeof word, "$258\r\np-%s\r\n", channel);
    snprintf(wanted, sizeof wanted, "%s%s", word, word);
    channels_are((const char *const[]){channel, channel}, 2, 10000, wanted);
    channel[255] = 0;
    snprintf(word, sizeof word, "$257\r\np-%s\r\n", channel);
    channels_are((const char *const[]){channel, channel}, 2, 10000, word);
}

Test(redis_batch, channels_in_any_order_are_those_of_their_stores)
{
    static const char *const names[] = {"c", "d", "", "cc"}, *const words[] = {C, D, NONE, CC};
    unsigned random = 1;
    for (int round = 0; round < 2000; round++) {
        const char *channels[40];
        char all[1000] = "";
        size_t count = 1 + round % 40, kinds = 0, first = 0;
        for (size_t i = 0; i < count; i++) {
            random = random * 1103515245 + 12345;
            size_t kind = random >> 16 & 255;
            kind = kind < 200 ? (size_t)round % 4 : kind % 4; /* runs of one, often all the same */
            kinds += i && kind != first;
            first = i ? first : kind;
            channels[i] = names[kind];
            strcat(all, words[kind]);
        }
        channels_are(channels, count, 10000, kinds ? all : words[first]);
    }
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
    batch->payloads.max = 64;
    cr_assert_not(add(batch, "2", "0123456789012345678901234567890123456789012345678901234567890123", NULL));
    cr_assert_eq(redis_batch_bytes(batch), bytes);
    cr_assert_eq(batch->count, 1);
    batch->payloads.max = 10000;
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
