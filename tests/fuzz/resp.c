/* fuzz/resp.c: any bytes as replies of a Redis. Whatever the slices they come in, the same is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/resp.h"

#define MAX ((size_t)1 << 20)

struct sum {
    uint64_t hash;
    size_t replies;
};

static void mix(struct sum *sum, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++)
        sum->hash = (sum->hash ^ bytes[i]) * 1099511628211u;
}

static void mix_reply(struct sum *sum, const struct resp_reply *reply)
{
    mix(sum, &reply->kind, sizeof reply->kind);
    mix(sum, &reply->integer, sizeof reply->integer);
    mix(sum, reply->text.data, reply->text.size);
    for (uint32_t i = 0; i < reply->count; i++)
        mix_reply(sum, &reply->items[i]);
}

/* Of a published message the texts are the data's own. */
static bool is_message(const struct resp_reply *reply)
{
    return reply->kind == RESP_ARRAY && reply->count == 3 && reply->items[0].text.size == 7 &&
           memcmp(reply->items[0].text.data, "message", 7) == 0;
}

static void check_ends(const struct resp_reply *reply)
{
    if (reply->text.data && reply->text.data[reply->text.size])
        abort(); /* must end in NUL */
    for (uint32_t i = 0; i < reply->count; i++)
        check_ends(&reply->items[i]);
}

static bool take(void *self, const struct resp_reply *reply)
{
    struct sum *sum = self;
    if (!is_message(reply))
        check_ends(reply);
    mix_reply(sum, reply);
    sum->replies++;
    return true;
}

static struct sum read_in_slices(const uint8_t *data, size_t size, size_t slice)
{
    struct sum sum = {0};
    struct resp_reader reader;
    const char *why;
    if (resp_reader_init(&reader, MAX))
        abort();
    while (size) {
        size_t some = size < slice ? size : slice;
        if (resp_reader_feed(&reader, data, some, take, &sum, &why))
            break;
        data += some;
        size -= some;
    }
    resp_reader_fini(&reader);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t slice = 1 + data[0] % 64u;
    struct sum whole = read_in_slices(data + 1, size - 1, size);
    struct sum sliced = read_in_slices(data + 1, size - 1, slice);
    if (whole.hash != sliced.hash || whole.replies != sliced.replies)
        abort();
    return 0;
}
