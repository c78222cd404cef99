/* redis_subscription.h: the connection of a backend that listens, and all it is subscribed to.
 *
 * Behind each turn's SUBSCRIBE goes a PING: Redis answers in order, so its reply says that they are in force.
 * After a reconnect everything is subscribed again first. */
#ifndef BROKER_REDIS_SUBSCRIPTION_H
#define BROKER_REDIS_SUBSCRIPTION_H

#include "broker/redis_connection.h"

struct redis_subscription;

struct redis_subscription_events {
    void (*subscribed)(void *self, uint64_t token);
    void (*notice)(void *self, umbel_str channel, umbel_str payload);
    void (*resubscribed)(void *self);
};

/* Begins to connect. NULL when memory is out. */
struct redis_subscription *redis_subscription_new(struct loop *loop,
                                                  const struct redis_connection_options *options,
                                                  const struct redis_subscription_events *events, void *self);
/* Channels head + each of tails; `subscribed` answers once they are in force, after a reconnect if need be.
 */
void redis_subscription_add(struct redis_subscription *sub, umbel_str head, const umbel_str *tails,
                            size_t count, uint64_t token);
void redis_subscription_remove(struct redis_subscription *sub, umbel_str head, const umbel_str *tails,
                               size_t count);
/* `gone` comes from the loop. */
void redis_subscription_free(struct redis_subscription *sub, void (*gone)(void *self), void *self);

#endif
