/* reply_channel.h: the channel that a client of Umbel hears its results on: what reply_to says.
 *
 * Python's clients name a queue there, a bare UUID, which Umbel answers nothing on; so the name tells the two
 * apart. */
#ifndef COMMON_REPLY_CHANNEL_H
#define COMMON_REPLY_CHANNEL_H

#include <umbel/value.h>

#define REPLY_CHANNEL_SIZE 27

/* A new name, NUL-terminated. 80 random bits: it travels with every message and every result. */
void reply_channel_make(char out[REPLY_CHANNEL_SIZE]);
/* Is it one of ours? */
bool reply_channel_is(umbel_str name);

#endif
