/* mailbox_amqp.h: control messages and events through RabbitMQ. */
#ifndef BROKER_MAILBOX_AMQP_H
#define BROKER_MAILBOX_AMQP_H

#include "broker/mailbox.h"

extern const struct mailbox_ops mailbox_amqp;

#endif
