/* hash.h: where a name belongs in a table. Not for secrets. */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include <stdint.h>
#include "common/str.h"

/* Both halves of the product: in the lower one alone the highest bit of a word only ever moves the highest
 * bit, whatever the key is, and the next word could take that back. */
static inline uint64_t hash_step(uint64_t word, uint64_t key)
{
    __extension__ typedef unsigned __int128 product;
    product whole = (product)word * key;
    return (uint64_t)whole ^ (uint64_t)(whole >> 64);
}

/* Eight bytes at a time: ids have 36, and one multiplication waits for the other. With a seed that nobody
 * else knows, peers cannot choose names that collide. */
static inline uint64_t hash_name(umbel_str name, uint64_t seed)
{
    const uint64_t key = seed ^ 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio */
    uint64_t hash = seed ^ name.size, word;
    size_t at = 0;
    for (; at + sizeof word <= name.size; at += sizeof word) {
        memcpy(&word, name.data + at, sizeof word);
        hash = hash_step(hash ^ word, key);
    }
    if (at < name.size) {
        word = 0;
        memcpy(&word, name.data + at, name.size - at);
        hash = hash_step(hash ^ word, key);
    }
    return hash;
}

#endif
