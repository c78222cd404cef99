/* words.h: the last thing that was said to this thread about an object: a text that needs no owner. */
#ifndef CLIENT_WORDS_H
#define CLIENT_WORDS_H

#include <umbel/abi.h>

/* Remembers a text about `about` until this thread says something else. */
void words_say(const void *about, const char *text);
/* What was last said to this thread, if it was about `about`, else "". */
const char *words_about(const void *about);

/* What was said about `about` is over, or `about` is about to go: its address may come back as something
 * else. */
void words_forget(const void *about);

#endif
