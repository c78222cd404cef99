/* amqp_delay.c: see amqp_delay.h. */
#include "broker/amqp_delay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/str.h"

static void level_name(char out[32], int level)
{
    snprintf(out, 32, level < 0 ? AMQP_DELAY_EXIT : "celery_delayed_%d", level);
}

/* "*.*.1.#": the digit of this level, those before it being anything. */
static void level_pattern(char out[64], int level, char digit)
{
    char *at = out;
    for (int i = AMQP_DELAY_LEVELS - 1; i > level; i--) {
        *at++ = '*';
        *at++ = '.';
    }
    snprintf(at, 4, "%c.#", digit);
}

static void declare_exchange(struct amqp_chan *chan, const char *name)
{
    amqp_exchange_declare_t method = {
        .exchange = amqp_cstring_bytes(name), .type = amqp_cstring_bytes("topic"), .durable = 1, .nowait = 1};
    amqp_chan_send(chan, AMQP_EXCHANGE_DECLARE_METHOD, &method);
}

static amqp_table_entry_t text_argument(const char *key, const char *text)
{
    return (amqp_table_entry_t){
        .key = amqp_cstring_bytes(key),
        .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(text)}};
}

/* The time to live goes in 32 bits where it fits, as py-amqp sends it; RabbitMQ compares values, not widths.
 */
static void declare_queue(struct amqp_chan *chan, const char *name, const char *next, int level)
{
    int64_t ttl = ((int64_t)1 << level) * 1000;
    amqp_table_entry_t arguments[] = {text_argument("x-queue-type", "quorum"),
                                      text_argument("x-dead-letter-strategy", "at-least-once"),
                                      text_argument("x-overflow", "reject-publish"),
                                      {.key = amqp_cstring_bytes("x-message-ttl"),
                                       .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = ttl}},
                                      text_argument("x-dead-letter-exchange", next)};
    amqp_queue_declare_t method = {.queue = amqp_cstring_bytes(name), .durable = 1, .nowait = 1};
    method.arguments =
        (amqp_table_t){.num_entries = sizeof arguments / sizeof *arguments, .entries = arguments};
    amqp_chan_send(chan, AMQP_QUEUE_DECLARE_METHOD, &method);
}

static void bind_level(struct amqp_chan *chan, const char *name, const char *next, int level)
{
    char waiting[64], passing[64];
    level_pattern(waiting, level, '1');
    level_pattern(passing, level, '0');
    amqp_queue_bind_t queue = {.queue = amqp_cstring_bytes(name),
                               .exchange = amqp_cstring_bytes(name),
                               .routing_key = amqp_cstring_bytes(waiting),
                               .nowait = 1};
    amqp_chan_send(chan, AMQP_QUEUE_BIND_METHOD, &queue);
    amqp_exchange_bind_t exchange = {.destination = amqp_cstring_bytes(next),
                                     .source = amqp_cstring_bytes(name),
                                     .routing_key = amqp_cstring_bytes(passing),
                                     .nowait = level != AMQP_DELAY_LEVELS - 1};
    amqp_chan_send(chan, AMQP_EXCHANGE_BIND_METHOD, &exchange);
}

void amqp_delay_declare(struct amqp_chan *chan)
{
    declare_exchange(chan, AMQP_DELAY_EXIT);
    for (int level = 0; level < AMQP_DELAY_LEVELS; level++) {
        char name[32], next[32];
        level_name(name, level);
        level_name(next, level - 1);
        declare_exchange(chan, name);
        declare_queue(chan, name, next, level);
        bind_level(chan, name, next, level);
    }
}

umbel_str amqp_delay_key(char out[AMQP_DELAY_KEY_SIZE], double delay, umbel_str target)
{
    double whole = ceil(delay);
    uint32_t seconds = whole >= AMQP_DELAY_MAX ? AMQP_DELAY_MAX : whole < 1 ? 1 : (uint32_t)whole;
    char *at = out;
    for (int level = AMQP_DELAY_LEVELS - 1; level >= 0; level--) {
        *at++ = seconds >> level & 1 ? '1' : '0';
        *at++ = '.';
    }
    if (target.size > 255 - 2 * AMQP_DELAY_LEVELS)
        return STR_NONE;
    memcpy(at, target.data, target.size);
    return (umbel_str){out, (size_t)(at - out) + target.size};
}
