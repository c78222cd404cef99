/* tls.h: one TLS session of a client over a non-blocking socket; only stream.c uses it.
 *
 * Calls never block. A wish (TLS_WANT_READ, TLS_WANT_WRITE) means: call again when the socket is ready for
 * that. */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include <sys/types.h>
#include "common/stream.h"

struct tls;

enum { TLS_END = 0, TLS_WANT_READ = -1, TLS_WANT_WRITE = -2, TLS_FAILED = -3 };

/* Prepares a session for the connected `fd`, which stays the caller's. NULL with a text in `why` when a file
 * cannot be read. `host` is what is verified unless the config names another; NULL (a Unix socket) needs
 * config->server_name. */
struct tls *tls_new(const struct stream_tls *config, const char *host, int fd, char *why, size_t why_size);
/* Does not close the descriptor and does not say goodbye. */
void tls_free(struct tls *tls);
/* 1 when done and verified, else a wish or TLS_FAILED. */
int tls_handshake(struct tls *tls);
/* Bytes moved, TLS_END, a wish, or TLS_FAILED. After a wish, write the same bytes again (they may have moved,
 * more may have come behind them). */
ssize_t tls_read(struct tls *tls, void *data, size_t size);
ssize_t tls_write(struct tls *tls, const void *data, size_t size);
/* Decrypted bytes that poll does not see. */
size_t tls_waiting(const struct tls *tls);
/* What went wrong; valid until the next call. */
const char *tls_why(const struct tls *tls);

#endif
