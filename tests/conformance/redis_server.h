/* redis_server.h: a Redis of one test's own, to be stopped, filled and killed, and a plain client that
 * commands it. */
#ifndef TESTS_REDIS_SERVER_H
#define TESTS_REDIS_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct redis_server {
    char folder[96];
    char socket[108];
    char url[64]; /* redis://127.0.0.1:PORT */
    char certificate[108], key[108], tls_port_text[8];
    int port, tls_port;
    const char *tls_options[12];
    pid_t pid;
    const char *const *options;
};

/* Starts one on free ports and waits until it answers; skips the test when redis-server is not installed.
 * `options` (may be NULL) are further words of its command line, NULL-terminated, and outlive the server. */
void redis_server_start(struct redis_server *server, const char *const *options);
/* The same, speaking TLS on tls_port, with a certificate of its own for `name` ("IP:127.0.0.1"), which is
 * `certificate`. */
void redis_server_start_tls(struct redis_server *server, const char *name);
/* SIGKILL; its port stays known, so that it can be started again, empty. */
void redis_server_kill(struct redis_server *server);
void redis_server_again(struct redis_server *server);
void redis_server_freeze(struct redis_server *server, bool frozen);
/* Kills it and removes its folder. */
void redis_server_stop(struct redis_server *server);

/* Sends one command (words split at blanks) on a connection of its own; the reply as text, to be freed. */
char *redis_server_do(struct redis_server *server, const char *command);
/* Sends a script that never ends and does not wait; a descriptor to be closed. */
int redis_server_occupy(struct redis_server *server);
/* As redis_server_do, for a number. */
long long redis_server_number(struct redis_server *server, const char *command);

#endif
