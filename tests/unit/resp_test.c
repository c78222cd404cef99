/* resp_test.c: requests byte by byte; replies in any slices, and replies nobody asked for. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "broker/resp.h"
#include "common/str.h"

TestSuite(resp, .timeout = 20);

#define MAX ((size_t)4 << 20)

/* ---- requests ---- */

static void is_written(struct buffer *out, const char *wanted)
{
    buffer_byte(out, 0);
    cr_assert_str_eq((char *)buffer_head(out), wanted);
    buffer_fini(out);
}

Test(resp, a_request_is_its_words_with_their_lengths)
{
    struct buffer out;
    buffer_init(&out, 1000);
    resp_words(&out, "SET", "key", "", NULL);
    is_written(&out, "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$0\r\n\r\n");
}

Test(resp, a_word_may_come_in_two_pieces_and_hold_any_byte)
{
    struct buffer out;
    buffer_init(&out, 1000);
    resp_pair(&out, STR("a\r\n"), STR("$9"));
    resp_pair(&out, STR_NONE, STR("b"));
    resp_pair(&out, STR("c"), STR_NONE);
    is_written(&out, "$5\r\na\r\n$9\r\n$1\r\nb\r\n$1\r\nc\r\n");
}

Test(resp, numbers_are_words_too)
{
    struct buffer out;
    buffer_init(&out, 1000);
    resp_array(&out, 1234567890);
    resp_number(&out, INT64_MIN);
    is_written(&out, "*1234567890\r\n$20\r\n-9223372036854775808\r\n");
}

Test(resp, a_length_has_as_many_digits_as_it_needs)
{
    static const size_t sizes[] = {0,   1,   9,   10,   11,   99,   100,   101,
                                   109, 110, 999, 1000, 1001, 9999, 10000, 65536};
    static char text[65537];
    memset(text, 'x', sizeof text - 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct buffer out;
        char head[32];
        int size = snprintf(head, sizeof head, "$%zu\r\n", sizes[i]);
        buffer_init(&out, 100000);
        resp_pair(&out, (umbel_str){text, sizes[i] / 2}, (umbel_str){text, sizes[i] - sizes[i] / 2});
        cr_assert_eq(buffer_length(&out), (size_t)size + sizes[i] + 2);
        cr_assert_arr_eq(buffer_head(&out), head, (size_t)size);
        cr_assert_arr_eq(buffer_head(&out) + size, text, sizes[i]);
        cr_assert_arr_eq(buffer_head(&out) + size + sizes[i], "\r\n", 2);
        buffer_fini(&out);
    }
}

Test(resp, a_count_may_be_any_number)
{
    static const size_t counts[] = {0, 9, 10, 99, 100, 999, 1000, 4294967296, SIZE_MAX / 10, SIZE_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct buffer out;
        char wanted[32];
        snprintf(wanted, sizeof wanted, "*%zu\r\n", counts[i]);
        buffer_init(&out, 1000);
        resp_array(&out, counts[i]);
        is_written(&out, wanted);
    }
}

Test(resp, a_request_past_the_buffers_maximum_fails_it)
{
    struct buffer out;
    buffer_init(&out, 40);
    resp_word(&out, STR("0123456789012345678901234567890123456789"));
    cr_assert(out.failed);
    buffer_fini(&out);
}

/* ---- replies ---- */

/* Writes what was read as text, so that a test compares one string. */
struct record {
    char text[4096];
    size_t used;
    size_t stop_after; /* replies; 0 = never */
    size_t count;
};

static void put(struct record *record, const char *text)
{
    record->used +=
        (size_t)snprintf(record->text + record->used, sizeof record->text - record->used, "%s", text);
}

static void describe(struct record *record, const struct resp_reply *reply)
{
    char number[32];
    static const char *const marks[] = {"nil", "+", "-", ":", "$", "["};
    put(record, marks[reply->kind]);
    record->used += (size_t)snprintf(record->text + record->used, sizeof record->text - record->used, "%.*s",
                                     (int)reply->text.size, reply->text.data ? reply->text.data : "");
    snprintf(number, sizeof number, "%lld", (long long)reply->integer);
    if (reply->kind == RESP_INTEGER)
        put(record, number);
    for (uint32_t i = 0; i < reply->count; i++) {
        put(record, i ? "," : "");
        describe(record, &reply->items[i]);
    }
    put(record, reply->kind == RESP_ARRAY ? "]" : "");
}

static bool take(void *self, const struct resp_reply *reply)
{
    struct record *record = self;
    describe(record, reply);
    put(record, " ");
    return ++record->count != record->stop_after;
}

static int feed(struct resp_reader *reader, struct record *record, const char *data, size_t size)
{
    const char *why = NULL;
    int code = resp_reader_feed(reader, (const uint8_t *)data, size, take, record, &why);
    cr_assert(code == UMBEL_OK || (code == UMBEL_PROTOCOL && why && *why));
    return code;
}

/* The code of reading all of it at once. */
static int read_all(struct record *record, const char *data)
{
    struct resp_reader reader;
    cr_assert_eq(resp_reader_init(&reader, MAX), UMBEL_OK);
    int code = feed(&reader, record, data, strlen(data));
    resp_reader_fini(&reader);
    return code;
}

static const char many[] =
    "+OK\r\n-OOM no memory\r\n:-42\r\n$5\r\nhe\r\nx\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n"
    "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$3\r\nabc\r\n*2\r\n*1\r\n:1\r\n*2\r\n$-1\r\n+x\r\n";
static const char many_read[] =
    "+OK -OOM no memory :-42 $he\r\nx $ nil nil [] [$message,$c,$abc] [[:1],[nil,+x]] ";

Test(resp, every_kind_of_reply_is_read)
{
    struct record record = {0};
    cr_assert_eq(read_all(&record, many), UMBEL_OK);
    cr_assert_str_eq(record.text, many_read);
}

Test(resp, replies_may_be_split_at_every_byte)
{
    for (size_t at = 0; at <= strlen(many); at++) {
        struct record record = {0};
        struct resp_reader reader;
        cr_assert_eq(resp_reader_init(&reader, MAX), UMBEL_OK);
        cr_assert_eq(feed(&reader, &record, many, at), UMBEL_OK);
        cr_assert_eq(feed(&reader, &record, many + at, strlen(many) - at), UMBEL_OK);
        cr_assert_str_eq(record.text, many_read, "split at %zu: %s", at, record.text);
        resp_reader_fini(&reader);
    }
}

Test(resp, replies_may_come_byte_by_byte)
{
    struct record record = {0};
    struct resp_reader reader;
    cr_assert_eq(resp_reader_init(&reader, MAX), UMBEL_OK);
    for (size_t at = 0; at < strlen(many); at++)
        cr_assert_eq(feed(&reader, &record, many + at, 1), UMBEL_OK);
    cr_assert_str_eq(record.text, many_read);
    resp_reader_fini(&reader);
}

/* Codes and replies of reading it at once, where the short way of messages is open, and byte by byte, where
 * only the parser's is. */
static void is_read_alike(const char *data, size_t size)
{
    struct record whole = {0}, bytes = {0};
    struct resp_reader reader;
    cr_assert_eq(resp_reader_init(&reader, MAX), UMBEL_OK);
    int code = feed(&reader, &whole, data, size), byte_code = UMBEL_OK;
    resp_reader_fini(&reader);
    cr_assert_eq(resp_reader_init(&reader, MAX), UMBEL_OK);
    for (size_t at = 0; at < size && byte_code == UMBEL_OK; at++)
        byte_code = feed(&reader, &bytes, data + at, 1);
    resp_reader_fini(&reader);
    cr_assert_eq(code, byte_code, "'%s'", data);
    cr_assert_str_eq(whole.text, bytes.text);
}

Test(resp, published_messages_are_read_alike_in_one_piece_and_in_many)
{
    static const char *const pieces[] = {"*3\r\n$7\r\nmessage\r\n$4\r\nchan\r\n$3\r\nabc\r\n",
                                         "*3\r\n$7\r\nmessage\r\n$0\r\n\r\n$0\r\n\r\n",
                                         "*3\r\n$7\r\nmessage\r\n$2\r\n\r\n\r\n$5\r\n*3\r\n$\r\n",
                                         "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n",
                                         "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
                                         "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:5\r\n",
                                         "+PONG\r\n"};
    enum { PIECES = sizeof pieces / sizeof *pieces };
    for (int turn = 0; turn < PIECES * PIECES * PIECES; turn++) {
        char data[512];
        int size = snprintf(data, sizeof data, "%s%s%s", pieces[turn % PIECES],
                            pieces[turn / PIECES % PIECES], pieces[turn / PIECES / PIECES]);
        is_read_alike(data, (size_t)size);
    }
}

struct place {
    const char *data;
    size_t size, inside, count;
};

static bool take_place(void *self, const struct resp_reply *reply)
{
    struct place *place = self;
    const char *text = reply->kind == RESP_ARRAY ? reply->items[2].text.data : NULL;
    place->count++;
    place->inside += text && text >= place->data && text < place->data + place->size;
    return true;
}

/* Feeds `place->data` and answers how many messages' texts were not copied out of it. */
static size_t left_in_place(struct resp_reader *reader, struct place *place, size_t size)
{
    const char *why;
    place->inside = 0;
    place->size = size;
    cr_assert_eq(resp_reader_feed(reader, (const uint8_t *)place->data, size, take_place, place, &why),
                 UMBEL_OK);
    return place->inside;
}

Test(resp, messages_take_the_short_way_also_after_other_replies_and_half_ones)
{
    static const char message[] = "*3\r\n$7\r\nmessage\r\n$4\r\nchan\r\n$3\r\nabc\r\n";
    enum { MANY = 200, SIZE = sizeof message - 1, HALF = SIZE / 2 };
    char *data = malloc(MANY * SIZE + 16);
    struct resp_reader reader;
    struct place place = {.data = data};
    cr_assert_eq(resp_reader_init(&reader, MAX), UMBEL_OK);
    size_t pong = (size_t)sprintf(data, "+PONG\r\n");
    left_in_place(&reader, &place, pong);
    for (size_t i = 0; i < MANY; i++)
        memcpy(data + i * SIZE, message, SIZE);
    cr_assert_eq(left_in_place(&reader, &place, MANY * SIZE - HALF), MANY - 1);
    memcpy(data, message + SIZE - HALF, HALF);
    for (size_t i = 0; i < MANY - 1; i++)
        memcpy(data + HALF + i * SIZE, message, SIZE);
    cr_assert_eq(left_in_place(&reader, &place, HALF + (MANY - 1) * SIZE), MANY - 1,
                 "all but the one cut in two");
    cr_assert_eq(place.count, 1 + 2 * MANY - 1);
    resp_reader_fini(&reader);
    free(data);
}

Test(resp, what_is_almost_a_message_is_left_to_the_parser)
{
    static const char message[] = "*3\r\n$7\r\nmessage\r\n$4\r\nchan\r\n$3\r\nabc\r\n";
    static const char others[] = "\r\n$*-+:0129mx";
    for (size_t at = 0; at < sizeof message - 1; at++) {
        for (const char *other = others; *other; other++) {
            char data[sizeof message];
            memcpy(data, message, sizeof data);
            data[at] = *other;
            is_read_alike(data, sizeof data - 1);
        }
    }
    is_read_alike(message, sizeof message - 2);
    static const char *const lengths[] = {"04", "+4", "-4", "", "4 ", "99999999999999999999"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char data[128];
        int size =
            snprintf(data, sizeof data, "*3\r\n$7\r\nmessage\r\n$%s\r\nchan\r\n$3\r\nabc\r\n", lengths[i]);
        is_read_alike(data, (size_t)size);
    }
}

struct sizes {
    size_t count, last;
};

static bool take_size(void *self, const struct resp_reply *reply)
{
    struct sizes *sizes = self;
    sizes->count++;
    sizes->last = reply->text.size;
    return true;
}

Test(resp, a_reply_larger_than_a_slice_is_read_whole)
{
    size_t size = 1 << 20;
    char *data = malloc(size + 32);
    int head = sprintf(data, "$%zu\r\n", size);
    memset(data + head, 'x', size);
    memcpy(data + head + size, "\r\n+OK\r\n", 8);
    struct sizes sizes = {0};
    struct resp_reader reader;
    const char *why;
    cr_assert_eq(resp_reader_init(&reader, MAX), UMBEL_OK);
    cr_assert_eq(resp_reader_feed(&reader, (uint8_t *)data, (size_t)head + size + 2, take_size, &sizes, &why),
                 0);
    cr_assert_eq(sizes.count, 1);
    cr_assert_eq(sizes.last, size);
    cr_assert_eq(resp_reader_feed(&reader, (uint8_t *)data + head + size + 2, 5, take_size, &sizes, &why), 0);
    cr_assert_eq(sizes.last, 2);
    resp_reader_fini(&reader);
    free(data);
}

Test(resp, reading_stops_where_the_taker_says)
{
    struct record record = {.stop_after = 2};
    cr_assert_eq(read_all(&record, many), UMBEL_OK);
    cr_assert_str_eq(record.text, "+OK -OOM no memory ");
}

Test(resp, a_reset_forgets_half_a_reply)
{
    struct record record = {0};
    struct resp_reader reader;
    cr_assert_eq(resp_reader_init(&reader, MAX), UMBEL_OK);
    feed(&reader, &record, "*2\r\n$5\r\nab", 10);
    cr_assert_eq(resp_reader_reset(&reader), UMBEL_OK);
    feed(&reader, &record, "+OK\r\n", 5);
    cr_assert_str_eq(record.text, "+OK ");
    resp_reader_fini(&reader);
}

/* ---- hostile replies ---- */

Test(resp, what_is_no_reply_ends_the_reading)
{
    static const char *const bad[] = {
        "HTTP/1.1 400 Bad Request\r\n",         /* not Redis at all */
        "\r\n",                                 /* no type */
        "*2147483647\r\n",                      /* an array of 80 GB */
        "*65537\r\n",                           /* one more than allowed */
        "*99999999999999999999\r\n",            /* no number at all */
        "*-2\r\n",                              /* less than nothing */
        "$-2\r\n",                              /* the same for a string */
        ":12a\r\n",                             /* no number */
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", /* deeper than allowed */
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct record record = {0};
        cr_assert_eq(read_all(&record, bad[i]), UMBEL_PROTOCOL, "taken: %s", bad[i]);
        cr_assert_str_eq(record.text, "");
    }
}

Test(resp, arrays_at_the_limits_are_read)
{
    struct record record = {0};
    cr_assert_eq(read_all(&record, "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"), UMBEL_OK);
    cr_assert_str_eq(record.text, "[[[[:1]]]] ");
}

/* Feeds `head` once and then zeros until the reading ends; answers how many bytes it took. */
static size_t flood(const char *head, const char *piece, size_t size)
{
    struct resp_reader reader;
    const char *why = NULL;
    struct sizes sizes = {0};
    size_t fed = 0;
    cr_assert_eq(resp_reader_init(&reader, MAX), UMBEL_OK);
    int code = resp_reader_feed(&reader, (const uint8_t *)head, strlen(head), take_size, &sizes, &why);
    while (!code && fed < 4 * MAX) {
        code = resp_reader_feed(&reader, (const uint8_t *)piece, size, take_size, &sizes, &why);
        fed += size;
    }
    cr_assert_eq(code, UMBEL_PROTOCOL);
    cr_assert_eq(sizes.count, 0);
    resp_reader_fini(&reader);
    return fed;
}

Test(resp, a_string_without_end_is_not_kept_without_bound)
{
    static char zeros[16 * 1024];
    cr_assert_lt(flood("$2000000000\r\n", zeros, sizeof zeros), MAX + 3 * sizeof zeros);
}

Test(resp, a_line_without_end_is_not_kept_without_bound)
{
    static char zeros[16 * 1024];
    cr_assert_lt(flood("+", zeros, sizeof zeros), 8 * sizeof zeros);
    cr_assert_lt(flood("*2\r\n$", zeros, sizeof zeros), 8 * sizeof zeros);
}

Test(resp, many_strings_in_one_reply_are_not_kept_without_bound)
{
    static char piece[1006];
    int head = snprintf(piece, sizeof piece, "$%d\r\n", 997);
    memset(piece + head, 'x', 997);
    memcpy(piece + head + 997, "\r\n", 2);
    cr_assert_lt(flood("*65536\r\n", piece, (size_t)head + 999), MAX + 3 * sizeof piece);
}

Test(resp, an_error_is_known_by_its_first_word)
{
    struct resp_reply error = {.kind = RESP_ERROR, .text = STR("NOSCRIPT No matching script.")};
    cr_assert(resp_is_error(&error, "NOSCRIPT"));
    cr_assert_not(resp_is_error(&error, "NO"));
    cr_assert_not(resp_is_error(&error, "NOSCRIPT No matching script. Please"));
    error.text = STR("BUSY");
    cr_assert(resp_is_error(&error, "BUSY"));
    error.kind = RESP_STRING;
    cr_assert_not(resp_is_error(&error, "BUSY"));
}
