/* amqp_delay.h: delays kept by the broker, with the names and arguments that Celery 5.5 uses, so that both
 * share them.
 *
 * A delay of N seconds is 28 binary digits in the routing key. Level 27 has a queue with a time to live of
 * 2^27 seconds, and so on down to one second. At each level a topic exchange sends the message into its queue
 * when that digit is 1, or straight on to the next level when it is 0; what expires in a queue goes on to the
 * next level too. The last one leads to the exchange celery_delayed_delivery, to which target queues are
 * bound with "#.<queue>". */
#ifndef BROKER_AMQP_DELAY_H
#define BROKER_AMQP_DELAY_H

#include "broker/amqp_conn.h"

#define AMQP_DELAY_LEVELS 28
#define AMQP_DELAY_MAX ((1u << AMQP_DELAY_LEVELS) - 1) /* seconds, about 8.5 years */
#define AMQP_DELAY_KEY_SIZE (2 * AMQP_DELAY_LEVELS + 256)
#define AMQP_DELAY_EXIT "celery_delayed_delivery"
#define AMQP_DELAY_ENTRY "celery_delayed_27"

/* Sends all declarations, nothing of which is answered but the last: exchange.bind-ok. */
void amqp_delay_declare(struct amqp_chan *chan);
/* The routing key of a delay, rounded up to whole seconds; empty when `target` is too long. */
umbel_str amqp_delay_key(char out[AMQP_DELAY_KEY_SIZE], double delay, umbel_str target);

#endif
