/* transport_amqp.h: the transport to RabbitMQ. */
#ifndef BROKER_TRANSPORT_AMQP_H
#define BROKER_TRANSPORT_AMQP_H

#include "broker/transport.h"

extern const struct transport_ops transport_amqp;

#endif
