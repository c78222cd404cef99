/* sentence.h: what the client says of what went wrong: what happened, to which task, what to do. Pure. */
#ifndef CLIENT_SENTENCE_H
#define CLIENT_SENTENCE_H

#include <umbel/client.h>

/* A message that never reached a queue. `why` is the transport's text; NULL or "" when it gave none. */
void sentence_unsent(char *out, size_t size, const char *title, const char *queue, int code, const char *why);
/* A wait that ended without a result. `away` says what cannot be reached, or is NULL. */
void sentence_late(char *out, size_t size, const char *title, umbel_state state, double seconds,
                   const char *away);
/* The task failed or was revoked. */
void sentence_failed(char *out, size_t size, const char *title, const char *type, const char *message);
void sentence_revoked(char *out, size_t size, const char *title, const char *message);
/* It was not taken back, because only what has not begun was to be. */
void sentence_runs(char *out, size_t size, const char *title);
/* It ended in another way: the client was closed, memory ran out. */
void sentence_ended(char *out, size_t size, const char *title, int code);
/* The result is there, and is something else than was asked for. */
void sentence_unfit(char *out, size_t size, const char *title, int code, const char *is, const char *wanted);

#endif
