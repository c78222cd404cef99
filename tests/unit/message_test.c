#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/message.h"
#include "common/message_fields.h"
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
TestSuite(message, .init = begin, .fini = end);

/* Headers given as JSON, read into a message. */
static int read_headers(struct message *msg, const char *json)
{
    umbel_value *map;
    const char *why = "";
    cr_assert_eq(codec_row(CODEC_JSON)->decode(&arena, str_of(json), &map, &why), UMBEL_OK, "%s: %s", json,
                 why);
    message_init(msg);
    for (uint32_t i = 0; i < map->count; i++) {
        int code = message_read_header(&arena, msg, map->as.pairs[i].key, &map->as.pairs[i].value);
        if (code)
            return code;
    }
    return UMBEL_OK;
}

static int emit_json(void *to, umbel_str name, const umbel_value *value)
{
    struct buffer *text = to;
    codec_key(CODEC_JSON, text, buffer_length(text) > 1, name);
    return codec_row(CODEC_JSON)->encode(text, value);
}

/* What would go on the wire, as JSON. */
static const char *emitted(const struct message *msg)
{
    buffer_clear(&out);
    codec_open_map(CODEC_JSON, &out, 0);
    cr_assert_eq(message_each_header(msg, emit_json, &out), 0);
    codec_close_map(CODEC_JSON, &out);
    return arena_copy(&arena, buffer_head(&out), buffer_length(&out));
}

static const char celery_headers[] =
    "{\"lang\":\"py\",\"task\":\"tasks.add\",\"id\":\"T1\",\"shadow\":null,\"eta\":null,\"expires\":null,"
    "\"group\":null,"
    "\"group_index\":null,\"retries\":0,\"timelimit\":[null,null],\"root_id\":\"T1\",\"parent_id\":null,"
    "\"argsrepr\":\"(2, 3)\",\"kwargsrepr\":\"{}\",\"origin\":\"gen21385@vm\",\"ignore_result\":false,"
    "\"replaced_task_nesting\":0,\"stamped_headers\":null,\"stamps\":{}}";

Test(message, celerys_headers_fill_the_fields)
{
    struct message msg;
    cr_assert_eq(read_headers(&msg, celery_headers), UMBEL_OK);
    cr_assert(str_equal(msg.task, STR("tasks.add")) && str_equal(msg.id, STR("T1")) &&
              str_equal(msg.root_id, STR("T1")));
    cr_assert(!msg.shadow.data && !msg.eta.data && !msg.expires.data && !msg.group.data &&
              !msg.parent_id.data);
    cr_assert(msg.retries == 0 && msg.group_index == -1 && msg.hard_limit == 0 && msg.soft_limit == 0);
    cr_assert(msg.ignore_result == 0 && str_equal(msg.argsrepr, STR("(2, 3)")) &&
              str_equal(msg.lang, STR("py")));
    cr_assert(msg.extra_count == 3 && message_extra(&msg, "stamps")->kind == UMBEL_MAP);
    cr_assert(message_extra(&msg, "stamped_headers")->kind == UMBEL_NULL && !message_extra(&msg, "other"));
}

Test(message, every_text_that_has_a_name_is_read_under_it)
{
    size_t named = 0;
    for (size_t i = 0; i < MESSAGE_TEXTS; i++) {
        struct message msg;
        umbel_value value = {.kind = UMBEL_STRING, .as.str = STR("text")};
        message_init(&msg);
        if (!message_names[i].data)
            continue;
        cr_assert_eq(message_read_header(&arena, &msg, message_names[i], &value), UMBEL_OK);
        cr_assert(str_equal(msg.texts[i], STR("text")), "%s", message_names[i].data);
        cr_assert_eq(msg.extra_count, 0);
        named++;
    }
    cr_assert_eq(named, 13);
}

Test(message, a_header_without_a_name_is_kept_beside_the_fields)
{
    struct message msg;
    umbel_value value = {.kind = UMBEL_STRING, .as.str = STR("text")};
    message_init(&msg);
    cr_assert_eq(message_read_header(&arena, &msg, STR(""), &value), UMBEL_OK);
    cr_assert(msg.extra_count == 1 && !msg.queue.data);
}

Test(message, the_time_limit_is_hard_first)
{
    struct message msg;
    cr_assert_eq(read_headers(&msg, "{\"timelimit\":[30,20.5]}"), UMBEL_OK);
    cr_assert(msg.hard_limit == 30 && msg.soft_limit == 20.5);
    cr_assert_str_eq(emitted(&msg), "{\"timelimit\": [30, 20.5]}");
    cr_assert_eq(read_headers(&msg, "{\"timelimit\":[null,0.5]}"), UMBEL_OK);
    cr_assert(msg.hard_limit == 0 && msg.soft_limit == 0.5);
    cr_assert_eq(read_headers(&msg, "{\"timelimit\":[NaN,-1]}"), UMBEL_OK);
    cr_assert(msg.hard_limit == 0 && msg.soft_limit == 0);
    cr_assert_eq(read_headers(&msg, "{\"timelimit\":[]}"), UMBEL_OK);
}

Test(message, void_headers_are_absent_ones)
{
    struct message msg, fresh;
    cr_assert_eq(read_headers(&msg,
                              "{\"task\":null,\"retries\":null,\"timelimit\":null,\"ignore_result\":null,"
                              "\"group_index\":null,\"umbel-deaths\":null,\"umbel-republished\":null}"),
                 UMBEL_OK);
    message_init(&fresh);
    cr_assert_str_eq(emitted(&msg), emitted(&fresh));
    cr_assert_str_eq(emitted(&msg), "{}");
}

Test(message, a_known_header_of_an_impossible_kind_is_refused)
{
    static const char *const rows[] = {"{\"task\":5}",
                                       "{\"id\":[]}",
                                       "{\"id\":\"\\ud800\"}",
                                       "{\"eta\":12.5}",
                                       "{\"retries\":\"1\"}",
                                       "{\"retries\":-1}",
                                       "{\"retries\":1.0}",
                                       "{\"retries\":99999999999999999999}",
                                       "{\"group_index\":-1}",
                                       "{\"timelimit\":5}",
                                       "{\"timelimit\":[\"5\",null]}",
                                       "{\"ignore_result\":1}",
                                       "{\"umbel-deaths\":true}",
                                       "{\"umbel-republished\":0}"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message msg;
        cr_assert_eq(read_headers(&msg, rows[i]), UMBEL_BAD_MESSAGE, "%s", rows[i]);
    }
}

Test(message, text_that_is_not_utf8_is_refused_where_known_and_bytes_elsewhere)
{
    struct message msg;
    umbel_value bad = {.kind = UMBEL_STRING, .as.str = STR("\xE9t\xE9")};
    message_init(&msg);
    cr_assert_eq(message_read_header(&arena, &msg, STR("id"), &bad), UMBEL_BAD_MESSAGE);
    cr_assert_eq(message_read_header(&arena, &msg, STR("mine"), &bad), UMBEL_OK);
    cr_assert_eq(message_extra(&msg, "mine")->kind, UMBEL_BYTES);
    cr_assert_eq(message_pack(&out, &msg), UMBEL_OK);
}

Test(message, a_text_that_is_only_shown_is_left_out_when_it_is_none)
{
    struct message msg;
    message_init(&msg);
    umbel_value surrogate = {.kind = UMBEL_STRING, .as.str = STR("('bad \xed\xa0\x80 text',)")};
    cr_assert_eq(message_read_header(&arena, &msg, STR("argsrepr"), &surrogate), UMBEL_OK);
    cr_assert_eq(message_read_header(&arena, &msg, STR("kwargsrepr"), &surrogate), UMBEL_OK);
    cr_assert_null(msg.argsrepr.data);
    cr_assert_null(msg.kwargsrepr.data);
    cr_assert_eq(message_read_header(&arena, &msg, STR("task"), &surrogate), UMBEL_BAD_MESSAGE);
}

Test(message, headers_are_bounded_in_number)
{
    struct message msg;
    umbel_value value = {.kind = UMBEL_NULL};
    int code = UMBEL_OK, count = 0;
    message_init(&msg);
    for (; !code && count < 10000; count++) {
        char name[20];
        snprintf(name, sizeof name, "h%d", count);
        code = message_read_header(&arena, &msg, str_of(name), &value);
    }
    cr_assert(code == UMBEL_BAD_MESSAGE && count == 257);
}

Test(message, only_what_says_something_is_sent_in_a_fixed_order)
{
    struct message msg;
    cr_assert_eq(read_headers(&msg, celery_headers), UMBEL_OK);
    cr_assert_str_eq(emitted(&msg),
                     "{\"lang\": \"py\", \"task\": \"tasks.add\", \"id\": \"T1\", \"argsrepr\": \"(2, 3)\", "
                     "\"kwargsrepr\": \"{}\", \"origin\": \"gen21385@vm\", \"ignore_result\": false, "
                     "\"replaced_task_nesting\": 0, \"stamped_headers\": null, \"stamps\": {}}");
    message_init(&msg);
    msg.task = STR("math.add");
    msg.id = msg.root_id = STR("T2");
    cr_assert_str_eq(emitted(&msg), "{\"task\": \"math.add\", \"id\": \"T2\"}");
    msg.root_id = STR("T1");
    msg.republished = true;
    msg.deaths = 2;
    msg.retries = 1;
    msg.group_index = 0;
    cr_assert_str_eq(emitted(&msg),
                     "{\"task\": \"math.add\", \"id\": \"T2\", \"root_id\": \"T1\", \"group_index\": 0, "
                     "\"retries\": 1, \"umbel-republished\": true, \"umbel-deaths\": 2}");
}

static int stop(void *to, umbel_str name, const umbel_value *value)
{
    (void)name, (void)value;
    return ++*(int *)to == 2 ? 77 : 0;
}

Test(message, emitting_ends_at_the_first_error)
{
    struct message msg;
    int calls = 0;
    cr_assert_eq(read_headers(&msg, celery_headers), UMBEL_OK);
    cr_assert_eq(message_each_header(&msg, stop, &calls), 77);
    cr_assert_eq(calls, 2);
}

Test(message, setting_an_extra_replaces_one_of_that_name)
{
    struct message msg, copy;
    message_init(&msg);
    for (int64_t i = 0; i < 100; i++) {
        char name[20];
        snprintf(name, sizeof name, "h%d", (int)(i % 25));
        umbel_value value = {.kind = UMBEL_INT, .as.integer = i};
        cr_assert_eq(message_set_extra(&arena, &msg, str_of(name), &value), UMBEL_OK);
        if (i % 7 == 0) {
            cr_assert_eq(message_copy(&arena, &copy, &msg), UMBEL_OK);
            msg = copy;
        }
    }
    cr_assert_eq(msg.extra_count, 25);
    cr_assert_eq(message_extra(&msg, "h24")->as.integer, 99);
    cr_assert_eq(message_extra(&msg, "h0")->as.integer, 75);
}

static void fill(struct message *msg)
{
    cr_assert_eq(read_headers(msg, celery_headers), UMBEL_OK);
    msg->queue = STR("celery");
    msg->exchange = STR("");
    msg->routing_key = STR("celery");
    msg->content_type = STR("application/json");
    msg->content_encoding = STR("utf-8");
    msg->correlation_id = STR("T1");
    msg->expiration_ms = 60000;
    msg->priority = 255;
    msg->transient = msg->redelivered = msg->republished = true;
    msg->retries = 3;
    msg->group_index = INT64_MAX;
    msg->hard_limit = 30;
    msg->soft_limit = 20.5;
    msg->deaths = 2;
    msg->body = (umbel_str){arena_copy(&arena, "[[2, 3], {}, \0null]", 19), 19};
}

static void same(const struct message *a, const struct message *b)
{
    cr_assert_str_eq(emitted(a), emitted(b));
    cr_assert(str_equal(a->queue, b->queue) && str_equal(a->body, b->body) &&
              str_equal(a->reply_to, b->reply_to));
    cr_assert(str_equal(a->content_type, b->content_type) && str_equal(a->correlation_id, b->correlation_id));
    cr_assert(!a->exchange.data == !b->exchange.data && !a->shadow.data == !b->shadow.data);
    cr_assert(a->expiration_ms == b->expiration_ms && a->priority == b->priority &&
              a->transient == b->transient);
    cr_assert(a->redelivered == b->redelivered && a->republished == b->republished &&
              a->retries == b->retries);
    cr_assert(a->group_index == b->group_index && a->deaths == b->deaths &&
              a->ignore_result == b->ignore_result);
}

Test(message, packing_keeps_everything)
{
    struct message msg, back;
    fill(&msg);
    struct buffer packed;
    buffer_init(&packed, 10000);
    cr_assert_eq(message_pack(&packed, &msg), UMBEL_OK);
    umbel_str bytes = {(char *)buffer_head(&packed), buffer_length(&packed)};
    cr_assert_eq(message_unpack(&arena, bytes, &back), UMBEL_OK);
    same(&msg, &back);
    buffer_clear(&packed);
    message_init(&msg);
    cr_assert_eq(message_pack(&packed, &msg), UMBEL_OK);
    cr_assert_eq(buffer_length(&packed), 8);
    buffer_byte(&packed, 0);
    cr_assert_eq(message_unpack(&arena, (umbel_str){(char *)buffer_head(&packed), 9}, &back),
                 UMBEL_BAD_MESSAGE);
    cr_assert_eq(message_unpack(&arena, (umbel_str){(char *)buffer_head(&packed), 8}, &back), UMBEL_OK);
    same(&msg, &back);
    buffer_fini(&packed);
}

Test(message, a_packed_message_cut_anywhere_is_refused)
{
    struct message msg, back;
    fill(&msg);
    struct buffer packed;
    buffer_init(&packed, 10000);
    message_pack(&packed, &msg);
    for (size_t size = 0; size < buffer_length(&packed); size++) {
        umbel_str bytes = {arena_copy(&arena, buffer_head(&packed), size), size};
        cr_assert_eq(message_unpack(&arena, bytes, &back), UMBEL_BAD_MESSAGE, "%zu", size);
    }
    buffer_byte(&packed, 0);
    umbel_str longer = {(char *)buffer_head(&packed), buffer_length(&packed)};
    cr_assert_eq(message_unpack(&arena, longer, &back), UMBEL_BAD_MESSAGE);
    buffer_head(&packed)[0] = 2;
    cr_assert_eq(message_unpack(&arena, (umbel_str){longer.data, longer.size - 1}, &back), UMBEL_BAD_MESSAGE);
    buffer_fini(&packed);
}

Test(message, a_copy_owns_its_bytes)
{
    struct arena other;
    struct message msg, copy;
    arena_init(&other, 0);
    fill(&msg);
    const char *before = emitted(&msg);
    cr_assert_eq(message_copy(&other, &copy, &msg), UMBEL_OK);
    same(&msg, &copy);
    memset((char *)(uintptr_t)msg.task.data, 'X', msg.task.size);
    memset((char *)(uintptr_t)msg.body.data, 'X', msg.body.size);
    cr_assert_str_eq(emitted(&copy), before);
    cr_assert(copy.body.data[0] == '[');
    arena_fini(&other);
}

/* What message_pack makes of it, in the arena. */
static umbel_str packed_form(const struct message *msg)
{
    buffer_clear(&out);
    cr_assert_eq(message_pack(&out, msg), UMBEL_OK);
    return arena_str(&arena, (umbel_str){(const char *)buffer_head(&out), buffer_length(&out)});
}

static umbel_str kept_form(const struct message *msg, umbel_str kept)
{
    buffer_clear(&out);
    buffer_str(&out, STR("before")); /* as in a frame */
    cr_assert_eq(message_pack_kept(&out, msg, kept), UMBEL_OK);
    return arena_str(&arena, (umbel_str){(const char *)buffer_head(&out) + 6, buffer_length(&out) - 6});
}

Test(message, what_is_kept_is_packed_as_any_other)
{
    static char long_text[300];
    memset(long_text, 'x', sizeof long_text);
    for (uint32_t absent = 0; absent < 4096; absent++) {
        struct message msg, copy;
        umbel_str kept;
        fill(&msg);
        msg.origin = (umbel_str){long_text, 127 + absent % 3};
        for (size_t i = 0; i < MESSAGE_TEXTS; i++)
            if (absent >> i % 12 & 1)
                msg.texts[i] = STR_NONE;
        msg.extra_count = absent & 1 ? 0 : msg.extra_count;
        msg.retries = absent & 2 ? 0 : msg.retries;
        msg.expiration_ms = absent & 4 ? -1 : msg.expiration_ms;
        cr_assert_eq(message_keep(&arena, &copy, &msg, &kept), UMBEL_OK);
        cr_assert(str_equal(kept_form(&copy, kept), packed_form(&msg)), "%u", absent);
        same(&msg, &copy);
        arena_reset(&arena);
    }
}

Test(message, what_is_kept_owns_its_bytes)
{
    struct message msg, copy;
    umbel_str kept;
    fill(&msg);
    const char *before = emitted(&msg);
    msg.task = arena_str(&arena, msg.task);
    cr_assert_eq(message_keep(&arena, &copy, &msg, &kept), UMBEL_OK);
    memset((char *)(uintptr_t)msg.task.data, 'X', msg.task.size);
    memset((char *)(uintptr_t)msg.body.data, 'X', msg.body.size);
    cr_assert_str_eq(emitted(&copy), before);
    cr_assert(copy.body.data[0] == '[');
}

Test(message, flags_and_extras_of_what_is_kept_may_change)
{
    struct message msg, copy;
    umbel_str kept;
    umbel_value value = {.kind = UMBEL_INT, .as.integer = 7};
    cr_assert_eq(read_headers(&msg, "{\"task\":\"t\",\"retries\":2}"), UMBEL_OK);
    cr_assert_eq(message_keep(&arena, &copy, &msg, &kept), UMBEL_OK);
    copy.redelivered = copy.republished = true;
    cr_assert_eq(message_set_extra(&arena, &copy, STR("mine"), &value), UMBEL_OK);
    cr_assert(str_equal(kept_form(&copy, kept), packed_form(&copy)));
    copy.extra_count = 0;
    cr_assert(str_equal(kept_form(&copy, kept), packed_form(&copy)));
}

Test(message, a_copy_into_too_little_memory_fails)
{
    struct arena small;
    struct message msg, copy;
    fill(&msg);
    size_t limit = 0;
    int code = UMBEL_NO_MEMORY;
    while (code != UMBEL_OK) {
        limit += 16;
        arena_init(&small, limit);
        code = message_copy(&small, &copy, &msg);
        arena_reset(&small);
        umbel_str kept;
        int again = message_keep(&small, &copy, &msg, &kept);
        arena_fini(&small);
        cr_assert(code == UMBEL_OK || code == UMBEL_NO_MEMORY, "%zu", limit);
        cr_assert(again == UMBEL_NO_MEMORY || code == UMBEL_OK, "%zu", limit);
    }
    cr_assert_gt(limit, 400, "what is in it needs that");
}
