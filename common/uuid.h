/* uuid.h: random ids. */
#ifndef COMMON_UUID_H
#define COMMON_UUID_H
#define UUID_SIZE 37
/* A version 4 UUID as text, NUL-terminated. Per-thread generator seeded from getrandom, reseeded after fork. */
void uuid_make(char out[UUID_SIZE]);
#endif
