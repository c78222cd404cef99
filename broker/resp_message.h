/* resp_message.h: what a channel's subscriber is sent, told apart without taking it apart.
 *
 * A client in full flow is sent one for each of its tasks, all of one shape, for which hiredis' parser needs
 * ten times as long and a copy. Anything else, and what is not whole yet, is left to it. */
#ifndef BROKER_RESP_MESSAGE_H
#define BROKER_RESP_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <umbel/value.h>

/* How each begins. */
#define RESP_MESSAGE "*3\r\n$7\r\nmessage\r\n"

/* A whole published message at the front of the bytes: how many are its own, and the texts, borrowed from
 * them; else 0. */
size_t resp_message(const uint8_t *data, size_t size, umbel_str *channel, umbel_str *payload);

#endif
