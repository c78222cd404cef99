/* resp.c: the codec of Redis' protocol. hiredis is named here and nowhere else.
 *
 * hiredis' parser builds whatever its five functions make; ours make nodes in an arena. An array's elements
 * are one block, so a node's place is known from its parent and its index, and nothing is freed one by one.
 * Published messages do not come to it (resp_message.h). It moves its unread bytes to the front after every
 * KiB that it has read, which is quadratic in what it was fed, so it is fed in slices. */
#include "broker/resp.h"

#include <hiredis/read.h>
#include <stdarg.h>
#include <string.h>

#include "broker/resp_message.h"
#include "common/str.h"

#define SLICE (4 * 1024)
#define PARSER_KEEPS (128 * 1024)
#define LINE_MAX_SIZE ((size_t)64 * 1024) /* an error text is far shorter */
#define LENGTH_SIZE 24                    /* type byte, digits, line end */

/* ---- requests ---- */

static uint8_t *put_end(uint8_t *at)
{
    at[0] = '\r';
    at[1] = '\n';
    return at + 2;
}

static uint8_t *put_digits(uint8_t *at, uint64_t number)
{
    size_t count = 1;
    for (uint64_t rest = number; rest >= 10; rest /= 10)
        count++;
    for (size_t i = count; i--; number /= 10)
        at[i] = (uint8_t)('0' + number % 10);
    return at + count;
}

static uint8_t *put_length(uint8_t *at, char type, uint64_t length)
{
    *at++ = (uint8_t)type;
    if (length >= 1000) {
        at = put_digits(at, length);
    } else { /* nearly every word there is */
        if (length >= 100)
            *at++ = (uint8_t)('0' + length / 100);
        if (length >= 10)
            *at++ = (uint8_t)('0' + length / 10 % 10);
        *at++ = (uint8_t)('0' + length % 10);
    }
    return put_end(at);
}

void resp_array(struct buffer *out, size_t count)
{
    uint8_t *at = buffer_room(out, LENGTH_SIZE);
    if (at)
        buffer_grew(out, (size_t)(put_length(at, '*', count) - at));
}

void resp_pair(struct buffer *out, umbel_str head, umbel_str tail)
{
    uint8_t *start = buffer_room(out, head.size + tail.size + LENGTH_SIZE + 2);
    if (!start)
        return;
    uint8_t *at = put_length(start, '$', head.size + tail.size);
    if (head.size)
        memcpy(at, head.data, head.size);
    at += head.size;
    if (tail.size)
        memcpy(at, tail.data, tail.size);
    at = put_end(at + tail.size);
    buffer_grew(out, (size_t)(at - start));
}

void resp_word(struct buffer *out, umbel_str word)
{
    resp_pair(out, word, STR_NONE);
}

void resp_number(struct buffer *out, int64_t number)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%lld", (long long)number);
    resp_word(out, (umbel_str){text, (size_t)size});
}

void resp_words(struct buffer *out, ...)
{
    va_list words;
    size_t count = 0;
    va_start(words, out);
    while (va_arg(words, const char *))
        count++;
    va_end(words);
    resp_array(out, count);
    va_start(words, out);
    for (const char *word; (word = va_arg(words, const char *));)
        resp_word(out, str_of(word));
    va_end(words);
}

/* ---- replies ---- */

/* Where the node of `task` goes: into its parent's block, or on its own. */
static struct resp_reply *place(const redisReadTask *task)
{
    struct resp_reader *reader = task->privdata;
    struct resp_reply *node;
    if (task->parent) {
        const struct resp_reply *parent = task->parent->obj;
        node = &parent->items[task->idx];
    } else {
        node = arena_alloc(&reader->arena, sizeof *node);
    }
    if (node)
        *node = (struct resp_reply){.kind = RESP_NIL};
    return node;
}

static enum resp_kind kind_of(int type)
{
    switch (type) {
    case REDIS_REPLY_STATUS:
        return RESP_STATUS;
    case REDIS_REPLY_ERROR:
        return RESP_ERROR;
    default:
        return RESP_STRING;
    }
}

static void *make_string(const redisReadTask *task, char *text, size_t size)
{
    struct resp_reader *reader = task->privdata;
    struct resp_reply *node = place(task);
    char *copy = node ? arena_copy(&reader->arena, text, size) : NULL;
    if (!copy)
        return NULL;
    node->kind = kind_of(task->type);
    node->text = (umbel_str){copy, size};
    return node;
}

static int depth_of(const redisReadTask *task)
{
    int depth = 1;
    for (; task->parent; task = task->parent)
        depth++;
    return depth;
}

static void *make_array(const redisReadTask *task, int count)
{
    struct resp_reader *reader = task->privdata;
    if (count < 0 || count > RESP_ITEMS_MAX || depth_of(task) > RESP_DEPTH_MAX)
        return NULL;
    struct resp_reply *node = place(task);
    if (!node)
        return NULL;
    node->kind = RESP_ARRAY;
    node->count = (uint32_t)count;
    if (count == 0)
        return node;
    node->items = arena_alloc(&reader->arena, (size_t)count * sizeof *node->items);
    return node->items ? node : NULL;
}

static void *make_integer(const redisReadTask *task, long long number)
{
    struct resp_reply *node = place(task);
    if (node) {
        node->kind = RESP_INTEGER;
        node->integer = number;
    }
    return node;
}

static void *make_nil(const redisReadTask *task)
{
    return place(task);
}

static void free_nothing(void *node)
{
    (void)node; /* the arena's */
}

static redisReplyObjectFunctions make = {make_string, make_array, make_integer, make_nil, free_nothing};

static int parser_new(struct resp_reader *reader)
{
    reader->parser = redisReaderCreateWithFunctions(&make);
    if (!reader->parser)
        return UMBEL_NO_MEMORY;
    reader->parser->privdata = reader;
    reader->parser->maxbuf = PARSER_KEEPS;
    return UMBEL_OK;
}

int resp_reader_init(struct resp_reader *reader, size_t max)
{
    reader->max = max;
    arena_init(&reader->arena, max);
    return parser_new(reader);
}

void resp_reader_fini(struct resp_reader *reader)
{
    if (reader->parser)
        redisReaderFree(reader->parser);
    reader->parser = NULL;
    arena_fini(&reader->arena);
}

int resp_reader_reset(struct resp_reader *reader)
{
    if (reader->parser)
        redisReaderFree(reader->parser);
    arena_reset(&reader->arena);
    return parser_new(reader);
}

static int refuse(struct resp_reader *reader, const char **why)
{
    bool ours = reader->parser->err == REDIS_ERR_OOM;
    *why = ours ? "a reply is larger than any we asked for" : reader->parser->errstr;
    return UMBEL_PROTOCOL;
}

/* No reply is half read. */
static bool is_between(const struct resp_reader *reader)
{
    return reader->parser->ridx == -1 && reader->parser->pos == reader->parser->len;
}

/* The replies that are complete. A reply that was begun keeps the arena until it is whole. */
static int drain(struct resp_reader *reader, resp_take *take, void *self, bool *stop, const char **why)
{
    while (!is_between(reader)) { /* asked with nothing left, the parser would begin one */
        void *reply = NULL;
        if (redisReaderGetReply(reader->parser, &reply) != REDIS_OK)
            return refuse(reader, why);
        if (!reply)
            return UMBEL_OK;
        *stop = !take(self, reply);
        if (*stop)
            return UMBEL_OK;
        arena_reset(&reader->arena);
    }
    return UMBEL_OK;
}

/* The parser keeps a string until it is whole, and looks for a line's end from its beginning each time. */
static bool too_large(const struct resp_reader *reader)
{
    const redisReader *parser = reader->parser;
    size_t unread = parser->len - parser->pos;
    return parser->len > reader->max ||
           (unread > LINE_MAX_SIZE && !memchr(parser->buf + parser->pos, '\n', LINE_MAX_SIZE));
}

/* Published messages at the front of the data, each taken as the parser would have made it; how many bytes
 * they have. */
static size_t take_messages(const struct resp_reader *reader, const uint8_t *data, size_t size,
                            resp_take *take, void *self, bool *stop)
{
    struct resp_reply items[3] = {
        {.kind = RESP_STRING, .text = STR("message")}, {.kind = RESP_STRING}, {.kind = RESP_STRING}};
    const struct resp_reply reply = {.kind = RESP_ARRAY, .count = 3, .items = items};
    size_t used = 0, own = 1;
    while (!*stop && is_between(reader) &&
           (own = resp_message(data + used, size - used, &items[1].text, &items[2].text)) > 0) {
        if (own > reader->max)
            break;
        used += own;
        *stop = !take(self, &reply);
    }
    return used;
}

/* How much the parser gets at once: not past where a message seems to begin, so that the next ones need not
 * go through it too. */
static size_t slice_of(const uint8_t *data, size_t size)
{
    static const char begin[] = "\r\n" RESP_MESSAGE;
    size_t slice = size < SLICE ? size : SLICE;
    const uint8_t *next = memmem(data, slice, begin, sizeof begin - 1);
    return next ? (size_t)(next - data) + 2 : slice;
}

static int feed_slice(struct resp_reader *reader, const uint8_t *data, size_t size, const char **why)
{
    if (too_large(reader)) {
        *why = "a reply is larger than any we asked for";
        return UMBEL_PROTOCOL;
    }
    if (redisReaderFeed(reader->parser, (const char *)data, size) != REDIS_OK)
        return refuse(reader, why);
    return UMBEL_OK;
}

int resp_reader_feed(struct resp_reader *reader, const uint8_t *data, size_t size, resp_take *take,
                     void *self, const char **why)
{
    bool stop = false;
    for (;;) {
        size_t used = take_messages(reader, data, size, take, self, &stop);
        data += used;
        size -= used;
        if (!size || stop)
            return UMBEL_OK;
        size_t slice = slice_of(data, size);
        int code = feed_slice(reader, data, slice, why);
        if (code == UMBEL_OK)
            code = drain(reader, take, self, &stop, why);
        if (code)
            return code;
        data += slice;
        size -= slice;
    }
}

bool resp_is_error(const struct resp_reply *reply, const char *code)
{
    size_t size = strlen(code);
    return reply->kind == RESP_ERROR && reply->text.size >= size &&
           memcmp(reply->text.data, code, size) == 0 &&
           (reply->text.size == size || reply->text.data[size] == ' ');
}
