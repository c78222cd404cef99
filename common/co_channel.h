/* co_channel.h: a bounded queue of items of one size between the coroutines of one thread. */
#ifndef COMMON_CO_CHANNEL_H
#define COMMON_CO_CHANNEL_H

#include <stddef.h>

struct co_channel;

/* `room` items wait in it at most; 0: each is handed from hand to hand. NULL: no memory. */
struct co_channel *co_channel_new(size_t item_size, size_t room);
/* Nobody may wait in it. NULL is allowed. */
void co_channel_free(struct co_channel *channel);
/* UMBEL_OK, UMBEL_TIMEOUT (it was not sent), UMBEL_CLOSED. */
int co_channel_send(struct co_channel *channel, const void *item, double deadline);
/* UMBEL_OK, UMBEL_TIMEOUT, UMBEL_CLOSED (and every item was received). */
int co_channel_receive(struct co_channel *channel, void *item, double deadline);
void co_channel_close(struct co_channel *channel);

#endif
