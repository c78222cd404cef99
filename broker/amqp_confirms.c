/* amqp_confirms.c: a ring indexed by sequence number; entries ended out of order wait for the oldest to be
 * trimmed. */
#include "broker/amqp_confirms.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct amqp_confirm {
    uint64_t token, mark;
    bool ended;
};

static struct amqp_confirm *entry(const struct amqp_confirms *confirms, uint64_t number)
{
    return &confirms->ring[number & (confirms->size - 1)];
}

void amqp_confirms_init(struct amqp_confirms *confirms)
{
    *confirms = (struct amqp_confirms){.first = 1, .next = 1, .returned = 1};
}

void amqp_confirms_fini(struct amqp_confirms *confirms)
{
    free(confirms->ring);
    amqp_confirms_init(confirms);
}

void amqp_confirms_restart(struct amqp_confirms *confirms)
{
    confirms->first = confirms->next = confirms->returned = 1;
}

bool amqp_confirms_reserve(struct amqp_confirms *confirms)
{
    if (confirms->next - confirms->first < confirms->size)
        return true;
    size_t size = confirms->size ? confirms->size * 2 : 256;
    struct amqp_confirm *ring = malloc(size * sizeof *ring);
    if (!ring)
        return false;
    for (uint64_t number = confirms->first; number < confirms->next; number++)
        ring[number & (size - 1)] = *entry(confirms, number);
    free(confirms->ring);
    confirms->ring = ring;
    confirms->size = size;
    return true;
}

void amqp_confirms_add(struct amqp_confirms *confirms, uint64_t token, uint64_t mark)
{
    assert(confirms->next - confirms->first < confirms->size);
    *entry(confirms, confirms->next++) = (struct amqp_confirm){.token = token, .mark = mark};
}

static void trim(struct amqp_confirms *confirms)
{
    while (confirms->first < confirms->next && entry(confirms, confirms->first)->ended)
        confirms->first++;
}

static void end(struct amqp_confirms *confirms, uint64_t number, uint64_t *token)
{
    *token = entry(confirms, number)->token;
    entry(confirms, number)->ended = true;
    if (number == confirms->first)
        trim(confirms);
}

bool amqp_confirms_take(struct amqp_confirms *confirms, uint64_t number, bool multiple, uint64_t *token)
{
    if (multiple && confirms->first <= number)
        number = confirms->first; /* never an ended one: they are trimmed */
    if (number < confirms->first || number >= confirms->next || entry(confirms, number)->ended)
        return false;
    end(confirms, number, token);
    return true;
}

bool amqp_confirms_take_any(struct amqp_confirms *confirms, uint64_t *token)
{
    return amqp_confirms_take(confirms, confirms->first, false, token);
}

bool amqp_confirms_return(struct amqp_confirms *confirms, uint64_t mark, uint64_t *token)
{
    if (confirms->returned < confirms->first)
        confirms->returned = confirms->first;
    for (uint64_t number = confirms->returned; number < confirms->next; number++) {
        if (entry(confirms, number)->ended || entry(confirms, number)->mark != mark)
            continue;
        confirms->returned = number + 1;
        end(confirms, number, token);
        return true;
    }
    return false;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t mix_text(uint64_t hash, umbel_str text)
{
    hash = mix(hash, text.size);
    for (; text.size >= 8; text.data += 8, text.size -= 8) {
        uint64_t word;
        memcpy(&word, text.data, sizeof word);
        hash = mix(hash, word);
    }
    uint64_t rest = 0;
    if (text.size)
        memcpy(&rest, text.data, text.size);
    return mix(hash, rest);
}

uint64_t amqp_confirms_mark(umbel_str exchange, umbel_str key, umbel_str correlation_id, umbel_str id,
                            size_t body_size)
{
    uint64_t hash = mix_text(mix(0x6d62656c, body_size), exchange);
    hash = mix_text(hash, key);
    hash = mix_text(hash, correlation_id);
    return mix_text(hash, id);
}
