/* amqp_confirms.h: publishes whose confirm is awaited, by sequence number. Pure.
 *
 * The broker confirms by number, one by one or "up to", out of order, and says which message it could not
 * route (a return) before it confirms it. A return carries no number: it is matched by a mark made of what
 * the message said about itself. Returns come in the order of publishing, so the search goes on from the last
 * match, and two pending messages with one mark are told apart by that order. */
#ifndef BROKER_AMQP_CONFIRMS_H
#define BROKER_AMQP_CONFIRMS_H

#include <stdbool.h>
#include <stddef.h>
#include <umbel/value.h>

struct amqp_confirm;

struct amqp_confirms {
    struct amqp_confirm *ring;
    size_t size;          /* a power of two, or 0 */
    uint64_t first, next; /* the oldest that is not ended; the number the next publish gets */
    uint64_t returned;    /* where the search for the next return begins */
};

void amqp_confirms_init(struct amqp_confirms *confirms);
void amqp_confirms_fini(struct amqp_confirms *confirms);
/* A new channel: numbers begin at 1 again. Whoever was pending must have been taken. */
void amqp_confirms_restart(struct amqp_confirms *confirms);
/* Makes sure that the next amqp_confirms_add succeeds; false without memory. */
bool amqp_confirms_reserve(struct amqp_confirms *confirms);
void amqp_confirms_add(struct amqp_confirms *confirms, uint64_t token, uint64_t mark);
/* Ends one publish that `number` (or, with `multiple`, anything up to it) covers and gives its token. Call
 * until false. Numbers never given out or already ended are ignored. */
bool amqp_confirms_take(struct amqp_confirms *confirms, uint64_t number, bool multiple, uint64_t *token);
/* Ends the publish that a return means; false when there is none such. */
bool amqp_confirms_return(struct amqp_confirms *confirms, uint64_t mark, uint64_t *token);
bool amqp_confirms_take_any(struct amqp_confirms *confirms, uint64_t *token);
/* What a message and its return have in common. */
uint64_t amqp_confirms_mark(umbel_str exchange, umbel_str key, umbel_str correlation_id, umbel_str id,
                            size_t body_size);

#endif
