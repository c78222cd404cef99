/* amqp_bytes.h: numbers and short strings in network order. */
#ifndef BROKER_AMQP_BYTES_H
#define BROKER_AMQP_BYTES_H

#include <endian.h>
#include <string.h>
#include <umbel/value.h>

static inline uint16_t bytes_get16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return be16toh(value);
}
static inline uint32_t bytes_get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return be32toh(value);
}
static inline uint64_t bytes_get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}
static inline void bytes_put16(uint8_t *at, uint16_t value)
{
    value = htobe16(value);
    memcpy(at, &value, sizeof value);
}
static inline void bytes_put32(uint8_t *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, sizeof value);
}
static inline void bytes_put64(uint8_t *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof value);
}
/* The caller has checked that it is at most 255 bytes. Answers where to go on. */
static inline uint8_t *bytes_put_short(uint8_t *at, umbel_str text)
{
    *at++ = (uint8_t)text.size;
    if (text.size)
        memcpy(at, text.data, text.size);
    return at + text.size;
}

#endif
