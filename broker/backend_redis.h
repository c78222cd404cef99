/* backend_redis.h: results in Redis. */
#ifndef BROKER_BACKEND_REDIS_H
#define BROKER_BACKEND_REDIS_H

#include "broker/backend.h"

extern const struct backend_ops backend_redis;

#endif
